"""Ask a real sync.Pool which Gets hit: op by op on scripts, and as a rate under concurrent load."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from go_toolchain import GoToolchain

from gcsim.goruntime.sync_pool import PoolState, collect, get, put
from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.pool_users import PoolUsers, simulate_pool_hits

SCRIPT_PROGRAM = """\
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	_ "unsafe"
)

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// Reads one operation a line: p(ut), g(et), c(ollect) or a number, the new GOMAXPROCS.
// Goroutines take turns; prints the P that ran each operation and, for a get, 1 for a hit.
func main() {
	debug.SetGCPercent(-1)
	var ops []string
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		ops = append(ops, in.Text())
	}
	var pool sync.Pool
	var turn sync.Mutex
	var done sync.WaitGroup
	out := bufio.NewWriter(os.Stdout)
	next := 0
	worker := func() {
		defer done.Done()
		for {
			turn.Lock()
			if next == len(ops) {
				turn.Unlock()
				return
			}
			op := ops[next]
			next++
			p, hit := -1, 0
			switch op {
			case "p":
				item := new([64]byte)
				p = procPin()
				pool.Put(item)
				procUnpin()
			case "g":
				p = procPin()
				if pool.Get() != nil {
					hit = 1
				}
				procUnpin()
			case "c":
				runtime.GC()
			default:
				procs := 0
				fmt.Sscan(op, &procs)
				runtime.GOMAXPROCS(procs)
			}
			fmt.Fprintln(out, p, hit)
			turn.Unlock()
			runtime.Gosched()
		}
	}
	for i := 0; i < 8; i++ {
		done.Add(1)
		go worker()
	}
	done.Wait()
	out.Flush()
}
"""


LOAD_PROGRAM = """\
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var live [][]byte

func number(i int) float64 {
	x, err := strconv.ParseFloat(os.Args[i], 64)
	if err != nil {
		panic(err)
	}
	return x
}

// Arguments: goroutines, mean think ms, mean hold ms, KiB of garbage per request, live MiB, seconds.
// Prints Gets per second, mean objects held, collections per second, share of Gets that hit.
func main() {
	users, think, hold, garbage := int(number(1)), number(2), number(3), int(number(4))
	for i := 0; i < int(number(5)); i++ {
		live = append(live, make([]byte, 1<<20))
	}
	var misses, gets, held atomic.Int64
	pool := sync.Pool{New: func() any { misses.Add(1); return new([1024]byte) }}
	var stop atomic.Bool
	var done sync.WaitGroup
	for i := 0; i < users; i++ {
		done.Add(1)
		go func(seed int64) {
			defer done.Done()
			rng := rand.New(rand.NewSource(seed))
			sleep := func(ms float64) {
				if ms > 0 {
					time.Sleep(time.Duration(rng.ExpFloat64() * ms * 1e6))
				}
			}
			var sink []byte
			for !stop.Load() {
				sleep(think)
				x := pool.Get().(*[1024]byte)
				start := time.Now()
				for k := 0; k < garbage; k += 4 {
					sink = make([]byte, 4096)
				}
				x[0] = sink[0]
				sleep(hold)
				held.Add(int64(time.Since(start)))
				gets.Add(1)
				pool.Put(x)
			}
		}(int64(i))
	}
	time.Sleep(200 * time.Millisecond)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, gets0, misses0, held0 := time.Now(), gets.Load(), misses.Load(), held.Load()
	time.Sleep(time.Duration(number(6) * 1e9))
	seconds, gets1, misses1, held1 := time.Since(start).Seconds(), gets.Load(), misses.Load(), held.Load()
	runtime.ReadMemStats(&after)
	stop.Store(true)
	done.Wait()
	fmt.Println(float64(gets1-gets0)/seconds, float64(held1-held0)/1e9/seconds,
		float64(after.NumGC-before.NumGC)/seconds, 1-float64(misses1-misses0)/float64(gets1-gets0))
}
"""


def package(directory: Path, source: str) -> Path:
    """A package of ``source`` and an empty assembly file, which lets it declare functions of the runtime."""
    (directory / "main.go").write_text(source)
    (directory / "empty.s").write_text("")
    (directory / "go.mod").write_text("module pooltest\n\ngo 1.19\n")
    return directory


def random_script(seed: int, processors: list[int], length: int) -> list[str]:
    """Puts and gets in phases that fill and drain the pool, a collection now and then, changes of
    GOMAXPROCS."""
    rng = np.random.default_rng(seed)
    script: list[str] = [str(processors[0])]
    put_share = 0.5
    for _ in range(length):
        draw = rng.random()
        if draw < 0.02:
            put_share = rng.uniform(0.3, 0.7)
        if draw < 0.01:
            script += ["c"] * int(rng.integers(1, 3))
        elif draw > 0.998 and len(processors) > 1:
            script.append(str(rng.choice(processors)))
        else:
            script.append("p" if rng.random() < put_share else "g")
    return script


def replay(script: list[str], processors: list[int]) -> list[int]:
    """1 for each Get of the script that our state machine lets hit, the operations run on the given Ps."""
    rules, state, gomaxprocs = rules_for("1.27"), PoolState(), 0
    hits: list[int] = []
    for op, processor in zip(script, processors, strict=True):
        hit = 0
        if op == "p":
            state = put(state, processor, gomaxprocs=gomaxprocs)
        elif op == "g":
            state, source = get(state, processor, gomaxprocs=gomaxprocs)
            hit = int(source != "miss")
        elif op == "c":
            state = collect(state, rules=rules)
        else:
            gomaxprocs = int(op)
        hits.append(hit)
    return hits


@pytest.mark.parametrize("processors", [[1], [4], [2, 8, 3, 1, 6]], ids=["one P", "four Ps", "changing Ps"])
def test_every_get_of_a_script_hits_or_misses_as_in_go(
    go_toolchain: GoToolchain, tmp_path: Path, processors: list[int]
) -> None:
    """Five thousand random operations hit and miss, one by one, as a real pool's on the same Ps."""
    program = go_toolchain.build(package(tmp_path, SCRIPT_PROGRAM))
    for seed in range(3):
        script = random_script(seed, processors, 5000)
        run = subprocess.run(
            [program], input="\n".join(script), check=True, capture_output=True, text=True, timeout=120
        )
        ran_on, hits = np.array([line.split() for line in run.stdout.splitlines()], dtype=int).T
        assert len(set(ran_on.tolist()) - {-1}) >= min(2, max(processors))
        assert replay(script, ran_on.tolist()) == hits.tolist()
        assert 0.2 < hits.sum() / script.count("g") < 0.99


@pytest.mark.parametrize(
    ("goroutines", "load"),
    [(100, "60 5 128 4"), (200, "60 4 64 4"), (64, "0 1 64 8")],
    ids=["few gets a cycle", "many goroutines", "all hold all the time"],
)
def test_hit_rate_under_load_is_within_three_points_of_go(
    go_toolchain: GoToolchain, goroutines: int, load: str, large: bool
) -> None:
    """From a run's request rate, objects held and GC rate, the model gives its hit rate within 0.03."""
    apart = []
    for gogc in (25, 50, 100, 200, 400) if large else (100,):
        env = {"GOGC": str(gogc), "GOMAXPROCS": "2"}
        run = go_toolchain.run(LOAD_PROGRAM, [str(goroutines), *load.split(), "1.2"], env)
        gets_per_second, in_flight, gc_rate, hit_rate = map(float, run.stdout.split())
        users = PoolUsers(
            gets_per_second=gets_per_second,
            in_flight=min(in_flight, goroutines * 0.9999),  # counted when a hold ends, so a little off
            gc_period_seconds=1 / gc_rate,
            gomaxprocs=2,
            goroutines=goroutines,
        )
        rng = np.random.default_rng(gogc)
        hits, gets = simulate_pool_hits(users, gets=20_000, rules=rules_for(go_toolchain.minor), rng=rng)
        ours = hits / gets
        print(
            f"GOGC={gogc} {gets_per_second:.0f} Gets/s {gc_rate:.0f} GC/s: Go {hit_rate:.4f}, ours {ours:.4f}"
        )
        apart.append(abs(ours - hit_rate))
    assert max(apart) <= 0.03
