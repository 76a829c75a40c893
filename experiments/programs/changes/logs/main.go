// Logs parses batches of log lines and keeps the newest events: its switches change the output buffer of a batch,
// the slice of its fields, and the record of a line.
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/changes"
	"gcsim.local/programs/internal/load"
)

const (
	linesOfBatch = 60
	eventBytes   = 400 // about what a kept event keeps reachable
)

// event is one kept line.
type event struct {
	host, path string
	tags       map[string]string
	next       *event
}

// field is a key and a value within a line.
type field struct {
	key, value []byte
	hash       uint64
}

// line is the record of a line while it is parsed.
type line struct {
	fields  [24]field
	count   int
	quality float64
}

type service struct {
	*changes.Switches
	mu      sync.Mutex
	ring    []*event
	next    int
	corpus  [][]byte
	buffers sync.Pool
	checks  [2]check
}

func main() {
	options := load.Options{Name: "logs", LiveBytes: 30 << 20, Rate: 4000}
	switches := changes.Flags()
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	s := &service{Switches: switches, ring: make([]*event, options.LiveBytes/eventBytes)}
	s.checks = [2]check{longest{}, densest{}}
	for i := 0; i < 128; i++ {
		s.corpus = append(s.corpus, batchOf(rng))
	}
	for i := range s.ring {
		s.ring[i] = newEvent(rng.Intn(1000), rng.Intn(5000))
	}
	s.Profile(options.Duration)
	options.Run(func(w *load.Worker) { s.serve(w.Rand) })
}

func batchOf(rng *rand.Rand) []byte {
	var out bytes.Buffer
	for i := 0; i < linesOfBatch; i++ {
		fmt.Fprintf(&out, "host=web-%d path=/item/%d status=%d", rng.Intn(100), rng.Intn(5000), 200+rng.Intn(4)*100)
		for n := 2 + rng.Intn(12); n > 0; n-- {
			fmt.Fprintf(&out, " k%d=%d", rng.Intn(90), rng.Intn(100000))
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func newEvent(host, path int) *event {
	e := &event{host: fmt.Sprintf("web-%d", host), path: fmt.Sprintf("/item/%d", path), tags: map[string]string{}}
	e.tags["zone"] = fmt.Sprintf("z%d", host%7)
	return e
}

func (s *service) serve(rng *rand.Rand) {
	batch := s.corpus[rng.Intn(len(s.corpus))]
	fields := s.fields(batch)
	quality := 0.0
	for rest := batch; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if s.Stack {
			quality += lineOnStack(rest[:end])
		} else {
			quality += lineOnHeap(rest[:end], s.checks[len(rest)&1])
		}
		rest = rest[end+1:]
	}
	out := s.buffer()
	defer s.release(out)
	out.Reset()
	for i := range fields {
		if out.Len() > 30<<10 {
			break
		}
		out.Write(fields[i].value)
		out.WriteByte('\t')
	}
	for i := 0; i < 3; i++ {
		e := newEvent(rng.Intn(1000), int(quality)%5000)
		s.mu.Lock()
		s.ring[s.next%len(s.ring)] = e
		s.next++
		s.mu.Unlock()
	}
	atomic.AddUint64(&total, uint64(out.Len()))
}

var total uint64

// fields are those of all lines of a batch.
func (s *service) fields(batch []byte) []field {
	if s.Prealloc {
		return addFields(make([]field, 0, bytes.Count(batch, []byte("="))), batch)
	}
	return growFields(batch)
}

//go:noinline
func growFields(batch []byte) []field {
	var found []field
	for rest := batch; len(rest) > 0; {
		var one field
		one, rest = nextField(rest)
		found = append(found, one)
	}
	return found
}

func addFields(found []field, batch []byte) []field {
	for rest := batch; len(rest) > 0; {
		var one field
		one, rest = nextField(rest)
		found = append(found, one)
	}
	return found
}

// nextField is the first field of a text, and the text behind it.
func nextField(rest []byte) (field, []byte) {
	equals := bytes.IndexByte(rest, '=')
	end := equals + 1
	hash := uint64(14695981039346656037)
	for end < len(rest) && rest[end] != ' ' && rest[end] != '\n' {
		hash = (hash ^ uint64(rest[end])) * 1099511628211
		end++
	}
	next := end + 1
	if next > len(rest) {
		next = len(rest)
	}
	return field{rest[:equals], rest[equals+1 : end], hash}, rest[next:]
}

// check judges the record of a line through an interface, so that the record escapes.
type check interface{ of(l *line) float64 }

type longest struct{}
type densest struct{}

func (longest) of(l *line) float64 { return l.longest() }
func (densest) of(l *line) float64 { return l.longest() + 1 }

func (l *line) longest() float64 {
	most := 0
	for i := 0; i < l.count; i++ {
		if n := len(l.fields[i].value); n > most {
			most = n
		}
	}
	l.quality = float64(most)
	return l.quality
}

func (l *line) parse(text []byte) {
	for rest := text; len(rest) > 0 && l.count < len(l.fields); l.count++ {
		l.fields[l.count], rest = nextField(rest)
	}
}

//go:noinline
func lineOnHeap(text []byte, judge check) float64 {
	l := &line{}
	l.parse(text)
	return judge.of(l)
}

//go:noinline
func lineOnStack(text []byte) float64 {
	l := &line{}
	l.parse(text)
	return l.longest()
}

func (s *service) buffer() *bytes.Buffer {
	if s.Pool {
		if out, ok := s.buffers.Get().(*bytes.Buffer); ok {
			return out
		}
	}
	return newOutput()
}

//go:noinline
func newOutput() *bytes.Buffer { return bytes.NewBuffer(make([]byte, 0, 32<<10)) }

func (s *service) release(out *bytes.Buffer) {
	if s.Pool {
		s.buffers.Put(out)
	}
}
