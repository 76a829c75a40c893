package orders

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math/rand"
	"sort"
	"sync"
	"sync/atomic"
)

// Service answers batches. Its switches are those of the classic advice on allocation.
type Service struct {
	Book     *Book
	Corpus   [][]byte
	Keep     int  // orders of each batch that enter the book
	Pool     bool // take batches and reply buffers from a sync.Pool
	Prealloc bool // size slices and maps up front

	batchSize int
	sequence  uint64
	batches   sync.Pool
	buffers   sync.Pool
	checksum  uint64 // keeps the replies from being optimised away
}

// NewService has a book of about liveBytes, filled through the same requests that the load makes.
func NewService(rng *rand.Rand, liveBytes int64, ordersPerBatch, keep int) *Service {
	s := &Service{Corpus: Corpus(rng, 256, ordersPerBatch), Keep: keep, batchSize: ordersPerBatch}
	size := int(liveBytes / EntryBytes)
	s.Book = NewBook(size)
	for put := 0; put < size; put += ordersPerBatch {
		batch := s.decode(s.Corpus[rng.Intn(len(s.Corpus))], new(Batch))
		s.keep(batch, ordersPerBatch)
	}
	return s
}

// Serve handles one batch: decode, look up, total, keep, encode.
func (s *Service) Serve(rng *rand.Rand) {
	batch := s.takeBatch()
	s.decode(s.Corpus[rng.Intn(len(s.Corpus))], batch)
	totals := s.aggregate(batch)
	s.keep(batch, s.Keep)
	s.reply(totals)
	if s.Pool {
		s.batches.Put(batch)
	}
}

func (s *Service) takeBatch() *Batch {
	if s.Pool {
		if batch, ok := s.batches.Get().(*Batch); ok {
			batch.Orders = batch.Orders[:0]
			return batch
		}
	}
	batch := &Batch{}
	if s.Pool || s.Prealloc {
		batch.Orders = make([]Order, 0, s.batchSize)
	}
	return batch
}

func (s *Service) decode(body []byte, batch *Batch) *Batch {
	if err := json.Unmarshal(body, batch); err != nil {
		panic(err) // the corpus is our own
	}
	return batch
}

func (s *Service) aggregate(batch *Batch) []Total {
	bySymbol := map[string]*Total{}
	if s.Prealloc {
		bySymbol = make(map[string]*Total, len(batch.Orders))
	}
	for i := range batch.Orders {
		order := &batch.Orders[i]
		total := bySymbol[order.Symbol]
		if total == nil {
			total = &Total{Symbol: order.Symbol}
			bySymbol[order.Symbol] = total
		}
		total.Orders++
		total.Quantity += order.Quantity
		total.Value += float64(order.Quantity) * order.Price
		if earlier := s.Book.Get(order.ID); earlier != nil {
			total.Quantity -= earlier.Quantity
		}
	}
	var totals []Total
	if s.Prealloc {
		totals = make([]Total, 0, len(bySymbol))
	}
	for _, total := range bySymbol {
		totals = append(totals, *total)
	}
	sort.Slice(totals, func(i, j int) bool { return totals[i].Symbol < totals[j].Symbol })
	return totals
}

// keep puts copies of the batch's first orders into the book, under fresh IDs: the batch's array must
// not stay reachable through one of its orders.
func (s *Service) keep(batch *Batch, n int) {
	for i := 0; i < n && i < len(batch.Orders); i++ {
		order := batch.Orders[i]
		if s.Pool { // the pooled batch's slices will be written again
			order.Tags = append([]string(nil), order.Tags...)
			order.Legs = append([]Leg(nil), order.Legs...)
		}
		s.Book.Put(atomic.AddUint64(&s.sequence, 1), &order)
	}
}

func (s *Service) reply(totals []Total) {
	var out []byte
	if s.Pool {
		buffer, ok := s.buffers.Get().(*bytes.Buffer)
		if !ok {
			buffer = new(bytes.Buffer)
		}
		buffer.Reset()
		defer s.buffers.Put(buffer)
		if err := json.NewEncoder(buffer).Encode(totals); err != nil {
			panic(err)
		}
		out = buffer.Bytes()
	} else {
		var err error
		if out, err = json.Marshal(totals); err != nil {
			panic(err)
		}
	}
	hash := fnv.New64a()
	hash.Write(out)
	atomic.AddUint64(&s.checksum, hash.Sum64())
}
