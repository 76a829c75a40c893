"""docs/explanation/article-claims.md: each verdict follows from the committed runs."""

import re
import statistics

import pytest

from experiments.article import gogc50, limit, load_test, prealloc, soft_limit
from experiments.article.__main__ import STUDIES, with_runs
from experiments.article.arms import load, mean, of_arm
from experiments.article.compared import Pair, summary, swing, table
from experiments.article.page import PAGE, claims_table
from gcsim.metrics import Estimate
from gcsim.units import MIB

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_of_claims_is_that_of_the_committed_runs() -> None:
    """And every study has its section."""
    assert claims_table(STUDIES.values()) in TEXT
    for name in (study.NAME for study in with_runs()):
        (section,) = re.findall(rf"^## {name.replace('_', '-')}$", TEXT, re.MULTILINE)
        assert section
        (body,) = re.findall(
            rf"<!-- article {name}: begin -->\n(.*?)<!-- article {name}: end -->", TEXT, re.DOTALL
        )
        assert "predicted" in body


def test_a_lower_gogc_collects_more_often_in_every_run() -> None:
    """The opposite of the claim, with no overlap of the runs."""
    runs = load(gogc50.NAME)
    rates = {arm.name: of_arm(runs, arm.name, "gc_rate_hz") for arm in gogc50.ARMS}
    assert min(rates["GOGC=50"]) > 1.5 * max(rates["GOGC=100"])


def test_sized_slices_allocate_less_than_without() -> None:
    """In short runs and in the runs that were predicted from them."""
    runs = load(prealloc.NAME)
    sized, plain = (mean(runs, arm, "alloc_bytes_per_request") for arm in ("sized", "GOGC=100"))
    assert sized / plain == pytest.approx(prealloc.factor(), rel=0.03)
    assert prealloc.factor() < 0.9


def test_a_limit_above_every_goal_changes_nothing() -> None:
    """The pairs with and without the limit differ by less than the settings of GOGC."""
    runs = load(limit.NAME)
    peaks = {arm.name: statistics.fmean(of_arm(runs, arm.name, "heap_peak_bytes")) for arm in limit.ARMS}
    assert peaks["limit"] == pytest.approx(peaks["defaults"], rel=0.1)
    assert peaks["GOGC=50 and limit"] == pytest.approx(peaks["GOGC=50"], rel=0.1)
    assert peaks["GOGC=50"] < 0.85 * peaks["defaults"]
    assert set(limit.ends_of(runs, "limit of 0.9 of the container")) == {"kept"}
    assert set(limit.ends_of(runs, "defaults")) == set(limit.ends_of(runs, "limit")) == {"killed"}


def test_resident_memory_passes_the_limit_and_forces_nothing() -> None:
    """RSS of about twice the limit changes neither the heap nor the number of collections."""
    runs = load(soft_limit.NAME)
    bound = soft_limit.LIMIT_MIB * MIB
    plain, mapped, below = (arm.name for arm in soft_limit.ARMS)
    assert min(of_arm(runs, mapped, "rss_peak_bytes")) > 1.5 * bound
    assert max(of_arm(runs, mapped, "go_memory_peak_bytes")) < 1.02 * bound
    assert min(of_arm(runs, below, "go_memory_peak_bytes")) > 1.2 * soft_limit.BELOW_LIVE_MIB * MIB
    assert mean(runs, mapped, "gc_rate_hz") == pytest.approx(mean(runs, plain, "gc_rate_hz"), rel=0.15)
    assert sum(one.values["forced_cycles"] for one in runs) == 0.0


def test_the_load_test_separates_code_from_settings() -> None:
    """GOGC=50 costs throughput, and less allocation gives it."""
    runs = load_test.calm_runs()
    rates = [mean(runs, name, "requests_hz") for name in ("GOGC=50", "defaults", "and pool")]
    assert rates == sorted(rates)


def test_a_table_shows_runs_and_predictions() -> None:
    """With the errors of the rows that were not calibrated."""
    found = [
        Pair(
            arm="a",
            metric="gc_rate_hz",
            observed=[2.0, 2.0],
            predicted=Estimate(2.0, 1.0, 3.0),
            calibrated=True,
        ),
        Pair(
            arm="b",
            metric="gc_rate_hz",
            observed=[4.0, 6.0],
            predicted=Estimate(4.0, 3.0, 5.0),
            calibrated=False,
        ),
    ]
    assert table(found).splitlines()[-1] == "| b | 4 /s, 6 /s | 4 /s (3 /s to 5 /s) |"
    assert "GC cycles per second -20 %" in summary(found)
    assert "1 of 2 observed figures" in summary(found)


def test_the_swing_of_a_heap_follows_from_gogc() -> None:
    """± g / (2 + g)."""
    assert swing(200.0, 100.0) == pytest.approx(1.0 / 3.0)
    assert swing(127.0, 100.0) == pytest.approx(0.12, abs=0.005)
