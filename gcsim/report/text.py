"""Metrics as text: the last word of a metric's name gives its unit."""

from gcsim.metrics import Estimate
from gcsim.units import format_interval, format_mib, format_number, format_percent, format_seconds

#: The label of each metric in tables and figures.
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
    """A value with its unit and three significant digits; an em dash for NaN."""
    if value != value:
        return "—"
    if name.endswith("_bytes"):
        return format_mib(value)
    if name.endswith("_fraction"):
        return format_percent(value)
    if name.endswith("_seconds"):
        return format_seconds(value)
    if name.endswith("_hz"):
        return f"{format_number(value)} /s"
    return f"{format_number(value)} ×"


def format_estimate(name: str, estimate: Estimate) -> str:
    """Median and interval as text: ``412 MiB (398 to 431 MiB)``, ``900 MiB (870 MiB to 1.1 GiB)``."""
    value, low, high = (format_metric(name, x) for x in (estimate.value, estimate.low, estimate.high))
    return format_interval(value, low, high)
