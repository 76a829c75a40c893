// A small service with a fault that a switch turns on: the scenarios of experiments/diagnose. Standard library only.
//
//	go build . && GODEBUG=gctrace=1 ./diagnose -live 30 -rate 2000 -fault leak -leak 2 -duration 20s
//
// The service keeps a live set of linked objects and serves requests that allocate, at a rate or at full speed. With
// -out it writes profiles and runtime.MemStats after 40 % and after 95 % of the run.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var (
	live     = flag.Int("live", 30, "live linked objects, MiB")
	rate     = flag.Int("rate", 2000, "requests per second; 0 is full speed")
	workers  = flag.Int("workers", 2, "goroutines that serve requests")
	size     = flag.Int("size", 8, "KiB that a request allocates")
	work     = flag.Int("work", 2, "work of a request besides allocation, in thousands of steps")
	fault    = flag.String("fault", "", "the fault to turn on")
	leakRate = flag.Float64("leak", 1, "MiB/s, of the leaking faults")
	duration = flag.Duration("duration", 20*time.Second, "length of the run")
	out      = flag.String("out", "", "folder for profiles and MemStats")
	evidence = flag.String("evidence", "", "profiles to write: heap, allocs, goroutine, dump, memstats, metrics; by colon")
)

// item is a linked object of 128 bytes with two pointers.
type item struct {
	next, other *item
	data        [112]byte
}

type store struct {
	mu   sync.Mutex
	list []*item
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

var sink [64]*item
var spent uint64

// handle serves one request: short-lived linked objects, and some work on them.
func handle(worker int) {
	var first *item
	for i := 0; i < *size*8; i++ {
		first = &item{next: first}
	}
	sink[worker%64] = first
	sum := uint64(worker)
	for i := 0; i < *work*1000; i++ {
		sum = sum*6364136223846793005 + 1442695040888963407
	}
	if sum == 1 {
		spent = sum
	}
}

// serve runs the requests of one worker until the end; level gives the share of the rate that arrives now.
func serve(worker int, end time.Time, level func(time.Duration) float64) {
	begun := time.Now()
	due := 0.0
	last := begun
	for now := begun; now.Before(end); now = time.Now() {
		if *rate == 0 {
			handle(worker)
			continue
		}
		due += now.Sub(last).Seconds() * float64(*rate) / float64(*workers) * level(now.Sub(begun))
		last = now
		for ; due >= 1; due-- {
			handle(worker)
		}
		time.Sleep(time.Millisecond)
	}
}

func steady(time.Duration) float64 { return 1 }

// bursts: a second at full rate in every four, and a fifth of it between.
func bursts(t time.Duration) float64 {
	if int(t.Seconds())%4 == 0 {
		return 1
	}
	return 0.2
}

func main() {
	flag.Parse()
	end := time.Now().Add(*duration)
	kept := &store{list: newItems(float64(*live))}
	level := steady
	if start, known := faults[*fault]; known {
		go start(kept, end)
	} else if *fault == "bursts" {
		level = bursts
	} else if *fault != "" {
		fmt.Fprintln(os.Stderr, "unknown fault", *fault)
		os.Exit(2)
	}
	if *out != "" {
		go record(2*(*duration)/5, "1")
		go record(19*(*duration)/20, "2")
	}
	var all sync.WaitGroup
	for w := 0; w < *workers; w++ {
		all.Add(1)
		go func(w int) { defer all.Done(); serve(w, end, level) }(w)
	}
	all.Wait()
	time.Sleep(time.Until(end))
	runtime.KeepAlive(kept)
}

var faults = map[string]func(*store, time.Time){
	"ballast": func(_ *store, end time.Time) {
		ballast := make([]byte, 200<<20)
		for i := 0; i < len(ballast); i += 4096 {
			ballast[i] = 1
		}
		time.Sleep(time.Until(end))
		runtime.KeepAlive(ballast)
	},
	"leak":              leak,
	"cache":             cache,
	"goroutines":        blockedGoroutines,
	"steady-goroutines": steadyGoroutines,
	"http-bodies":       httpBodies,
	"forced":            forced,
	"fragmentation":     fragmentation,
	"large":             large,
	"finalizer":         finalizer,
	"pool":              pool,
	"loops":             loops,
}

func every(pause time.Duration, end time.Time, do func(seconds float64)) {
	last := time.Now()
	for now := last; now.Before(end); now = time.Now() {
		do(now.Sub(last).Seconds())
		last = now
		time.Sleep(pause)
	}
}

// leak keeps session objects that nothing drops.
func leak(kept *store, end time.Time) {
	every(10*time.Millisecond, end, func(seconds float64) {
		more := newItems(*leakRate * seconds)
		kept.mu.Lock()
		kept.list = append(kept.list, more...)
		kept.mu.Unlock()
	})
}

// cache fills up to 60 MiB in the first 40 % of the run, and then replaces entries.
func cache(kept *store, end time.Time) {
	filled := time.Now().Add(2 * (*duration) / 5)
	perSecond := 60 / filled.Sub(time.Now()).Seconds()
	every(10*time.Millisecond, filled, func(seconds float64) {
		kept.list = append(kept.list, newItems(perSecond*seconds)...)
	})
	place := 0
	every(10*time.Millisecond, end, func(seconds float64) {
		for _, one := range newItems(perSecond * seconds) {
			kept.list[place%len(kept.list)] = one
			place++
		}
	})
}

func deep(n int, wait func()) int {
	var room [256]byte
	if n == 0 {
		wait()
		return int(room[0])
	}
	return deep(n-1, wait) + int(room[n%256])
}

// blockedGoroutines starts goroutines that send to a channel which nobody receives from.
func blockedGoroutines(_ *store, end time.Time) {
	results := make(chan int)
	send := func() { results <- 1 }
	due := 0.0
	every(5*time.Millisecond, end, func(seconds float64) {
		for due += 300 * seconds; due >= 1; due-- {
			go deep(20, send)
		}
	})
}

func steadyGoroutines(_ *store, end time.Time) {
	done := make(chan int)
	for i := 0; i < 3000; i++ {
		go deep(8, func() { <-done })
	}
	time.Sleep(time.Until(end))
	close(done)
}

// httpBodies asks a server over loopback and never closes the bodies of the responses.
func httpBodies(_ *store, end time.Time) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	page := make([]byte, 64<<10)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page) }))
	client := &http.Client{}
	url := "http://" + listener.Addr().String()
	due := 0.0
	every(20*time.Millisecond, end, func(seconds float64) {
		for due += 60 * seconds; due >= 1; due-- {
			response, err := client.Get(url)
			if err != nil {
				fmt.Fprintln(os.Stderr, "request:", err)
				continue
			}
			io.ReadFull(response.Body, make([]byte, 100))
		}
	})
}

func forced(_ *store, end time.Time) {
	every(100*time.Millisecond, end, func(float64) { runtime.GC() })
}

// fragmentation allocates objects of one size after the other and keeps one of each span.
func fragmentation(kept *store, end time.Time) {
	var few [][]byte
	wave := 0
	every(*duration/20, end, func(float64) {
		if wave >= 16 {
			return
		}
		bytes := 64 + 32*wave
		each := 8192 / bytes
		all := make([][]byte, (20<<20)/bytes)
		for i := range all {
			all[i] = make([]byte, bytes)
		}
		for i := 0; i < len(all); i += each {
			few = append(few, all[i])
		}
		wave++
	})
	runtime.KeepAlive(few)
}

// large reads whole files into memory: buffers of 48 MiB.
func large(_ *store, end time.Time) {
	every(150*time.Millisecond, end, func(float64) {
		buffer := make([]byte, 48<<20)
		for i := 0; i < len(buffer); i += 4096 {
			buffer[i] = 1
		}
		sinkBytes = buffer[:1]
		sinkBytes = nil
	})
}

var sinkBytes []byte

type handleWithFinalizer struct{ buffer []byte }

// finalizer drops objects whose finalizers wait behind one that blocks.
func finalizer(_ *store, end time.Time) {
	never := make(chan int)
	first := true
	every(5*time.Millisecond, end, func(float64) {
		one := &handleWithFinalizer{buffer: make([]byte, 32<<10)}
		if first {
			runtime.SetFinalizer(one, func(*handleWithFinalizer) { <-never })
			first = false
			return
		}
		runtime.SetFinalizer(one, func(h *handleWithFinalizer) { h.buffer = nil })
	})
}

var buffers = sync.Pool{New: func() any { return make([]byte, 64<<10) }}

// pool takes buffers from a pool and returns one of ten.
func pool(_ *store, end time.Time) {
	count := 0
	every(time.Millisecond, end, func(float64) {
		for i := 0; i < 4; i++ {
			buffer := buffers.Get().([]byte)
			buffer[0]++
			if count++; count%10 == 0 {
				buffers.Put(buffer)
			}
		}
	})
}

// loops runs tight loops of some 30 ms, which GODEBUG=asyncpreemptoff=1 makes impossible to stop.
func loops(_ *store, end time.Time) {
	every(60*time.Millisecond, end, func(float64) {
		sum := uint64(1)
		for i := 0; i < 40_000_000; i++ {
			sum = sum*6364136223846793005 + 1442695040888963407
		}
		if sum == 1 {
			spent = sum
		}
	})
}

// record writes the evidence after some time.
func record(after time.Duration, name string) {
	time.Sleep(after)
	write := func(file string, save func(io.Writer) error) {
		f, err := os.Create(filepath.Join(*out, file+name))
		if err == nil {
			err = save(f)
			f.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "evidence:", err)
		}
	}
	profile := func(kind string, debug int) func(io.Writer) error {
		return func(w io.Writer) error { return pprof.Lookup(kind).WriteTo(w, debug) }
	}
	savers := map[string]func(io.Writer) error{
		"heap":      profile("heap", 0),
		"allocs":    profile("allocs", 0),
		"goroutine": profile("goroutine", 1),
		"dump":      profile("goroutine", 2),
		"memstats": func(w io.Writer) error {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			stats.BySize = [61]struct {
				Size           uint32
				Mallocs, Frees uint64
			}{}
			return json.NewEncoder(w).Encode(&stats)
		},
		"metrics": writeMetrics,
	}
	for kind, save := range savers {
		for _, wanted := range filepath.SplitList(*evidence) {
			if wanted == kind {
				write(kind, save)
			}
		}
	}
}
