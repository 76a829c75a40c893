"""The validation's own arithmetic: baselines, regimes, the width of intervals, the table and the page."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from experiments.validation.baselines import gc_guide, keep, odds
from experiments.validation.check import unsound, worse
from experiments.validation.diagnosis import cause
from experiments.validation.discrepancy import COVERAGE, fit_discrepancy
from experiments.validation.half_page import worst_under_limits
from experiments.validation.matrix import LOADS, plans
from experiments.validation.observations import Observation
from experiments.validation.results import rows_from_csv, rows_to_csv
from experiments.validation.study import Row
from experiments.validation.summary import at_equal_speed, error, summary
from gcsim.engine.summary.intervals import Z90
from gcsim.engine.summary.model_errors import DISCREPANCY
from gcsim.settings import Settings
from gcsim.units import MIB


def row(**changes: Any) -> Row:
    """A row, GOGC=200 against GOGC=100, with what the test changes."""
    plain = Row(
        label="orders", go="1.27", procs=2, gogc=200, limit_mib=None, repeat=1, held_out=False, course="closed",
        regime="other", cycles=50, metric="gc_rate_hz", observed=4.0, predicted=5.0, low=4.5, high=5.5, keep=8.0,
        gc_guide=math.nan, odds=math.nan, three_logs=math.nan, log_alone=math.nan, log_alone_low=math.nan,
        log_alone_high=math.nan, again=4.1, speed_effect=0.8, again_speed_effect=math.nan,
    )  # fmt: skip
    return replace(plain, **changes)


def calibrated(roots_mib: float = 0.0) -> Observation:
    """What the baselines see of a run at GOGC=100: 40 MiB marked, 40 MiB allocated a cycle, 2 cycles a second."""
    metrics = {
        "heap_marked_mean_bytes": 40.0 * MIB, "heap_peak_mean_bytes": 80.0 * MIB, "gc_rate_hz": 2.0,
        "gc_cpu_fraction": 0.2, "rss_peak_bytes": 100.0 * MIB,
    }  # fmt: skip
    seen = SimpleNamespace(
        metrics=metrics,
        settings=Settings(gogc=100),
        alloc_bytes_per_cycle=40.0 * MIB,
        root_bytes=roots_mib * MIB,
    )
    return cast(Observation, seen)


def test_the_gc_guide_s_formula_returns_the_run_that_it_was_given() -> None:
    """At the calibrated setting the formula's rate, GC CPU and resident memory are those observed."""
    answer = gc_guide(calibrated(), Settings(gogc=100))
    assert answer["heap_peak_mean_bytes"] == 80 * MIB
    assert (answer["gc_rate_hz"], answer["gc_cpu_fraction"]) == pytest.approx((2.0, 0.2))
    assert answer["rss_peak_bytes"] == pytest.approx(100 * MIB)


@pytest.mark.parametrize(
    ("settings", "target_mib", "rate"),
    [
        (Settings(gogc=200), 120, 1.0),
        (Settings(gogc=50), 60, 4.0),
        (Settings(gogc=None, gomemlimit_bytes=60 * MIB), 60, 4.0),
        (Settings(gogc=100, gomemlimit_bytes=50 * MIB), 50, 8.0),
        (Settings(gogc=2000), 840, 0.1),
    ],
)
def test_the_gc_guide_s_formula_by_hand(settings: Settings, target_mib: int, rate: float) -> None:
    """Targets and rates worked out on paper; a limit cuts the target."""
    answer = gc_guide(calibrated(), settings)
    assert answer["heap_peak_mean_bytes"] == target_mib * MIB
    assert answer["gc_rate_hz"] == pytest.approx(rate)


def test_the_gc_guide_counts_roots_and_gives_no_rate_below_live() -> None:
    """Roots enlarge the target in proportion to GOGC; a limit under the live heap has no answer."""
    assert gc_guide(calibrated(10), Settings(gogc=200))["heap_peak_mean_bytes"] == 140 * MIB
    assert "gc_rate_hz" not in gc_guide(calibrated(), Settings(gogc=100, gomemlimit_bytes=40 * MIB))


def test_odds_and_keep() -> None:
    """Odds of GC CPU halve when GOGC doubles and say nothing of GOGC=off; keep changes nothing."""
    share = odds(calibrated(), Settings(gogc=200))["gc_cpu_fraction"]
    assert share / (1 - share) == pytest.approx(0.125)
    assert odds(calibrated(), Settings(gogc=None, gomemlimit_bytes=MIB)) == {}
    assert keep(calibrated(), Settings(gogc=800))["gc_rate_hz"] == 2.0


def test_errors_are_relative_or_in_points() -> None:
    """A share that may be nothing is judged by difference; a source without an answer is not counted."""
    assert error(row()) == pytest.approx(0.25)
    assert error(row(metric="gc_idle_cpu_fraction", observed=0.0, predicted=0.03)) == pytest.approx(0.03)
    assert summary([row(), row(gc_guide=6.0)], "gc_guide").count == 1


def test_a_cause_names_the_factor_that_is_off() -> None:
    """A cycle rate that is wrong because allocation was is put down to allocation."""
    sizes = {"heap_peak_mean_bytes": 80.0 * MIB, "heap_marked_mean_bytes": 40.0 * MIB}
    run = {name: row(metric=name, observed=size, predicted=size) for name, size in sizes.items()}
    run["gc_rate_hz"] = row()
    assert cause("gc_rate_hz", run) == "allocated per second +25%"


@pytest.mark.parametrize("true_sd", [0.03, 0.2])
def test_the_fitted_discrepancy_covers_what_it_should(true_sd: float) -> None:
    """Residuals of known spread get a width that holds nine in ten of fresh ones."""
    generator = np.random.default_rng(7)
    # intervals made with the discrepancy alone: replicas had no scatter
    narrow = DISCREPANCY["closed"]["gc_rate_hz"].at_home

    def sample(count: int) -> list[Row]:
        ratios = np.exp(generator.normal(0.0, true_sd, count))
        low, high = math.exp(-Z90 * narrow), math.exp(Z90 * narrow)
        return [row(gogc=100, observed=r, predicted=1.0, low=low, high=high) for r in ratios]

    fitted = fit_discrepancy(sample(300))
    assert fitted is not None
    fresh = [abs(math.log(r.observed)) <= Z90 * fitted.at_home for r in sample(2000)]
    assert np.mean(fresh) == pytest.approx(COVERAGE, abs=0.05)


def test_the_table_reads_back() -> None:
    """What results.csv holds is what was written, NaN and off included."""
    rows = (row(), row(gogc=None, limit_mib=90, held_out=True, again=math.nan))
    assert rows_to_csv(rows_from_csv(rows_to_csv(rows, Row), Row), Row) == rows_to_csv(rows, Row)
    assert rows_from_csv(rows_to_csv(rows, Row), Row)[1].gogc is None


def test_the_matrix_is_what_the_page_says() -> None:
    """No two runs share files; every load has ten settings and is calibrated at GOGC=100 without a limit."""
    names = [plan.name for plan in plans()]
    assert len(names) == len(set(names))
    assert all(len(set(load.settings)) == 10 and load.settings[0] == (100, None) for load in LOADS)
    assert all(list(load.limits_mib) == sorted(load.limits_mib) for load in LOADS)


def test_at_equal_speed_a_run_on_a_slower_machine_is_brought_back() -> None:
    """A rate seen on a machine at 0.8 of the calibrated run's speed counts as 1.25 times; unknown speed drops out."""
    (equal,) = at_equal_speed((row(), row(speed_effect=math.nan)))
    assert equal.observed == pytest.approx(5.0)
    assert error(equal) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"predicted": 5.3}, "gc_rate_hz: median error 0.3250, committed 0.2500"),
        ({"low": 4.1}, "gc_rate_hz: coverage 0.000, committed 1.000"),
    ],
)
def test_check_names_a_metric_that_is_predicted_worse(changes: dict[str, float], fault: str | None) -> None:
    """The check of the committed accuracy passes on the same rows, and names what became worse."""
    committed = [row(low=3.9) for _ in range(30)]
    again = [replace(one, **changes) for one in committed]
    faults = list(worse("gc_rate_hz", committed, again))
    assert faults[:1] == ([] if fault is None else [fault])


def test_check_names_fewer_rows_and_values_that_are_no_predictions() -> None:
    """A row that is missing, not finite or outside its interval is a fault."""
    committed = [row(low=3.9) for _ in range(30)]
    assert list(worse("gc_rate_hz", committed, committed[1:])) == [
        "gc_rate_hz: 29 rows predicted, 30 committed"
    ]
    assert [list(unsound(row(**bad))) != [] for bad in ({}, {"low": math.nan}, {"low": 5.1})] == [
        False,
        True,
        True,
    ]


def test_the_half_page_names_the_worst_programs_under_limits() -> None:
    """Programs come by their median error of the cycle rate, largest first; fewer than four runs do not count."""
    errors = {"orders": 1.2, "steps": 1.5, "leak": 1.1, "search": 1.3}
    rows = [
        row(label=label, regime="limit-bound", limit_mib=100, gogc=gogc, observed=4.0, predicted=4.0 * off)
        for label, off in errors.items()
        for gogc in (25, 50, 200, 400)
    ]
    rows += [row(label="idle", regime="limit-bound", limit_mib=100, observed=4.0, predicted=40.0)]
    rows += [row(label="rules", gogc=gogc, observed=4.0, predicted=40.0) for gogc in (25, 50, 200, 400)]
    assert worst_under_limits(rows) == "50 % (steps), 30 % (search), 20 % (orders)"
