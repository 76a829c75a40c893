"""Calibration without Go: known services come back from their logs, with intervals that are honest."""

import io
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from example_service import example_service

from experiments.recovery.bands import ecdf_difference, simultaneous_band
from experiments.recovery.page import calibration_page
from experiments.recovery.ranks import (
    POSTERIOR_DRAWS,
    RANKED,
    Recovered,
    Recovery,
    by_parameter,
    recover,
    uniformity,
)
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.estimate.intervals import intervals
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.stats.standard_error import (
    printing_error,
    printing_scatter,
    standard_error,
    time_steps,
)
from gcsim.cycles import CycleTable
from gcsim.engine.simulate import record_cycles
from gcsim.gctrace import Trace, read_gctrace
from gcsim.gctrace.numbers import printed_step_ns, quantize_ms, untruncated_ms
from gcsim.gctrace.writer import format_gctrace
from gcsim.service.parameters import RECOUNT_BASE_SHARE
from gcsim.settings import Settings
from gcsim.submodels.process_memory import MOST_SLOT_GARBAGE, without_span_tails

SERVICES, SERVICES_IN_SUITE, SEED = 400, 60, 1
IMPROBABLE = (
    0.001  # of one parameter; 26 tests of honest intervals fail once in forty seeds, and the seed is fixed
)


@cache
def recovered(services: int) -> Recovery:
    """The services of one seed, recovered."""
    return recover(services, SEED)


@pytest.fixture
def recovery(large: bool) -> Recovery:
    """400 services with ``--large``; the first 120 of them in the suite."""
    return recovered(SERVICES if large else SERVICES_IN_SUITE)


def rows_at(ranks: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Recovered]:
    plain: dict[str, Any] = {
        "name": "live_bytes", "truth": 1.0, "value": 1.0, "rel_sd": 0.1, "loop": "open", "pacer_lines": False,
        "cycles": 50,
    }  # fmt: skip
    return [Recovered(rank=int(rank), **plain) for rank in ranks]


@pytest.mark.parametrize("name", RANKED)
def test_known_services_are_recovered(name: str, recovery: Recovery) -> None:
    """Over all services each true parameter ranks uniformly among draws of the calibrated one."""
    found = uniformity(by_parameter(recovery)[name])
    assert min(found.chi_square_p, found.kolmogorov_p) > IMPROBABLE, np.histogram(found.places, bins=10)[0]


def test_few_services_are_left_out(recovery: Recovery, large: bool) -> None:
    """A recovery that drops its hard cases would prove nothing."""
    assert sum(recovery.left_out.values()) <= 0.03 * (SERVICES if large else SERVICES_IN_SUITE)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.5), (0.0, 0.6), (0.5, 1.0)])
def test_dishonest_intervals_are_found_out(shift: float, scale: float) -> None:
    """Intervals a third too narrow, two thirds too wide or off by half a standard deviation fail the same test."""
    generator = np.random.default_rng(1)
    truths = shift + scale * generator.standard_normal(SERVICES)
    draws = generator.standard_normal((SERVICES, POSTERIOR_DRAWS))
    found = uniformity(rows_at((draws < truths[:, None]).sum(axis=1)))
    assert min(found.chi_square_p, found.kolmogorov_p) < IMPROBABLE


def test_the_band_holds_uniform_samples_and_no_others() -> None:
    """Nine in ten or more of uniform samples stay inside everywhere, and hardly any of skewed ones."""
    low, high = simultaneous_band(100)
    generator = np.random.default_rng(1)

    def inside(exponent: float) -> float:
        lines = [ecdf_difference(generator.random(100) ** exponent) for _ in range(200)]
        return float(np.mean([((line >= low) & (line <= high)).all() for line in lines]))

    assert inside(1.0) > 0.9
    assert inside(2.0) < 0.1


def test_the_page_names_every_ranked_parameter_and_the_smallest_p_value(recovery: Recovery) -> None:
    """What docs/explanation/calibration.md claims comes from the recovery that it shows."""
    found = [uniformity(rows) for rows in by_parameter(recovery).values()]
    page = calibration_page(recovery, found)
    smallest = min(min(one.chi_square_p, one.kolmogorov_p) for one in found)
    assert all(f"| `{name}` |" in page for name in RANKED)
    assert f"{smallest:.2g}" in page


@pytest.mark.parametrize("correlation", [-0.3, 0.0, 0.5, 0.8])
def test_standard_errors_count_what_successive_cycles_share(correlation: float) -> None:
    """Means of AR(1) series scatter as their standard errors say, within a fifth."""
    generator = np.random.default_rng(2)
    means, errors = [], []
    for _ in range(300):
        noise = generator.standard_normal(260)
        series = np.empty(260)
        series[0] = noise[0]
        for k in range(1, 260):
            series[k] = correlation * series[k - 1] + noise[k]
        means.append(series[60:].mean())
        errors.append(standard_error(series[60:]))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(float(np.std(means)), rel=0.2)


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.35, 1.0, 3.0])
def test_what_truncation_leaves_in_a_mean(spread: float) -> None:
    """Means of values read as the middle of their step err as ``printing_error`` says, wherever the mean lies.

    Between one step and several the spread itself is blurred, and the error is overstated up to fourfold.
    """
    generator = np.random.default_rng(3)
    errors, said = [], []
    for _ in range(400):
        values = generator.uniform(5, 6) + spread * generator.standard_normal(400)
        read = np.floor(values) + 0.5
        errors.append(read.mean() - values.mean())
        said.append(math.hypot(printing_error(read, 1.0), printing_scatter(read, 1.0) / 20.0))
    ratio = float(np.sqrt(np.mean(np.square(said))) / np.std(errors))
    assert 0.8 < ratio < (4.0 if 0.0 < spread < 1.0 else 1.35)


def test_durations_are_read_as_the_middle_of_what_prints_so() -> None:
    """Both ends of the step print as the same text, and the middle lies between; 0 stays 0."""
    ns = np.array([1_500, 99_400, 104_000, 1_190_000, 9_990_000, 12_700_000, 345_600_000], dtype=np.int64)
    printed = quantize_ms(ns)
    step = printed_step_ns(printed)
    assert (quantize_ms(printed + step - 1) == printed).all()
    assert (untruncated_ms(printed) == printed + step // 2).all()
    assert untruncated_ms(0) == 0
    np.testing.assert_allclose(time_steps(untruncated_ms(printed) * 1e-9), step * 1e-9)


def long_log() -> CycleTable:
    settings = Settings(gogc=100, gomaxprocs=2)
    return record_cycles(example_service(), settings, duration_seconds=120.0, seed=5)


def read(cycles: CycleTable) -> Trace:
    return read_gctrace(io.BytesIO(format_gctrace(cycles).encode()))


def test_no_interval_spans_lost_lines() -> None:
    """Lines cut out of a log cost their own intervals and change no other; the rate of allocation stays."""
    cycles = long_log()
    keep = np.arange(len(cycles)) % 10 != 4
    whole, gappy = read(cycles), read(cycles.select(keep))
    before, after = intervals(evidence_from(whole)), intervals(evidence_from(gappy))
    lost = int((~keep).sum())
    assert after.seconds.size == before.seconds.size - 2 * lost
    assert float(after.seconds.max()) <= float(before.seconds.max())
    rates = [calibrate(trace, name="s").model.parameters.alloc_bytes_per_second for trace in (whole, gappy)]
    assert rates[1].value == pytest.approx(rates[0].value, rel=4.0 * rates[1].rel_sd)


def test_dearer_sweeping_makes_allocation_faster_and_more_counted_again_makes_it_slower() -> None:
    """Whatever sweeping and share of slots are drawn, the calibrated run's speeds come back."""
    from gcsim.engine.inputs.draws import draw_parameters

    model = example_service()
    drawn = draw_parameters(model, replicas=400, seed=1)
    p = model.parameters
    swept = p.sweep_share.value / p.sweep_cpu_seconds_per_byte.value * drawn["sweep_cpu_seconds_per_byte"]
    usual = drawn["sweep_cpu_seconds_per_byte"] < 3.0 * p.sweep_cpu_seconds_per_byte.value
    once = without_span_tails(
        p.recounted_share.value,
        slot_garbage=np.minimum(drawn["slot_garbage_share"], MOST_SLOT_GARBAGE),
        known_slot_garbage=p.slot_garbage_share.value,
        base_share=RECOUNT_BASE_SHARE,
    )
    as_logged = drawn["alloc_bytes_per_cpu_second"] * (1.0 - swept) / once
    spread = float(np.std(np.log(as_logged[usual])))
    assert spread == pytest.approx(p.alloc_bytes_per_cpu_second.rel_sd, rel=0.15)
    marking = np.log(drawn["alloc_bytes_per_cpu_second"] * drawn["mark_alloc_efficiency"])
    assert float(np.std(marking)) == pytest.approx(p.mark_alloc_efficiency.rel_sd, rel=0.15)
