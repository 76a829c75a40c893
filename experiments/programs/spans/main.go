// Spans is a collector of traces that decides late: batches of spans come from many services, are taken apart
// and wait with the others of their trace until the room that traces have is full. Then the oldest is looked
// at as a whole: times go into statistics, and the trace is kept if it was slow, failed or drew a lot, which
// means that it is encoded again, compressed with others and sent. Most are dropped. Nearly all that is
// allocated lives as long as a trace waits.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// traceBytes is about what one waiting trace keeps reachable; baseBytes is what statistics, shapes and buffers do.
const (
	traceBytes = 11 << 10
	baseBytes  = 5 << 20
)

const (
	shards    = 16
	exporters = 2
	sendAt    = 256 << 10 // bytes of kept traces in one sending
	decided   = 4         // decisions that are remembered, for each trace that waits
)

// trace is what has come of one.
type trace struct {
	id      traceID
	spans   []*span
	arrived time.Time
}

type shard struct {
	mu      sync.Mutex
	waiting map[traceID]*trace
	ring    []*trace // the oldest at next
	next    int
	past    map[traceID]bool // whether it was kept
	order   []traceID
	oldest  int
	edges   map[edge]*statistic
	_       [64]byte // keeps the locks on separate cache lines
}

// edge is a kind of work of one service for another.
type edge struct{ caller, service, name string }

// statistic counts durations by powers of two of microseconds, with the slowest as an example.
type statistic struct {
	buckets [24]uint64
	errors  uint64
	slowest uint64
	example traceID
}

type collector struct {
	shards  [shards]shard
	senders *senders
	percent uint64 // kept by lot
	kept    chan *trace
	bodies  sync.Pool // of *encoder
}

// take sorts a batch's spans to their traces.
func (c *collector) take(body []byte) (int, error) {
	spans, err := decodeBatch(body)
	if err != nil {
		return 0, err
	}
	byTrace := map[traceID][]*span{}
	for _, s := range spans {
		byTrace[s.trace] = append(byTrace[s.trace], s)
	}
	now := time.Now()
	for id, list := range byTrace {
		sh := &c.shards[id[15]%shards]
		sh.mu.Lock()
		ready := sh.add(id, list, now)
		sh.mu.Unlock()
		if ready != nil {
			c.decide(sh, ready)
		}
	}
	return len(spans), nil
}

// add puts spans with those that were there, and gives the trace that has to go for a new one.
func (sh *shard) add(id traceID, list []*span, now time.Time) (ready *trace) {
	if t := sh.waiting[id]; t != nil {
		t.spans = append(t.spans, list...)
		return nil
	}
	if kept, known := sh.past[id]; known {
		if kept { // it follows the others
			return &trace{id, list, now}
		}
		return nil
	}
	t := &trace{id, list, now}
	if len(sh.ring) < cap(sh.ring) {
		sh.ring = append(sh.ring, t)
	} else {
		ready, sh.ring[sh.next] = sh.ring[sh.next], t
		sh.next = (sh.next + 1) % len(sh.ring)
		delete(sh.waiting, ready.id)
	}
	sh.waiting[id] = t
	return ready
}

// decide looks at a trace that nobody else has any more.
func (c *collector) decide(sh *shard, t *trace) {
	byID := make(map[spanID]*span, len(t.spans))
	first, last, failed := ^uint64(0), uint64(0), false
	for _, s := range t.spans {
		byID[s.id] = s
		if s.start < first {
			first = s.start
		}
		if s.end > last {
			last = s.end
		}
		failed = failed || s.status != nil && s.status.code == 2
	}
	lot := (uint64(t.id[2])<<8 | uint64(t.id[3])) * 100 >> 16
	slow := last-first > 4250000
	keep := slow || failed && lot < 5*c.percent || lot < c.percent
	sh.mu.Lock()
	for _, s := range t.spans {
		sh.count(s, byID[s.parent])
	}
	sh.remember(t.id, keep)
	sh.mu.Unlock()
	if keep {
		c.kept <- t
	}
}

// count notes a span's time without that of what it waited for.
func (sh *shard) count(s, parent *span) {
	e := edge{service: s.resource.service(), name: s.name}
	if parent != nil {
		e.caller = parent.resource.service()
	}
	stat := sh.edges[e]
	if stat == nil {
		stat = &statistic{}
		sh.edges[e] = stat
	}
	took, bucket := s.end-s.start, 0
	for us := took / 1000; us > 0 && bucket < len(stat.buckets)-1; us >>= 1 {
		bucket++
	}
	stat.buckets[bucket]++
	if s.status != nil {
		stat.errors++
	}
	if took > stat.slowest {
		stat.slowest, stat.example = took, s.trace
	}
}

// remember lets spans that come too late share their trace's fate.
func (sh *shard) remember(id traceID, kept bool) {
	if _, known := sh.past[id]; known {
		return
	}
	if len(sh.order) < cap(sh.order) {
		sh.order = append(sh.order, id)
	} else {
		delete(sh.past, sh.order[sh.oldest])
		sh.order[sh.oldest] = id
		sh.oldest = (sh.oldest + 1) % len(sh.order)
	}
	sh.past[id] = kept
}

// export sends kept traces, many at a time.
func (c *collector) export() {
	var e encoder
	var out bytes.Buffer
	packer, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		fail(err)
	}
	for t := range c.kept {
		for _, s := range t.spans {
			s.attributes = append(s.attributes, &attribute{"sampled.after", &textValue{strconv.FormatInt(time.Since(t.arrived).Milliseconds(), 10) + "ms"}})
			e.span(2, s)
		}
		if len(e.data) < sendAt {
			continue
		}
		out.Reset()
		packer.Reset(&out)
		if _, err := packer.Write(e.data); err != nil {
			fail(err)
		}
		if err := packer.Close(); err != nil {
			fail(err)
		}
		time.Sleep(4 * time.Millisecond) // the way there and back
		load.Use(out.Len())
		e.data = e.data[:0]
	}
}

func newCollector(s *senders, traces, percent int) *collector {
	c := &collector{senders: s, percent: uint64(percent), kept: make(chan *trace, 256)}
	c.bodies.New = func() interface{} { return new(encoder) }
	for i := range c.shards {
		room := traces/shards + 1
		c.shards[i] = shard{
			waiting: map[traceID]*trace{}, ring: make([]*trace, 0, room), edges: map[edge]*statistic{},
			past: map[traceID]bool{}, order: make([]traceID, 0, decided*room),
		}
	}
	for i := 0; i < exporters; i++ {
		go c.export()
	}
	return c
}

// receive makes a batch and takes it in.
func (c *collector) receive() {
	e := c.bodies.Get().(*encoder)
	body := c.senders.next(e)
	c.bodies.Put(e)
	n, err := c.take(body)
	if err != nil {
		fail(err)
	}
	load.Use(n)
}

// full is whether as many traces wait as may.
func (c *collector) full() bool {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		room := cap(sh.ring) - len(sh.ring)
		sh.mu.Unlock()
		if room > 0 {
			return false
		}
	}
	return true
}

func main() {
	options := load.Options{Name: "spans", LiveBytes: 110 << 20, Rate: 4000}
	group := flag.Int("group", 12, "traces that a batch has spans of")
	percent := flag.Int("percent", 5, "of traces kept by lot")
	options.Parse()
	if *group < 1 || *percent < 0 {
		fail(errors.New("-group must be 1 or more, -percent 0 or more"))
	}
	traces := 400
	if more := int(options.LiveBytes-baseBytes) / traceBytes; more > traces {
		traces = more
	}
	c := newCollector(newSenders(load.NewRand(options.Seed, -1), *group), traces, *percent)
	for !c.full() {
		c.receive()
	}
	options.Run(func(w *load.Worker) { c.receive() })
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "spans: %v\n", err)
	os.Exit(1)
}
