"""Metrics as text: the last word of a metric's name gives its unit."""

from gcsim.metrics import Estimate
from gcsim.units import format_interval, format_mib, format_number, format_percent, format_seconds


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
