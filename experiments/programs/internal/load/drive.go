package load

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// Run makes requests, of o.Calls units of work each, for the duration and prints the result. What was
// built before it was called is the live set; work must keep that reachable.
func (o *Options) Run(work func(*Worker)) {
	serve := func(w *Worker) {
		for i := 0; i < o.Calls; i++ {
			work(w)
		}
	}
	workers := make([]*Worker, o.Workers)
	for i := range workers {
		workers[i] = newWorker(i, o.Seed)
	}
	sampler := startSampler(o.Sample)
	ready := takeSnapshot()
	begin := time.Now()
	o.startTrace()
	var group sync.WaitGroup
	group.Add(len(workers))
	if o.Rate > 0 {
		queue := make(chan time.Duration, queueLength)
		for _, w := range workers {
			go func(w *Worker) { defer group.Done(); o.serveQueue(w, begin, queue, serve) }(w)
		}
		if err := o.arrive(begin, queue); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", o.Name, err)
			os.Exit(1)
		}
	} else {
		for _, w := range workers {
			go func(w *Worker) { defer group.Done(); o.serveClosed(w, begin, serve) }(w)
		}
	}
	group.Wait()
	loadSeconds := time.Since(begin).Seconds()
	sampler.stop()
	o.report(workers, ready, loadSeconds, sampler)
}

// serveClosed runs requests one after another. Where the shape is below 1 the worker owes rest in
// proportion to the work it did, and takes it in pauses of at least 2 ms.
func (o *Options) serveClosed(w *Worker, begin time.Time, serve func(*Worker)) {
	const shortestRest, longestRest = 2 * time.Millisecond, 50 * time.Millisecond
	var owed time.Duration
	for now := time.Since(begin); now < o.Duration; {
		w.Elapsed = now
		serve(w)
		ended := time.Since(begin)
		w.finish(now, now, ended)
		if level := o.level(ended); level < 1 {
			owed += time.Duration(float64(ended-now) * (1/level - 1))
			if owed > longestRest {
				owed = longestRest
			}
			if owed >= shortestRest {
				time.Sleep(owed)
				owed, ended = 0, time.Since(begin)
			}
		}
		now = ended
	}
}

// serveQueue takes arrivals until there are no more, and measures from when each was due.
func (o *Options) serveQueue(w *Worker, begin time.Time, queue <-chan time.Duration, serve func(*Worker)) {
	for due := range queue {
		started := time.Since(begin)
		w.Elapsed = started
		serve(w)
		w.finish(due, started, time.Since(begin))
	}
}

func (o *Options) level(elapsed time.Duration) float64 {
	if o.Shape == nil {
		return 1
	}
	return o.Shape(elapsed)
}
