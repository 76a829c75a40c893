// Nearest finds the nodes of a graph that are close to a start: its switches change the marks of visited nodes, the
// queue of the search, and the record of a hop.
package main

import (
	"math/rand"
	"sync"

	"gcsim.local/programs/internal/changes"
	"gcsim.local/programs/internal/load"
)

const (
	nodeBytes = 250 // about what a node keeps reachable
	reach     = 700 // nodes of one search
)

type node struct {
	id    int
	name  []byte
	edges []*edge
}

type edge struct {
	to     *node
	length float64
}

// item waits in the queue of a search.
type item struct {
	at       *node
	distance float64
	hops     int
}

// hop is the record of one step of a search.
type hop struct {
	lengths [14]float64
	from    *node
	count   int
}

type service struct {
	*changes.Switches
	mu     sync.RWMutex
	nodes  []*node
	marks  sync.Pool
	meters [2]meter
}

func main() {
	options := load.Options{Name: "nearest", LiveBytes: 50 << 20, Rate: 5000}
	switches := changes.Flags()
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	s := &service{Switches: switches, nodes: make([]*node, options.LiveBytes/nodeBytes)}
	s.meters = [2]meter{shortest{}, average{}}
	for i := range s.nodes {
		s.nodes[i] = &node{id: i, name: make([]byte, 16+rng.Intn(32))}
	}
	for _, n := range s.nodes {
		n.edges = s.edges(rng)
	}
	s.Profile(options.Duration)
	options.Run(func(w *load.Worker) { s.serve(w.Rand) })
}

func (s *service) edges(rng *rand.Rand) []*edge {
	edges := make([]*edge, 4)
	for i := range edges {
		edges[i] = &edge{to: s.nodes[rng.Intn(len(s.nodes))], length: rng.Float64()}
	}
	return edges
}

// serve searches from a random node and gives another one new edges.
func (s *service) serve(rng *rand.Rand) {
	s.mu.RLock()
	start := s.nodes[rng.Intn(len(s.nodes))]
	found := s.search(start)
	s.mu.RUnlock()
	load.Use(len(found))
	fresh := s.edges(rng)
	s.mu.Lock()
	s.nodes[rng.Intn(len(s.nodes))].edges = fresh
	s.mu.Unlock()
}

func (s *service) search(start *node) []item {
	marks := s.takeMarks()
	var queue []item
	if s.Prealloc {
		queue = s.spread(make([]item, 0, reach+8), start, *marks)
	} else {
		queue = s.growQueue(start, *marks)
	}
	if s.Pool {
		for i := range queue {
			(*marks)[queue[i].at.id>>6] = 0
		}
		s.marks.Put(marks)
	}
	return queue
}

func (s *service) takeMarks() *[]uint64 {
	if s.Pool {
		if marks, ok := s.marks.Get().(*[]uint64); ok {
			return marks
		}
	}
	return newMarks(len(s.nodes))
}

//go:noinline
func newMarks(nodes int) *[]uint64 {
	marks := make([]uint64, (nodes+63)/64)
	return &marks
}

//go:noinline
func (s *service) growQueue(start *node, marks []uint64) []item {
	var queue []item
	queue = append(queue, item{at: start})
	for next := 0; next < len(queue) && len(queue) < reach; next++ {
		one := queue[next]
		length := s.measure(one.at, next)
		for _, e := range one.at.edges {
			if marks[e.to.id>>6]&(1<<(e.to.id&63)) == 0 {
				marks[e.to.id>>6] |= 1 << (e.to.id & 63)
				queue = append(queue, item{e.to, one.distance + e.length + length, one.hops + 1})
			}
		}
	}
	return queue
}

func (s *service) spread(queue []item, start *node, marks []uint64) []item {
	queue = append(queue, item{at: start})
	for next := 0; next < len(queue) && len(queue) < reach; next++ {
		one := queue[next]
		length := s.measure(one.at, next)
		for _, e := range one.at.edges {
			if marks[e.to.id>>6]&(1<<(e.to.id&63)) == 0 {
				marks[e.to.id>>6] |= 1 << (e.to.id & 63)
				queue = append(queue, item{e.to, one.distance + e.length + length, one.hops + 1})
			}
		}
	}
	return queue
}

func (s *service) measure(at *node, turn int) float64 {
	if s.Stack {
		return hopOnStack(at)
	}
	return hopOnHeap(at, s.meters[turn&1])
}

// meter measures a hop through an interface, so that the hop escapes.
type meter interface{ of(h *hop) float64 }

type shortest struct{}
type average struct{}

func (shortest) of(h *hop) float64 { return h.sum() * 0.5 }
func (average) of(h *hop) float64  { return h.sum() }

func (h *hop) sum() float64 {
	sum := 0.0
	for i := 0; i < h.count; i++ {
		sum += h.lengths[i]
	}
	return sum
}

func (h *hop) fill(at *node) {
	h.from = at
	for _, e := range at.edges {
		h.lengths[h.count] = e.length
		h.count++
	}
}

//go:noinline
func hopOnHeap(at *node, m meter) float64 {
	h := &hop{}
	h.fill(at)
	return m.of(h)
}

//go:noinline
func hopOnStack(at *node) float64 {
	h := &hop{}
	h.fill(at)
	return h.sum()
}
