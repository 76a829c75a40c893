// A small service that leaks in one of several forms, until it is killed or its time is over. Standard library only.
//
//	go build . && GODEBUG=gctrace=1 ./leaks -form linear -leak 2 -duration 60s
//
// At its end it prints one line of JSON: the time at which the marked heap with the runtime's own memory reached
// GOMEMLIMIT, and the time at which the GC CPU limiter first switched on, by runtime/metrics; -1 for never.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

var processStart = time.Now()

var (
	form     = flag.String("form", "linear", "the form of the leak")
	base     = flag.Float64("base", 20, "live objects that stay, MiB")
	leakRate = flag.Float64("leak", 2, "MiB/s on average, of objects or of stacks")
	rate     = flag.Int("rate", 10000, "requests per second")
	duration = flag.Duration("duration", 60*time.Second, "length of the run")
	seed     = flag.Int64("seed", 1, "seed")
)

// item is a linked object of 128 bytes with two pointers.
type item struct {
	next, other *item
	data        [112]byte
}

func newItems(mib float64) []*item {
	list := make([]*item, int(mib*float64(1<<20)/136))
	for i := range list {
		list[i] = &item{}
		if i > 0 {
			list[i].next = list[i-1]
			list[i].other = list[i/2]
		}
	}
	return list
}

var (
	mu     sync.Mutex
	kept   [][]*item
	bytes  [][]byte
	byKey  = map[string]*item{}
	random *rand.Rand
	sink   *item
	spent  uint64
)

// request makes short-lived linked objects, 8 KiB, and works on them.
func request() {
	var first *item
	for i := 0; i < 64; i++ {
		first = &item{next: first}
	}
	sink = first
	sum := uint64(1)
	for i := 0; i < 3000; i++ {
		sum = sum*6364136223846793005 + 1442695040888963407
	}
	spent += sum & 1
}

// every calls do with the seconds since the last call, until the end.
func every(pause time.Duration, end time.Time, do func(seconds float64)) {
	last := time.Now()
	for now := last; now.Before(end); now = time.Now() {
		do(now.Sub(last).Seconds())
		last = now
		time.Sleep(pause)
	}
}

func keep(mib float64) {
	more := newItems(mib)
	mu.Lock()
	kept = append(kept, more)
	mu.Unlock()
}

// wave is the traffic of a service whose load moves by half, with a period of ten seconds.
func wave(t time.Duration) float64 { return 1 + 0.5*math.Sin(2*math.Pi*t.Seconds()/10) }

// bursts is a second and a half of full traffic in every six, and a third of it between.
func bursts(t time.Duration) float64 {
	if math.Mod(t.Seconds(), 6) < 1.5 {
		return 2.5
	}
	return 0.5
}

func flat(time.Duration) float64 { return 1 }

func deep(n int, wait func()) int {
	var room [256]byte
	if n == 0 {
		wait()
		return int(room[0])
	}
	return deep(n-1, wait) + int(room[n%256])
}

// traffic makes the requests; each leaks a share of the leak, if leaks is set.
func traffic(end time.Time, level func(time.Duration) float64, leak func(mib float64)) {
	begun, due := time.Now(), 0.0
	each := *leakRate / float64(*rate)
	every(time.Millisecond, end, func(seconds float64) {
		due += seconds * float64(*rate) * level(time.Since(begun))
		count := int(due)
		due -= float64(count)
		for i := 0; i < count; i++ {
			request()
		}
		if leak != nil && count > 0 {
			leak(each * float64(count))
		}
	})
}

// blocked starts goroutines whose stacks take some KiB, at a rate that makes the leak.
func blocked(end time.Time, depth int, kib float64, more func() any) {
	never, due := make(chan int), 0.0
	every(10*time.Millisecond, end, func(seconds float64) {
		for due += *leakRate * 1024 / kib * seconds; due >= 1; due-- {
			held := more()
			go deep(depth, func() { never <- 1; runtime.KeepAlive(held) })
		}
	})
}

var forms = map[string]func(end time.Time){
	// design
	"linear": func(end time.Time) {
		go traffic(end, flat, nil)
		every(20*time.Millisecond, end, func(s float64) { keep(*leakRate * s) })
	},
	"traffic": func(end time.Time) { traffic(end, wave, keep) },
	"goroutines": func(end time.Time) {
		go traffic(end, flat, nil)
		blocked(end, 12, 8, func() any { return nil })
	},
	// reported
	"noise": func(end time.Time) {
		go traffic(end, flat, nil)
		go every(0, end, func(float64) { // batches that hold up to 24 MiB for some hundred milliseconds
			mine := newItems(24 * random.Float64())
			time.Sleep(time.Duration(100+random.Intn(500)) * time.Millisecond)
			runtime.KeepAlive(mine)
		})
		every(20*time.Millisecond, end, func(s float64) { keep(*leakRate * s) })
	},
	"map": func(end time.Time) { // an entry of a map for each key that was asked for
		count := 0
		traffic(end, flat, func(mib float64) {
			for i := 0; i < int(mib*float64(1<<20)/220+0.5); i++ {
				count++
				byKey[fmt.Sprintf("session-%09d", count)] = &item{}
			}
		})
	},
	"buffers": func(end time.Time) { // whole buffers that a slice keeps
		go traffic(end, flat, nil)
		due := 0.0
		every(10*time.Millisecond, end, func(s float64) {
			for due += *leakRate * 16 * s; due >= 1; due-- {
				buffer := make([]byte, 64<<10)
				for i := range buffer {
					buffer[i] = byte(i)
				}
				bytes = append(bytes, buffer)
			}
		})
	},
	"handlers": func(end time.Time) { // blocked goroutines, each with a request's objects
		go traffic(end, flat, nil)
		blocked(end, 28, 24, func() any { return newItems(8.0 / 1024) })
	},
	"bursts": func(end time.Time) { traffic(end, bursts, keep) },
}

func main() {
	flag.Parse()
	random = rand.New(rand.NewSource(*seed))
	start, known := forms[*form]
	if !known {
		fmt.Fprintln(os.Stderr, "unknown form", *form)
		os.Exit(2)
	}
	keep(*base)
	end := processStart.Add(*duration)
	found := watch(end)
	start(end)
	time.Sleep(time.Until(end))
	json.NewEncoder(os.Stdout).Encode(<-found)
	runtime.KeepAlive(kept)
	runtime.KeepAlive(bytes)
}

// reached is what the program measured of itself.
type reached struct {
	LiveAtLimitSeconds float64 `json:"live_at_limit_seconds"`
	LimiterSeconds     float64 `json:"limiter_seconds"`
}

// watch reads the runtime's counts ten times a second until the end.
func watch(end time.Time) <-chan reached {
	result := make(chan reached, 1)
	limit := float64(debug.SetMemoryLimit(-1))
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/gc/limiter/last-enabled:gc-cycle"},
	}
	go func() {
		found := reached{LiveAtLimitSeconds: -1, LimiterSeconds: -1}
		every(100*time.Millisecond, end, func(float64) {
			metrics.Read(samples)
			value := func(i int) float64 { return float64(samples[i].Value.Uint64()) }
			own := value(1) - value(2) - value(3) - value(4) - value(5)
			now := time.Since(processStart).Seconds()
			if found.LiveAtLimitSeconds < 0 && value(0)+own >= limit {
				found.LiveAtLimitSeconds = now
			}
			if found.LimiterSeconds < 0 && value(6) > 0 {
				found.LimiterSeconds = now
			}
		})
		result <- found
	}()
	return result
}
