"""Estimates as text."""

from gcsim.metrics import Estimate, format_metric
from gcsim.units import format_interval


def format_estimate(name: str, estimate: Estimate) -> str:
    """Median and interval as text: ``412 MiB (398 to 431 MiB)``, ``900 MiB (870 MiB to 1.1 GiB)``."""
    value, low, high = (format_metric(name, x) for x in (estimate.value, estimate.low, estimate.high))
    return format_interval(value, low, high)
