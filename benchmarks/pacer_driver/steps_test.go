// Times cycles of the runtime's own pacer: start, one revision of the assist ratio, end with commit.
// Laid over the runtime's tests by benchmarks/go_pacer.py; it uses the API of export_test.go.

package runtime_test

import (
	"fmt"
	"math"
	"os"
	. "runtime"
	"strconv"
	"testing"
	"time"
)

func TestPacerSteps(t *testing.T) {
	steps, err := strconv.Atoi(os.Getenv("GCSIM_PACER_STEPS"))
	if err != nil {
		t.Fatal(err)
	}
	const live, black, stack, globals = 60 << 20, 20 << 20, 8192, 160_000
	pacer := NewGCController(100, math.MaxInt64)
	start := time.Now()
	for range steps {
		pacer.StartCycle(stack, globals, 1, 2)
		pacer.Revise(GCControllerReviseDelta{
			HeapLive:        black,
			HeapScan:        black,
			HeapScanWork:    live,
			StackScanWork:   stack,
			GlobalsScanWork: globals,
		})
		pacer.EndCycle(live+black, 1_000_000, 50_000_000, 2)
	}
	fmt.Println("STEPS", float64(steps)/time.Since(start).Seconds())
}
