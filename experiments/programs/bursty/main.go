// Bursty parses log lines into counts, at a tenth of the load between bursts. The index of lines that
// it keeps is made of short strings in maps.
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// entryBytes is about what one indexed line keeps reachable.
const entryBytes = 430

const quietLevel = 0.1

// index keeps the fields of the newest lines by request ID.
type index struct {
	mu     sync.RWMutex
	fields map[uint64]map[string]string
	next   uint64
	size   uint64
}

func (x *index) add(fields map[string]string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fields[x.next] = fields
	delete(x.fields, x.next-x.size)
	x.next++
}

func (x *index) get(age uint64) map[string]string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.fields[x.next-1-age]
}

func randomLine(rng *rand.Rand) string {
	return fmt.Sprintf("time=%d level=%s method=%s path=/api/v1/item/%d status=%d bytes=%d agent=client-%d",
		rng.Int63n(1<<40), []string{"info", "warn", "error"}[rng.Intn(3)], []string{"GET", "PUT", "POST"}[rng.Intn(3)],
		rng.Intn(5000), 200+rng.Intn(4)*100, rng.Intn(100000), rng.Intn(500))
}

func parse(line string) map[string]string {
	fields := map[string]string{}
	for _, pair := range strings.Fields(line) {
		if key, value, found := strings.Cut(pair, "="); found {
			fields[key] = strings.Clone(value)
		}
	}
	return fields
}

// retained is the part of a parsed line that the index keeps.
func retained(fields map[string]string) map[string]string {
	return map[string]string{"path": fields["path"], "status": fields["status"], "agent": fields["agent"]}
}

// summarise counts by path and status and renders the counts in order.
func summarise(lines []map[string]string) string {
	counts := map[string]int{}
	for _, fields := range lines {
		counts[fields["path"]+" "+fields["status"]]++
	}
	keys := make([]string, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	var out strings.Builder
	for _, key := range keys {
		out.WriteString(strings.ToUpper(key) + " " + strconv.Itoa(counts[key]) + "\n")
	}
	return out.String()
}

func main() {
	options := load.Options{Name: "bursty", LiveBytes: 40 << 20}
	every := flag.Duration("every", time.Second, "time from one burst to the next")
	burst := flag.Duration("burst", 250*time.Millisecond, "length of a burst")
	linesPerRequest := flag.Int("lines", 40, "log lines in one request")
	options.Parse()
	options.Shape = func(elapsed time.Duration) float64 {
		if elapsed%*every < *burst {
			return 1
		}
		return quietLevel
	}
	rng := load.NewRand(options.Seed, -1)
	corpus := make([]string, 4096)
	for i := range corpus {
		corpus[i] = randomLine(rng)
	}
	kept := &index{fields: map[uint64]map[string]string{}, size: uint64(options.LiveBytes/entryBytes) + 1}
	for i := uint64(0); i < kept.size; i++ {
		kept.add(retained(parse(corpus[rng.Intn(len(corpus))])))
	}
	options.Run(func(w *load.Worker) {
		var lines []map[string]string
		for i := 0; i < *linesPerRequest; i++ {
			fields := parse(corpus[w.Rand.Intn(len(corpus))])
			lines = append(lines, fields)
			if i%16 == 0 {
				kept.add(retained(fields))
				lines = append(lines, kept.get(uint64(w.Rand.Int63n(int64(kept.size)))))
			}
		}
		load.Use(len(summarise(lines)))
	})
}
