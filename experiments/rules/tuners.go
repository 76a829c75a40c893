package load

// Tuners of rules of thumb. A build overlay adds this file to the package, so that the programs of
// other studies do not have it. GCSIM_RULE names the rule, GCSIM_RULE_BYTES its size.

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"
)

var ballast []byte

func init() {
	size, _ := strconv.ParseFloat(os.Getenv("GCSIM_RULE_BYTES"), 64)
	switch os.Getenv("GCSIM_RULE") {
	case "ballast":
		ballast = make([]byte, int(size)) // never touched: no page of it becomes resident
	case "heap target":
		afterEachGC(func() { setTarget(size) })
	case "forced at":
		go forceAt(size)
	}
}

type sentinel struct{ pad *int }

// afterEachGC calls f from a finalizer, which runs once after each collection.
func afterEachGC(f func()) {
	var again func(*sentinel)
	again = func(s *sentinel) {
		f()
		runtime.SetFinalizer(s, again)
	}
	runtime.SetFinalizer(&sentinel{pad: new(int)}, again)
}

// setTarget sets GOGC so that the next heap goal is near the target, from 50 to 500.
func setTarget(target float64) {
	live := read("/gc/heap/live:bytes")
	percent := math.Min(math.Max(100*(target-live)/math.Max(live, 1), 50), 500)
	debug.SetGCPercent(int(percent))
}

// forceAt polls the heap and forces a collection above the watermark.
func forceAt(watermark float64) {
	for range time.Tick(100 * time.Millisecond) {
		if read("/memory/classes/heap/objects:bytes") >= watermark {
			runtime.GC()
		}
	}
}

func read(name string) float64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}
