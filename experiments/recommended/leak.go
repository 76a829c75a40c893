package load

// A leak. A build overlay adds this file to the package, so that the programs of other studies do not
// have it. GCSIM_LEAK is its rate in bytes per second, from GCSIM_LEAK_AFTER, a duration, on.

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// leakedBytes is about what one forgotten order keeps reachable.
const leakedBytes = 304

type leaked struct {
	id       uint64
	customer string
	tags     []string
	legs     []int64
	next     *leaked
}

var forgotten *leaked

func init() {
	rate, _ := strconv.ParseFloat(os.Getenv("GCSIM_LEAK"), 64)
	after, _ := time.ParseDuration(os.Getenv("GCSIM_LEAK_AFTER"))
	if rate > 0 {
		go leak(rate, after)
	}
}

func leak(rate float64, after time.Duration) {
	time.Sleep(after)
	began := time.Now()
	for n := uint64(0); ; {
		for ; float64(n)*leakedBytes < time.Since(began).Seconds()*rate; n++ {
			forgotten = newLeaked(n, forgotten)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func newLeaked(id uint64, next *leaked) *leaked {
	order := &leaked{id: id, customer: fmt.Sprintf("customer-%06d", id%1000000), legs: make([]int64, 10), next: next}
	for i := 0; i < 4; i++ {
		order.tags = append(order.tags, fmt.Sprintf("tag-%d-of-%d", i, id%64))
	}
	return order
}
