"""The accuracy that we state: predicted again from the committed captures, held to the committed table."""

import math
from pathlib import Path

import pytest

from experiments.validation.matrix import CAPTURES, LOAD, LONG_CAPTURES, MAIN_GO, MAIN_PROCS, plans
from experiments.validation.results import load_study
from experiments.validation.study import Row, study
from experiments.validation.summary import TARGETS, coverage, elsewhere, of_metric, summary

FOLDER = Path(CAPTURES).parent
MARGIN, MARGIN_POINTS = 1.10, 0.003  # what another NumPy's rounding may do, and no more
COVERAGE_MARGIN = 0.04


def held_out_rows(rows: tuple[Row, ...]) -> list[Row]:
    """First runs of the held-out programs on the main Go version and GOMAXPROCS, away from GOGC=100."""
    go = MAIN_GO.rsplit(".", 1)[0]
    return [
        row
        for row in elsewhere(rows, held_out=True)
        if (row.go, row.procs, row.repeat) == (go, MAIN_PROCS, 1)
    ]


@pytest.fixture(scope="module")
def again() -> list[Row]:
    """The held-out programs' first runs, predicted by the code as it is now."""
    chosen = [
        plan
        for plan in plans()
        if not LOAD[plan.label].design
        and (plan.go_version, plan.gomaxprocs, plan.repeat) == (MAIN_GO, MAIN_PROCS, 1)
    ]
    return held_out_rows(study(chosen, CAPTURES, LONG_CAPTURES).rows)


@pytest.mark.parametrize("metric", TARGETS)
def test_the_headline_has_not_become_worse(metric: str, again: list[Row]) -> None:
    """Median, 90th percentile and coverage on held-out programs are those committed, or better."""
    committed = of_metric(held_out_rows(load_study(FOLDER).rows), metric)
    now = of_metric(again, metric)
    assert len(now) >= len(committed) > 20
    stated, found = summary(committed), summary(now)
    assert found.median <= stated.median * MARGIN + MARGIN_POINTS
    assert found.p90 <= stated.p90 * MARGIN + MARGIN_POINTS
    assert coverage(now) >= coverage(committed) - COVERAGE_MARGIN


def test_predictions_are_finite_and_inside_their_own_intervals(again: list[Row]) -> None:
    """No prediction on real logs is NaN, infinite or outside its interval."""
    for row in again:
        assert all(math.isfinite(value) for value in (row.predicted, row.low, row.high)), row
        assert row.low <= row.predicted <= row.high, row
