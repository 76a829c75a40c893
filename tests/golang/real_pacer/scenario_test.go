// Drives the runtime's own pacer through scenarios read from $GCSIM_SCENARIOS and prints every cycle.
// Laid over the runtime's tests by tests/golang/test_real_pacer.py; it uses the API of export_test.go.

package runtime_test

import (
	"bufio"
	"fmt"
	"math"
	"os"
	. "runtime"
	"strings"
	"testing"
)

const (
	stepNs           = 500_000
	firstLiveBytes   = 256 << 10
	bytesPerRateStep = 1024 * 0.5
)

// One line of input. A line with number 0 starts a scenario with a fresh pacer.
type cycleInput struct {
	number, gcPercent          int
	memoryLimit                int64
	globals, stack             uint64
	procs                      int
	alloc, scan, growth, share float64
}

func TestScenarios(t *testing.T) {
	file, err := os.Open(os.Getenv("GCSIM_SCENARIOS"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var pacer *GCController
	var blackBefore int64
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var in cycleInput
		_, err := fmt.Sscan(lines.Text(), &in.number, &in.gcPercent, &in.memoryLimit, &in.globals, &in.procs,
			&in.alloc, &in.scan, &in.growth, &in.share, &in.stack)
		if err != nil {
			t.Fatal(lines.Text(), err)
		}
		live := int64(firstLiveBytes)
		if in.number == 0 {
			pacer = NewGCController(in.gcPercent, in.memoryLimit)
		} else {
			pacer.ChangeSettings(in.gcPercent, in.memoryLimit)
			live = int64(float64(int64(pacer.HeapMarked())-blackBefore) * in.growth)
		}
		blackBefore = runCycle(pacer, in, live)
	}
}

// runCycle starts, marks and ends one cycle, and returns the bytes allocated while marking.
func runCycle(pacer *GCController, in cycleInput, live int64) int64 {
	pacer.StartCycle(in.stack, in.globals, in.share, in.procs)
	left := [3]int64{int64(in.globals), int64(in.stack), int64(float64(live) * in.share)}
	var duration, assist, black int64
	procs := float64(in.procs)
	for left[0]+left[1]+left[2] > 0 {
		ratio := pacer.AssistWorkPerByte()
		u := ratio * in.alloc / (ratio*in.alloc + in.scan)
		if u < 0.25 {
			u = 0.25
		}
		scanned := int64(in.scan * bytesPerRateStep * procs * u)
		allocated := int64(in.alloc * bytesPerRateStep * procs * (1 - u))
		elapsed := int64(stepNs)
		if all := left[0] + left[1] + left[2]; all < scanned {
			scanned = all
			elapsed = int64(float64(all) * float64(stepNs) / (in.scan * bytesPerRateStep * procs * u))
			allocated = int64(in.alloc * bytesPerRateStep * float64(elapsed) / float64(stepNs) * procs * (1 - u))
		}
		var taken [3]int64
		for kind := range left {
			taken[kind] = left[kind]
			if taken[kind] > scanned {
				taken[kind] = scanned
			}
			left[kind] -= taken[kind]
			scanned -= taken[kind]
		}
		pacer.Revise(GCControllerReviseDelta{
			HeapLive:        allocated,
			HeapScan:        int64(float64(allocated) * in.share),
			GlobalsScanWork: taken[0],
			StackScanWork:   taken[1],
			HeapScanWork:    taken[2],
		})
		assist += int64(float64(elapsed) * procs * (u - 0.25))
		duration += elapsed
		black += allocated
	}
	utilization := float64(assist)/(float64(duration)*procs) + 0.25
	fmt.Println("CYCLE", pacer.HeapMarked(), pacer.Triggered(), pacer.HeapLive(), pacer.HeapGoal(),
		exact(utilization), duration, assist, black)
	pacer.EndCycle(uint64(live+black), assist, duration, in.procs)
	return black
}

// exact prints a float64 so that Python's float.fromhex reads the same value back.
func exact(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(x), "+"))
	}
	return fmt.Sprintf("%x", x)
}
