package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"sync/atomic"
	"time"
)

// task does a step; what it gives is the step's result.
type task func(ctx context.Context, in *taskInput) (interface{}, error)

// retry says how often a step is tried, and how long after the first failure, the second, and so on.
type retry struct {
	attempts    int
	first, most time.Duration
}

func (p retry) backoff(attempt int) time.Duration {
	wait := math.Min(float64(p.first)*math.Pow(2, float64(attempt-1)), float64(p.most))
	return time.Duration(wait * (0.75 + rand.Float64()/2))
}

// step is a part of a definition; it comes after those that it needs.
type step struct {
	name     string
	needs    []string
	task     task          // nil where the step only sleeps
	queue    string        // of the workers that do it
	takes    time.Duration // there, on average; sleeps take so long at least
	timeout  time.Duration // of one attempt
	fails    float64       // share of attempts
	retry    retry
	optional bool // the workflow goes on when it fails

	from, dependents []int
}

type definition struct {
	name     string
	share    int // of what is started
	deadline time.Duration
	sample   func(r *rand.Rand) interface{}
	steps    []*step
}

// link finds the steps that others need.
func (d *definition) link() {
	places := map[string]int{}
	for i, s := range d.steps {
		places[s.name] = i
		for _, name := range s.needs {
			need := places[name]
			s.from = append(s.from, need)
			d.steps[need].dependents = append(d.steps[need].dependents, i)
		}
	}
}

const workersOfQueue = 1000

var errDeadline = errors.New("the workflow's deadline is over")

// engine brings workflows on: whatever ends (an attempt, a sleep) starts what depended on it.
type engine struct {
	definitions map[string]*definition
	store       *store
	queues      map[string]chan struct{} // a place for each worker
	open        chan struct{}            // a place for each open workflow
	sequence    uint64
	replaying   bool // what was before the start: nothing takes time, and nothing else happens
}

func newEngine(seed uint64, open int) *engine {
	e := &engine{definitions: map[string]*definition{}, store: newStore(), queues: map[string]chan struct{}{}, open: make(chan struct{}, open), sequence: seed << 32}
	for _, d := range definitions() {
		d.link()
		e.definitions[d.name] = d
		for _, s := range d.steps {
			if s.task != nil && e.queues[s.queue] == nil {
				e.queues[s.queue] = make(chan struct{}, workersOfQueue)
			}
		}
	}
	return e
}

func (e *engine) newWorkflow(d *definition, input json.RawMessage, at time.Time) *workflow {
	number := atomic.AddUint64(&e.sequence, 1)
	w := &workflow{
		ID: d.name + "-" + strconv.FormatUint(number*0x9e3779b97f4a7c15, 16), Kind: d.name, State: running,
		Input: input, Created: at, definition: d, undone: len(d.steps),
	}
	for _, s := range d.steps {
		w.Steps = append(w.Steps, &stepRun{Name: s.name, State: pending, undone: len(s.from)})
	}
	w.record(at, "started", "", 0, "", input)
	return w
}

// start waits for a place among the open workflows, and starts the steps that need nothing.
func (e *engine) start(d *definition, input json.RawMessage) *workflow {
	e.open <- struct{}{}
	w := e.newWorkflow(d, input, time.Now())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.cancel = context.WithTimeout(context.Background(), d.deadline)
	w.overdue = time.AfterFunc(d.deadline, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		e.finish(w, failed, errDeadline)
	})
	e.store.move(w)
	for i, s := range d.steps {
		if len(s.from) == 0 {
			e.begin(w, i)
		}
	}
	return w
}

// begin makes an attempt at a step; the caller holds w.mu, here and in those below.
func (e *engine) begin(w *workflow, i int) {
	s, run := w.definition.steps[i], w.Steps[i]
	run.Attempt++
	attempt := run.Attempt
	switch run.State = running; {
	case e.replaying:
		w.record(time.Now(), "scheduled", s.name, attempt, s.queue, nil)
		if s.task == nil {
			e.settle(w, i, attempt, nil, nil)
			return
		}
		result, err := e.call(w.ctx, s, w.input(i))
		e.settle(w, i, attempt, result, err)
	case s.task == nil:
		run.State = sleeping
		wait := time.Duration(float64(s.takes) * (1 + rand.ExpFloat64()/2))
		w.record(time.Now(), "sleeping", s.name, attempt, wait.String(), nil)
		run.timer = time.AfterFunc(wait, func() { e.ended(w, i, attempt, nil, nil) })
	default:
		w.record(time.Now(), "scheduled", s.name, attempt, s.queue, nil)
		go e.attempt(w.ctx, w, i, w.input(i))
	}
}

// attempt does a step when one of its queue's workers is free.
func (e *engine) attempt(ctx context.Context, w *workflow, i int, in *taskInput) {
	s := w.definition.steps[i]
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	result, err := e.call(ctx, s, in)
	e.ended(w, i, in.Attempt, result, err)
}

// call has a worker do a step.
func (e *engine) call(ctx context.Context, s *step, in *taskInput) (json.RawMessage, error) {
	payload, err := json.Marshal(in)
	if err != nil || e.replaying {
		return s.perform(ctx, payload)
	}
	select {
	case e.queues[s.queue] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-e.queues[s.queue] }()
	elsewhere := time.NewTimer(time.Duration(rand.ExpFloat64() * float64(s.takes)))
	defer elsewhere.Stop()
	select {
	case <-elsewhere.C:
		return s.perform(ctx, payload)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *engine) ended(w *workflow, i, attempt int, result json.RawMessage, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.settle(w, i, attempt, result, err)
}

// settle takes what came of an attempt or a sleep, unless it is late.
func (e *engine) settle(w *workflow, i, attempt int, result json.RawMessage, err error) {
	s, run := w.definition.steps[i], w.Steps[i]
	if w.State.closed() || run.State.closed() || run.Attempt != attempt {
		return
	}
	now := time.Now()
	switch run.timer = nil; {
	case err == nil:
		w.record(now, "completed", s.name, attempt, "", result)
		run.State, run.Result = completed, result
	case attempt < s.retry.attempts && !errors.Is(err, errDeclined):
		wait := s.retry.backoff(attempt)
		w.record(now, "failed", s.name, attempt, fmt.Sprintf("%v; again in %v", err, wait), nil)
		run.State, run.Error = retrying, err.Error()
		if e.replaying {
			e.begin(w, i)
			return
		}
		run.timer = time.AfterFunc(wait, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.State.closed() {
				e.begin(w, i)
				e.store.move(w)
			}
		})
	default:
		w.record(now, "failed", s.name, attempt, err.Error(), nil)
		run.State, run.Error = failed, err.Error()
		if !s.optional {
			e.finish(w, failed, fmt.Errorf("step %s: %w", s.name, err))
			return
		}
	}
	if run.State.closed() {
		w.undone--
		for _, next := range s.dependents {
			if w.Steps[next].undone--; w.Steps[next].undone == 0 {
				e.begin(w, next)
			}
		}
	}
	if w.undone == 0 {
		e.finish(w, completed, nil)
		return
	}
	e.store.move(w)
}

// finish closes a workflow; what still runs of it ends by its context, and is not heard.
func (e *engine) finish(w *workflow, as state, why error) {
	if w.State.closed() {
		return
	}
	w.close(time.Now(), as, why)
	w.cancel()
	w.overdue.Stop()
	for _, run := range w.Steps {
		if run.timer != nil {
			run.timer.Stop()
		}
	}
	w.ctx, w.cancel, w.overdue = nil, nil, nil // they keep much
	e.store.move(w)
	<-e.open
}
