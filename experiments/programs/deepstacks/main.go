// Deepstacks keeps many goroutines waiting deep in recursion, as interpreters and nested handlers do:
// much of what marking scans is stacks, which count towards the heap goal since Go 1.18.
package main

import (
	"flag"
	"fmt"
	"strings"

	"gcsim.local/programs/internal/load"
)

// request asks a session to work at the depth where it waits; done tells that it has.
type request struct {
	words int
	done  chan int
}

// frame is what each level of the recursion holds: pointers, so that a scan has to follow them.
type frame struct {
	names [12]*string
	depth int
}

// descend recurses to the depth and serves requests there. The frames stay in use on the way back, so
// that the compiler cannot reuse them.
func descend(depth int, above *frame, requests <-chan request) int {
	here := frame{depth: depth}
	for i := range here.names {
		if above != nil && i > 0 {
			here.names[i] = above.names[i-1]
		} else if depth%4 == 0 {
			name := fmt.Sprintf("scope-%d-%d", depth, i)
			here.names[i] = &name
		}
	}
	if depth == 0 {
		return wait(&here, requests)
	}
	sum := descend(depth-1, &here, requests)
	for _, name := range here.names {
		if name != nil {
			sum += len(*name)
		}
	}
	return sum
}

func wait(at *frame, requests <-chan request) int {
	served := 0
	for r := range requests {
		r.done <- evaluate(at, r.words)
		served++
	}
	return served
}

// evaluate builds and walks a small expression tree: garbage by the end of the request.
func evaluate(at *frame, words int) int {
	var out strings.Builder
	for i := 0; i < words; i++ {
		term := fmt.Sprintf("(%d %c %d)", i*7, "+-*/"[i%4], at.depth+i)
		if name := at.names[i%len(at.names)]; name != nil {
			term = strings.ReplaceAll(term, "7", *name)
		}
		out.WriteString(term)
	}
	return len(strings.Fields(out.String()))
}

func main() {
	options := load.Options{Name: "deepstacks", LiveBytes: 64 << 20, Calls: 8}
	depth := flag.Int("depth", 90, "levels of recursion that each goroutine waits in")
	words := flag.Int("words", 60, "terms evaluated by one request")
	options.Parse()
	const stackBytes = 32 << 10 // of one goroutine at the default depth: stacks double
	sessions := make([]chan request, options.LiveBytes/stackBytes+1)
	ready := make(chan int)
	for i := range sessions {
		sessions[i] = make(chan request)
		go descend(*depth, nil, sessions[i])
		go func(requests chan<- request) { requests <- request{1, ready} }(sessions[i])
		<-ready // it is down there
	}
	replies := make([]chan int, options.Workers)
	for i := range replies {
		replies[i] = make(chan int, 1)
	}
	options.Run(func(w *load.Worker) {
		sessions[w.Rand.Intn(len(sessions))] <- request{*words, replies[w.ID]}
		load.Use(<-replies[w.ID])
	})
}
