// Package load drives a program with requests and reports what they cost.
//
// A program is one function that serves one request. The driver calls it closed-loop (every worker
// starts its next request when the last one ends) or open-loop (requests arrive by a Poisson process
// whether or not anybody is free), and at the end prints one line of JSON on standard output.
package load

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// processStart is close to the runtime's own start, from which gctrace counts its "@": package
// variables are set right after it.
var processStart = time.Now()

// Options are the switches that every program has.
type Options struct {
	Name      string
	Rate      float64       // requests per second; 0 is closed-loop
	Workers   int           // goroutines that serve requests
	Calls     int           // units of the program's work in one request; 0 is 1
	Duration  time.Duration // of the load, after the live set is built
	LiveBytes int64         // about what stays reachable
	Seed      int64
	Sample    time.Duration // how often memory is sampled; 0 is never
	Trace     string        // file of an execution trace from the load's third second on; empty is none
	TraceFor  time.Duration // length of that trace

	// Shape scales the load over time: 1 is the full rate (open-loop) or no pause between requests
	// (closed-loop). Nil is 1 throughout.
	Shape func(elapsed time.Duration) float64
}

// Parse adds the common switches to the program's own, parses the command line and ends the process
// with status 2 on a bad one. The values in o are the defaults.
func (o *Options) Parse() {
	flag.Float64Var(&o.Rate, "rate", o.Rate, "requests per second, Poisson arrivals; 0 is closed-loop")
	flag.IntVar(&o.Workers, "workers", o.Workers, "goroutines serving requests; 0 is 2 per P closed-loop, 16 per P open-loop")
	if o.Calls == 0 {
		o.Calls = 1
	}
	flag.IntVar(&o.Calls, "calls", o.Calls, "units of the program's work in one request")
	flag.DurationVar(&o.Duration, "duration", 10*time.Second, "length of the load, after the live set is built")
	flag.Var((*ByteSize)(&o.LiveBytes), "live", "size of what stays reachable, about")
	flag.Int64Var(&o.Seed, "seed", 1, "seed of arrivals and requests")
	flag.DurationVar(&o.Sample, "sample", 20*time.Millisecond, "interval of memory samples; 0 is none")
	flag.StringVar(&o.Trace, "trace", o.Trace, "file of an execution trace from the third second of the load on")
	flag.DurationVar(&o.TraceFor, "trace-for", time.Second, "length of that trace")
	flag.Parse()
	if o.Workers == 0 {
		o.Workers = 2 * runtime.GOMAXPROCS(0)
		if o.Rate > 0 {
			o.Workers *= 8
		}
	}
	bad := ""
	switch {
	case flag.NArg() > 0:
		bad = fmt.Sprintf("unexpected argument %q", flag.Arg(0))
	case o.Workers < 1:
		bad = "-workers must be 1 or more"
	case o.Calls < 1:
		bad = "-calls must be 1 or more"
	case !(o.Rate >= 0) || math.IsInf(o.Rate, 1):
		bad = "-rate must be 0 or more"
	case o.Duration <= 0:
		bad = "-duration must be more than zero"
	}
	if bad != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", o.Name, bad)
		os.Exit(2)
	}
}

// ByteSize is a flag in Go's spelling of sizes: 512KiB, 100MiB, 1GiB.
type ByteSize int64

var byteUnits = []struct {
	suffix string
	factor int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

func (b *ByteSize) String() string { return strconv.FormatInt(int64(*b)>>10, 10) + "KiB" }

func (b *ByteSize) Set(text string) error {
	factor := int64(1)
	for _, unit := range byteUnits {
		if strings.HasSuffix(text, unit.suffix) {
			text, factor = strings.TrimSuffix(text, unit.suffix), unit.factor
			break
		}
	}
	number, err := strconv.ParseInt(text, 10, 40)
	if err != nil || number < 0 {
		return fmt.Errorf("want a size such as 100MiB")
	}
	*b = ByteSize(number * factor)
	return nil
}
