// Ptrcache is a cache of small linked objects: almost every word that marking reads is a pointer.
package main

import (
	"flag"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

// profileBytes is about what one profile keeps reachable, its place in the map included.
const profileBytes = 590

type profile struct {
	key        uint64
	newer      *profile // towards the most recently used
	older      *profile
	name       *string
	attributes *node
	friends    [4]*profile
}

// node is one of a small search tree of attributes.
type node struct {
	left, right *node
	key         uint32
	value       *string
}

const shards = 16

// cache is one shard: a map with a list from the most to the least recently used.
type cache struct {
	mu             sync.Mutex
	byKey          map[uint64]*profile
	newest, oldest *profile
	capacity       int
}

// get gives a profile's attributes, which never change, and makes it the most recently used.
func (c *cache) get(key uint64) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.byKey[key]
	if p == nil {
		return nil
	}
	c.unlink(p)
	c.pushNewest(p)
	return p.attributes
}

func (c *cache) put(p *profile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[p.key] != nil {
		return // another worker was faster
	}
	for i := range p.friends { // neighbours in use, as a social graph has them
		if p.friends[i] = c.newest; i > 0 && p.friends[i-1] != nil {
			p.friends[i] = p.friends[i-1].older
		}
	}
	c.byKey[p.key] = p
	c.pushNewest(p)
	if len(c.byKey) > c.capacity {
		c.evict()
	}
}

// evict cuts every pointer out of the oldest profile, which others may still name as a friend: what
// stays reachable through it is one struct, not a chain.
func (c *cache) evict() {
	p := c.oldest
	c.unlink(p)
	delete(c.byKey, p.key)
	p.name, p.attributes, p.friends = nil, nil, [4]*profile{}
}

func (c *cache) pushNewest(p *profile) {
	p.older, p.newer = c.newest, nil
	if c.newest != nil {
		c.newest.newer = p
	} else {
		c.oldest = p
	}
	c.newest = p
}

func (c *cache) unlink(p *profile) {
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		c.newest = p.older
	}
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		c.oldest = p.newer
	}
	p.newer, p.older = nil, nil
}

func build(key uint64, attributes int) *profile {
	name := "profile-" + strconv.FormatUint(key, 10)
	p := &profile{key: key, name: &name}
	for i := 0; i < attributes; i++ {
		value := "value-" + strconv.Itoa(i)
		p.attributes = p.attributes.insert(uint32(key>>uint(i))*2654435761, &value)
	}
	return p
}

func (n *node) insert(key uint32, value *string) *node {
	if n == nil {
		return &node{key: key, value: value}
	}
	if key < n.key {
		n.left = n.left.insert(key, value)
	} else {
		n.right = n.right.insert(key, value)
	}
	return n
}

// digest walks the tree and hashes the values, as rendering a page from it would.
func (n *node) digest(h *maphash.Hash) {
	if n == nil {
		return
	}
	n.left.digest(h)
	h.WriteString(*n.value)
	n.right.digest(h)
}

func main() {
	options := load.Options{Name: "ptrcache", LiveBytes: 100 << 20}
	lookups := flag.Int("lookups", 24, "profiles read by one request")
	misses := flag.Float64("misses", 0.1, "share of lookups that miss and build a new profile")
	attributes := flag.Int("attributes", 7, "attributes of a profile")
	options.Parse()
	capacity := int(options.LiveBytes/profileBytes) + 1
	var caches [shards]*cache
	for i := range caches {
		caches[i] = &cache{byKey: make(map[uint64]*profile, capacity/shards), capacity: capacity/shards + 1}
	}
	for key := 0; key < capacity; key++ {
		caches[key%shards].put(build(uint64(key), *attributes))
	}
	// The keys in use are a window that moves on by one with every miss.
	next := uint64(capacity)
	options.Run(func(w *load.Worker) {
		newest := atomic.LoadUint64(&next)
		page := make([]string, 0, 4)
		var hash maphash.Hash
		for i := 0; i < *lookups; i++ {
			key := newest - uint64(w.Rand.Int63n(int64(capacity)))
			found := caches[key%shards].get(key)
			if found == nil || w.Rand.Float64() < *misses {
				p := build(atomic.AddUint64(&next, 1), *attributes)
				found = p.attributes
				caches[p.key%shards].put(p)
			}
			hash.Reset()
			found.digest(&hash)
			page = append(page, strconv.FormatUint(hash.Sum64(), 16))
		}
		load.Use(len(page))
	})
}
