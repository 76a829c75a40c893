// Pooling measures the three ways to get an object that a popular article compares: new each time, one global that
// is reused, and sync.Pool. It also measures how often a pool misses while collections take its objects away.
package main

import (
	"encoding/json"
	"flag"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const objectBytes = 512

type object struct{ data [objectBytes]byte }

// way is one row of the article's table.
type way struct {
	Way         string  `json:"way"`
	Operations  int     `json:"operations"`
	Procs       int     `json:"procs"`
	Nanoseconds float64 `json:"ns_per_op"`
	Allocations float64 `json:"allocations_per_op"`
	Collections uint32  `json:"collections"`
}

// use is one run of a pool with objects that are held for some time.
type use struct {
	GOGC        int     `json:"gogc"`
	Procs       int     `json:"procs"`
	Goroutines  int     `json:"goroutines"`
	Seconds     float64 `json:"seconds"`
	Gets        int64   `json:"gets"`
	Misses      int64   `json:"misses"`
	InFlight    float64 `json:"in_flight"` // mean number of objects held
	Collections uint32  `json:"collections"`
}

var (
	global object
	total  int64
)

func main() {
	seconds := flag.Duration("seconds", 3*time.Second, "length of each run of a pool whose objects are held")
	flag.Parse()
	var ways []way
	for _, procs := range []int{1, 2} {
		runtime.GOMAXPROCS(procs)
		for _, operations := range []int{100_000, 300_000, 1_000_000} {
			for name, work := range map[string]func(int){"new": byNew, "global": byGlobal, "sync.Pool": byPool} {
				ways = append(ways, best(name, procs, operations, work))
			}
		}
	}
	runtime.GOMAXPROCS(2)
	keep := live(4 << 20)
	var uses []use
	for _, gogc := range []int{800, 400, 200, 100, 50, 25, 10} {
		uses = append(uses, held(gogc, 64, *seconds))
	}
	runtime.KeepAlive(keep)
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"go": runtime.Version(), "object_bytes": objectBytes, "ways": ways, "uses": uses,
	})
}

// best is the run with the median time of five, with all Ps working.
func best(name string, procs, operations int, work func(int)) way {
	found := make([]way, 5)
	for i := range found {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		var group sync.WaitGroup
		for p := 0; p < procs; p++ {
			group.Add(1)
			go func() { defer group.Done(); work(operations / procs) }()
		}
		group.Wait()
		took := time.Since(begin)
		runtime.ReadMemStats(&after)
		done := float64(operations)
		found[i] = way{name, operations, procs, float64(took.Nanoseconds()) * float64(procs) / done,
			float64(after.Mallocs-before.Mallocs) / done, after.NumGC - before.NumGC}
	}
	for i := range found { // five are sorted quickly
		for j := i + 1; j < len(found); j++ {
			if found[j].Nanoseconds < found[i].Nanoseconds {
				found[i], found[j] = found[j], found[i]
			}
		}
	}
	return found[2]
}

func byNew(operations int) {
	for i := 0; i < operations; i++ {
		o := newObject()
		touch(o)
	}
}

//go:noinline
func newObject() *object { return new(object) }

func byGlobal(operations int) {
	for i := 0; i < operations; i++ {
		touch(&global)
	}
}

func byPool(operations int) {
	pool := sync.Pool{New: func() any { return new(object) }}
	for i := 0; i < operations; i++ {
		o := pool.Get().(*object)
		touch(o)
		pool.Put(o)
	}
}

//go:noinline
func touch(o *object) { o.data[0]++ }

// live is a heap of small linked objects.
func live(size int) [][]*object {
	var keep [][]*object
	for made := 0; made < size; made += 16 * objectBytes {
		row := make([]*object, 16)
		for i := range row {
			row[i] = new(object)
		}
		keep = append(keep, row)
	}
	return keep
}

// held runs goroutines that hold an object for about a millisecond and then wait as long, while another one
// allocates 100 MB/s.
func held(gogc, goroutines int, length time.Duration) use {
	debug.SetGCPercent(gogc)
	runtime.GC()
	var gets, misses, holdNs int64
	var stop atomic.Bool
	pool := sync.Pool{New: func() any { atomic.AddInt64(&misses, 1); return new(object) }}
	var group sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func(rng *rand.Rand) {
			defer group.Done()
			for !stop.Load() {
				begin := time.Now()
				o := pool.Get().(*object)
				touch(o)
				time.Sleep(time.Duration(rng.ExpFloat64() * 1e6))
				pool.Put(o)
				atomic.AddInt64(&holdNs, int64(time.Since(begin)))
				atomic.AddInt64(&gets, 1)
				time.Sleep(time.Duration(rng.ExpFloat64() * 1e6))
			}
		}(rand.New(rand.NewSource(int64(g))))
	}
	group.Add(1)
	go func() { // garbage
		defer group.Done()
		tick := time.NewTicker(time.Millisecond)
		for range tick.C {
			if stop.Load() {
				return
			}
			for i := 0; i < 100_000/1024; i++ {
				atomic.AddInt64(&total, int64(len(garbage())))
			}
		}
	}()
	time.Sleep(length / 3) // warm-up
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, get0, miss0, hold0 := time.Now(), atomic.LoadInt64(&gets), atomic.LoadInt64(&misses), atomic.LoadInt64(&holdNs)
	time.Sleep(length)
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	get1, miss1, hold1 := atomic.LoadInt64(&gets), atomic.LoadInt64(&misses), atomic.LoadInt64(&holdNs)
	stop.Store(true)
	group.Wait()
	return use{gogc, runtime.GOMAXPROCS(0), goroutines, took.Seconds(), get1 - get0, miss1 - miss0,
		float64(hold1-hold0) / float64(took.Nanoseconds()), after.NumGC - before.NumGC}
}

//go:noinline
func garbage() []byte { return make([]byte, 1024) }
