"""The lanes benchmark at its smoke size: it counts what it says it counts."""

import numpy as np
from example_service import example_service

from benchmarks.bench_lanes import grid, report, scalar_cycles_per_second, sweep_speed
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


def test_the_report_prints_both_speeds() -> None:
    """The engine's speed stands beside the scalar rules' of the same process, with their ratio."""
    speed = sweep_speed(
        example_service(), grid(example_service(), "100", "off"), replicas=2, duration_seconds=20.0
    )
    assert speed.simulated_cycles_per_second > 0
    line = report(speed, scalar_cycles_per_second(200))
    assert "simulated" in line
    assert "scalar rules alone" in line
    assert "ratio" in line
