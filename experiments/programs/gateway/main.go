// Gateway is the front door of a shop's services: a page needs parts from several backends, which are asked
// at once, each by a goroutine with a deadline of its own; a slow one is asked a second time and the first
// answer wins. Parts come as length-delimited fields, are decoded, kept for a while and merged into one
// JSON reply. The backends are this process's timers: what they would take, a request waits.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
)

// partBytes is about what one part in the cache keeps reachable, and baseBytes what backends and
// buffers do.
const (
	partBytes = 1200
	baseBytes = 10 << 20
)

const (
	keys        = 40000 // of a backend
	bodies      = 300   // that a backend has for them
	shards      = 16
	fresh       = 2 * time.Second
	hedgeAfter  = 25 * time.Millisecond
	giveUpAfter = 80 * time.Millisecond
)

// backend stands for a service elsewhere.
type backend struct {
	id     int
	name   string
	mean   time.Duration // of an answer
	bodies [][]byte
	late   int64
}

// wait is how long an answer takes: one in 300 hangs.
func (b *backend) wait(r *rand.Rand) time.Duration {
	if r.Intn(300) == 0 {
		return time.Second
	}
	return b.mean/3 + time.Duration(r.ExpFloat64()*float64(b.mean)*2/3)
}

// call waits for the answer, reads it as from a connection and decodes it.
func (b *backend) call(ctx context.Context, key int, wait time.Duration) (*part, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return b.read(key)
}

func (b *backend) read(key int) (*part, error) {
	body := append([]byte(nil), b.bodies[key%len(b.bodies)]...)
	found := &part{Source: b.name, Key: key}
	if err := found.decode(body); err != nil {
		return nil, fmt.Errorf("%s: %w", b.name, err)
	}
	return found, nil
}

type answer struct {
	backend *backend
	part    *part
	err     error
}

// ask calls a backend, and once more where the first call takes long.
func (b *backend) ask(ctx context.Context, key int, first, second time.Duration, out chan<- answer) {
	ctx, cancel := context.WithTimeout(ctx, giveUpAfter)
	defer cancel()
	answers := make(chan answer, 2)
	try := func(wait time.Duration) {
		found, err := b.call(ctx, key, wait)
		answers <- answer{b, found, err}
	}
	go try(first)
	hedge := time.NewTimer(hedgeAfter)
	defer hedge.Stop()
	select {
	case got := <-answers:
		out <- got
		return
	case <-hedge.C:
		go try(second)
	}
	got := <-answers
	if got.err != nil {
		atomic.AddInt64(&b.late, 1)
	}
	out <- got
}

// kept is a part in the cache.
type kept struct {
	id    uint64
	part  *part
	until time.Time
}

// cache holds parts for a while; a ring says which is the oldest.
type cache [shards]struct {
	mu   sync.Mutex
	byID map[uint64]*kept
	ring []*kept
	next int
}

func (c *cache) get(id uint64) *part {
	s := &c[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byID[id]; found != nil && time.Now().Before(found.until) {
		return found.part
	}
	return nil
}

func (c *cache) put(id uint64, p *part) {
	s := &c[id%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.ring[s.next]; old != nil && s.byID[old.id] == old {
		delete(s.byID, old.id)
	}
	entry := &kept{id, p, time.Now().Add(fresh)}
	s.ring[s.next], s.byID[id] = entry, entry
	s.next = (s.next + 1) % len(s.ring)
}

type gateway struct {
	backends []*backend
	cache    cache
	readers  sync.Pool // of *bufio.Reader
	buffers  sync.Pool // of *bytes.Buffer
}

func newGateway(r *rand.Rand, size int) *gateway {
	g := &gateway{}
	g.readers.New = func() interface{} { return bufio.NewReaderSize(nil, 2048) }
	g.buffers.New = func() interface{} { return new(bytes.Buffer) }
	for i, name := range []string{"catalog", "prices", "stock", "reviews", "offers", "profile", "banners"} {
		b := &backend{id: i, name: name, mean: time.Duration(4+3*i) * time.Millisecond}
		for j := 0; j < bodies; j++ {
			b.bodies = append(b.bodies, encodePart(r, 1+r.Intn(8)))
		}
		g.backends = append(g.backends, b)
	}
	for i := range g.cache {
		g.cache[i].byID = map[uint64]*kept{}
		g.cache[i].ring = make([]*kept, size/shards+1)
	}
	for i := 0; i < size+size/4; i++ { // shards fill unevenly
		b, key := g.backends[r.Intn(len(g.backends))], popular(r)
		if found, err := b.read(key); err == nil {
			g.cache.put(b.cacheID(key), found)
		}
	}
	return g
}

func (b *backend) cacheID(key int) uint64 { return uint64(key*16 + b.id) }

// popular draws a key: few are asked for often.
func popular(r *rand.Rand) int {
	u := r.Float64()
	return int(keys * u * u * u)
}

type page struct {
	Path    string   `json:"path"`
	Visitor string   `json:"visitor"`
	Parts   []*part  `json:"parts"`
	Missing []string `json:"missing,omitempty"`
	Total   int64    `json:"total"`
}

// serve answers one request, which came as text.
func (g *gateway) serve(r *rand.Rand, text []byte) (int, error) {
	reader := g.readers.Get().(*bufio.Reader)
	reader.Reset(bytes.NewReader(text))
	request, err := http.ReadRequest(reader)
	g.readers.Put(reader)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*giveUpAfter)
	defer cancel()
	product, err := strconv.Atoi(request.URL.Query().Get("product"))
	if err != nil {
		return 0, err
	}
	result := &page{Path: request.URL.Path, Visitor: request.Header.Get("Cookie")}
	answers, waiting := make(chan answer, len(g.backends)), 0
	for _, b := range g.backends {
		if r.Intn(3) == 0 { // not on this page
			continue
		}
		key := (product + 7919*b.id) % keys
		if found := g.cache.get(b.cacheID(key)); found != nil {
			result.Parts = append(result.Parts, found)
			continue
		}
		waiting++
		go b.ask(ctx, key, b.wait(r), b.wait(r), answers)
	}
	for ; waiting > 0; waiting-- {
		got := <-answers
		if got.err != nil {
			result.Missing = append(result.Missing, got.backend.name)
			continue
		}
		g.cache.put(got.backend.cacheID(got.part.Key), got.part)
		result.Parts = append(result.Parts, got.part)
	}
	sort.Slice(result.Parts, func(i, j int) bool { return result.Parts[i].Source < result.Parts[j].Source })
	for _, p := range result.Parts {
		for _, one := range p.Items {
			result.Total += one.Price
		}
	}
	buffer := g.buffers.Get().(*bytes.Buffer)
	defer g.buffers.Put(buffer)
	buffer.Reset()
	err = json.NewEncoder(buffer).Encode(result)
	return buffer.Len(), err
}

// requests are texts as visitors' browsers send them.
func requests(r *rand.Rand, count int) (texts [][]byte) {
	for i := 0; i < count; i++ {
		texts = append(texts, []byte(fmt.Sprintf("GET /shop/item?product=%d&lang=en HTTP/1.1\r\nHost: shop.example\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n"+
			"X-Request-Id: %016x\r\nCookie: visitor=%d\r\n\r\n", popular(r), r.Uint64(), r.Intn(100000))))
	}
	return texts
}

func main() {
	options := load.Options{Name: "gateway", LiveBytes: 14 << 20, Rate: 3000, Workers: 400}
	pages := flag.Int("pages", 2000, "different requests")
	options.Parse()
	if *pages < 1 {
		fail(errors.New("-pages must be 1 or more"))
	}
	setup := load.NewRand(options.Seed, -1)
	size := 200
	if more := int(options.LiveBytes-baseBytes) / partBytes; more > size {
		size = more
	}
	g, texts := newGateway(setup, size), requests(setup, *pages)
	options.Run(func(w *load.Worker) {
		n, err := g.serve(w.Rand, texts[w.Rand.Intn(len(texts))])
		if err != nil {
			fail(err)
		}
		load.Use(n)
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "gateway: %v\n", err)
	os.Exit(1)
}
