// Tsdb takes in metrics: pushes of text are parsed, their samples go to the series of their labels, and
// all that came since the last flush is in memory until it is encoded and written out. So the live heap
// climbs for some seconds and falls at once. Queries read what is there; series come and go.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
)

const (
	seriesBytes = 900 // about what a series keeps reachable, its places in the indexes included
	shards      = 16
	chunkLength = 12 // samples
	hosts       = 400
)

type label struct{ name, value string }

type sample struct {
	at    int64
	value float64
}

type chunk struct {
	samples [chunkLength]sample
	used    int
}

type series struct {
	labels []label
	chunks []*chunk
	idle   int // flushes without a sample
}

// shard is a part of the database; by label is the inverted index.
type shard struct {
	mu      sync.RWMutex
	byKey   map[string]*series
	byLabel map[label]map[*series]struct{}
}

// parse reads "name{a="b",…} value" lines, as an agent pushes them.
func parse(line string) (key string, value float64, err error) {
	end := strings.LastIndexByte(line, ' ')
	if end < 0 || !strings.HasSuffix(line[:end], "}") {
		return "", 0, fmt.Errorf("bad line %q", line)
	}
	value, err = strconv.ParseFloat(line[end+1:], 64)
	return line[:end], value, err
}

// labelsOf takes a key apart; the strings are its own, so that no push is kept by them.
func labelsOf(key string) []label {
	open := strings.IndexByte(key, '{')
	labels := []label{{"__name__", strings.Clone(key[:open])}}
	for _, pair := range strings.Split(key[open+1:len(key)-1], ",") {
		equals := strings.IndexByte(pair, '=')
		labels = append(labels, label{strings.Clone(pair[:equals]), strings.Clone(pair[equals+2 : len(pair)-1])})
	}
	return labels
}

// seriesOf finds a series or makes it.
func (s *shard) seriesOf(key string) *series {
	found := s.byKey[key]
	if found == nil {
		found = &series{labels: labelsOf(key)}
		s.byKey[strings.Clone(key)] = found
		for _, l := range found.labels {
			if s.byLabel[l] == nil {
				s.byLabel[l] = map[*series]struct{}{}
			}
			s.byLabel[l][found] = struct{}{}
		}
	}
	return found
}

func (s *series) add(at int64, value float64) {
	if len(s.chunks) == 0 || s.chunks[len(s.chunks)-1].used == chunkLength {
		s.chunks = append(s.chunks, &chunk{})
	}
	last := s.chunks[len(s.chunks)-1]
	last.samples[last.used] = sample{at, value}
	last.used++
}

// push takes in the body of one request, which holds samples of one host: a host is in one shard.
func (s *shard) push(body []byte, at int64) (taken int) {
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range lines {
		key, value, err := parse(line)
		must(err)
		s.seriesOf(key).add(at, value)
		taken++
	}
	return taken
}

// query sums a metric by one of its labels, from all that is in memory.
func (s *shard) query(name, by string) map[string]float64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sums := map[string]float64{}
	for one := range s.byLabel[label{"__name__", name}] {
		for _, l := range one.labels {
			if l.name == by {
				for _, c := range one.chunks {
					for _, value := range c.samples[:c.used] {
						sums[l.value] += value.value
					}
				}
			}
		}
	}
	return sums
}

// flush takes the samples out of a shard and drops the series that had none for long, then encodes
// what it took; the shard serves meanwhile.
func (s *shard) flush(to io.Writer, stale int) {
	taken, keys := map[string][]*chunk{}, []string{}
	s.mu.Lock()
	for key, one := range s.byKey {
		if len(one.chunks) > 0 {
			taken[key], one.chunks, one.idle = one.chunks, nil, 0
		} else if one.idle++; one.idle > stale {
			delete(s.byKey, key)
			for _, l := range one.labels {
				delete(s.byLabel[l], one)
			}
		}
	}
	s.mu.Unlock()
	for key := range taken {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	var block []byte
	for _, key := range keys {
		block = append(append(block, key...), 0)
		before := sample{}
		for _, c := range taken[key] {
			for _, now := range c.samples[:c.used] {
				block = binary.AppendVarint(block, now.at-before.at)
				block = binary.AppendUvarint(block, math.Float64bits(now.value)^math.Float64bits(before.value))
				before = now
			}
		}
	}
	_, err := to.Write(block)
	must(err)
}

// appendPush writes the samples that a host's agent would send: consecutive metrics of one host.
func appendPush(to []byte, host, from, count, metrics, instance int, r *rand.Rand) []byte {
	for i := 0; i < count; i++ {
		number := (from + i) % metrics
		to = fmt.Appendf(to, "metric_%d_total{host=\"host-%03d\",zone=\"zone-%d\",job=\"job-%d\",instance=\"%d\"} %.2f\n",
			number, host, host%3, number%17, instance, 1000*r.Float64())
	}
	return to
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "tsdb: %v\n", err)
		os.Exit(1)
	}
}

func main() {
	options := load.Options{Name: "tsdb", LiveBytes: 40 << 20, Rate: 7000}
	every := flag.Duration("flush", 2500*time.Millisecond, "how often samples are written out")
	count := flag.Int("samples", 120, "samples in one push")
	restarts := flag.Float64("restarts", 0.0005, "share of pushes before which the host's instance begins anew")
	options.Parse()
	metrics := int(options.LiveBytes/seriesBytes)/hosts + 1
	database := make([]*shard, shards)
	for i := range database {
		database[i] = &shard{byKey: map[string]*series{}, byLabel: map[label]map[*series]struct{}{}}
	}
	setup := load.NewRand(options.Seed, -1)
	var body []byte
	for host := 0; host < hosts; host++ { // every series exists, with a sample
		body = appendPush(body[:0], host, 0, metrics, metrics, 0, setup)
		database[host%shards].push(body, 0)
	}
	go func() {
		for range time.Tick(*every) {
			for _, s := range database {
				s.flush(io.Discard, 3)
			}
		}
	}()
	bodies := make([][]byte, options.Workers) // one per worker, as a connection's buffer
	instances := make([]int64, hosts)
	options.Run(func(w *load.Worker) {
		host := w.Rand.Intn(hosts)
		if w.Rand.Intn(200) == 0 {
			load.Use(len(database[host%shards].query(fmt.Sprintf("metric_%d_total", w.Rand.Intn(metrics)), "zone")))
			return
		}
		if w.Rand.Float64() < *restarts {
			atomic.AddInt64(&instances[host], 1)
		}
		instance := int(atomic.LoadInt64(&instances[host]))
		bodies[w.ID] = appendPush(bodies[w.ID][:0], host, w.Rand.Intn(metrics), *count, metrics, instance, w.Rand)
		load.Use(database[host%shards].push(bodies[w.ID], w.Elapsed.Milliseconds()))
	})
}
