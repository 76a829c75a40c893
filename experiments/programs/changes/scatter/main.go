// Scatter grows a heap of three sizes of objects, drops most of them at random places, collects once, works on for a
// while and then idles. Each second it prints the memory of its heap.
package main

import (
	"encoding/json"
	"flag"
	"math/rand"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type small [128]byte
type medium [4096]byte
type large [65536]byte

type row struct {
	Seconds  float64 `json:"seconds"`
	Objects  uint64  `json:"objects_bytes"`  // HeapAlloc
	InUse    uint64  `json:"in_use_bytes"`   // HeapInuse
	Idle     uint64  `json:"idle_bytes"`     // HeapIdle, with returned memory
	Released uint64  `json:"released_bytes"` // HeapReleased
	Anon     uint64  `json:"anonymous_bytes"`
	Cycles   uint64  `json:"cycles"`
}

var used int64

func main() {
	each := flag.Int("each", 100, "MiB of each size of objects")
	grow := flag.Duration("grow", 20*time.Second, "length of growth")
	work := flag.Duration("work", 10*time.Second, "length of work after objects are dropped")
	idle := flag.Duration("idle", 125*time.Second, "length of idling")
	drop := flag.Float64("drop", 0.85, "share of objects that is dropped")
	rate := flag.Int("garbage", 30, "MiB of garbage per second, in objects of 1 KiB")
	flag.Parse()
	smalls, mediums, larges := make([]*small, *each<<20/128), make([]*medium, *each<<20/4096), make([]*large, *each<<20/65536)
	done := make(chan []row)
	var stop atomic.Bool
	begin := time.Now()
	go func() { done <- sample(begin, &stop) }()

	const tick = 10 * time.Millisecond
	steps := int(*grow / tick)
	for i := 0; i < steps; i++ {
		fill(smalls, i, steps, func(o *small) { o[0] = 1 })
		fill(mediums, i, steps, func(o *medium) { o[0] = 1 })
		fill(larges, i, steps, func(o *large) {
			for at := 0; at < len(o); at += 4096 {
				o[at] = 1
			}
		})
		garbage(*rate << 20 / 100)
		until(begin, time.Duration(i+1)*tick)
	}
	rng := rand.New(rand.NewSource(1))
	clear(rng, smalls, *drop)
	clear(rng, mediums, *drop)
	clear(rng, larges, *drop)
	runtime.GC()
	for i := 0; i < int(*work/tick); i++ {
		garbage(*rate << 20 / 100)
		until(begin, *grow+time.Duration(i+1)*tick)
	}
	time.Sleep(*idle)
	stop.Store(true)
	json.NewEncoder(os.Stdout).Encode(<-done)
	runtime.KeepAlive(smalls)
	runtime.KeepAlive(mediums)
	runtime.KeepAlive(larges)
}

func until(begin time.Time, at time.Duration) {
	if left := at - time.Since(begin); left > 0 {
		time.Sleep(left)
	}
}

// fill makes the objects of one step of the growth, and writes to their pages.
func fill[T any](objects []*T, step, steps int, write func(*T)) {
	for i := step * len(objects) / steps; i < (step+1)*len(objects)/steps; i++ {
		objects[i] = new(T)
		write(objects[i])
	}
}

func clear[T any](rng *rand.Rand, objects []*T, share float64) {
	for i := range objects {
		if rng.Float64() < share {
			objects[i] = nil
		}
	}
}

func garbage(size int) {
	for made := 0; made < size; made += 1024 {
		one := piece()
		one[0] = 1
		atomic.AddInt64(&used, int64(len(one)))
	}
}

//go:noinline
func piece() []byte { return make([]byte, 1024) }

func sample(begin time.Time, stop *atomic.Bool) (rows []row) {
	read := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}
	for n := 1; !stop.Load(); n++ {
		until(begin, time.Duration(n)*time.Second)
		metrics.Read(read)
		value := func(i int) uint64 { return read[i].Value.Uint64() }
		rows = append(rows, row{
			time.Since(begin).Seconds(), value(0), value(0) + value(1), value(2) + value(3), value(3), anonymous(), value(4),
		})
	}
	return rows
}

func anonymous() uint64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if rest := strings.TrimPrefix(line, "RssAnon:"); rest != line {
			kib, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}
