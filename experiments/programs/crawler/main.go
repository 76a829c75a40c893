// Crawler fetches pages of many hosts, politely: an address comes from the frontier, the page is decompressed
// and becomes a tree of elements, its links are made absolute and queued if they are new, and of its text
// stay title, most frequent words and a fingerprint by which copies are known. The store has the pages that
// were fetched last, so that everything in it is replaced as the crawl goes on.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// recordBytes is about what one page in the store keeps reachable, taskBytes what one in the frontier does;
// baseBytes is what addresses that were seen, pages to send and decompressors do. A fourth of what is to stay
// is frontier.
const (
	recordBytes = 2050
	taskBytes   = 440
	baseBytes   = 6 << 20
)

const (
	hosts  = 400
	sent   = 96 // different pages
	terms  = 16
	shards = 32
)

// record is what stays of a page.
type record struct {
	address     string
	title       string
	description string
	terms       []*term // most frequent first
	links       []string
	headers     map[string]string
	fingerprint uint64
	fetched     time.Time
	copyOf      string // the first one's address
}

type term struct {
	word  string
	count int
}

// store finds pages by address; the oldest go.
type store [shards]struct {
	mu        sync.Mutex
	byAddress map[string]*record
	byPrint   map[uint64]*record
	ring      []*record
	next      int
}

func (s *store) put(r *record) {
	part := &s[hashOf(r.address)%shards]
	part.mu.Lock()
	defer part.mu.Unlock()
	if old := part.ring[part.next]; old != nil {
		if part.byAddress[old.address] == old {
			delete(part.byAddress, old.address)
		}
		if part.byPrint[old.fingerprint] == old {
			delete(part.byPrint, old.fingerprint)
		}
	}
	part.ring[part.next] = r
	part.next = (part.next + 1) % len(part.ring)
	if first := part.byPrint[r.fingerprint]; first != nil {
		r.copyOf = first.address
	} else {
		part.byPrint[r.fingerprint] = r
	}
	part.byAddress[r.address] = r
}

type crawler struct {
	frontier  frontier
	seen      seen
	store     store
	pages     [][]byte
	unpackers sync.Pool // of *gzip.Reader
}

// fetch is a page as it comes over the network.
func (c *crawler) fetch(r *rand.Rand) ([]byte, error) {
	from := bytes.NewReader(c.pages[r.Intn(len(c.pages))])
	unpacker, ok := c.unpackers.Get().(*gzip.Reader)
	if !ok {
		unpacker = new(gzip.Reader)
	}
	defer c.unpackers.Put(unpacker)
	if err := unpacker.Reset(from); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(unpacker, 1<<20))
}

// crawl does one page.
func (c *crawler) crawl(r *rand.Rand) (int, error) {
	h, t := c.frontier.take()
	started := time.Now()
	body, err := c.fetch(r)
	if err != nil {
		return 0, err
	}
	page := c.digest(t, parse(body))
	c.store.put(page)
	c.frontier.done(h, time.Since(started))
	return len(body), nil
}

// digest takes from a page's tree what is kept, and queues the links.
func (c *crawler) digest(t *task, root *node) *record {
	page := &record{
		address: t.url.String(), fetched: time.Now(),
		headers: map[string]string{"content-type": "text/html; charset=utf-8", "etag": fmt.Sprintf("%x", hashOf(t.url.Path)), "server": "web"},
	}
	counts := map[string]int{}
	var tasks []*task
	root.walk(func(n *node) {
		switch {
		case n.name == "" && n.parent.name == "title":
			page.title = n.text
		case n.name == "":
			for _, word := range strings.Fields(n.text) {
				counts[strings.ToLower(strings.Trim(word, ".,;&"))]++
			}
		case n.name == "meta" && n.attribute("name") == "description":
			page.description = n.attribute("content")
		case n.name == "a":
			if to := follow(t, n.attribute("href")); to != nil {
				address := to.url.String()
				if len(page.links) < 8 {
					page.links = append(page.links, address)
				}
				if c.seen.add(address) {
					tasks = append(tasks, to)
				}
			}
		}
	})
	c.frontier.add(tasks)
	page.terms, page.fingerprint = frequent(counts)
	return page
}

// follow makes a link absolute and takes from it what makes no difference.
func follow(t *task, href string) *task {
	to, err := t.url.Parse(href)
	if err != nil || to.Scheme != "https" {
		return nil
	}
	to.Fragment = ""
	if to.RawQuery != "" {
		query := to.Query()
		for key := range query {
			if strings.HasPrefix(key, "utm_") {
				query.Del(key)
			}
		}
		to.RawQuery = query.Encode()
	}
	return &task{url: to, depth: t.depth + 1, from: t.url.String(), found: time.Now()}
}

// frequent gives the words that a page has most, and bits that most of its words agree on.
func frequent(counts map[string]int) ([]*term, uint64) {
	var votes [64]int
	all := make([]*term, 0, len(counts))
	for word, count := range counts {
		all = append(all, &term{word, count})
		for sum, bit := hashOf(word), 0; bit < 64; bit++ {
			votes[bit] += count * (int(sum>>uint(bit)&1)*2 - 1)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].count > all[j].count || all[i].count == all[j].count && all[i].word < all[j].word
	})
	print := uint64(0)
	for bit, vote := range votes {
		if vote > 0 {
			print |= 1 << uint(bit)
		}
	}
	if len(all) > terms { // a copy, so that the others go
		all = append([]*term(nil), all[:terms]...)
	}
	for _, t := range all {
		t.word = string([]byte(t.word)) // it was part of a text
	}
	return all, print
}

func newCrawler(r *rand.Rand, liveBytes int64, links int) (*crawler, error) {
	c := &crawler{frontier: frontier{hosts: map[string]*host{}, room: 4}}
	records, half := 1000, int(liveBytes-baseBytes)
	if more := half * 3 / 4 / recordBytes; more > records {
		records = more
		c.frontier.room = half/4/taskBytes/hosts + 1
	}
	words := vocabulary(r)
	for i := 0; i < sent; i++ {
		page, err := compressed(r, words, links)
		if err != nil {
			return nil, err
		}
		c.pages = append(c.pages, page)
	}
	c.seen.fill(r)
	for i := range c.store {
		c.store[i].byAddress, c.store[i].byPrint = map[string]*record{}, map[uint64]*record{}
		c.store[i].ring = make([]*record, records/shards+1)
	}
	for i := 0; i < hosts; i++ {
		h := &host{name: fmt.Sprintf("host%d.example", i)}
		c.frontier.hosts[h.name] = h
		c.frontier.ready.Push(h)
	}
	return c, c.fill(r, records)
}

func main() {
	options := load.Options{Name: "crawler", LiveBytes: 70 << 20}
	links := flag.Int("links", 25, "on a page, on average")
	options.Parse()
	if *links < 1 {
		fail(errors.New("-links must be 1 or more"))
	}
	c, err := newCrawler(load.NewRand(options.Seed, -1), options.LiveBytes, *links)
	if err != nil {
		fail(err)
	}
	options.Run(func(w *load.Worker) {
		n, err := c.crawl(w.Rand)
		if err != nil {
			fail(err)
		}
		load.Use(n)
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "crawler: %v\n", err)
	os.Exit(1)
}
