"""The pages of real software: what their tables count."""

import math
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from experiments.software.constrained_page import constrained_section, times_section
from experiments.software.constrained_rows import Row as Constrained
from experiments.software.page_cache import read_rows, spread_between_runs, spread_table, touched_shares
from experiments.software.refill import MISSES, measured_rows, refill_table
from experiments.software.regret import Row as Recommendation
from experiments.software.regret_page import regret_section
from experiments.software.study import Row
from experiments.software.summary import chosen, errors_table, figures, of_metric
from gcsim.priors.file_pages import FILE_PAGES_OF_ANOTHER_RUN

ROW = Row(
    label="nats-stream", split="held out", procs=2, gogc=50, limit_mib=None, repeat=1, source="capture",
    verdict="trust", metric="rss_peak_bytes", cycles=20, observed=100.0, predicted=110.0, low=95.0, high=120.0,
    again=102.0,
)  # fmt: skip
RECOMMENDED = Recommendation(
    label="nats-stream", split="held out", evidence="capture", budget="tight", budget_mib=129, verdict="trust",
    gogc=60, limit_mib=109, answered=True, kept=True, reason="", charged_mib=120.0, speed=1.0,
    gc_cpu_fraction=0.025, best_gogc=100, best_limit_mib=None, best_gc_cpu_fraction=0.02,
)  # fmt: skip

BOUNDED = Constrained(
    label="nats-stream", split="held out", is_job=False, budget="tight", budget_mib=129, factor=2.0,
    bound_seconds=0.002, answered=True, gogc=100, limit_mib=114, probability=0.96, predicted_seconds=0.001,
    low_seconds=0.0005, high_seconds=0.0019, observed_seconds=0.0012, today_seconds=0.001, memory_kept=True, reason="",
    gc_cpu_fraction=0.011, best_gogc=400, best_limit_mib=None, best_gc_cpu_fraction=0.005,
)  # fmt: skip


def test_figures_are_of_errors_intervals_and_repeats() -> None:
    """Median and 90th percentile of the relative errors, the share inside, and the distance of repeated runs."""
    found = figures([ROW, replace(ROW, predicted=130.0, again=math.nan)])
    assert found.median == pytest.approx(0.2)
    assert found.coverage == 1.0
    assert found.floor_median == pytest.approx(0.02)
    assert figures([replace(ROW, observed=80.0)]).coverage == 0.0


def test_the_calibrated_setting_is_no_prediction() -> None:
    """Its repeats show the floor and not an error at another setting."""
    home = replace(ROW, gogc=100)
    assert chosen([ROW, home], split="held out") == [ROW]
    assert of_metric([ROW], "gc_rate_hz") == []


def test_models_without_trust_can_be_left_out() -> None:
    """A program that gcsim refuses to trust counts in the first table and not in the second."""
    rows = [ROW, replace(ROW, predicted=300.0, verdict="do not trust")]

    def count(*, trusted: bool) -> str:
        lines = errors_table(rows, "held out", trusted=trusted)
        return next(line for line in lines if line.startswith("| peak resident")).split("|")[2].strip()

    assert (count(trusted=False), count(trusted=True)) == ("2", "1")


@pytest.mark.parametrize(
    ("gc_cpu", "best", "near"),
    [(0.0249, 0.02, True), (0.026, 0.02, False), (0.21, 0.20, True), (0.23, 0.20, False)],
)
def test_near_the_best_is_a_tenth_or_half_a_point(gc_cpu: float, best: float, near: bool) -> None:
    """The larger of the two."""
    row = replace(RECOMMENDED, gc_cpu_fraction=gc_cpu, best_gc_cpu_fraction=best)
    assert row.is_near_best == near


def test_the_section_counts_kept_budgets_of_each_evidence() -> None:
    """A stall is named with its reason; an answer without a setting keeps its budget."""
    stalled = replace(RECOMMENDED, budget="medium", kept=False, reason="stalls")
    none = replace(RECOMMENDED, budget="generous", answered=False, gogc=None, limit_mib=None)
    lines = regret_section([RECOMMENDED, stalled, none])
    totals = next(line for line in lines if line.startswith("| capture |"))
    assert totals.startswith("| capture | 3 | 2 | 2 |")
    assert any("no: stalls" in line for line in lines)
    assert regret_section([]) == []


def test_the_spread_of_file_pages_follows_from_the_measured_runs() -> None:
    """The prior of another run's file pages is what the kept runs give, and not a number of its own."""
    rows = read_rows(Path("experiments/software/measured/page_cache.csv"))
    shares = touched_shares(rows)
    assert len(shares) == 3
    assert median(map(spread_between_runs, shares.values())) == pytest.approx(
        FILE_PAGES_OF_ANOTHER_RUN.rel_sd, abs=0.005
    )
    assert f"| median | | {FILE_PAGES_OF_ANOTHER_RUN.rel_sd:.3f} |" in spread_table(rows)


def test_fewer_touched_pages_leave_more_to_the_page_cache() -> None:
    """A program that touches all of its pages has no spread."""
    assert spread_between_runs(0.4) > spread_between_runs(0.8) > spread_between_runs(1.0) == 0.0


def test_each_collection_makes_caddy_allocate_again_on_two_ps_and_not_on_one() -> None:
    """By the runtime's count: half a MiB or more in each load of caddy, almost nothing in NATS; the table shows it."""
    rows = {(row.label, row.gogc, row.procs): row for row in measured_rows()}
    assert refill_table(rows.values()) in MISSES.read_text(encoding="utf-8")

    def again_kib(label: str, first: tuple[int, int], second: tuple[int, int]) -> float:
        """Allocation per collection, from two runs with other collections per request."""
        few, many = rows[label, *first], rows[label, *second]
        collections = 1 / many.requests_per_cycle - 1 / few.requests_per_cycle
        return (many.kib_per_request - few.kib_per_request) / collections

    for label in ("caddy-templates", "caddy-gateway", "caddy-files"):
        assert 450 < again_kib(label, (100, 2), (25, 2)) < 1000
    assert abs(again_kib("nats-small", (400, 2), (25, 2))) < 150
    assert rows["caddy-templates", 100, 1].kib_per_request < rows["caddy-templates", 400, 2].kib_per_request


def test_a_bound_is_kept_or_missed_and_a_setting_may_be_missing() -> None:
    """Kept of those that ran, the number expected by the probabilities, and misses that the grid refutes."""
    broken = replace(BOUNDED, observed_seconds=0.0021, gc_cpu_fraction=0.0099)
    missing = replace(BOUNDED, answered=False, observed_seconds=math.nan, gc_cpu_fraction=math.nan)
    assert BOUNDED.is_kept
    assert not BOUNDED.is_near_best
    assert broken.is_near_best
    lines = constrained_section([BOUNDED, broken, missing, replace(missing, best_gc_cpu_fraction=math.nan)])
    total = next(line for line in lines if line.startswith("| all |"))
    assert [cell.strip() for cell in total.split("|")[2:]][:5] == ["4", "2", "1 of 2", "1.9", "2 of 2"]
    assert "| 1 of 2 | 1 of 2 |" in total
    assert constrained_section([]) == []


def test_latencies_of_the_calibrated_run_are_no_prediction() -> None:
    """The table counts the other settings alone."""
    time = replace(ROW, metric="request_p99_seconds")
    lines = times_section([time, replace(time, gogc=100)])
    assert [line.split("|")[3].strip() for line in lines if "`nats-stream`" in line] == ["1"]
