"""Metrics as people read them: the unit follows from the last word of the name."""

import math

from gcsim.metrics import Estimate
from gcsim.units import format_mib

#: What each metric is called in tables and figures.
METRIC_LABELS = {
    "gc_rate_hz": "GC cycles per second",
    "heap_peak_bytes": "heap peak",
    "heap_peak_mean_bytes": "heap peak, mean of cycles",
    "heap_marked_mean_bytes": "heap marked, mean",
    "heap_goal_mean_bytes": "heap goal, mean",
    "heap_live_mean_bytes": "live at cycle start, mean",
    "gc_cpu_fraction": "GC CPU",
    "gc_assist_cpu_fraction": "GC CPU in assists",
    "gc_idle_cpu_fraction": "idle CPU used for marking",
    "stw_p50_seconds": "pause, median",
    "stw_p99_seconds": "pause, 99th percentile",
    "stw_max_seconds": "pause, longest",
    "stw_time_fraction": "time stopped",
    "rss_peak_bytes": "resident memory, peak",
    "limiter_time_fraction": "time under the CPU limiter",
    "throughput_ratio": "throughput, against calibration",
    "request_p50_seconds": "request latency, median",
    "request_p99_seconds": "request latency, 99th percentile",
}


def format_metric(name: str, value: float) -> str:
    """One figure with its unit, three significant digits; an em dash where there is none."""
    if math.isnan(value):
        return "—"
    if name.endswith("_bytes"):
        return format_mib(value)
    if name.endswith("_fraction"):
        return f"{100 * value:.3g} %"
    if name.endswith("_seconds"):
        return format_seconds(value)
    if name.endswith("_hz"):
        return f"{value:.3g} /s"
    return f"{value:.3g} ×"


def format_seconds(value: float) -> str:
    """A duration in the unit that suits its size."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs" if value else "0 s"


def format_estimate(name: str, estimate: Estimate) -> str:
    """Median and interval: ``412 MiB (398 MiB to 431 MiB)``."""
    low, high = (format_metric(name, bound) for bound in (estimate.low, estimate.high))
    return f"{format_metric(name, estimate.value)} ({low} to {high})"
