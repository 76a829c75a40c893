"""Memory under GOMEMLIMIT: where assists stop the heap, and the upper end of intervals."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.simulate import replica_metrics, simulate
from gcsim.engine.summary.intervals import prediction_interval
from gcsim.engine.summary.model_errors import Extrapolation
from gcsim.service.growth import LiveGrowth
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.settings import Settings
from gcsim.submodels.limit_goal import limit_stop_bytes
from gcsim.units import MIB

# Cycles of experiments/software/captures that passed their limit's goal: start, goal, growth, end, in MiB
PASSED = (
    (536.0, 629.0, 1.91, 706.0),  # tsgo, GOGC=100, limit 700 MiB
    (742.0, 746.0, 1484.0, 785.0),  # tsgo, GOGC=off, limit 800 MiB: the first cycle of the run
    (228.0, 232.0, 25.3, 249.0),  # Go compiler, GOGC=off, limit 260 MiB: the first cycle
    (98.0, 107.0, 1.41, 110.0),  # Go compiler, GOGC=off, limit 130 MiB
)


def stop_mib(start: float, goal: float, growth: float) -> float:
    """``limit_stop_bytes`` for a limit whose goal is 3 % below the memory that is available for the heap."""
    one = limit_stop_bytes(
        np.array([start]) * MIB,
        limit_goal_bytes=np.array([goal]) * MIB,
        available_bytes=np.array([goal / 0.97]) * MIB,
        growth=np.array([growth]),
    )
    return float(one[0]) / MIB


@pytest.mark.parametrize(("start", "goal", "growth", "end"), PASSED)
def test_real_cycles_that_passed_the_goal_ended_near_the_stop(
    start: float, goal: float, growth: float, end: float
) -> None:
    """7 % below the stop to 4 % above it; the planned runway alone allowed gigabytes."""
    assert 0.93 < end / stop_mib(start, goal, growth) < 1.04


def test_a_steady_heap_has_its_whole_runway() -> None:
    """Without growth the stop lies above the limit's goal and above all available memory."""
    for start in (10.0, 60.0, 96.0):
        assert stop_mib(start, 97.0, 1.0) >= 100.0
    assert stop_mib(120.0, 97.0, 1.0) == pytest.approx(1.1 * 120.0)  # already above: a tenth more


def a_job() -> Model:
    """A job whose live heap rises from almost nothing, with slow marking: its first cycle expects almost no work."""
    course = LiveGrowth(
        form="job", clock="work", log_seconds=4.0, seconds=np.array([0.0, 2.0]), levels=np.array([0.02, 1.5])
    )
    found = example_service()
    cost = found.parameters.mark_cpu_seconds
    slow = replace(found.parameters, mark_cpu_seconds=replace(cost, value=8.0 * cost.value))
    return replace(found, growth=course, parameters=slow)


def test_the_first_cycle_of_gogc_off_ends_near_its_limit() -> None:
    """Assists stop the heap near the limit; by the planned runway alone it passes the limit by up to a fifth."""
    limit = 400 * MIB
    settings = Settings(gogc=None, gomemlimit_bytes=limit, gomaxprocs=2, go="1.27")
    peaks = replica_metrics(a_job(), [settings], duration_seconds=60.0, replicas=8)
    assert float(peaks["heap_peak_bytes"].max()) < 1.05 * limit
    assert float(np.median(peaks["heap_peak_bytes"])) > 0.8 * limit


def test_an_upper_end_is_at_most_its_bound_and_at_least_its_value() -> None:
    """The 95th percentile of the bounds counts; bounds do not move the lower end or the median."""
    far, values = Extrapolation(3.0, True), np.geomspace(90.0, 110.0, 9)
    free = prediction_interval("heap_peak_bytes", values, load="closed", extrapolation=far)
    for bound in (50.0, 108.0, np.inf):
        bounded = prediction_interval(
            "heap_peak_bytes", values, load="closed", extrapolation=far, most=np.full(9, bound)
        )
        assert (bounded.low, bounded.value) == (free.low, free.value)
        assert bounded.high == max(min(free.high, bound), free.value)


def with_file_pages(rel_sd: float) -> Model:
    """The example service with 60 MiB of measured file pages that vary between runs."""
    model = example_service()
    parameters = replace(
        model.parameters,
        file_resident_bytes=Parameter(60.0 * MIB, rel_sd, "capture", "capture"),
        rss_base_bytes=replace(model.parameters.rss_base_bytes, value=80.0 * MIB),
        rss_beside_bytes=Parameter(62.0 * MIB, 0.0, "capture", "capture"),
        rss_file_share=Parameter(1.0, 0.0, "from the measurements of memory", "derived"),
    )
    return replace(model, parameters=parameters)


def test_under_a_limit_anonymous_memory_is_at_most_the_limit_and_memory_of_c_code() -> None:
    """Without a limit its upper end is the model error above the median."""
    limit = 250 * MIB
    limited, free = simulate(
        with_file_pages(0.05),
        [
            Settings(gogc=None, gomemlimit_bytes=limit, gomaxprocs=8, go="1.27"),
            Settings(gogc=200, gomaxprocs=8, go="1.27"),
        ],
        duration_seconds=120.0,
    )
    anonymous = limited.metrics["anonymous_peak_bytes"]
    assert 0.9 * limit < anonymous.value <= anonymous.high < 1.02 * limit
    loose = free.metrics["anonymous_peak_bytes"]
    assert loose.high > 1.07 * loose.value


def test_file_pages_that_vary_widen_rss_and_not_anonymous_memory() -> None:
    """A capture measures both: a run with another state of the page cache has the same anonymous memory."""
    settings = Settings(gogc=200, gomaxprocs=8, go="1.27")
    still, varying = (
        replica_metrics(with_file_pages(sd), [settings], duration_seconds=60.0, replicas=16)
        for sd in (0.0, 0.05)
    )
    assert varying["anonymous_peak_bytes"] == pytest.approx(still["anonymous_peak_bytes"], rel=1e-9)
    moved = varying["rss_peak_bytes"] - still["rss_peak_bytes"]
    assert float(moved.std()) == pytest.approx(3.0 * MIB, rel=0.3)
