// Graph is a recommendation service: users and articles are nodes, what a user did with an article is an
// edge that both hold, and lists of edges are copied on write, so that readers need no lock. A request
// walks from a user over articles to other users and to what those liked, and ranks what it met. Nearly
// everything that stays live is small and made of pointers, and updates go on all the time.
package main

import (
	"container/heap"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

// userBytes is about what one user keeps reachable, with its edges and its share of the articles.
const userBytes = 2550

const (
	usersPerArticle = 5
	ownEdges        = 24 // of a user, at most; the oldest go first
	viewerEdges     = 96 // of an article
	stripes         = 64
	best            = 20
)

type article struct {
	title   string
	tags    []*tag
	viewers atomic.Pointer[[]*edge]
}

type tag struct {
	name   string
	weight float64
}

type user struct {
	number int
	name   string
	likes  atomic.Pointer[[]*edge]
	taste  map[*tag]float64 // written under the stripe's lock
}

// edge says that a user did something with an article.
type edge struct {
	user    *user
	article *article
	at      int64
	weight  float32
	action  string
}

// graph has its users in places: one who leaves makes room for a newcomer.
type graph struct {
	locks    [stripes]sync.Mutex
	users    []atomic.Pointer[user]
	articles []*article
	tags     []*tag
	clock    int64
}

// add puts an edge at the end of a copy of the list and drops the oldest where it is full.
func add(list *atomic.Pointer[[]*edge], fresh *edge, most int) {
	for {
		before := list.Load()
		var kept []*edge
		if before != nil {
			if kept = *before; len(kept) >= most {
				kept = kept[len(kept)-most+1:]
			}
		}
		after := make([]*edge, len(kept), len(kept)+1)
		copy(after, kept)
		after = append(after, fresh)
		if list.CompareAndSwap(before, &after) {
			return
		}
	}
}

// drop takes the edges of a user out of an article's list.
func drop(a *article, gone *user) {
	for {
		before := a.viewers.Load()
		if before == nil {
			return
		}
		after := make([]*edge, 0, len(*before))
		for _, e := range *before {
			if e.user != gone {
				after = append(after, e)
			}
		}
		if a.viewers.CompareAndSwap(before, &after) {
			return
		}
	}
}

func edges(list *atomic.Pointer[[]*edge]) []*edge {
	if found := list.Load(); found != nil {
		return *found
	}
	return nil
}

var actions = []string{"read", "saved", "shared", "bought"}

// choose draws an article: a few are popular, and users have their own corner of the catalogue.
func (g *graph) choose(place int, r *rand.Rand) *article {
	n := float64(len(g.articles))
	if r.Intn(3) == 0 {
		return g.articles[int(n*math.Pow(r.Float64(), 3))]
	}
	return g.articles[(place/40*97+int(r.ExpFloat64()*60))%len(g.articles)]
}

// act is one thing that a user does.
func (g *graph) act(place int, r *rand.Rand) {
	u, a, kind := g.users[place].Load(), g.choose(place, r), r.Intn(len(actions))
	fresh := &edge{user: u, article: a, at: atomic.AddInt64(&g.clock, 1), weight: float32(kind + 1), action: actions[kind]}
	add(&u.likes, fresh, ownEdges)
	add(&a.viewers, fresh, viewerEdges)
	lock := &g.locks[place%stripes]
	lock.Lock()
	defer lock.Unlock()
	for _, t := range a.tags {
		u.taste[t] = 0.9*u.taste[t] + float64(fresh.weight)
	}
	if len(u.taste) > 12 {
		for t, weight := range u.taste {
			if weight < 2 {
				delete(u.taste, t)
			} else {
				u.taste[t] = weight / 2
			}
		}
	}
}

// replace lets the user of a place go and a new one come, with a first few deeds.
func (g *graph) replace(place, deeds int, r *rand.Rand) {
	number := int(atomic.AddInt64(&g.clock, 1))
	gone := g.users[place].Swap(&user{number: number, name: fmt.Sprintf("reader-%d", number), taste: map[*tag]float64{}})
	if gone != nil {
		for _, e := range edges(&gone.likes) {
			drop(e.article, gone)
		}
	}
	for ; deeds > 0; deeds-- {
		g.act(place, r)
	}
}

// candidate is an article that a walk came to.
type candidate struct {
	article *article
	score   float64
	because *edge
	paths   int
}

// worst is a heap with the lowest score on top.
type worst []*candidate

func (h worst) Len() int            { return len(h) }
func (h worst) Less(i, j int) bool  { return h[i].score < h[j].score }
func (h worst) Swap(i, j int)       { h[i], h[j] = h[j], h[i] }
func (h *worst) Push(x interface{}) { *h = append(*h, x.(*candidate)) }
func (h *worst) Pop() interface{} {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// recommend walks three steps from a user and gives the best articles that it has not seen.
func (g *graph) recommend(place, viewers int, r *rand.Rand) string {
	u := g.users[place].Load()
	own := edges(&u.likes)
	seen, met := make(map[*article]bool, len(own)), map[*article]*candidate{}
	for _, e := range own {
		seen[e.article] = true
	}
	for _, e := range own {
		others := edges(&e.article.viewers)
		for i := 0; i < viewers && i < len(others); i++ {
			other := others[r.Intn(len(others))]
			for _, next := range edges(&other.user.likes) {
				if seen[next.article] {
					continue
				}
				c := met[next.article]
				if c == nil {
					c = &candidate{article: next.article, because: e}
					met[next.article] = c
				}
				c.paths++
				c.score += float64(e.weight*next.weight) / math.Sqrt(float64(2+len(others)))
			}
		}
	}
	lock := &g.locks[place%stripes]
	lock.Lock()
	taste := make(map[*tag]float64, len(u.taste))
	for t, weight := range u.taste {
		taste[t] = weight
	}
	lock.Unlock()
	top := make(worst, 0, best+1)
	for _, c := range met {
		for _, t := range c.article.tags {
			c.score += taste[t] * t.weight
		}
		if heap.Push(&top, c); len(top) > best {
			heap.Pop(&top)
		}
	}
	sort.Slice(top, func(i, j int) bool { return top[i].score > top[j].score })
	var out strings.Builder
	for i, c := range top {
		fmt.Fprintf(&out, "%d. %s (%.2f): %d readers of %q, which you %s, liked it\n",
			i+1, c.article.title, c.score, c.paths, c.because.article.title, c.because.action)
	}
	return out.String()
}

func main() {
	options := load.Options{Name: "graph", LiveBytes: 70 << 20}
	updates := flag.Float64("updates", 0.6, "share of requests that add an edge")
	newcomers := flag.Float64("newcomers", 0.02, "share of requests by which a user goes and another comes")
	viewers := flag.Int("viewers", 5, "other users that a walk visits from each article")
	options.Parse()
	setup := load.NewRand(options.Seed, -1)
	count := int(options.LiveBytes/userBytes) + usersPerArticle
	g := &graph{users: make([]atomic.Pointer[user], count), articles: make([]*article, count/usersPerArticle)}
	for i := 0; i < 300; i++ {
		g.tags = append(g.tags, &tag{name: fmt.Sprintf("tag-%d", i), weight: setup.Float64()})
	}
	for i := range g.articles {
		a := &article{title: fmt.Sprintf("The %d things to know about %d", setup.Intn(20), i)}
		for n := 1 + setup.Intn(4); n > 0; n-- {
			a.tags = append(a.tags, g.tags[setup.Intn(len(g.tags))])
		}
		g.articles[i] = a
	}
	for place := range g.users {
		g.replace(place, 6+setup.Intn(ownEdges), setup)
	}
	options.Run(func(w *load.Worker) {
		place := w.Rand.Intn(len(g.users))
		switch kind := w.Rand.Float64(); {
		case kind < *newcomers:
			g.replace(place, 6+w.Rand.Intn(ownEdges), w.Rand)
		case kind < *newcomers+*updates:
			g.act(place, w.Rand)
		default:
			load.Use(len(g.recommend(place, *viewers, w.Rand)))
		}
	})
}
