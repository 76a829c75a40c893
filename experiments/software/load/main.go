// Command load drives a server for a fixed time and prints one line of JSON about the requests.
//
// An open loop sends requests at a fixed rate, whatever the answers do. A closed loop sends the next request of each
// connection after the answer to the last one.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

type options struct {
	address  string
	paths    string
	bodies   int
	rate     float64
	conns    int
	warm     time.Duration
	duration time.Duration
	touch    string
	subjects int
	stream   int64
	size     int
	giveUp   time.Duration
}

// A client sends one request and waits for its answer.
type client interface {
	request(n int) error
}

func main() {
	var o options
	kind := flag.String("kind", "http", "http or nats")
	flag.StringVar(&o.address, "address", "127.0.0.1:8080", "of the server; loopback only")
	flag.StringVar(&o.paths, "paths", "", "file with one METHOD PATH per line")
	flag.IntVar(&o.bodies, "bodies", 0, "bytes of the body of a request")
	flag.Float64Var(&o.rate, "rate", 0, "requests per second of an open loop; 0: closed loop")
	flag.IntVar(&o.conns, "conns", 16, "connections")
	flag.DurationVar(&o.warm, "warm", 2*time.Second, "load before the measured time")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "measured time")
	flag.StringVar(&o.touch, "touch", "", "file to which a line is added every 3 seconds")
	flag.IntVar(&o.subjects, "subjects", 200, "nats: subjects")
	flag.Int64Var(&o.stream, "stream", -1, "nats: bytes that the stream keeps; -1: all")
	flag.IntVar(&o.size, "size", 1024, "nats: mean bytes of a message")
	flag.DurationVar(&o.giveUp, "give-up", 0,
		"http: a request fails after this time, and so do those that have not begun this long after the end; "+
			"0: 20 seconds, and all are sent")
	flag.Parse()

	clients, err := connect(*kind, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if o.touch != "" {
		go touch(o.touch)
	}
	drive(clients, o, o.warm)
	began := time.Now()
	latencies, failures := drive(clients, o, o.duration)
	report(latencies, failures, time.Since(began), o)
}

func connect(kind string, o options) ([]client, error) {
	if kind == "nats" {
		return natsClients(o)
	}
	return httpClients(o)
}

// drive returns the latencies in seconds and the number of failed requests. In an open loop the latency counts from
// the planned time.
func drive(clients []client, o options, during time.Duration) ([]float64, int) {
	var lock sync.Mutex
	var all []float64
	failures := 0
	began := time.Now()
	end := began.Add(during)
	due := make(chan work, 1<<16)
	var group sync.WaitGroup
	for k, c := range clients {
		group.Add(1)
		go func() {
			defer group.Done()
			var mine []float64
			failed := 0
			serve := func(n int, planned time.Time) {
				if err := c.request(n); err != nil {
					failed++
				}
				mine = append(mine, time.Since(planned).Seconds())
			}
			if o.rate > 0 {
				for w := range due {
					if o.giveUp > 0 && time.Since(end) > o.giveUp {
						failed++
						mine = append(mine, time.Since(w.planned).Seconds())
						continue
					}
					serve(w.n, w.planned)
				}
			} else {
				for n := k; time.Now().Before(end); n += len(clients) {
					serve(n, time.Now())
				}
			}
			lock.Lock()
			all = append(all, mine...)
			failures += failed
			lock.Unlock()
		}()
	}
	if o.rate > 0 {
		plan(due, began, end, o.rate)
	}
	close(due)
	group.Wait()
	return all, failures
}

type work struct {
	n       int
	planned time.Time
}

// plan hands out the requests that are due, in steps of a millisecond.
func plan(due chan<- work, began, end time.Time, rate float64) {
	sent := 0
	for now := began; now.Before(end); now = time.Now() {
		want := int(now.Sub(began).Seconds() * rate)
		for ; sent < want; sent++ {
			select {
			case due <- work{sent, now}:
			default: // the server is far behind
			}
		}
		time.Sleep(time.Millisecond)
	}
}

func touch(path string) {
	for n := 0; ; n++ {
		time.Sleep(3 * time.Second)
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return
		}
		fmt.Fprintf(file, "\nParagraph %d of the edits.\n", n)
		file.Close()
	}
}

func report(latencies []float64, failures int, lasted time.Duration, o options) {
	sort.Float64s(latencies)
	at := func(q float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[int(q*float64(len(latencies)-1))]
	}
	loop := "open"
	if o.rate == 0 {
		loop = "closed"
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"loop":            loop,
		"requests":        len(latencies),
		"failures":        failures,
		"rate":            float64(len(latencies)) / lasted.Seconds(),
		"latency_seconds": map[string]float64{"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1)},
	})
}
