// Growing keeps more and more: a cache that fills and levels off, a store that only grows, or data
// sets that are loaded one after the other.
package main

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// recordBytes is about what one record keeps reachable, with its entry in the map.
const recordBytes = 900

type record struct {
	key    uint64
	title  string
	tags   []string
	prices map[string]int
}

// fetch makes the record of a key, as a reply of a database is decoded.
func fetch(key uint64) *record {
	r := &record{key: key, title: "item " + strconv.FormatUint(key, 36), prices: make(map[string]int, 6)}
	for i := uint64(0); i < 6; i++ {
		r.tags = append(r.tags, fmt.Sprintf("tag-%d-%d", key%97, i))
		r.prices[r.tags[i]] = int(key>>i) % 1000
	}
	return r
}

// render makes the reply of a request, all of it garbage at its end.
func (r *record) render() int {
	var parts []string
	for _, tag := range r.tags {
		parts = append(parts, fmt.Sprintf("<li>%s: %d</li>", strings.ToUpper(tag), r.prices[tag]))
	}
	page := r.title + strings.Join(parts, "\n")
	hash := fnv.New64a()
	hash.Write([]byte(page))
	return len(page) + int(hash.Sum64()&0xff)
}

type shelf struct {
	mu      sync.RWMutex
	records map[uint64]*record
}

func (s *shelf) get(key uint64) *record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records[key]
}

func (s *shelf) put(r *record) {
	s.mu.Lock()
	s.records[r.key] = r
	s.mu.Unlock()
}

func main() {
	options := load.Options{Name: "growing", LiveBytes: 20 << 20, Calls: 8}
	form := flag.String("form", "cache", "cache, store or sets")
	ceiling := int64(200 << 20)
	flag.Var((*load.ByteSize)(&ceiling), "ceiling", "cache: size of all records that are asked for")
	share := flag.Float64("share", 0.25, "share of the units of work that ask for any record, or keep one")
	set := int64(12 << 20)
	flag.Var((*load.ByteSize)(&set), "set", "sets: size of one data set")
	every := flag.Duration("every", 6*time.Second, "sets: time between two data sets")
	options.Parse()
	s := &shelf{records: map[uint64]*record{}}
	first := uint64(options.LiveBytes/recordBytes) + 1
	for key := uint64(0); key < first; key++ {
		s.put(fetch(key))
	}
	var step func(w *load.Worker)
	switch *form {
	case "cache":
		keys := ceiling/recordBytes + int64(first)
		step = func(w *load.Worker) {
			key := uint64(w.Rand.Int63n(int64(first)))
			if w.Rand.Float64() < *share {
				key = uint64(w.Rand.Int63n(keys))
			}
			r := s.get(key)
			if r == nil {
				r = fetch(key)
				s.put(r)
			}
			load.Use(r.render())
		}
	case "store":
		step = func(w *load.Worker) {
			r := fetch(w.Rand.Uint64())
			if w.Rand.Float64() < *share {
				s.put(r)
			}
			load.Use(r.render())
		}
	case "sets":
		var loader sync.Mutex
		sets := 0
		step = func(w *load.Worker) {
			if due := int(w.Elapsed / *every); loader.TryLock() {
				for ; sets < due; sets++ {
					for i := int64(0); i < set/recordBytes; i++ {
						s.put(fetch(w.Rand.Uint64()))
					}
				}
				loader.Unlock()
			}
			load.Use(fetch(w.Rand.Uint64()).render() + s.get(uint64(w.Rand.Int63n(int64(first)))).render())
		}
	default:
		fmt.Fprintf(os.Stderr, "growing: -form must be cache, store or sets, got %q\n", *form)
		os.Exit(2)
	}
	options.Run(step)
}
