// Holds a live heap of a chosen shape and size, replaces it at random, and prints what the runtime says about its
// memory every few milliseconds (runtime/metrics and /proc/self/status), one comma-separated row a sample.
//
//	memory_priors SHAPE LIVE_MIB GOROUTINES SECONDS [PARKED EXCURSION]
//
// Goroutines wait 1 to 40 frames deep; with PARKED and EXCURSION each waits PARKED frames deep, again and again
// after it was EXCURSION frames deep, as handlers of connections do.
//
// Standard library only; builds with Go 1.19 and later.
package main

import (
	"bufio"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type node struct {
	left, right *node
	payload     []byte
	label       string
}

// holder keeps live objects in a table of slots; setting a slot makes its former content garbage.
type holder struct {
	rng   *rand.Rand
	slots []any
	make  func(rng *rand.Rand) any
}

func (h *holder) churn(stop *int32, pause time.Duration) {
	for i := 0; atomic.LoadInt32(stop) == 0; i++ {
		h.slots[h.rng.Intn(len(h.slots))] = h.make(h.rng)
		if pause > 0 && i%256 == 0 {
			time.Sleep(pause)
		}
	}
}

func smallObject(rng *rand.Rand) any {
	n := &node{label: strconv.Itoa(rng.Int())}
	n.left = &node{payload: make([]byte, 8+rng.Intn(56))}
	n.right = &node{label: "leaf"}
	return n
}

func blob(rng *rand.Rand) any {
	b := make([]byte, int(4096*math.Pow(64, rng.Float64())))
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

func mixedObject(rng *rand.Rand) any {
	size := int(16 * math.Pow(512, rng.Float64()))
	if rng.Intn(2) == 0 {
		b := make([]byte, size)
		b[0] = 1
		return b
	}
	pointers := make([]*node, size/8+1)
	pointers[0] = &node{}
	return pointers
}

// shapes gives each shape's constructor and its mean live bytes, slot table included.
var shapes = map[string]struct {
	make  func(*rand.Rand) any
	bytes int
}{
	"small":      {smallObject, 300},
	"blobs":      {blob, 63000},
	"mixed":      {mixedObject, 1380},
	"goroutines": {smallObject, 300},
}

//go:noinline
func deep(depth int, park chan int) int {
	var frame [64]int
	frame[depth%64] = depth
	if depth == 0 {
		return <-park
	}
	return deep(depth-1, park) + frame[(depth*7)%64]
}

// handler goes deep for each of a hundred requests, and waits for the next one at its own depth.
//
//go:noinline
func handler(depth, excursion int, requests chan int) int {
	var frame [16]int
	frame[depth%16] = depth
	if depth > 0 {
		return handler(depth-1, excursion, requests) + frame[(depth*7)%16]
	}
	for range requests {
		frame[1] += excursive(excursion)
	}
	return frame[1]
}

//go:noinline
func excursive(depth int) int {
	var frame [16]int
	frame[depth%16] = depth
	if depth <= 0 {
		return frame[0]
	}
	return excursive(depth-1) + frame[(depth*7)%16]
}

func handlers(goroutines, parked, excursion int) {
	requests := make([]chan int, goroutines)
	for i := range requests {
		requests[i] = make(chan int)
		go handler(parked, excursion-parked, requests[i])
	}
	go func() {
		rng := rand.New(rand.NewSource(1))
		for {
			requests[rng.Intn(len(requests))] <- 1
			time.Sleep(time.Microsecond)
		}
	}()
}

var names = []string{
	"/gc/cycles/total:gc-cycles",
	"/memory/classes/total:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/free:bytes",
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/unused:bytes",
	"/memory/classes/heap/stacks:bytes",
	"/gc/heap/goal:bytes",
}

func rssKiB() int {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(status))[1])
	return pages * (os.Getpagesize() / 1024)
}

func sampler(stop *int32, out *bufio.Writer) {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	start := time.Now()
	fmt.Fprintln(out, "ms,cycles,total,released,free,objects,unused,stacks,goal,rss_kib")
	for i := 0; atomic.LoadInt32(stop) == 0; i++ {
		metrics.Read(samples)
		fmt.Fprintf(out, "%d", time.Since(start).Milliseconds())
		for _, s := range samples {
			fmt.Fprintf(out, ",%d", s.Value.Uint64())
		}
		fmt.Fprintf(out, ",%d\n", rssKiB())
		time.Sleep(2 * time.Millisecond)
	}
}

func main() {
	shape := shapes[os.Args[1]]
	live, _ := strconv.Atoi(os.Args[2])
	goroutines, _ := strconv.Atoi(os.Args[3])
	seconds, _ := strconv.ParseFloat(os.Args[4], 64)
	park := make(chan int)
	if len(os.Args) > 6 {
		parked, _ := strconv.Atoi(os.Args[5])
		excursion, _ := strconv.Atoi(os.Args[6])
		handlers(goroutines, parked, excursion)
	} else {
		for i := 0; i < goroutines; i++ {
			go deep(1+i%40, park)
		}
	}
	var stop int32
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	done := make(chan bool)
	go func() { sampler(&stop, out); close(done) }()
	const workers = 2
	for w := 0; w < workers; w++ {
		h := &holder{rng: rand.New(rand.NewSource(int64(w))), make: shape.make}
		h.slots = make([]any, live<<20/workers/shape.bytes)
		for i := range h.slots {
			h.slots[i] = h.make(h.rng)
		}
		go h.churn(&stop, 0)
	}
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	atomic.StoreInt32(&stop, 1)
	<-done
	out.Flush()
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") {
			fmt.Fprintln(os.Stderr, line)
		}
	}
}
