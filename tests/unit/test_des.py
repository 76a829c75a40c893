"""The event-by-event engine: same seed same bytes, order of events, gctrace, timeline, limiter, memory."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simpy
from des_fingerprint import fingerprint, open_service
from example_service import example_service

from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.order import Order, after
from gcsim.engine.des.run.parameters import SchedulerParameters, central_parameters
from gcsim.engine.des.run.runner import record_run, run_cycles
from gcsim.engine.des.run.timeline import chrome_trace
from gcsim.engine.simulate import simulate
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.writer import format_gctrace, quantize_cycles
from gcsim.service.parameters import Parameter
from gcsim.service.variability import CycleVariability
from gcsim.settings import Settings
from gcsim.units import MIB

KNOBS = SchedulerParameters()


def _ignore(cycle: Cycle, start_s: float) -> None:
    """Keeps nothing."""


def test_same_seed_same_bytes_and_another_seed_others() -> None:
    """A run is its seed's."""
    assert fingerprint(3) == fingerprint(3) != fingerprint(4)


def test_same_bytes_in_a_new_process_with_another_hash_seed() -> None:
    """Nothing depends on the order of a hash table."""
    program = Path(__file__).parents[1] / "helpers" / "des_fingerprint.py"
    env = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(program.parents[2])}
    done = subprocess.run(
        [sys.executable, str(program), "3"], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == fingerprint(3)


def test_events_of_one_instant_go_by_order_then_by_when_they_were_scheduled() -> None:
    """The world before Ps, Ps before the background, and first come first served within."""
    env = simpy.Environment()
    seen: list[str] = []
    for name, order in (
        ("b1", Order.BACKGROUND),
        ("p1", Order.PROCESSOR),
        ("w", Order.WORLD),
        ("p2", Order.PROCESSOR),
    ):
        after(env, 5, order).callbacks.append(lambda _, name=name: seen.append(name))
    env.run()
    assert seen == ["w", "p1", "p2", "b1"]


# The line as Go documents it in runtime/extern.go, read on its own terms.
DOCUMENTED = re.compile(
    r"gc (?P<n>\d+) @(?P<at>[\d.]+)s (?P<cpu>\d+)%: (?P<w1>[\d.]+)\+(?P<wm>[\d.]+)\+(?P<w2>[\d.]+) ms clock, "
    r"(?P<c1>[\d.]+)\+(?P<a>[\d.]+)/(?P<b>[\d.]+)/(?P<i>[\d.]+)\+(?P<c2>[\d.]+) ms cpu, "
    r"(?P<h0>\d+)->(?P<h1>\d+)->(?P<h2>\d+) MB, (?P<goal>\d+) MB goal, (?P<st>\d+) MB stacks, "
    r"(?P<gl>\d+) MB globals, (?P<p>\d+) P( \(forced\))?"
)


def test_thousands_of_lines_of_gctrace_are_read_by_us_and_by_the_documentation(large: bool) -> None:
    """A long run's trace is well formed, and both readers get out what was put in."""
    most = 10_000 if large else 1_000
    model = example_service()
    small = replace(
        model.parameters,
        live_bytes=Parameter(2.0 * MIB),
        mark_cpu_seconds=Parameter(0.0004),
        alloc_bytes_per_cpu_second=Parameter(800.0 * MIB),
    )
    tiny = replace(model, parameters=small)
    quick = replace(tiny.settings, gogc=25)
    recording = record_run(
        tiny,
        quick,
        duration_seconds=most / 400.0,
        seed=1,
        knobs=SchedulerParameters(pass_interval_ns=2_000_000),
    )
    cycles = recording.cycles.select(slice(0, most))
    assert len(cycles) == most
    text = format_gctrace(cycles, go="1.27")
    lines = text.splitlines()
    assert len(lines) == most
    assert read_gctrace(io.BytesIO(text.encode())).cycles == quantize_cycles(cycles)
    last = -1.0
    for number, line in enumerate(lines, start=1):
        match = DOCUMENTED.fullmatch(line)
        assert match is not None, line
        assert int(match["n"]) == number
        assert float(match["at"]) >= last
        assert int(match["h0"]) <= int(match["h1"])
        assert abs(float(match["c1"]) - 2 * float(match["w1"])) <= 0.11 * float(match["c1"]) + 0.002
        last = float(match["at"])


def test_timeline_is_a_chrome_trace_in_which_a_p_does_one_thing_at_a_time() -> None:
    """Complete events, whole numbers of Ps, no two slices of one kind of work on a P at once."""
    model = open_service()
    recording = record_run(model, model.settings, duration_seconds=3.0, seed=1, knobs=KNOBS)
    document = json.loads(json.dumps(chrome_trace(recording, name="example")))
    slices = [e for e in document["traceEvents"] if e["ph"] == "X"]
    assert {e["name"] for e in slices} >= {
        "concurrent mark",
        "goroutine",
        "GC worker (fractional)",
        "world stopped",
    }
    assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in slices)
    for processor in (1, 2):
        rows = sorted(
            (e["ts"], e["ts"] + e["dur"]) for e in slices if e["tid"] == processor and e["name"] != "assist"
        )
        assert all(a[1] <= b[0] + 1e-3 for a, b in itertools.pairwise(rows))


def test_latency_parts_add_up_and_none_is_negative() -> None:
    """Service, assist, pauses, background marking and queueing are the whole latency of every request."""
    model = open_service()
    rows = record_run(model, model.settings, duration_seconds=5.0, seed=2, knobs=KNOBS).requests
    assert rows.size > 10_000
    parts = [rows[name] for name in ("service_ns", "assist_ns", "stw_ns", "background_ns", "queueing_ns")]
    assert min(float(part.min()) for part in parts) >= -2.0
    assert np.abs(sum(parts) - (rows["end_ns"] - rows["due_ns"])).max() < 2.0
    assert (rows["start_ns"] >= rows["due_ns"] - 1e-3).all()


@pytest.mark.usefixtures("only_large")
def test_waiting_without_collections_is_erlangs() -> None:
    """Two servers, exponential-like load, no collection in sight: mean wait as Lee and Longton's formula has it."""
    model = open_service()
    assert model.requests is not None
    spread_out = replace(model.requests, service_sigma=0.5, workers=2)
    rare = replace(
        model,
        requests=spread_out,
        parameters=replace(
            model.parameters, mark_cpu_seconds=Parameter(1e-6), sweep_cpu_seconds_per_byte=Parameter(0.0)
        ),
    )
    seldom = replace(model.settings, gogc=1000)
    rows = record_run(rare, seldom, duration_seconds=60.0, seed=5, knobs=KNOBS).requests
    load = 0.5  # of two servers
    service_s = 1 / 5000.0
    erlang_c = 2 * load**2 / (1 + load)
    mean_wait_s = erlang_c * service_s / (2 * (1 - load))
    variability = (1 + np.expm1(0.5**2)) / 2
    waited = float((rows["start_ns"] - rows["due_ns"]).mean()) * 1e-9
    assert waited == pytest.approx(mean_wait_s * variability, rel=0.06)


@pytest.mark.usefixtures("only_large")
def test_memory_does_not_grow_with_simulated_time() -> None:
    """Four times as long a run needs no more memory, unless its rows were asked for."""

    def peak(seconds: float) -> int:
        tracemalloc.start()
        model = open_service()
        run_cycles(
            model,
            model.settings,
            central_parameters(model, model.settings, KNOBS),
            _ignore,
            replica=0,
            seed=1,
            duration_seconds=seconds,
            most_cycles=None,
        )
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(1.0)
    assert peak(6.0) < 1.3 * peak(1.5) + MIB


def test_a_limit_below_the_live_heap_runs_on_at_the_limiters_half_and_what_runs_over() -> None:
    """Collections follow one another; GC takes half of the CPU as the limiter counts it, and what its bucket loses.

    Assists that nothing ends fill the bucket for up to a time slice, where a third of one is enough. Goroutines that
    the limiter catches in them wait, and leave their Ps to idle workers, on two Ps without a dedicated one.
    """
    model = example_service()
    costly = replace(
        model.parameters, mark_cpu_seconds=Parameter(0.3)
    )  # assists want more than the limiter lets
    model = replace(model, parameters=costly)
    settings = replace(model.settings, gomemlimit_bytes=60 * MIB)
    rows: list[tuple[float, Cycle]] = []
    run_cycles(
        model,
        settings,
        central_parameters(model, settings, KNOBS),
        lambda cycle, start_s: rows.append((start_s, cycle)),
        replica=0,
        seed=1,
        duration_seconds=40.0,
        most_cycles=None,
    )
    late = [cycle for start_s, cycle in rows if start_s > 20.0]
    offered_ns = 2 * (late[-1].start_ns - late[0].start_ns)
    pauses_ns = 2 * sum(c.sweep_term_ns + c.mark_term_ns for c in late[:-1])
    assists_ns = sum(c.assist_ns for c in late[:-1])
    assumed_ns = 0.25 * 2 * sum(c.mark_ns for c in late[:-1])  # a quarter of all, whatever workers really did
    idle_ns = sum(c.idle_mark_ns for c in late[:-1])
    assert 0.5 < (assists_ns + assumed_ns + pauses_ns) / (offered_ns - idle_ns) < 0.7
    assert idle_ns > 0.01 * offered_ns
    assert sum(c.limited_ns for c in late[:-1]) > 0.1 * offered_ns
    assert rows[-1][0] > 39.0


def test_without_gogc_and_limit_a_run_ends_without_a_cycle() -> None:
    """GOGC=off and no limit: nothing to collect, and the engine says so instead of running for ever."""
    model = example_service()
    run = simulate(
        model, [replace(model.settings, gogc=None)], duration_seconds=30.0, replicas=1, engine="des"
    )[0]
    assert run.metrics["gc_rate_hz"].value == 0.0


def test_explicit_collections_come_when_they_are_called_and_are_logged_as_forced() -> None:
    """runtime.GC every two seconds: one cycle is forced at each call, all others begin at their trigger."""
    model = example_service()
    recording = record_run(
        model, model.settings, duration_seconds=21.0, seed=1, knobs=KNOBS, explicit_gc_seconds=2.0
    )
    cycles = recording.cycles
    forced = cycles.start_ns[cycles.forced]
    assert len(forced) in (10, 11)  # the clock starts anywhere between two calls
    assert np.diff(forced) == pytest.approx(np.full(len(forced) - 1, 2e9), rel=0.1)
    assert (cycles.heap_start_bytes[cycles.forced] < 0.95 * np.median(cycles.heap_start_bytes)).any()
    text = format_gctrace(cycles, go="1.27").splitlines()
    assert sum(line.endswith("(forced)") for line in text) == len(forced)


def test_an_idle_service_is_collected_every_two_minutes() -> None:
    """The forced cycle comes 120 s after the last one ended."""
    model = open_service()
    slow = replace(
        model,
        requests=None,
        parameters=replace(model.parameters, alloc_bytes_per_second=Parameter(1024.0)),
    )
    rows = []
    run_cycles(
        slow,
        slow.settings,
        central_parameters(slow, slow.settings, KNOBS),
        lambda cycle, _: rows.append(cycle),
        replica=0,
        seed=1,
        duration_seconds=1000.0,
        most_cycles=None,
    )
    gaps = [later.start_ns - earlier.end_ns for earlier, later in itertools.pairwise(rows)]
    assert len(rows) == 8
    assert all(row.periodic for row in rows)
    assert set(gaps) == {120_000_000_000}


def test_settings_of_many_processors_use_dedicated_workers() -> None:
    """At eight Ps two of them mark throughout: background is a quarter of the machine."""
    model = example_service()
    model = replace(model, scatter=CycleVariability.none())
    settings = Settings(gogc=100, gomaxprocs=8, go="1.27")
    recording = record_run(model, settings, duration_seconds=5.0, seed=1, knobs=KNOBS)
    cycles = recording.cycles
    share = cycles.background_cpu_ns / (cycles.mark_ns * 8)
    assert share == pytest.approx(np.full(len(cycles), 0.25), abs=0.02)
