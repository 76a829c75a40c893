package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"time"
)

// Faults that came after the rules of gcsim diagnose.
func init() {
	for name, fault := range map[string]func(*store, time.Time){
		"select":         selectForever,
		"listeners":      listeners,
		"read-all":       readAll,
		"gc-percent":     gcPercent,
		"free-os-memory": freeOSMemory,
		"pool-errors":    poolErrors,
		"random-drops":   randomDrops,
		"slow-finalizer": slowFinalizer,
		"finalizers":     quickFinalizers,
	} {
		faults[name] = fault
	}
}

// selectForever starts a watcher for each request; each waits for a reply or for a timer of an hour.
func selectForever(_ *store, end time.Time) {
	replies, due := make(chan string), 0.0
	every(5*time.Millisecond, end, func(seconds float64) {
		for due += 250 * seconds; due >= 1; due-- {
			go deep(10, func() {
				select {
				case <-replies:
				case <-time.After(time.Hour):
				}
			})
		}
	})
}

type listener struct {
	topic  string
	notify func(string) int
}

var topics = map[string][]*listener{}

// listeners registers a callback for each new client, and never removes one.
func listeners(_ *store, end time.Time) {
	count, due := 0, 0.0
	every(10*time.Millisecond, end, func(seconds float64) {
		for due += *leakRate * 1024 * seconds; due >= 1; due-- {
			state := bytes.Repeat([]byte{byte(count)}, 700)
			topic := fmt.Sprintf("topic-%d", count%500)
			topics[topic] = append(topics[topic], &listener{
				topic:  strings.Clone(topic),
				notify: func(text string) int { return len(state) + len(text) },
			})
			count++
		}
	})
}

type endless struct{ left int }

func (r *endless) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	r.left -= n
	return n, nil
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// readAll reads uploads of 40 MiB whole, four times a second.
func readAll(_ *store, end time.Time) {
	every(250*time.Millisecond, end, func(float64) {
		upload, err := io.ReadAll(&endless{left: 40 << 20})
		if err != nil {
			fmt.Fprintln(os.Stderr, "upload:", err)
		}
		sinkBytes = upload[:1]
		sinkBytes = nil
	})
}

// gcPercent sets GOGC in the code, as a library may do.
func gcPercent(_ *store, end time.Time) {
	debug.SetGCPercent(12)
	time.Sleep(time.Until(end))
}

func freeOSMemory(_ *store, end time.Time) {
	every(200*time.Millisecond, end, func(float64) { debug.FreeOSMemory() })
}

var encoders = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 96<<10)) }}

// poolErrors returns a buffer on success only; most requests fail.
func poolErrors(_ *store, end time.Time) {
	count := 0
	encode := func() error {
		buffer := encoders.Get().(*bytes.Buffer)
		buffer.Reset()
		fmt.Fprintf(buffer, "reply %d", count)
		if count++; count%20 != 0 {
			return fmt.Errorf("client %d is gone", count)
		}
		encoders.Put(buffer)
		return nil
	}
	every(time.Millisecond, end, func(float64) {
		for i := 0; i < 3; i++ {
			encode()
		}
	})
}

// randomDrops fills a cache of small entries, and drops 39 of 40 at random: the rest holds their spans.
func randomDrops(_ *store, end time.Time) {
	random := rand.New(rand.NewSource(3))
	cache := make([]*[96]byte, 1_200_000)
	for i := range cache {
		cache[i] = new([96]byte)
	}
	kept := cache[:0]
	for _, entry := range cache {
		if random.Intn(40) == 0 {
			kept = append(kept, entry)
		}
	}
	cache = append([]*[96]byte(nil), kept...)
	time.Sleep(time.Until(end))
	runtime.KeepAlive(cache)
}

// slowFinalizer drops objects faster than their finalizers close them.
func slowFinalizer(_ *store, end time.Time) {
	every(5*time.Millisecond, end, func(float64) {
		one := &handleWithFinalizer{buffer: make([]byte, 32<<10)}
		runtime.SetFinalizer(one, func(h *handleWithFinalizer) { time.Sleep(50 * time.Millisecond); h.buffer = nil })
	})
}

// quickFinalizers drops as many objects, whose finalizers return at once.
func quickFinalizers(_ *store, end time.Time) {
	every(5*time.Millisecond, end, func(float64) {
		one := &handleWithFinalizer{buffer: make([]byte, 32<<10)}
		runtime.SetFinalizer(one, func(h *handleWithFinalizer) { h.buffer = nil })
	})
}

// writeMetrics writes all numbers of runtime/metrics as one JSON object, as services do that log them.
func writeMetrics(w io.Writer) error {
	var samples []metrics.Sample
	for _, each := range metrics.All() {
		samples = append(samples, metrics.Sample{Name: each.Name})
	}
	metrics.Read(samples)
	values := map[string]any{}
	for _, each := range samples {
		switch each.Value.Kind() {
		case metrics.KindUint64:
			values[each.Name] = each.Value.Uint64()
		case metrics.KindFloat64:
			values[each.Name] = each.Value.Float64()
		}
	}
	return json.NewEncoder(w).Encode(values)
}
