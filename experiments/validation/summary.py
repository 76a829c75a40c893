"""Errors and coverage of groups of rows: every number of the tables comes from here."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from experiments.validation.matrix import MAIN_GO, MAIN_PROCS
from experiments.validation.study import Row

_T = TypeVar("_T")
Source = Literal["predicted", "three_logs", "keep", "gc_guide", "odds", "again"]

#: The metrics that settings are chosen by, with the targets for median and 90th percentile.
TARGETS = {
    "heap_peak_mean_bytes": (0.02, 0.08),
    "gc_rate_hz": (0.04, 0.12),
    "gc_cpu_fraction": (0.08, 0.30),
    "rss_peak_bytes": (0.04, 0.10),
}
#: Shares of the CPU that may be next to nothing: their error is a difference, in points of 100.
IN_POINTS = ("gc_assist_cpu_fraction", "gc_idle_cpu_fraction")
#: Metrics of the tables, in order.
SHOWN = (
    *TARGETS,
    "heap_peak_bytes",
    "heap_live_mean_bytes",
    "heap_goal_mean_bytes",
    *IN_POINTS,
    "throughput_ratio",
    "stw_p50_seconds",
    "stw_p99_seconds",
)
REGIMES = ("assist-bound", "limit-bound", "small heap", "idle", "other")


@dataclass(frozen=True, slots=True)
class Summary:
    """Absolute errors of one source over a group of rows; NaN where it answers none of them."""

    count: int
    median: float
    p90: float


def error(row: Row, source: Source = "predicted") -> float:
    """Absolute error, relative to what was observed or in points; NaN where there is nothing to compare."""
    value = float(getattr(row, source))
    if row.metric in IN_POINTS:
        return abs(value - row.observed)
    return abs(value / row.observed - 1.0) if row.observed > 0 else math.nan


def summary(rows: Iterable[Row], source: Source = "predicted") -> Summary:
    """Median and 90th percentile of a source's errors, over the rows that it answers."""
    errors = np.array([error(row, source) for row in rows])
    errors = errors[~np.isnan(errors)]
    if errors.size == 0:
        return Summary(0, math.nan, math.nan)
    return Summary(errors.size, float(np.median(errors)), float(np.quantile(errors, 0.9)))


def coverage(rows: Iterable[Row]) -> float:
    """Share of rows whose 90 % interval holds what happened."""
    inside = [row.inside for row in rows if not math.isnan(error(row))]
    return float(np.mean(inside)) if inside else math.nan


def of_metric(rows: Iterable[Row], metric: str) -> list[Row]:
    """The rows of one metric."""
    return [row for row in rows if row.metric == metric]


def elsewhere(rows: Iterable[Row], held_out: bool | None = None) -> list[Row]:
    """Predictions of another setting than the calibrated one; of held-out or development programs where asked."""
    return [row for row in rows if not row.at_home and held_out in (None, row.held_out)]


def at_equal_speed(rows: Iterable[Row]) -> list[Row]:
    """What would have been observed had the machine run as fast as for the calibrated run; rows that can tell."""
    return [
        replace(row, observed=row.observed / row.speed_effect, again=row.again / row.again_speed_effect)
        for row in rows
        if not math.isnan(row.speed_effect)
    ]


def first_run(rows: Iterable[Row], label: str, gogc: int | None, limit_mib: int | None) -> dict[str, Row]:
    """Metrics of a program's first run at one setting, on the main Go version and GOMAXPROCS; empty without one."""
    run = (label, MAIN_GO.rsplit(".", 1)[0], MAIN_PROCS, gogc, limit_mib, 1)
    return {row.metric: row for row in rows if row.run == run}


def groups(rows: Iterable[_T], key: Callable[[_T], str]) -> dict[str, list[_T]]:
    """Rows by a key, in order of appearance."""
    found: dict[str, list[_T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def program_name(row: Row) -> str:
    """The load, and whether it was held out."""
    return f"{row.label} (held out)" if row.held_out else row.label
