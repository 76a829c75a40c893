// Resolver is a caching DNS server as a cluster or an office has it. Datagrams come several at a time, each is
// served by a goroutine of its own: taken apart, its client's share looked at, answered from the cache with
// records whose time to live is what is left of it, or asked of the servers of the zone, once for all who
// wait for the same. What is asked often is asked again before it runs out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"hash/maphash"
	"math/rand"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
)

// entryBytes is about what one name in the cache keeps reachable; baseBytes is what clients, the log and
// buffers do.
const (
	entryBytes = 1020
	baseBytes  = 3 << 20
)

const (
	shards   = 64
	clients  = 6000
	logged   = 8192
	datagram = 1232 // what fits without fragments, by general agreement
)

// entry is a message that was had from upstream.
type entry struct {
	question question
	answer   *message
	stored   time.Time
	lives    time.Duration
	hits     uint32
	fetching uint32 // somebody is at it already
}

// flight is a question under way to the zone's servers.
type flight struct {
	done   chan struct{}
	answer *message
	err    error
}

type shard struct {
	mu      sync.Mutex
	entries map[uint64]*entry
	flights map[question]*flight
	_       [64]byte // keeps the locks on separate cache lines
}

// line of the query log.
type line struct {
	at     time.Time
	client netip.Addr
	name   string
	kind   uint16
	result uint16
}

type resolver struct {
	seed     maphash.Seed
	shards   [shards]shard
	room     int // entries of a shard
	universe universe
	clients  map[netip.Addr]*client
	buffers  sync.Pool // of *[]byte
	log      struct {
		mu   sync.Mutex
		ring []*line
		next int
	}
}

func (s *resolver) key(q question) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(q.name)
	h.WriteByte(byte(q.kind))
	return h.Sum64()
}

// serve answers one datagram.
func (s *resolver) serve(from netip.Addr, query []byte) error {
	m, err := unpack(query)
	if err != nil {
		return err
	}
	if len(m.questions) != 1 {
		return errors.New("want one question")
	}
	if !s.allowed(from) {
		return nil
	}
	q := m.questions[0]
	reply, err := s.find(q)
	if err != nil {
		return err
	}
	reply.id = m.id
	buffer := s.buffers.Get().(*[]byte)
	*buffer = reply.pack((*buffer)[:0])
	load.Use(len(*buffer)) // this is where it is sent
	s.buffers.Put(buffer)
	s.note(&line{time.Now(), from, q.name, q.kind, reply.flags & 15})
	return nil
}

func (s *resolver) note(l *line) {
	s.log.mu.Lock()
	s.log.ring[s.log.next%logged] = l
	s.log.next++
	s.log.mu.Unlock()
}

// find gives a reply that the caller may change.
func (s *resolver) find(q question) (*message, error) {
	key := s.key(q)
	sh := &s.shards[key%shards]
	sh.mu.Lock()
	e := sh.entries[key]
	sh.mu.Unlock()
	now := time.Now()
	if e != nil && e.question == q {
		if left := e.lives - now.Sub(e.stored); left > 0 {
			if hits := atomic.AddUint32(&e.hits, 1); left < e.lives/8 && hits > 10 && atomic.CompareAndSwapUint32(&e.fetching, 0, 1) {
				go s.fetch(sh, key, q)
			}
			return e.answer.aged(uint32(now.Sub(e.stored) / time.Second)), nil
		}
	}
	answer, err := s.fetch(sh, key, q)
	if err != nil {
		return nil, err
	}
	return answer.aged(0), nil
}

// aged is a copy: records in the cache are shared.
func (m *message) aged(seconds uint32) *message {
	out := &message{flags: m.flags, questions: append([]question(nil), m.questions...)}
	section := func(from []record) []record {
		to := make([]record, len(from))
		for i, r := range from {
			to[i] = r.copied()
			if head := to[i].head(); head.ttl > seconds {
				head.ttl -= seconds
			} else {
				head.ttl = 0
			}
		}
		return to
	}
	out.answers, out.servers = section(m.answers), section(m.servers)
	return out
}

// fetch asks upstream, or waits for the one who does.
func (s *resolver) fetch(sh *shard, key uint64, q question) (*message, error) {
	sh.mu.Lock()
	if f := sh.flights[q]; f != nil {
		sh.mu.Unlock()
		<-f.done
		return f.answer, f.err
	}
	f := &flight{done: make(chan struct{})}
	sh.flights[q] = f
	sh.mu.Unlock()
	f.answer, f.err = s.exchange(q)
	sh.mu.Lock()
	delete(sh.flights, q)
	if f.err == nil {
		s.keep(sh, key, &entry{question: q, answer: f.answer, stored: time.Now(), lives: f.answer.lives()})
	}
	sh.mu.Unlock()
	close(f.done)
	return f.answer, f.err
}

// exchange is a query to a zone's server and the reply, after what the way takes.
func (s *resolver) exchange(q question) (*message, error) {
	buffer := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buffer)
	ask := &message{flags: recursion, questions: []question{q}}
	*buffer = ask.pack((*buffer)[:0])
	time.Sleep(time.Duration(2000+len(q.name)*len(q.name)*8) * time.Microsecond)
	*buffer = s.universe.answer(q).pack((*buffer)[:0])
	return unpack(*buffer)
}

// keep puts an entry in; whichever comes first makes place when the shard is full.
func (s *resolver) keep(sh *shard, key uint64, e *entry) {
	if _, known := sh.entries[key]; !known && len(sh.entries) >= s.room {
		for other := range sh.entries {
			delete(sh.entries, other)
			break
		}
	}
	sh.entries[key] = e
}

func (m *message) lives() time.Duration {
	least := uint32(3600)
	for _, section := range [][]record{m.answers, m.servers} {
		for _, r := range section {
			if ttl := r.head().ttl; ttl < least {
				least = ttl
			}
		}
	}
	return time.Duration(least) * time.Second
}

func newResolver(r *rand.Rand, entries int, u universe) (*resolver, error) {
	s := &resolver{seed: maphash.MakeSeed(), room: entries/shards + 1, universe: u, clients: map[netip.Addr]*client{}}
	s.buffers.New = func() interface{} { b := make([]byte, 0, datagram); return &b }
	s.log.ring = make([]*line, logged)
	for i := 0; i < clients; i++ {
		s.clients[clientAddress(i)] = &client{tokens: 100, filled: time.Now()}
	}
	for i := range s.shards {
		s.shards[i].entries, s.shards[i].flights = map[uint64]*entry{}, map[question]*flight{}
	}
	for n := 0; n < entries; n++ { // what was asked for before, at any time while it lives
		q := question{u.name(n), kindOf(n)}
		answer, err := unpack(u.answer(q).pack(nil))
		if err != nil {
			return nil, err
		}
		e := &entry{question: q, answer: answer, lives: answer.lives()}
		e.stored = time.Now().Add(-time.Duration(r.Int63n(int64(e.lives) + 1)))
		key := s.key(q)
		s.keep(&s.shards[key%shards], key, e)
	}
	return s, nil
}

func main() {
	options := load.Options{Name: "resolver", LiveBytes: 24 << 20, Rate: 7000, Workers: 256}
	names := flag.Int("names", 2, "times as many names asked for as the cache has room for")
	batch := flag.Int("batch", 6, "datagrams that come at once")
	ttl := flag.Duration("ttl", 5*time.Second, "shortest time to live; the longest is twelve times that")
	options.Parse()
	if *names < 1 || *batch < 1 || *ttl < time.Second {
		fail(errors.New("-names and -batch must be 1 or more, -ttl 1s or more"))
	}
	entries := 1000
	if more := int(options.LiveBytes-baseBytes) / entryBytes; more > entries {
		entries = more
	}
	s, err := newResolver(load.NewRand(options.Seed, -1), entries, universe{*names * entries, *ttl})
	if err != nil {
		fail(err)
	}
	options.Run(func(w *load.Worker) {
		var group sync.WaitGroup
		group.Add(*batch)
		for i := 0; i < *batch; i++ {
			ask := &message{id: uint16(w.Rand.Int()), flags: 1 << 8, questions: []question{s.universe.choose(w.Rand)}}
			from, query := clientAddress(w.Rand.Intn(clients)), ask.pack(make([]byte, 0, 64))
			go func() {
				defer group.Done()
				if err := s.serve(from, query); err != nil {
					fail(err)
				}
			}()
		}
		group.Wait()
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "resolver: %v\n", err)
	os.Exit(1)
}
