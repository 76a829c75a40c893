package main

import (
	"bytes"
	"compress/gzip"
	"container/list"
	"context"
	"encoding/json"
	"hash/fnv"
	"io"
	"sort"
	"sync"
	"time"
)

// state is that of a workflow, or of one of its steps.
type state int

const (
	pending state = iota
	running
	retrying
	sleeping
	completed
	failed
	cancelled
	states
)

var stateNames = [states]string{"pending", "running", "retrying", "sleeping", "completed", "failed", "cancelled"}

func (s state) String() string               { return stateNames[s] }
func (s state) MarshalText() ([]byte, error) { return []byte(stateNames[s]), nil }
func (s state) closed() bool                 { return s >= completed }

// workflow is written under mu until it is closed; then it does not change.
type workflow struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	State   state           `json:"state"`
	Input   json.RawMessage `json:"input"`
	Error   string          `json:"error,omitempty"`
	Created time.Time       `json:"created"`
	Ended   *time.Time      `json:"ended,omitempty"`
	Steps   []*stepRun      `json:"steps"`
	History []*event        `json:"history,omitempty"`

	mu         sync.Mutex
	definition *definition
	ctx        context.Context
	cancel     context.CancelFunc
	overdue    *time.Timer
	undone     int           // steps
	listed     state         // the list that has it
	place      *list.Element // there, or nil
}

type stepRun struct {
	Name    string          `json:"name"`
	State   state           `json:"state"`
	Attempt int             `json:"attempt"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   string          `json:"error,omitempty"`

	undone int // of what it needs
	timer  *time.Timer
}

// event is a line of the history.
type event struct {
	At      time.Time       `json:"at"`
	What    string          `json:"what"`
	Step    string          `json:"step,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	Detail  string          `json:"detail,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func (w *workflow) record(at time.Time, what, step string, attempt int, detail string, payload json.RawMessage) {
	w.History = append(w.History, &event{at, what, step, attempt, detail, payload})
}

func (w *workflow) close(at time.Time, as state, why error) {
	w.State, w.Ended = as, &at
	if why != nil {
		w.Error = why.Error()
	}
	w.record(at, as.String(), "", 0, w.Error, nil)
}

// input is what a step's worker gets.
func (w *workflow) input(i int) *taskInput {
	from := w.definition.steps[i].from
	in := &taskInput{Workflow: w.ID, Step: w.Steps[i].Name, Attempt: w.Steps[i].Attempt, Input: w.Input, Results: make(map[string]json.RawMessage, len(from))}
	for _, need := range from {
		if result := w.Steps[need].Result; result != nil {
			in.Results[w.Steps[need].Name] = result
		}
	}
	return in
}

// now is the state that the steps make: the liveliest of them counts.
func (w *workflow) now() state {
	if w.State.closed() {
		return w.State
	}
	lively := states
	for _, run := range w.Steps {
		if run.State != pending && run.State < lively {
			lively = run.State
		}
	}
	if lively.closed() {
		return running
	}
	return lively
}

const shards = 16

// shard is a part of the workflows; the lists by state have the one that came last at the end.
type shard struct {
	mu      sync.RWMutex
	byID    map[string]*workflow
	byState [states]*list.List
}

type store [shards]shard

func newStore() *store {
	s := &store{}
	for i := range s {
		s[i].byID = map[string]*workflow{}
		for n := range s[i].byState {
			s[i].byState[n] = list.New()
		}
	}
	return s
}

func (s *store) of(id string) *shard {
	h := fnv.New32a()
	io.WriteString(h, id)
	return &s[h.Sum32()%shards]
}

func (s *store) find(id string) *workflow {
	in := s.of(id)
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.byID[id]
}

// move puts a workflow into the list of its state; the caller holds w.mu.
func (s *store) move(w *workflow) {
	w.State = w.now()
	if w.place != nil && w.listed == w.State {
		return
	}
	in := s.of(w.ID)
	in.mu.Lock()
	defer in.mu.Unlock()
	if w.place == nil {
		in.byID[w.ID] = w
	} else {
		in.byState[w.listed].Remove(w.place)
	}
	w.listed, w.place = w.State, in.byState[w.State].PushBack(w)
}

// in gives the workflows that came into a state last.
func (s *store) in(which state, most int) (all []*workflow) {
	for i := range s {
		in := &s[i]
		in.mu.RLock()
		for at, n := in.byState[which].Back(), 0; at != nil && n < most; at, n = at.Prev(), n+1 {
			all = append(all, at.Value.(*workflow))
		}
		in.mu.RUnlock()
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Created.After(all[j].Created) })
	if len(all) > most {
		all = all[:most]
	}
	return all
}

// expired takes out what ended before a time, and the oldest of what is too much.
func (s *store) expired(before time.Time, most int) (gone []*workflow) {
	for i := range s {
		in := &s[i]
		in.mu.Lock()
		excess := -most / shards
		for which := completed; which < states; which++ {
			excess += in.byState[which].Len()
		}
		for which := completed; which < states; which++ {
			for at := in.byState[which].Front(); at != nil; at = in.byState[which].Front() {
				w := at.Value.(*workflow)
				if excess <= 0 && w.Ended.After(before) {
					break
				}
				excess--
				in.byState[which].Remove(at)
				delete(in.byID, w.ID)
				gone = append(gone, w)
			}
		}
		in.mu.Unlock()
	}
	return gone
}

const segmentWorkflows = 32 // that are compressed together

// segment is some workflows, compressed.
type segment struct {
	ids  []string
	body []byte
}

type location struct {
	segment  *segment
	from, to int
}

// archive has what is no longer asked for much; when it is full, the oldest segment is dropped.
type archive struct {
	mu       sync.Mutex
	byID     map[string]location
	segments []*segment
	bytes    int
	most     int
	writer   *gzip.Writer
}

func newArchive(most int) (*archive, error) {
	writer, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return &archive{byID: map[string]location{}, most: most, writer: writer}, err
}

// add compresses some workflows; one caller at a time.
func (a *archive) add(all []*workflow) error {
	var packed bytes.Buffer
	a.writer.Reset(&packed)
	full, size := &segment{}, 0
	places := make([]location, len(all))
	for i, w := range all {
		encoded, err := json.Marshal(w)
		if err != nil {
			return err
		}
		if _, err := a.writer.Write(encoded); err != nil {
			return err
		}
		full.ids, places[i] = append(full.ids, w.ID), location{full, size, size + len(encoded)}
		size += len(encoded)
	}
	if err := a.writer.Close(); err != nil {
		return err
	}
	full.body = append([]byte(nil), packed.Bytes()...)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, id := range full.ids {
		a.byID[id] = places[i]
	}
	a.segments, a.bytes = append(a.segments, full), a.bytes+len(full.body)
	for a.bytes > a.most && len(a.segments) > 1 {
		oldest := a.segments[0]
		for _, id := range oldest.ids {
			delete(a.byID, id)
		}
		a.bytes -= len(oldest.body)
		a.segments[0], a.segments = nil, a.segments[1:]
	}
	return nil
}

// find gives the JSON of an archived workflow.
func (a *archive) find(id string) ([]byte, error) {
	a.mu.Lock()
	at, ok := a.byID[id]
	a.mu.Unlock()
	if !ok {
		return nil, errUnknown
	}
	reader, err := gzip.NewReader(bytes.NewReader(at.segment.body))
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, reader, int64(at.from)); err != nil {
		return nil, err
	}
	one := make([]byte, at.to-at.from)
	_, err = io.ReadFull(reader, one)
	return one, err
}
