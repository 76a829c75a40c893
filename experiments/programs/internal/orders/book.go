package orders

import "sync"

// EntryBytes is about what one order in the book keeps reachable: the order's copy, its strings, tags
// and legs, and its place in ring and map (measured with Go 1.27; versions differ by a few percent).
const EntryBytes = 290

const shards = 16

// Book keeps the newest orders, up to a size that may change; an order put in pushes the oldest out.
type Book struct {
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	byID   map[uint64]*Order
	ring   []*Order // oldest at next
	next   int
	target int
	_      [64]byte // keeps the locks on separate cache lines
}

// NewBook is an empty book for the given number of orders.
func NewBook(size int) *Book {
	b := &Book{}
	for i := range b.shards {
		target := size/shards + 1
		b.shards[i] = shard{byID: make(map[uint64]*Order, target), target: target}
	}
	return b
}

// Resize changes how many orders the book keeps; it shrinks and grows as orders are put in.
func (b *Book) Resize(size int) {
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		s.target = size/shards + 1
		s.mu.Unlock()
	}
}

// Put keeps an order under its ID.
func (b *Book) Put(id uint64, order *Order) {
	s := &b.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[id] = order
	order.ID = id
	if len(s.ring) < s.target {
		s.ring = append(s.ring, order)
		return
	}
	for drop := 0; len(s.ring) > s.target && drop < 2; drop++ { // shrinks two orders at a time
		last := len(s.ring) - 1
		s.forget(s.ring[last])
		s.ring[last] = nil
		s.ring = s.ring[:last]
	}
	if s.next >= len(s.ring) {
		s.next = 0
	}
	s.forget(s.ring[s.next])
	s.ring[s.next] = order
	s.next++
}

func (s *shard) forget(order *Order) {
	if s.byID[order.ID] == order {
		delete(s.byID, order.ID)
	}
}

// Get finds an order that is still in the book.
func (b *Book) Get(id uint64) *Order {
	s := &b.shards[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}
