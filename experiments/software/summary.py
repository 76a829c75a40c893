"""Errors, coverage and floors of groups of rows, as tables."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.software.study import METRICS, SOURCES, Row
from experiments.validation.tables import NAMES, Lines, pair_cell, table
from gcsim.arrays import FloatArray

SPLITS = ("held out", "short", "development")
DISTRUST = "do not trust"
#: Median and 90th percentile that a prediction from a capture should reach; None: no target.
TARGETS: dict[str, tuple[float, float] | None] = {
    "heap_peak_mean_bytes": (0.03, 0.10),
    "heap_peak_bytes": None,
    "gc_rate_hz": (0.06, 0.18),
    "gc_cpu_fraction": (0.12, 0.35),
    "rss_peak_bytes": (0.03, 0.08),
    "anonymous_peak_bytes": (0.03, 0.08),
}
#: The same from a log with one memory reading.
READING_TARGETS = {"rss_peak_bytes": (0.05, 0.12), "anonymous_peak_bytes": (0.05, 0.12)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of a group of rows; NaN where nothing was measured."""

    count: int
    median: float  # of |predicted / observed - 1|
    p90: float
    coverage: float  # share of observed values inside the 90 % interval
    floor_median: float  # of |second run / first run - 1|
    floor_p90: float


def figures(rows: Iterable[Row]) -> Figures:
    """The figures of a group of rows."""
    chosen = list(rows)
    errors = np.array([row.error for row in chosen])
    floors = np.array([row.floor for row in chosen if not math.isnan(row.floor)])
    return Figures(
        count=len(chosen),
        median=_quantile(errors, 0.5),
        p90=_quantile(errors, 0.9),
        coverage=float(np.mean([row.is_inside for row in chosen])) if chosen else math.nan,
        floor_median=_quantile(floors, 0.5),
        floor_p90=_quantile(floors, 0.9),
    )


def _quantile(values: FloatArray, share: float) -> float:
    return float(np.quantile(values, share)) if values.size else math.nan


def chosen(rows: Iterable[Row], *, split: str, source: str = SOURCES[0]) -> list[Row]:
    """The predictions of other settings than the calibrated one, of one split from one source."""
    return [row for row in rows if (row.split, row.source) == (split, source) and not row.is_reference]


def of_metric(rows: Iterable[Row], metric: str) -> list[Row]:
    """The rows of one metric."""
    return [row for row in rows if row.metric == metric]


def errors_table(rows: Sequence[Row], split: str, *, trusted: bool = False) -> Lines:
    """Median (90th percentile) of the errors by metric, with a column per source and the floor.

    ``trusted`` leaves out the predictions of models whose verdict is "do not trust".
    """
    if trusted:
        rows = [row for row in rows if row.verdict != DISTRUST]
    body = []
    for metric in METRICS:
        cells = []
        for source in SOURCES:
            found = figures(of_metric(chosen(rows, split=split, source=source), metric))
            cells += [pair_cell(found.median, found.p90), percent(found.coverage)]
        floor = figures(of_metric(chosen(rows, split=split), metric))
        body.append([
            NAMES[metric], str(floor.count), *cells, pair_cell(floor.floor_median, floor.floor_p90), _target(metric),
        ])  # fmt: skip
    head = ["metric", "runs"]
    for source in SOURCES:
        head += [source, "inside"]
    return table([*head, "repeated run", "target, from a capture"], body)


def percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f} %"


def _target(metric: str) -> str:
    target = TARGETS[metric]
    return "–" if target is None else f"{100 * target[0]:.0f} ({100 * target[1]:.0f}) %"
