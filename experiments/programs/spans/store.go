package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"math/bits"
	"sync"
)

const (
	shards      = 16
	blockTraces = 64 // that are compressed together
	slowNanos   = 120e6
)

// trace is what came of one so far.
type trace struct {
	id     traceID
	spans  []*span
	failed bool
	from   uint64
	to     uint64
}

func (t *trace) add(s *span) {
	t.spans = append(t.spans, s)
	t.failed = t.failed || s.Failed
	if t.from == 0 || s.Start < t.from {
		t.from = s.Start
	}
	if s.End > t.to {
		t.to = s.End
	}
}

// shard has traces that may not be complete; the newest pushes the oldest out, whose fate is then decided.
type shard struct {
	mu   sync.Mutex
	byID map[traceID]*trace
	ring []*trace
	next int
	_    [64]byte // keeps the locks on separate cache lines
}

// add gives the traces that had to go.
func (s *shard) add(one *span) (gone *trace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byID[one.trace]
	if t == nil {
		t = &trace{id: one.trace}
		gone = s.ring[s.next]
		if gone != nil {
			delete(s.byID, gone.id)
		}
		s.ring[s.next], s.byID[t.id] = t, t
		s.next = (s.next + 1) % len(s.ring)
	}
	t.add(one)
	return gone
}

// operationStat is what the service counts of an operation, whatever becomes of its traces.
type operationStat struct {
	count, failed int64
	buckets       [24]int64 // by the binary logarithm of microseconds
}

type operationKey struct{ service, name string }

// store takes spans in. Traces that are worth it go to the packer, a goroutine of its own.
type store struct {
	shards [shards]shard
	share  float64 // kept of those that are neither slow nor failed
	kept   chan *trace

	statMu sync.Mutex
	stats  map[operationKey]*operationStat

	blockMu sync.RWMutex
	blocks  []*block // oldest first
	bytes   int      // of all blocks
	most    int

	expanders sync.Pool // of *expander
}

func newStore(pending, most int, share float64) *store {
	s := &store{share: share, kept: make(chan *trace, 256), stats: map[operationKey]*operationStat{}, most: most}
	s.expanders.New = func() interface{} { return &expander{reader: flate.NewReader(bytes.NewReader(nil))} }
	for i := range s.shards {
		s.shards[i].byID = map[traceID]*trace{}
		s.shards[i].ring = make([]*trace, pending/shards+1)
	}
	return s
}

func (s *store) add(spans []*span) {
	s.count(spans)
	for _, one := range spans {
		gone := s.shards[one.trace[0]%shards].add(one)
		if gone != nil && (gone.failed || gone.to-gone.from > slowNanos && s.chosen(gone, 4) || s.chosen(gone, 1)) {
			s.kept <- gone
		}
	}
}

// chosen decides by the identity, so that all collectors of a system decide alike.
func (s *store) chosen(t *trace, times float64) bool {
	return float64(binary.BigEndian.Uint32(t.id[8:])) < s.share*times*(1<<32)
}

func (s *store) count(spans []*span) {
	s.statMu.Lock()
	defer s.statMu.Unlock()
	for _, one := range spans {
		key := operationKey{one.Service, one.Name}
		stat := s.stats[key]
		if stat == nil {
			stat = &operationStat{}
			s.stats[key] = stat
		}
		stat.count++
		if one.Failed {
			stat.failed++
		}
		stat.buckets[bits.Len32(uint32(one.End-one.Start)/1000)%len(stat.buckets)]++
	}
}

// block is some traces, compressed; it does not change.
type block struct {
	entries []entry
	body    []byte
}

type entry struct {
	id       traceID
	from, to int // in the expanded body
	nanos    uint64
	services []string
}

// pack makes blocks of what is kept, for ever.
func (s *store) pack(fail func(error)) {
	writer, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		fail(err)
	}
	var plain encoder
	var entries []entry
	for t := range s.kept {
		from := len(plain)
		for _, one := range t.spans {
			var body encoder
			body.span(one)
			plain.text(2, string(body))
		}
		entries = append(entries, entry{t.id, from, len(plain), t.to - t.from, servicesOf(t)})
		if len(entries) < blockTraces {
			continue
		}
		var packed bytes.Buffer
		writer.Reset(&packed)
		if _, err := writer.Write(plain); err != nil {
			fail(err)
		}
		if err := writer.Close(); err != nil {
			fail(err)
		}
		s.append(&block{entries, append([]byte(nil), packed.Bytes()...)})
		plain, entries = plain[:0], nil
	}
}

func servicesOf(t *trace) (services []string) {
	seen := make(map[string]bool, 4)
	for _, one := range t.spans {
		if !seen[one.Service] {
			seen[one.Service] = true
			services = append(services, one.Service)
		}
	}
	return services
}

func (s *store) append(b *block) {
	s.blockMu.Lock()
	defer s.blockMu.Unlock()
	s.blocks, s.bytes = append(s.blocks, b), s.bytes+len(b.body)
	for s.bytes > s.most && len(s.blocks) > 1 {
		s.bytes -= len(s.blocks[0].body)
		s.blocks[0], s.blocks = nil, s.blocks[1:]
	}
}

func (s *store) full() bool {
	s.blockMu.RLock()
	defer s.blockMu.RUnlock()
	return s.bytes >= s.most*9/10
}

// expander is large, so that it is used again.
type expander struct {
	reader io.ReadCloser
	plain  bytes.Buffer
}

type found struct {
	Trace []byte  `json:"trace"`
	Nanos uint64  `json:"nanos"`
	Spans []*span `json:"spans"`
}

// query looks in one block, counted from the newest, for the slowest traces through a service.
func (s *store) query(age int, service string, most int) (all []*found, err error) {
	s.blockMu.RLock()
	var b *block
	if len(s.blocks) > 0 {
		b = s.blocks[len(s.blocks)-1-age%len(s.blocks)]
	}
	s.blockMu.RUnlock()
	if b == nil {
		return nil, nil
	}
	x := s.expanders.Get().(*expander)
	defer s.expanders.Put(x)
	x.plain.Reset()
	if err := x.reader.(flate.Resetter).Reset(bytes.NewReader(b.body), nil); err != nil {
		return nil, err
	}
	if _, err := x.plain.ReadFrom(x.reader); err != nil {
		return nil, err
	}
	for i := range b.entries {
		e := &b.entries[i]
		if len(all) == most || !contains(e.services, service) {
			continue
		}
		spans, err := decodeBatch(x.plain.Bytes()[e.from:e.to])
		if err != nil {
			return nil, err
		}
		all = append(all, &found{append([]byte(nil), e.id[:]...), e.nanos, spans})
	}
	return all, nil
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
