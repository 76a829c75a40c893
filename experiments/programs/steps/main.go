// Steps is the order service under a load that moves in steps: every period the rate and the size of
// the order book jump to another level, and back.
package main

import (
	"flag"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
	"gcsim.local/programs/internal/orders"
)

// level of one period: the share of the full rate, and of the full book.
type level struct{ rate, live float64 }

var levels = []level{{0.4, 0.5}, {1, 0.5}, {1, 1}, {0.6, 1}, {0.6, 0.7}}

func main() {
	options := load.Options{Name: "steps", LiveBytes: 80 << 20}
	period := flag.Duration("period", 2*time.Second, "time at each level")
	options.Parse()
	at := func(elapsed time.Duration) level { return levels[int(elapsed / *period)%len(levels)] }
	options.Shape = func(elapsed time.Duration) float64 { return at(elapsed).rate }
	full := float64(options.LiveBytes)
	service := orders.NewService(load.NewRand(options.Seed, -1), int64(full*levels[0].live), 32, 8)
	var applied int64 // the period that the book's size was last set for
	options.Run(func(w *load.Worker) {
		now := int64(w.Elapsed / *period)
		if before := atomic.LoadInt64(&applied); before < now && atomic.CompareAndSwapInt64(&applied, before, now) {
			service.Book.Resize(int(full * at(w.Elapsed).live / orders.EntryBytes))
		}
		service.Serve(w.Rand)
	})
}
