"""Intervals: replicas' scatter and the discrepancy together."""

from dataclasses import replace

import numpy as np
import pytest
from des_fingerprint import open_service

from gcsim.engine.summary.intervals import (
    GREEN_TEA_LEAST_COST,
    _median,
    _root_mean_square,
    distance,
    prediction_interval,
    request_errors,
)
from gcsim.engine.summary.model_errors import DISCREPANCY, ERROR_OF, REPLICAS_ONLY, Extrapolation, LoadKind
from gcsim.metrics import METRICS, Estimate
from gcsim.settings import Settings
from gcsim.tuning.upgrade import upgrade_note

NEAR, FAR = Extrapolation(0.0, False), Extrapolation(3.0, True)


@pytest.mark.parametrize("load", list(DISCREPANCY))
def test_every_metric_has_a_model_error_or_is_named_without_one(load: LoadKind) -> None:
    """A metric in neither table would have an interval that is too narrow, and nobody would know."""
    assert set(DISCREPANCY[load]) | REPLICAS_ONLY[load] | set(ERROR_OF) == set(METRICS)
    assert not set(DISCREPANCY[load]) & REPLICAS_ONLY[load]
    with pytest.raises(KeyError, match="stw_p999_seconds"):
        prediction_interval("stw_p999_seconds", np.full(8, 0.4), load=load, extrapolation=NEAR)


@pytest.mark.parametrize("load", list(DISCREPANCY))
@pytest.mark.parametrize("name", METRICS)
def test_an_interval_holds_its_value_and_shares_end_at_one(name: str, load: LoadKind) -> None:
    """However wide: no share of the CPU or of the time is more than all of it."""
    for values in (np.full(8, 0.4), np.geomspace(0.05, 0.99, 9), np.zeros(4)):
        near, far = (prediction_interval(name, values, load=load, extrapolation=away) for away in (NEAR, FAR))
        assert far.low <= near.low <= near.value <= near.high <= far.high
        if name.endswith("_fraction"):
            assert far.high <= 1.0


def test_request_latencies_are_more_certain_far_from_saturation() -> None:
    """The interval of a quiet open loop is narrower than that of the same service at twice the load."""
    quiet = open_service().scaled(load=0.5)
    assert request_errors(quiet, 2)
    assert not request_errors(quiet, 1)
    assert not request_errors(replace(quiet, loop="closed"), 2)
    values = np.full(8, 0.01)
    usual, narrow = (
        prediction_interval("request_p99_seconds", values, load="open", extrapolation=FAR, error=error)
        for error in (None, request_errors(quiet, 2)["request_p99_seconds"])
    )
    assert usual.low < narrow.low < narrow.high < usual.high


def gc_cpu(calibrated: str, asked: str, load: LoadKind) -> Estimate:
    """GC CPU of 20 % in every replica, for one Go version from a model of another."""
    away = distance(Settings(go=calibrated), Settings(go=asked), limit_binds=False)
    return prediction_interval("gc_cpu_fraction", np.full(8, 0.2), load=load, extrapolation=away)


@pytest.mark.parametrize("load", list(DISCREPANCY))
def test_across_green_tea_gc_cpu_may_be_lower_by_half_or_the_inverse(load: LoadKind) -> None:
    """Upwards the interval reaches down, downwards it reaches up; on one side of Go 1.26 it stays."""
    plain = gc_cpu("1.24", "1.24", load)
    upgraded, back = gc_cpu("1.24", "1.26", load), gc_cpu("1.27", "1.25", load)
    assert upgraded.low <= GREEN_TEA_LEAST_COST * 0.2 * (1 + 1e-9)
    assert upgraded.high == pytest.approx(gc_cpu("1.23", "1.24", load).high)
    assert back.high >= 0.2 / GREEN_TEA_LEAST_COST * (1 - 1e-9)
    assert gc_cpu("1.26", "1.27", load).low == pytest.approx(gc_cpu("1.23", "1.24", load).low)
    assert upgraded.value == plain.value == 0.2


def test_a_note_says_which_marking_costs_are_meant() -> None:
    """For every other version, and of Green Tea where only one of the two has it."""
    assert upgrade_note(Settings(go="1.24"), Settings(go="1.24")) is None
    for calibrated, asked, green_tea in (
        ("1.24", "1.26", True),
        ("1.27", "1.21", True),
        ("1.19", "1.24", False),
    ):
        note = upgrade_note(Settings(go=calibrated), Settings(go=asked))
        assert note is not None
        assert f"measured on Go {calibrated}" in note
        assert ("Green Tea" in note) is green_tea


@pytest.mark.parametrize("replicas", [1, 2, 3, 8, 16, 33])
def test_the_quick_median_and_root_mean_square_are_those_of_numpy(replicas: int) -> None:
    """The median bit for bit, the root mean square within rounding, for few and many replicas."""
    generator = np.random.default_rng(replicas)
    for _ in range(50):
        values = generator.lognormal(10.0, 2.0, replicas)
        assert _median(sorted(values.tolist())) == float(np.median(values))
        assert _root_mean_square(values.tolist()) == pytest.approx(float(np.sqrt(np.mean(values**2))))
