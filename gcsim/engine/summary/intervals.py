"""How far real Go lies from this simulator: the part of an interval that no parameter explains."""

import math
from typing import Literal, NamedTuple

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.settings import Settings

#: What runs of a service have in common: a steady one goes at the machine's pace, or at its arrivals', or it moves.
LoadKind = Literal["closed", "open", "moving"]


class Extrapolation(NamedTuple):
    """How far a setting is from the calibrated one."""

    doublings: float  # of GOGC; another Go version counts as two, for what marking costs there
    limited: bool  # whether a memory limit that calibration did not have may set heap goals
    thrashing: float = 0.0  # share of the time with the GC CPU limiter on
    green_tea: int = (
        0  # 1 where only the asked version marks by Green Tea, -1 where only the calibrated one does
    )


class ModelError(NamedTuple):
    """A relative standard deviation: at the calibrated setting, for each doubling away from it, and under a limit."""

    at_home: float
    per_doubling: float
    under_limit: float

    def at(self, distance: Extrapolation) -> float:
        """The three together, as independent ones."""
        limit = self.under_limit if distance.limited else 0.0
        thrashing = _LIMITER_ERROR * distance.thrashing
        return math.hypot(self.at_home, self.per_doubling * distance.doublings, limit, thrashing)


# Green Tea marking is the default from Go 1.26 on and lowers the CPU cost of marking by 10 to 40 % (Go 1.26 release
# notes). No log of one version shows how much it is for a program, and the model keeps the calibrated version's cost.
# So the interval reaches to a cost 40 % lower where only the asked version has it, and to the inverse where only the
# calibrated one does.
_GREEN_TEA_LEAST_COST = 0.6
_OF_MARKING_COST = ("gc_cpu_fraction", "gc_assist_cpu_fraction", "gc_idle_cpu_fraction")
_SHARES = "_fraction"  # of all CPU, or of the time: not more than all of it
Z90 = 1.6448536269514722  # half a 90 % interval, in standard deviations
# Where the limiter is on all the time, of every metric: what it lets through depends on time slices and on the number
# of goroutines, which no log tells. With it on a third of the time heaps of three design programs are 5 % off (median)
_LIMITER_ERROR = 0.2

# What makes 90 % intervals hold 90 % of the design programs' runs on Go 1.19 to 1.27, each program judged by the
# others, to twice its own width at most (`python -m experiments.validation discrepancy`). A fresh run's own luck and
# the machine's drift between runs are in it: a closed loop's cycle rate differed by 12 % between two runs of the same.
# Last derived from 33 programs, 884 runs.
DISCREPANCY: dict[LoadKind, dict[str, ModelError]] = {
    "closed": {
        "gc_rate_hz": ModelError(0.114, 0.000, 0.114),
        "heap_peak_bytes": ModelError(0.025, 0.000, 0.000),
        "heap_peak_mean_bytes": ModelError(0.012, 0.000, 0.024),
        "heap_marked_mean_bytes": ModelError(0.004, 0.000, 0.000),
        "heap_goal_mean_bytes": ModelError(0.004, 0.000, 0.004),
        "heap_live_mean_bytes": ModelError(0.006, 0.000, 0.000),
        "gc_cpu_fraction": ModelError(0.063, 0.000, 0.000),
        "gc_assist_cpu_fraction": ModelError(0.158, 0.237, 0.000),
        "gc_idle_cpu_fraction": ModelError(1.220, 0.000, 1.220),
        "stw_p50_seconds": ModelError(0.032, 0.048, 0.127),
        "stw_p99_seconds": ModelError(0.810, 0.000, 0.000),
        "stw_max_seconds": ModelError(1.167, 0.000, 1.167),
        "stw_time_fraction": ModelError(0.239, 0.060, 0.000),
        "rss_peak_bytes": ModelError(0.010, 0.000, 0.020),
        "throughput_ratio": ModelError(0.131, 0.000, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
    "open": {
        "gc_rate_hz": ModelError(0.124, 0.000, 0.000),
        "heap_peak_bytes": ModelError(0.050, 0.000, 0.000),
        "heap_peak_mean_bytes": ModelError(0.026, 0.019, 0.000),
        "heap_marked_mean_bytes": ModelError(0.034, 0.000, 0.000),
        "heap_goal_mean_bytes": ModelError(0.017, 0.026, 0.000),
        "heap_live_mean_bytes": ModelError(0.007, 0.000, 0.000),
        "gc_cpu_fraction": ModelError(0.234, 0.000, 0.000),
        "gc_assist_cpu_fraction": ModelError(0.438, 0.329, 0.000),
        "gc_idle_cpu_fraction": ModelError(0.810, 1.216, 1.621),
        "stw_p50_seconds": ModelError(0.076, 0.000, 0.304),
        "stw_p99_seconds": ModelError(0.228, 0.171, 0.228),
        "stw_max_seconds": ModelError(0.336, 0.168, 0.000),
        "stw_time_fraction": ModelError(0.306, 0.077, 0.000),
        "rss_peak_bytes": ModelError(0.034, 0.000, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
    "moving": {
        "gc_rate_hz": ModelError(0.121, 0.000, 0.000),
        "heap_peak_bytes": ModelError(0.047, 0.000, 0.000),
        "heap_peak_mean_bytes": ModelError(0.111, 0.000, 0.000),
        "heap_marked_mean_bytes": ModelError(0.074, 0.000, 0.000),
        "heap_goal_mean_bytes": ModelError(0.118, 0.000, 0.000),
        "heap_live_mean_bytes": ModelError(0.004, 0.006, 0.000),
        "gc_cpu_fraction": ModelError(0.004, 0.000, 0.000),
        "gc_assist_cpu_fraction": ModelError(0.277, 0.000, 0.000),
        "gc_idle_cpu_fraction": ModelError(0.657, 0.985, 0.657),
        "stw_p50_seconds": ModelError(0.157, 0.000, 0.157),
        "stw_p99_seconds": ModelError(0.450, 0.000, 0.901),
        "stw_max_seconds": ModelError(0.857, 0.000, 0.857),
        "stw_time_fraction": ModelError(0.154, 0.154, 0.617),
        "rss_peak_bytes": ModelError(0.044, 0.011, 0.000),
        "throughput_ratio": ModelError(0.284, 0.142, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
}


def prediction_interval(name: str, values: FloatArray, *, course: LoadKind, away: Extrapolation) -> Estimate:
    """Median over replicas, with an interval of their scatter and the discrepancy together.

    ``away`` is ``distance`` from calibration to the setting.
    Both are taken as relative and independent: the interval runs from the median times exp(-1.645 s) to the median
    times exp(1.645 t), with the replicas' root mean squares below and above the median, for some outcomes are
    bounded on one side: a heap that a limit leaves no room cannot be smaller than live. Shares end at 1.
    """
    value = float(np.median(values))
    if value <= 0 or name not in DISCREPANCY[course]:
        low, high = (float(q) for q in np.quantile(values, (0.05, 0.95)))
        return Estimate(value, low, high)
    logs = np.log(values[values > 0] / value)
    own = DISCREPANCY[course][name].at(away)
    reach = -math.log(_GREEN_TEA_LEAST_COST) / Z90 if name in _OF_MARKING_COST else 0.0
    lower, higher = reach * (away.green_tea > 0), reach * (away.green_tea < 0)
    below = math.hypot(_root_mean_square(logs[logs <= 0]), own, lower)
    above = math.hypot(_root_mean_square(logs[logs >= 0]), own, higher)
    most = 1.0 if name.endswith(_SHARES) else math.inf
    return Estimate(
        value, value * math.exp(-Z90 * below), max(min(value * math.exp(Z90 * above), most), value)
    )


def course_of(model: Model) -> LoadKind:
    """Which of the widths a model's predictions have."""
    return model.loop if model.profile.is_steady else "moving"


def _root_mean_square(values: FloatArray) -> float:
    return math.sqrt(float(np.mean(values**2))) if values.size else 0.0


def distance(
    calibrated: Settings, asked: Settings, *, limit_binds: bool, thrashing: float = 0.0
) -> Extrapolation:
    """How far a setting is from the calibrated one; GOGC=off where calibration had none counts as two doublings.

    ``thrashing`` is the share of the time, 0 to 1, that the GC CPU limiter is predicted to be on.
    """
    limited = limit_binds and asked.gomemlimit_bytes != calibrated.gomemlimit_bytes
    doublings = 0.0 if asked.go == calibrated.go else 2.0
    if asked.gogc is not None and calibrated.gogc is not None:
        doublings += abs(math.log2((asked.gogc + 1.0) / (calibrated.gogc + 1.0)))
    elif asked.gogc != calibrated.gogc:
        doublings += 2.0
    return Extrapolation(doublings, limited, thrashing, _has_green_tea(asked) - _has_green_tea(calibrated))


def _has_green_tea(settings: Settings) -> int:
    return int(rules_for(settings.go).green_tea)
