"""Ask a real sync.Pool which Gets hit: op by op on scripts, and as a rate under concurrent load."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gcsim.goruntime.sync_pool import PoolState, collect, get, put
from gcsim.goruntime.versions import rules_for

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


def build(go: str, directory: Path, source: str) -> Path:
    """The program built from ``source``; an empty assembly file lets it declare functions of the runtime."""
    (directory / "main.go").write_text(source)
    (directory / "empty.s").write_text("")
    (directory / "go.mod").write_text("module pooltest\n\ngo 1.19\n")
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    subprocess.run([go, "build", "-o", "pooltest", "."], check=True, env=env, cwd=directory, timeout=300)
    return directory / "pooltest"


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


@pytest.mark.golang
@pytest.mark.parametrize("processors", [[1], [4], [2, 8, 3, 1, 6]], ids=["one P", "four Ps", "changing Ps"])
def test_every_get_of_a_script_hits_or_misses_as_in_go(
    go_toolchain: str, tmp_path: Path, processors: list[int]
) -> None:
    """Five thousand random operations hit and miss, one by one, as a real pool's on the same Ps."""
    program = build(go_toolchain, tmp_path, SCRIPT_PROGRAM)
    for seed in range(3):
        script = random_script(seed, processors, 5000)
        run = subprocess.run(
            [program], input="\n".join(script), check=True, capture_output=True, text=True, timeout=120
        )
        ran_on, hits = np.array([line.split() for line in run.stdout.splitlines()], dtype=int).T
        assert len(set(ran_on.tolist()) - {-1}) >= min(2, max(processors))
        assert replay(script, ran_on.tolist()) == hits.tolist()
        assert 0.2 < hits.sum() / script.count("g") < 0.99
