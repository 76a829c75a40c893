"""The lanes benchmark at its smoke size: it counts what it says it counts."""

import numpy as np
from example_service import example_service

from benchmarks.bench_lanes import (
    Pacers,
    grid,
    peak_memory_mib,
    report,
    scalar_cycles_per_second,
    sweep_speed,
)
from gcsim.engine.lanes.run import run_lanes
from gcsim.engine.simulate import lanes_for


def test_cycles_are_those_of_the_runs() -> None:
    """Cycles counted over lanes are rate x time of the same lanes, and a repeat simulates the same ones."""
    model = example_service()
    settings = grid(model, "50,200", "off")
    totals = run_lanes(lanes_for(model, settings, replicas=2), duration_seconds=20.0)
    again = run_lanes(lanes_for(model, settings, replicas=2), duration_seconds=20.0)
    window_s = totals.last_start_seconds - totals.first_start_seconds
    assert totals.cycles.min() > 10
    assert (window_s <= 20.0).all()
    assert totals.cycles[0] > 2 * totals.cycles[2]  # GOGC=50 against GOGC=200
    np.testing.assert_array_equal(totals.heap_end_mib, again.heap_end_mib)


def test_the_report_prints_every_speed_with_its_ratios() -> None:
    """Raw, effective and stood-for speed have ratios to the rules in Python, and to Go's pacer where there is one."""
    speed = sweep_speed(
        example_service(), grid(example_service(), "100", "off"), replicas=2, duration_seconds=20.0
    )
    assert speed.raw_per_second > 0
    python = scalar_cycles_per_second(200)
    for go in (None, 5e6):
        lines = report(speed, Pacers(python_per_second=python, go_per_second=go)).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["raw", "effective", "stood"]
        assert all("times the rules in Python" in line for line in lines[1:])
        assert all(("times Go's pacer" in line) is (go is not None) for line in lines[1:])


def test_the_memory_of_a_sweep_is_that_of_a_process() -> None:
    """A small sweep needs more memory than an empty Python and less than a gigabyte."""
    assert 20 < peak_memory_mib("order-service", 2, 1) < 1024
