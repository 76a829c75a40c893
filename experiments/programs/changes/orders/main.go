// Orders is the order service with three allocation sites that switches change: the reply's buffer, the slice of
// totals, and the scratch record of a batch.
package main

import (
	"encoding/json"
	"flag"
	"hash/fnv"
	"math/rand"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/changes"
	"gcsim.local/programs/internal/load"
	"gcsim.local/programs/internal/orders"
)

const replyBytes = 24 << 10 // the reply's buffer

type service struct {
	*changes.Switches
	book     *orders.Book
	corpus   [][]byte
	keep     int
	sequence uint64
	buffers  sync.Pool
}

// total is one symbol and venue of a batch.
type total struct {
	symbol, venue   string
	orders          int64
	quantity, value float64
}

// scratch is the record of a batch while it is summed.
type scratch struct {
	bySide   [2]float64
	byVenue  [500]float64
	smallest float64
	largest  float64
}

// watcher sees the scratch record of a batch through an interface, so that the record escapes.
type watcher interface {
	note(s *scratch, order *orders.Order)
}

type range_ struct{}

func (range_) note(s *scratch, order *orders.Order) { s.note(order) }

func (s *scratch) note(order *orders.Order) {
	value := float64(order.Quantity) * order.Price
	if s.smallest == 0 || value < s.smallest {
		s.smallest = value
	}
	if value > s.largest {
		s.largest = value
	}
	s.byVenue[len(order.Customer)*len(order.Venue)%len(s.byVenue)] += value
	s.bySide[len(order.Side)&1] += value
}

func main() {
	options := load.Options{Name: "orders", LiveBytes: 40 << 20, Rate: 6000}
	switches := changes.Flags()
	batch := flag.Int("batch", 32, "orders in a batch")
	keep := flag.Int("keep", 4, "orders of a batch that enter the book")
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	s := &service{Switches: switches, corpus: orders.Corpus(rng, 256, *batch), keep: *keep}
	size := int(options.LiveBytes / orders.EntryBytes)
	s.book = orders.NewBook(size)
	for put := 0; put < size; put += *batch {
		s.put(s.decode(s.corpus[rng.Intn(len(s.corpus))]), *batch)
	}
	s.Profile(options.Duration)
	options.Run(func(w *load.Worker) { s.serve(w.Rand) })
}

func (s *service) serve(rng *rand.Rand) {
	batch := s.decode(s.corpus[rng.Intn(len(s.corpus))])
	totals := s.totals(batch)
	sort.Slice(totals, func(i, j int) bool { return totals[i].symbol < totals[j].symbol })
	s.put(batch, s.keep)
	load.Use(s.reply(totals, s.summary(batch)))
}

func (s *service) decode(body []byte) *orders.Batch {
	batch := new(orders.Batch)
	if err := json.Unmarshal(body, batch); err != nil {
		panic(err) // the corpus is our own
	}
	return batch
}

// totals has one row for each order and one for each of its legs.
func (s *service) totals(batch *orders.Batch) []total {
	if s.Prealloc {
		rows := 0
		for i := range batch.Orders {
			rows += 1 + len(batch.Orders[i].Legs)
		}
		return addTotals(make([]total, 0, rows), batch)
	}
	return growTotals(batch)
}

//go:noinline
func growTotals(batch *orders.Batch) []total {
	var rows []total
	for i := range batch.Orders {
		order := &batch.Orders[i]
		rows = append(rows, total{order.Symbol, order.Venue, 1, float64(order.Quantity), order.Price})
		for _, leg := range order.Legs {
			rows = append(rows, total{leg.Symbol, order.Venue, 0, float64(leg.Quantity), 0})
		}
	}
	return rows
}

func addTotals(rows []total, batch *orders.Batch) []total {
	for i := range batch.Orders {
		order := &batch.Orders[i]
		rows = append(rows, total{order.Symbol, order.Venue, 1, float64(order.Quantity), order.Price})
		for _, leg := range order.Legs {
			rows = append(rows, total{leg.Symbol, order.Venue, 0, float64(leg.Quantity), 0})
		}
	}
	return rows
}

func (s *service) summary(batch *orders.Batch) float64 {
	if s.Stack {
		return sumOnStack(batch)
	}
	return sumOnHeap(batch, range_{})
}

//go:noinline
func sumOnHeap(batch *orders.Batch, w watcher) float64 {
	sum := &scratch{}
	for i := range batch.Orders {
		w.note(sum, &batch.Orders[i])
	}
	return sum.largest - sum.smallest + sum.bySide[0]
}

//go:noinline
func sumOnStack(batch *orders.Batch) float64 {
	sum := &scratch{}
	for i := range batch.Orders {
		sum.note(&batch.Orders[i])
	}
	return sum.largest - sum.smallest + sum.bySide[0]
}

// put copies the batch's first orders into the book: the batch's array must not stay reachable through one.
func (s *service) put(batch *orders.Batch, n int) {
	for i := 0; i < n && i < len(batch.Orders); i++ {
		order := batch.Orders[i]
		s.book.Put(atomic.AddUint64(&s.sequence, 1), &order)
	}
}

// reply encodes the totals into a buffer and returns its hash.
func (s *service) reply(totals []total, summary float64) int {
	var buffer *[]byte
	if s.Pool {
		buffer, _ = s.buffers.Get().(*[]byte)
	}
	if buffer == nil {
		buffer = newBuffer()
	}
	out := (*buffer)[:0]
	out = strconv.AppendFloat(out, summary, 'f', 2, 64)
	for i := range totals {
		if len(out)+200 > cap(out) {
			break
		}
		row := &totals[i]
		out = append(append(out, "\n"...), row.symbol...)
		out = append(append(out, ' '), row.venue...)
		out = strconv.AppendInt(append(out, ' '), row.orders, 10)
		out = strconv.AppendFloat(append(out, ' '), row.quantity, 'f', 0, 64)
		out = strconv.AppendFloat(append(out, ' '), row.value, 'f', 2, 64)
	}
	hash := fnv.New32a()
	hash.Write(out)
	if s.Pool {
		s.buffers.Put(buffer)
	}
	return int(hash.Sum32() & 0xff)
}

//go:noinline
func newBuffer() *[]byte {
	buffer := make([]byte, 0, replyBytes)
	return &buffer
}
