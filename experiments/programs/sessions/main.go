// Sessions is a session store with expiry: a login makes a session, requests use it and put its end
// off, and when its time is over it is dropped. Objects live from 0.3 to 3 s, longer than a cycle and
// much shorter than the program, so that the live heap follows the load: the users (-live) stay.
package main

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// userBytes is about what one user keeps reachable, its place in the directory included.
const userBytes = 510

type user struct {
	id          uint64
	name, email string
	settings    map[string]string
}

type session struct {
	id      string
	user    *user
	created time.Duration
	expires time.Duration
	place   int // in the heap
	visits  []*visit
	cart    map[string]int
	form    []byte // what the user typed last
}

type visit struct {
	path string
	at   time.Duration
}

// byExpiry is a heap with the session that expires first on top.
type byExpiry []*session

func (h byExpiry) Len() int            { return len(h) }
func (h byExpiry) Less(i, j int) bool  { return h[i].expires < h[j].expires }
func (h byExpiry) Swap(i, j int)       { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }
func (h *byExpiry) Push(x interface{}) { s := x.(*session); s.place = len(*h); *h = append(*h, s) }
func (h *byExpiry) Pop() interface{} {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

const shards = 8

// shard is a part of the store.
type shard struct {
	mu     sync.Mutex
	byID   map[string]*session
	expiry byExpiry
}

func (s *shard) add(fresh *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[fresh.id] = fresh
	heap.Push(&s.expiry, fresh)
}

// anyID is the identifier that some client's cookie holds; empty when nobody is logged in.
func (s *shard) anyID(r *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expiry) == 0 {
		return ""
	}
	return s.expiry[r.Intn(len(s.expiry))].id
}

// visit uses a session and puts its end off, but not beyond its longest life. It gives a page, or
// nothing where the session is no more.
func (s *shard) visit(id string, now, ttl, longest time.Duration, r *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[id]
	if found == nil || found.expires <= now {
		return ""
	}
	if end := found.created + longest; now+ttl < end {
		found.expires = now + ttl
	} else {
		found.expires = end
	}
	heap.Fix(&s.expiry, found.place)
	const remembered = 12
	found.visits = append(found.visits, &visit{path: fmt.Sprintf("/shop/department/%d/article/%d", r.Intn(40), r.Intn(9999)), at: now})
	if len(found.visits) > remembered {
		found.visits = append([]*visit(nil), found.visits[1:]...)
	}
	found.cart[fmt.Sprintf("article-%d", r.Intn(6))]++
	return found.page(now)
}

func (s *shard) logout(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byID[id]; found != nil {
		heap.Remove(&s.expiry, found.place)
		delete(s.byID, id)
	}
}

// expire drops what has ended.
func (s *shard) expire(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.expiry) > 0 && s.expiry[0].expires <= now {
		delete(s.byID, heap.Pop(&s.expiry).(*session).id)
	}
}

// page is what the visitor sees.
func (s *session) page(now time.Duration) string {
	var page strings.Builder
	fmt.Fprintf(&page, "<h1>Welcome, %s</h1>\n<ul>\n", s.user.name)
	for _, v := range s.visits {
		parts := strings.Split(v.path, "/")
		fmt.Fprintf(&page, "<li><a href=%q>%s</a>, %v ago</li>\n", v.path, strings.Join(parts[1:], " > "), now-v.at)
	}
	for article, count := range s.cart {
		fmt.Fprintf(&page, "<li>%s x %d</li>\n", article, count)
	}
	page.WriteString("</ul>\n")
	return page.String()
}

func newUser(id uint64, r *rand.Rand) *user {
	u := &user{id: id, name: fmt.Sprintf("user number %d", id), settings: make(map[string]string, 4)}
	u.email = fmt.Sprintf("user.%d@example.org", id)
	for _, name := range []string{"language", "theme", "zone"} {
		u.settings[name] = fmt.Sprintf("%s-%d", name, r.Intn(30))
	}
	return u
}

func newSession(u *user, now, ttl time.Duration, r *rand.Rand) *session {
	s := &session{
		id: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), user: u, created: now, expires: now + ttl,
		cart: map[string]int{}, form: make([]byte, 512+r.Intn(2048)),
	}
	for i := range s.form {
		s.form[i] = byte('a' + i%26)
	}
	return s
}

func main() {
	options := load.Options{Name: "sessions", LiveBytes: 30 << 20, Rate: 10000, Calls: 4}
	logins := flag.Float64("logins", 0.1, "share of calls that make a session")
	logouts := flag.Float64("logouts", 0.05, "share of calls that end one")
	shortest := flag.Duration("shortest", 300*time.Millisecond, "life of a session that is not used again, at least")
	longest := flag.Duration("longest", 3*time.Second, "life of a session, at most")
	options.Parse()
	setup := load.NewRand(options.Seed, -1)
	users := make([]*user, int(options.LiveBytes/userBytes)+1)
	for i := range users {
		users[i] = newUser(uint64(i), setup)
	}
	var store [shards]*shard
	for i := range store {
		store[i] = &shard{byID: map[string]*session{}}
	}
	begin := time.Now()
	go func() { // drops what has ended, ten times a second
		for range time.Tick(100 * time.Millisecond) {
			for _, s := range store {
				s.expire(time.Since(begin))
			}
		}
	}()
	options.Run(func(w *load.Worker) {
		now := time.Since(begin)
		in := store[w.Rand.Intn(shards)]
		ttl := *shortest + time.Duration(w.Rand.Float64()*float64(*longest-*shortest)/2)
		switch kind := w.Rand.Float64(); {
		case kind < *logins:
			in.add(newSession(users[w.Rand.Intn(len(users))], now, ttl, w.Rand))
		case kind < *logins+*logouts:
			in.logout(in.anyID(w.Rand))
		default:
			load.Use(len(in.visit(in.anyID(w.Rand), now, ttl, *longest, w.Rand)))
		}
	})
}
