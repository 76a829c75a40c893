"""How far real Go lies from this simulator: the part of an interval that no parameter explains."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.workload.model import Model

FloatArray = NDArray[np.float64]

#: What runs of a service have in common: a steady one goes at the machine's pace, or at its arrivals', or it moves.
Course = Literal["closed", "open", "moving"]

Z90 = 1.6448536269514722  # half a 90 % interval, in standard deviations

# Relative standard deviation at the calibrated setting, and what each doubling of GOGC's distance adds: what makes 90 %
# intervals hold 90 % of the design programs' runs on Go 1.19 to 1.27, each program judged by the others, to twice its
# own width at most (`python -m experiments.validation discrepancy`). A fresh run's own luck and the machine's drift
# between runs are in it: a closed loop's cycle rate differed by 12 % between two runs of the same on that machine.
DISCREPANCY: dict[Course, dict[str, tuple[float, float]]] = {
    "closed": {
        "gc_rate_hz": (0.101, 0.050),
        "heap_peak_bytes": (0.035, 0.000),
        "heap_peak_mean_bytes": (0.012, 0.000),
        "heap_marked_mean_bytes": (0.004, 0.000),
        "heap_goal_mean_bytes": (0.004, 0.000),
        "heap_live_mean_bytes": (0.034, 0.000),
        "gc_cpu_fraction": (0.279, 0.000),
        "gc_assist_cpu_fraction": (0.427, 0.000),
        "gc_idle_cpu_fraction": (1.651, 0.000),
        "stw_p50_seconds": (0.066, 0.098),
        "stw_p99_seconds": (0.559, 0.000),
        "stw_max_seconds": (1.119, 0.000),
        "stw_time_fraction": (0.189, 0.000),
        "rss_peak_bytes": (0.026, 0.000),
        "throughput_ratio": (0.173, 0.043),
        # from the runs of docs/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": (0.40, 0.39),
        "request_p99_seconds": (0.74, 0.53),
    },
    "open": {
        "gc_rate_hz": (0.122, 0.000),
        "heap_peak_bytes": (0.054, 0.000),
        "heap_peak_mean_bytes": (0.041, 0.041),
        "heap_marked_mean_bytes": (0.004, 0.000),
        "heap_goal_mean_bytes": (0.004, 0.002),
        "heap_live_mean_bytes": (0.010, 0.000),
        "gc_cpu_fraction": (0.212, 0.000),
        "gc_assist_cpu_fraction": (0.690, 0.000),
        "gc_idle_cpu_fraction": (2.000, 1.000),
        "stw_p50_seconds": (0.056, 0.085),
        "stw_p99_seconds": (0.321, 0.000),
        "stw_max_seconds": (0.338, 0.085),
        "stw_time_fraction": (0.196, 0.098),
        "rss_peak_bytes": (0.033, 0.000),
        # from the runs of docs/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": (0.40, 0.39),
        "request_p99_seconds": (0.74, 0.53),
    },
    "moving": {
        "gc_rate_hz": (0.452, 0.000),
        "heap_peak_bytes": (0.224, 0.000),
        "heap_peak_mean_bytes": (0.195, 0.000),
        "heap_marked_mean_bytes": (0.115, 0.000),
        "heap_goal_mean_bytes": (0.195, 0.000),
        "heap_live_mean_bytes": (0.004, 0.002),
        "gc_cpu_fraction": (0.627, 0.000),
        "gc_assist_cpu_fraction": (0.546, 0.000),
        "gc_idle_cpu_fraction": (0.496, 0.000),
        "stw_p50_seconds": (0.046, 0.000),
        "stw_p99_seconds": (0.379, 0.569),
        "stw_max_seconds": (1.042, 0.260),
        "stw_time_fraction": (0.164, 0.246),
        "rss_peak_bytes": (0.211, 0.000),
        "throughput_ratio": (0.469, 0.000),
        # from the runs of docs/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": (0.40, 0.39),
        "request_p99_seconds": (0.74, 0.53),
    },
}


def widened(name: str, values: FloatArray, *, course: Course, away: float) -> Estimate:
    """Median over replicas, with an interval of their scatter and the discrepancy together.

    ``away`` is ``distance_doublings`` from calibration to the setting.
    Both are taken as relative and independent: the interval runs from the median times exp(-1.645 s) to the median
    times exp(1.645 t), with the replicas' root mean squares below and above the median, for some outcomes are
    bounded on one side: a heap that a limit leaves no room cannot be smaller than live.
    """
    value = float(np.median(values))
    if value <= 0 or name not in DISCREPANCY[course]:
        low, high = (float(q) for q in np.quantile(values, (0.05, 0.95)))
        return Estimate(value, low, high)
    apart = np.log(values[values > 0] / value)
    own = math.hypot(*_discrepancy(name, course, away))
    below, above = (
        math.hypot(_root_mean_square(side), own) for side in (apart[apart <= 0], apart[apart >= 0])
    )
    return Estimate(value, value * math.exp(-Z90 * below), value * math.exp(Z90 * above))


def course_of(model: Model) -> Course:
    """Which of the widths a model's predictions have."""
    return model.loop if model.profile.is_steady else "moving"


def _discrepancy(name: str, course: Course, away: float) -> tuple[float, float]:
    at_home, per_doubling = DISCREPANCY[course][name]
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
