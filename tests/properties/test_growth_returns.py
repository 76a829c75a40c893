"""Calibration gives back the heap's growth and peak of a simulated service, stacks of ten times the live heap included.

A service is simulated, logged as the runtime prints, read and calibrated: that model is the truth. It is simulated,
logged and calibrated again, and both models are compared within the second one's own standard errors, which hold what
printing leaves open.
"""

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from example_service import example_service
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcsim.calibration.calibrate import Calibration, calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.cycles import CycleTable
from gcsim.engine.des.run.parameters import central_parameters
from gcsim.engine.des.run.replicas import record_events
from gcsim.engine.des.run.scheduler import fit_scheduler_parameters
from gcsim.engine.inputs.draws import central_draws, lane_parameters
from gcsim.engine.simulate import record_cycles
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.writer import format_gctrace
from gcsim.service.model import Loop, Model
from gcsim.service.parameters import Parameter
from gcsim.service.profile import Profile
from gcsim.settings import Settings
from gcsim.submodels.heap_growth import grown_peak_bytes, heap_growth
from gcsim.units import MIB

STANDARD_ERRORS = 5.0  # of normal errors none in a million, and these have heavier tails
# what a log shows of the heap and its marking; speeds are judged in tests/unit/test_recovery.py, by their ranks
RETURNED = ("live_bytes", "stack_bytes", "globals_bytes", "mark_cpu_seconds", "mark_cpu_heap_ratio")
DERIVED = ("sweep_share", "recounted_share", "recounted_share_of_all")  # of allocation, live heap and peak
services = st.fixed_dictionaries(
    {
        "loop": st.sampled_from(["closed", "open"]),
        "live_mib": st.floats(32.0, 200.0),  # below, sizes in whole MiB hide more than standard errors say
        "roots_over_live": st.floats(0.0, 10.0),
        "gogc": st.sampled_from([50, 100, 200, 400]),
    }
)


def service(*, loop: Loop, live_mib: float, roots_over_live: float, gogc: int) -> Model:
    """A steady service whose stacks are so much larger than its heap, at rest once in a while."""
    base = example_service()
    live = live_mib * MIB
    reachable = live * (1.0 + roots_over_live)
    rate = base.parameters.alloc_bytes_per_cpu_second.value
    values = {
        "live_bytes": live,
        "stack_bytes": roots_over_live * live,
        "globals_bytes": MIB,
        "mark_cpu_seconds": 0.6e-3 * reachable / MIB,
        "assist_cpu_seconds": 0.01e-3 * reachable / MIB,
        "mark_cpu_heap_ratio": 1.0 + gogc / 100.0,
        "alloc_bytes_per_second": 0.5 * rate,
        "mark_mutator_procs": 0.5
        / base.parameters.mark_alloc_efficiency.value,  # arrivals are served while marking
    }
    if loop == "closed":
        del values["mark_mutator_procs"]
    parameters = replace(base.parameters, **{name: Parameter(value) for name, value in values.items()})
    return replace(
        base,
        loop=loop,
        settings=Settings(gogc=gogc, gomaxprocs=2),
        parameters=parameters,
        profile=Profile.steady(),
    )


def calibrated(model: Model, cycles: CycleTable) -> Calibration:
    """What calibration makes of these cycles as the runtime prints them."""
    stated = Overrides(gogc=model.settings.gogc, loop=model.loop)
    trace = read_gctrace(io.BytesIO(format_gctrace(cycles).encode()))
    return calibrate(trace, name="again", overrides=stated)


def logged(model: Model, *, seed: int) -> CycleTable:
    return record_cycles(model, model.settings, duration_seconds=1e5, seed=seed, most_cycles=150)


def peak_error(model: Model) -> float:
    """The relative standard error of the peak that follows from growth, live heap and roots."""
    p = model.parameters
    roots = p.stack_bytes.value + p.globals_bytes.value
    growth, live = p.mark_cpu_heap_ratio, p.live_bytes
    parts = (
        growth.rel_sd * growth.value * (live.value + roots),
        live.rel_sd * growth.value * live.value,
        *((growth.value - 1.0) * one.rel_sd * one.value for one in (p.stack_bytes, p.globals_bytes)),
    )
    return math.hypot(*parts) / calibrated_peak(model)


def calibrated_peak(model: Model) -> float:
    lanes = lane_parameters(model, [model.settings], central_draws(model))
    return float(lanes.calibrated_peak_bytes[0])


def assert_returned(name: str, truth: float, found: float, rel_sd: float) -> None:
    assert abs(math.log(found / truth)) <= STANDARD_ERRORS * max(rel_sd, 1e-9), (name, truth, found, rel_sd)


@given(services)
@example({"loop": "closed", "live_mib": 16.0, "roots_over_live": 10.0, "gogc": 100})
@example({"loop": "open", "live_mib": 16.0, "roots_over_live": 10.0, "gogc": 100})
@settings(max_examples=12, deadline=None, derandomize=True)
def test_calibration_gives_a_simulated_service_back(chosen: dict[str, Any]) -> None:
    """Sizes, growth, marking, and every quantity that is derived from several: the peak, and shares of allocation."""
    first = service(**chosen)
    truth = calibrated(first, logged(first, seed=1)).model
    cycles = logged(truth, seed=2)
    again = calibrated(truth, cycles)
    for name in RETURNED:
        known, found = (getattr(model.parameters, name) for model in (truth, again.model))
        if known.value > 0:
            assert_returned(name, known.value, found.value, found.rel_sd)
    error = peak_error(again.model)
    seen = float(cycles.heap_end_bytes[again.window].mean())
    assert_returned("peak", seen, calibrated_peak(again.model), error)
    p = again.model.parameters
    measured = (p.live_bytes, p.alloc_bytes_per_second, p.alloc_bytes_per_cpu_second)
    for name in DERIVED:
        known, found = (getattr(model.parameters, name) for model in (truth, again.model))
        assert_returned(name, known.value, found.value, math.hypot(error, *(one.rel_sd for one in measured)))


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_the_event_engine_has_the_same_peak_at_calibration(loop: Loop) -> None:
    """Both engines take the peak from one formula, and it is the peak that the event engine's cycles had."""
    first = service(loop=loop, live_mib=16.0, roots_over_live=10.0, gogc=100)
    cycles = record_events(first, first.settings, duration_seconds=25.0, seed=1).cycles
    model = calibrated(first, cycles).model
    run = central_parameters(model, model.settings, fit_scheduler_parameters(model, seed=1))
    assert run.calibrated_peak_bytes == pytest.approx(calibrated_peak(model), rel=1e-12)
    seen = float(cycles.heap_end_bytes.mean())
    assert_returned("peak", seen, run.calibrated_peak_bytes, peak_error(model) + standard_error(cycles))


def standard_error(cycles: CycleTable) -> float:
    ends = cycles.heap_end_bytes
    return float(ends.std() / ends.mean() / math.sqrt(len(cycles)))


@given(live=st.floats(1.0, 1e12), roots=st.floats(0.0, 1e13), peak_over_live=st.floats(1.0, 1e3))
def test_growth_and_peak_are_each_other_s_inverse(live: float, roots: float, peak_over_live: float) -> None:
    """To rounding of the largest of the three sizes."""
    peak = live * peak_over_live
    again = float(grown_peak_bytes(float(heap_growth(peak, live, roots)), live, roots))
    assert again == pytest.approx(peak, rel=1e-9, abs=1e-9 * (live + roots))
    assert float(np.min(again)) >= live
