"""The writer against the real runtime: what Go printed, read and written again, is the same text."""

import io

import numpy as np
from go_toolchain import GoToolchain

from gcsim.gctrace import format_gctrace, read_gctrace

PROGRAM = """package main

import (
	"runtime"
	"time"
)

type node struct {
	left, right *node
	payload     [32]byte
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

var keep *node

func main() {
	keep = tree(16)
	for i, start := 0, time.Now(); time.Since(start) < 500*time.Millisecond; i++ {
		tree(12)
		if i%200 == 0 {
			runtime.GC()
		}
	}
}
"""


def test_all_three_traces_are_printed_as_go_prints_them(go_toolchain: GoToolchain) -> None:
    """Every line is read into the tables and written back byte for byte; only lines at the world's restart may swap."""
    env = {"GODEBUG": "gctrace=1,gcpacertrace=1,scavtrace=1", "GOMAXPROCS": "2"}
    log = go_toolchain.run(PROGRAM, env=env).stderr
    if not log.endswith("\n"):  # the program ended while the sweeper was printing
        log = log[: log.rindex("\n") + 1]
    trace = read_gctrace(io.StringIO(log))
    assert not trace.parse_warnings
    assert len(trace.foreign_line_numbers) == 0
    written = format_gctrace(trace, go=go_toolchain.minor)
    gc_lines = [line for line in log.splitlines() if line.startswith("gc ")]
    assert [line for line in written.splitlines() if line.startswith("gc ")] == gc_lines
    assert sorted(written.splitlines()) == sorted(log.splitlines())


def test_pacer_lines_are_given_to_their_cycles(go_toolchain: GoToolchain) -> None:
    """The pacer's exact bytes, cut to MiB, are the numbers of the gc line that they belong to."""
    env = {"GODEBUG": "gctrace=1,gcpacertrace=1", "GOMAXPROCS": "2"}
    trace = read_gctrace(io.StringIO(go_toolchain.run(PROGRAM, env=env).stderr))
    ends = trace.pacer_ends.select(trace.pacer_ends.cycle_index < len(trace.cycles))
    starts = trace.pacer_starts.select(trace.pacer_starts.cycle_index < len(trace.cycles))
    assert len(ends) > 3
    assert np.array_equal(ends.heap_live_bytes >> 20 << 20, trace.cycles.heap_end_bytes[ends.cycle_index])
    assert np.array_equal(ends.heap_goal_bytes >> 20 << 20, trace.cycles.heap_goal_bytes[ends.cycle_index])
    assert np.array_equal(starts.heap_live_bytes, trace.cycles.heap_start_bytes[starts.cycle_index])
