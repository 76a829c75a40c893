package main

import (
	"container/heap"
	"hash/fnv"
	"math/rand"
	"net/url"
	"sync"
	"time"
)

// task is a page to fetch.
type task struct {
	url   *url.URL
	depth int
	from  string // the page that has the link
	found time.Time
}

// host is asked for one page at a time and then left alone for a while.
type host struct {
	name    string
	waiting []*task
	next    time.Duration // of the crawl's own clock, which goes on with each page
	index   int           // in the heap, -1 while a page is fetched
}

type byTime []*host

func (b byTime) Len() int            { return len(b) }
func (b byTime) Less(i, j int) bool  { return b[i].next < b[j].next }
func (b byTime) Swap(i, j int)       { b[i], b[j] = b[j], b[i]; b[i].index, b[j].index = i, j }
func (b *byTime) Push(x interface{}) { h := x.(*host); h.index = len(*b); *b = append(*b, h) }
func (b *byTime) Pop() interface{} {
	last := len(*b) - 1
	h := (*b)[last]
	(*b)[last], *b = nil, (*b)[:last]
	h.index = -1
	return h
}

// frontier is what is known of and not fetched yet.
type frontier struct {
	mu    sync.Mutex
	hosts map[string]*host
	ready byTime
	clock time.Duration
	room  int // tasks of a host
}

// take gives the next task of the host that was left alone longest.
func (f *frontier) take() (*host, *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := heap.Pop(&f.ready).(*host)
	f.clock += time.Millisecond
	if len(h.waiting) == 0 { // start again from its front page
		return h, &task{url: &url.URL{Scheme: "https", Host: h.name, Path: "/"}, found: time.Now()}
	}
	t := h.waiting[0]
	h.waiting[0] = nil
	h.waiting = h.waiting[1:]
	return h, t
}

// done lets a host be asked again.
func (f *frontier) done(h *host, took time.Duration) {
	f.mu.Lock()
	h.next = f.clock + 10*took
	heap.Push(&f.ready, h)
	f.mu.Unlock()
}

// add queues tasks. A host with too many loses its oldest: others will find them again.
func (f *frontier) add(tasks []*task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range tasks {
		h := f.hosts[t.url.Host]
		if h == nil {
			continue // not among those that are to be crawled
		}
		if len(h.waiting) >= f.room {
			h.waiting[0] = nil
			h.waiting = h.waiting[1:]
		}
		h.waiting = append(h.waiting, t)
	}
}

// seen is the set of addresses that were met lately: when the newer half is full the older one goes.
type seen [64]struct {
	mu         sync.Mutex
	newer, old map[uint64]struct{}
	room       int
}

func hashOf(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// add is whether an address is new.
func (s *seen) add(address string) bool {
	sum := hashOf(address)
	part := &s[sum%uint64(len(s))]
	part.mu.Lock()
	defer part.mu.Unlock()
	if _, is := part.newer[sum]; is {
		return false
	}
	if len(part.newer) >= part.room {
		part.old, part.newer = part.newer, make(map[uint64]struct{}, part.room)
	}
	part.newer[sum] = struct{}{}
	_, was := part.old[sum]
	return !was
}

// fill puts in what was met before; the parts are not all full at the same time.
func (s *seen) fill(r *rand.Rand) {
	for i := range s {
		part := &s[i]
		part.room = 1500 + r.Intn(500)
		part.newer, part.old = make(map[uint64]struct{}, part.room), make(map[uint64]struct{}, part.room)
		for len(part.old) < part.room {
			part.old[r.Uint64()] = struct{}{}
		}
		for n := r.Intn(part.room); n > 0; n-- {
			part.newer[r.Uint64()] = struct{}{}
		}
	}
}
