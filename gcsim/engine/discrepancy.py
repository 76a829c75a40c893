"""How far real Go lies from this simulator: the part of an interval that no parameter explains."""

import math

import numpy as np
from numpy.typing import NDArray

from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.workload.model import Loop

FloatArray = NDArray[np.float64]

Z90 = 1.6448536269514722  # half a 90 % interval, in standard deviations

# Relative standard deviation at the calibrated setting, and what each doubling of GOGC's distance adds: what makes 90 %
# intervals hold 90 % of the design programs' runs (97 of 8 programs; `python -m experiments.validation discrepancy`).
# A fresh run's own luck and the machine's drift between runs are in it: cycle rate's floor was 15 % on that machine.
DISCREPANCY: dict[Loop, dict[str, tuple[float, float]]] = {
    "closed": {
        "gc_rate_hz": (0.153, 0.0),
        "heap_peak_bytes": (0.094, 0.0),
        "heap_peak_mean_bytes": (0.033, 0.0),
        "heap_marked_mean_bytes": (0.006, 0.002),
        "heap_goal_mean_bytes": (0.042, 0.021),
        "heap_live_mean_bytes": (0.005, 0.0),
        "gc_cpu_fraction": (0.190, 0.0),
        "gc_assist_cpu_fraction": (0.378, 0.094),
        "gc_idle_cpu_fraction": (0.932, 0.0),
        "stw_p50_seconds": (0.044, 0.066),
        "stw_p99_seconds": (0.622, 0.0),
        "stw_max_seconds": (0.622, 0.0),
        "stw_time_fraction": (0.248, 0.0),
        "rss_peak_bytes": (0.081, 0.0),
        "throughput_ratio": (0.209, 0.0),
    },
    "open": {
        "gc_rate_hz": (0.153, 0.0),
        "heap_peak_bytes": (0.094, 0.0),
        "heap_peak_mean_bytes": (0.033, 0.0),
        "heap_marked_mean_bytes": (0.006, 0.002),
        "heap_goal_mean_bytes": (0.042, 0.021),
        "heap_live_mean_bytes": (0.005, 0.0),
        "gc_cpu_fraction": (0.190, 0.0),
        "gc_assist_cpu_fraction": (0.378, 0.094),
        "gc_idle_cpu_fraction": (0.932, 0.0),
        "stw_p50_seconds": (0.044, 0.066),
        "stw_p99_seconds": (0.622, 0.0),
        "stw_max_seconds": (0.622, 0.0),
        "stw_time_fraction": (0.248, 0.0),
        "rss_peak_bytes": (0.081, 0.0),
        "throughput_ratio": (0.209, 0.0),
        # the tail of real latency is the operating system's as much as the collector's: see docs/accuracy.md
        "request_p50_seconds": (0.25, 0.05),
        "request_p99_seconds": (1.0, 0.10),
    },
}


def widened(name: str, values: FloatArray, *, loop: Loop, away: float) -> Estimate:
    """Median over replicas, with an interval of their scatter and the discrepancy together.

    ``away`` is ``distance_doublings`` from calibration to the setting.
    Both are taken as relative and independent: the interval runs from the median times exp(-1.645 s) to the median
    times exp(1.645 t), with the replicas' root mean squares below and above the median, for some outcomes are
    bounded on one side: a heap that a limit leaves no room cannot be smaller than live.
    """
    value = float(np.median(values))
    if value <= 0 or name not in DISCREPANCY[loop]:
        low, high = (float(q) for q in np.quantile(values, (0.05, 0.95)))
        return Estimate(value, low, high)
    apart = np.log(values[values > 0] / value)
    own = math.hypot(*_discrepancy(name, loop, away))
    below, above = (
        math.hypot(_root_mean_square(side), own) for side in (apart[apart <= 0], apart[apart >= 0])
    )
    return Estimate(value, value * math.exp(-Z90 * below), value * math.exp(Z90 * above))


def _discrepancy(name: str, loop: Loop, away: float) -> tuple[float, float]:
    at_home, per_doubling = DISCREPANCY[loop][name]
    return at_home, per_doubling * away


def _root_mean_square(values: FloatArray) -> float:
    return math.sqrt(float(np.mean(values**2))) if values.size else 0.0


def distance_doublings(calibrated: Settings, asked: Settings, *, limit_binds: bool) -> float:
    """How far a setting is from the calibrated one, in doublings of GOGC.

    A limit that may set heap goals, and another Go version, count as two each: the first for the memory outside
    the heap, the second for what marking costs there.
    """
    limit = 2.0 if limit_binds and asked.gomemlimit_bytes != calibrated.gomemlimit_bytes else 0.0
    limit += 0.0 if asked.go == calibrated.go else 2.0
    if asked.gogc is None or calibrated.gogc is None:
        return limit + (0.0 if asked.gogc == calibrated.gogc else 2.0)
    return limit + abs(math.log2((asked.gogc + 1.0) / (calibrated.gogc + 1.0)))
