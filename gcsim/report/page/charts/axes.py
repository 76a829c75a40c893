"""Axes of the interactive figures."""

import math
from collections.abc import Sequence

from gcsim.report.page.charts.chart import INK, Spec

NUMBERS = ",.6~g"
_STEPS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,))
_MOST_TICKS = 8


def log_axis(
    field: str, title: str, values: Sequence[float], *, ends: tuple[float, float] | None = None
) -> Spec:
    """An encoding on a logarithmic scale, with ticks at round numbers over all values."""
    low, high = ends or _ends(values)
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domain": [low, high], "nice": False, "clamp": True},
        "axis": {"values": log_ticks(low, high), "format": NUMBERS, "labelOverlap": True},
    }


def linear_axis(field: str, title: str, low: float, high: float) -> Spec:
    """An encoding on a linear scale."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [low, high], "nice": False, "zero": False, "clamp": True},
        "axis": {"tickCount": 6, "format": NUMBERS, "labelOverlap": True},
    }


def log_ticks(low: float, high: float) -> list[float]:
    """At most eight round numbers between the ends, if a decade has no more."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _STEPS:
        found = [
            round(step * 10.0**one, 12)
            for one in decades
            for step in steps
            if low <= step * 10.0**one <= high
        ]
        if len(found) <= _MOST_TICKS:
            return found
    return found


def rule_at(value: float, *, axis: str) -> Spec:
    """A dashed line across the figure."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": INK, "strokeDash": [5, 4], "strokeWidth": 1.4},
        "encoding": {axis: {"datum": value}},
    }


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis, a little outside of the values."""
    shown = [value for value in values if 0.0 < value < math.inf]
    low, high = min(shown, default=1.0), max(shown, default=10.0)
    return low / 1.12, high * 1.12
