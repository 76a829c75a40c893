"""Quantiles and probabilities of the distribution that is fitted to a prediction."""

import math

import numpy as np
import pytest

from gcsim.engine.summary.intervals import prediction_interval
from gcsim.engine.summary.model_errors import Extrapolation
from gcsim.metrics import Estimate, Fit
from gcsim.tuning.predictive import Chance, chance_above, chance_below, format_chance, quantile

NEAR = Extrapolation(0.0, False)


def log_normal(median: float, sd: float, *, scatter: float = 0.0, most: Estimate | None = None) -> Estimate:
    free = median * math.exp(1.6448536269514722 * sd)
    high = free if most is None else min(free, most.high)
    low = median / math.exp(1.6448536269514722 * sd)
    return Estimate(median, low, high, fit=Fit(scatter=scatter, free_high=free, most=most))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.9, 0.95, 0.99, 0.999])
def test_quantile_and_probability_are_inverse(share: float) -> None:
    """Of a plain estimate, and of one that a limit bounds."""
    most = log_normal(118.0, 0.01)
    for found in (log_normal(100.0, 0.1), Estimate(100.0, 80.0, 150.0), log_normal(100.0, 0.1, most=most)):
        bound = quantile(found, share)
        assert chance_below(found, bound, replicas=16).value == pytest.approx(share, abs=1e-6)
        assert chance_above(found, bound) == pytest.approx(1.0 - share, abs=1e-6)


def test_the_ends_of_an_interval_are_its_quantiles() -> None:
    """To the bit, so that a constraint at 95 % is judged as before."""
    found = Estimate(100.0, 81.3, 151.7)
    assert (quantile(found, 0.95), quantile(found, 0.05)) == (151.7, 81.3)


def test_a_limit_bounds_the_tail() -> None:
    """The 99th percentile of a heap that a limit stops is the limit's, not that of the free heap."""
    most = log_normal(118.0, 0.01)
    free, held = log_normal(100.0, 0.1), log_normal(100.0, 0.1, most=most)
    assert quantile(free, 0.99) > 125.0
    assert quantile(held, 0.99) == pytest.approx(quantile(most, 0.99))
    assert chance_above(held, 122.0) < 0.001 < chance_above(free, 122.0)


def test_the_monte_carlo_error_is_that_of_repeated_predictions() -> None:
    """The spread of the probability over 400 predictions with other replicas, within a fifth or 0.3 points."""
    generator = np.random.default_rng(7)
    bound, replicas = 128.0, 16
    found = [
        prediction_interval(
            "heap_peak_bytes",
            100.0 * np.exp(0.1 * generator.standard_normal(replicas)),
            load="open",
            extrapolation=NEAR,
        )
        for _ in range(400)
    ]
    chances = [chance_below(one, bound, replicas=replicas) for one in found]
    spread = float(np.std([one.value for one in chances]))
    stated = float(np.mean([one.error for one in chances]))
    assert stated == pytest.approx(spread, rel=0.2, abs=0.003)


def test_more_replicas_lower_the_error_and_unknown_scatter_raises_it() -> None:
    """Without a known scatter all of the width is taken as the replicas'."""
    known = log_normal(100.0, 0.1, scatter=0.03)
    few, many = (chance_below(known, 120.0, replicas=n).error for n in (4, 64))
    assert many == pytest.approx(few / 4.0)
    unknown = Estimate(known.value, known.low, known.high)
    assert chance_below(unknown, 120.0, replicas=4).error > few


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.99961, 0.0001, ">99.9 %"),
        (0.9999, 0.002, "99.9±0.2 %"),
        (0.961, 0.0394, "96.1±3.9 %"),
        (0.5, 0.0, "50.0±0.1 %"),
    ],
)
def test_a_probability_as_text_has_no_false_digits(value: float, error: float, text: str) -> None:
    """Never 100 %."""
    assert format_chance(Chance(value=value, error=error)) == text
