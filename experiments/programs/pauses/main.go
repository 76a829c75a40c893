// Collects garbage about a hundred times a second, on Ps that are all busy or mostly idle; run with gctrace=1.
//
//	pauses busy|idle SECONDS
//
// Standard library only; builds with Go 1.19 and later.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

type node struct {
	next    *node
	payload [6]int
}

var sink atomic.Value

func list(length int) *node {
	var head *node
	for i := 0; i < length; i++ {
		head = &node{next: head}
	}
	return head
}

func spin(rounds int) int {
	sum := 1
	for i := 0; i < rounds; i++ {
		sum = sum*31 + i
	}
	return sum
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[2], 64)
	live := list(40000)
	workers, pause := 2*runtime.GOMAXPROCS(0), time.Duration(0)
	if os.Args[1] == "idle" {
		workers, pause = 4, 2*time.Millisecond
	}
	for w := 0; w < workers; w++ {
		go func() {
			for {
				sink.Store(list(600))
				if pause > 0 {
					time.Sleep(pause)
				} else {
					spin(100000)
				}
			}
		}()
	}
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	runtime.KeepAlive(live)
}
