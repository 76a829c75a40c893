"""Objects a second: the simulated allocation loop and Go's own allocator, in the same minute on this machine.

    python benchmarks/bench_allocation_loop.py [--objects N]

Both allocate the same mix of sizes on one core, most of it garbage at once and a part live for a while, and both
collect when the heap has doubled. Simulated are kinds, lifetimes, spans, heapLive, marking's outcome and sweeping;
Go does the work itself, its collector's included. Prints both rates and their ratio.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from experiments import toolchains
from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.lifetimes import Lifetime
from gcsim.service.objects.object_heap import ObjectHeap, ObjectKind
from gcsim.streams import stream

SIZES = (16, 24, 32, 48, 64, 96, 128, 208, 512, 1024, 4096)  # each as frequent as 1/size
STEP_OBJECTS = 100_000  # between two control events: 4 ms of real allocation
OBJECTS_PER_SECOND = 25e6  # of the simulated program
CACHE_OBJECTS = 100_000  # that the program keeps; one object in sixteen replaces one of them

GO_PROGRAM = """\
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

var cache [%(cache)d][]byte
var sink []byte

func main() {
	objects, _ := strconv.Atoi(os.Args[1])
	sizes := []int{%(sizes)s}
	var picks [4096]int
	state, at := uint32(1), 0
	for i, size := range sizes {
		for n := %(share)d / size; n > 0 && at < len(picks); n-- {
			picks[at], at = sizes[i], at+1
		}
	}
	start := time.Now()
	for i := 0; i < objects; i++ {
		state = state*1664525 + 1013904223
		made := make([]byte, picks[int(state>>8)%%at])
		if state>>28 == 0 {
			cache[int(state)%%len(cache)] = made
		} else {
			sink = made
		}
	}
	fmt.Println(float64(objects) / time.Since(start).Seconds())
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What one run of the simulated loop did."""

    objects: int
    steps: int
    collections: int
    seconds: float
    digest: str  # of every collection's outcome: the same for the same objects and seed


def simulate(objects: int, *, seed: int = 1) -> Simulated:
    """Allocate ``objects``, collecting whenever heapLive has doubled since the last mark end."""
    mean_size = len(SIZES) / sum(1 / size for size in SIZES)
    garbage, kept = Lifetime.at_once(), Lifetime(mean=16 * CACHE_OBJECTS * mean_size, clock="bytes")
    kinds = [
        ObjectKind(size_bytes=size, scan=False, weight=share / size, lifetime=lifetime)
        for size in SIZES
        for lifetime, share in ((garbage, 15 / 16), (kept, 1 / 16))
    ]
    heap = ObjectHeap(kinds, rules=rules_for("1.27"), gomaxprocs=1, rng=stream(seed, "objects"))
    seen, steps, collections = hashlib.sha256(), 0, 0
    start = time.perf_counter()
    while steps * STEP_OBJECTS < objects:
        heap.allocate(STEP_OBJECTS, seconds=STEP_OBJECTS / OBJECTS_PER_SECOND)
        steps += 1
        if heap.heap_live_bytes >= max(2 * heap.heap_marked_bytes, 4 << 20):
            heap.begin_mark()
            seen.update(repr(heap.end_mark()).encode())
            heap.sweep()
            collections += 1
    seconds = time.perf_counter() - start
    made = steps * STEP_OBJECTS
    return Simulated(
        objects=made, steps=steps, collections=collections, seconds=seconds, digest=seen.hexdigest()[:16]
    )


def go_objects_per_second(toolchain: toolchains.Toolchain, objects: int) -> float:
    """The rate of the same loop in real Go, on one P."""
    sizes = ", ".join(map(str, SIZES))
    share = 4096 / sum(1 / size for size in SIZES)  # so that the picks of all sizes fill the table
    source = GO_PROGRAM % {"cache": CACHE_OBJECTS, "sizes": sizes, "share": int(share)}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.go").write_text(source)
        binary = toolchain.build(Path(folder) / "main.go", Path(folder) / "program")
        env = {**toolchain.environment, "GOMAXPROCS": "1", "GOGC": "100"}
        run = subprocess.run([binary, str(objects)], env=env, capture_output=True, text=True, check=True)
    return float(run.stdout)


def main(arguments: list[str]) -> None:
    """Print the two rates and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=200_000_000, help="to simulate; Go makes a quarter")
    options = parser.parse_args(arguments)
    simulate(2_000_000)  # imports and caches warm
    ours = simulate(options.objects)
    rate = ours.objects / ours.seconds
    toolchain = toolchains.default()
    real = go_objects_per_second(toolchain, options.objects // 4)
    print(f"simulated  {rate / 1e6:7.1f} million objects/s  ({ours.collections} collections, {ours.digest})")
    print(f"Go {toolchain.version}  {real / 1e6:7.1f} million objects/s")
    print(f"ratio      {rate / real:7.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
