package main

import (
	"fmt"
	"math/rand"
	"net/url"
	"time"
)

// fill puts in what was fetched before: some pages are crawled, the others are copies under other addresses.
func (c *crawler) fill(r *rand.Rand, records int) error {
	var trees []*node
	for range c.pages {
		body, err := c.fetch(r)
		if err != nil {
			return err
		}
		trees = append(trees, parse(body))
	}
	var models []*record
	front := &task{url: &url.URL{Scheme: "https", Host: "host0.example", Path: "/"}}
	for _, tree := range trees {
		models = append(models, c.digest(front, tree))
	}
	for i := 0; i < records+records/8; i++ { // shards are not equally full
		c.store.put(models[r.Intn(len(models))].copied(r, fmt.Sprintf("https://host%d.example/articles/%d/%d.html", r.Intn(hosts), r.Intn(60), i)))
	}
	for name, h := range c.frontier.hosts {
		for len(h.waiting) < c.frontier.room {
			u := &url.URL{Scheme: "https", Host: name, Path: fmt.Sprintf("/articles/%d/%d.html", r.Intn(60), r.Intn(4000))}
			h.waiting = append(h.waiting, &task{u, 1, "https://" + name + fmt.Sprintf("/articles/%d/", r.Intn(60)), time.Now()})
		}
	}
	return nil
}

// copied has memory of its own.
func (p *record) copied(r *rand.Rand, address string) *record {
	own := func(text string) string { return string([]byte(text)) }
	out := &record{address: address, title: own(p.title), description: own(p.description), fingerprint: r.Uint64(), fetched: p.fetched}
	out.headers = map[string]string{}
	for key, value := range p.headers {
		out.headers[key] = own(value)
	}
	for _, t := range p.terms {
		out.terms = append(out.terms, &term{own(t.word), t.count})
	}
	for _, l := range p.links {
		out.links = append(out.links, own(l))
	}
	return out
}
