"""Cells and tables of the page: how a metric, a setting and an error are written."""

import math
from collections.abc import Iterable, Sequence

from gcsim.units import MIB, format_gogc

Lines = list[str]

NAMES = {
    "heap_peak_mean_bytes": "heap peak, mean",
    "heap_peak_bytes": "heap peak, highest",
    "gc_rate_hz": "cycle rate",
    "gc_cpu_fraction": "GC CPU",
    "rss_peak_bytes": "peak resident memory",
    "anonymous_peak_bytes": "peak anonymous memory",
    "heap_live_mean_bytes": "live heap",
    "heap_goal_mean_bytes": "heap goal",
    "gc_assist_cpu_fraction": "assist CPU (points)",
    "gc_idle_cpu_fraction": "idle marking (points)",
    "throughput_ratio": "throughput, closed loops",
    "stw_p50_seconds": "median pause",
    "stw_p99_seconds": "99th-percentile pause",
}
SHORT_NAMES = {
    "heap_peak_mean_bytes": "heap peak", "gc_rate_hz": "cycle rate", "gc_cpu_fraction": "GC CPU",
    "rss_peak_bytes": "resident",
}  # fmt: skip


def setting_cell(gogc: int | None, limit_mib: int | None) -> str:
    """Settings in Go's spelling."""
    return f"GOGC={format_gogc(gogc)}" + ("" if limit_mib is None else f", limit {limit_mib} MiB")


def amount_cell(metric: str, value: float) -> str:
    """A metric's value with its unit."""
    if math.isnan(value):
        return "–"
    if metric.endswith("_bytes"):
        return f"{value / MIB:.3g} MiB" if value < 100 * MIB else f"{value / MIB:.0f} MiB"
    if metric == "gc_rate_hz":
        return f"{value:.3g}/s"
    return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.1f} %"


def percent_cell(value: float) -> str:
    """A share."""
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def pair_cell(median: float, p90: float) -> str:
    """A median error with its 90th percentile."""
    return "–" if math.isnan(median) else f"{100 * median:.1f} ({100 * p90:.0f}) %"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> Lines:
    """Markdown."""
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(cells) + " |" for cells in body),
    ]
