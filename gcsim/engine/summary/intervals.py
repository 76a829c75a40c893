"""Prediction intervals: the scatter of replicas combined with the measured error of the model."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from gcsim.arrays import FloatArray, median
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate, Fit
from gcsim.service.model import Model
from gcsim.settings import Settings

#: Load of a service: a steady closed loop, a steady open loop, or a load that changes.
LoadKind = Literal["closed", "open", "moving"]


class Extrapolation(NamedTuple):
    """How far a setting is from the calibrated one."""

    doublings: float  # of GOGC; another Go version counts as two, because marking costs differ
    limited: bool  # whether a memory limit that the calibrated run did not have may set heap goals
    thrashing: float = 0.0  # share of the time with the GC CPU limiter on
    green_tea: int = 0  # 1 if only the asked version has Green Tea marking, -1 if only the calibrated one has


class SamplingError(NamedTuple):
    """The sampling error of a metric in replicas that are shorter than the predicted run."""

    variance: float  # relative, mean over the replicas
    share: float  # of it that a run of the predicted length has

    def corrected(self, values: FloatArray) -> FloatArray:
        """The values nearer to their median, with the variance of runs of the predicted length.

        variance = max(variance of the values - sampling variance, 0) + share x sampling variance
        """
        spread = float(np.var(values, ddof=1)) if values.size > 1 else 0.0
        if spread == 0.0:
            return values
        sampling = self.variance * float(values.mean()) ** 2
        wanted = max(spread - sampling, 0.0) + self.share * sampling
        middle = median(values)
        nearer: FloatArray = middle + (values - middle) * math.sqrt(min(wanted / spread, 1.0))
        return nearer


class ModelError(NamedTuple):
    """Relative standard deviations: at the calibrated setting, per doubling away from it, and under a limit."""

    at_home: float
    per_doubling: float
    under_limit: float

    def at(self, distance: Extrapolation) -> float:
        """The root sum of squares at a distance from the calibrated setting, with the limiter's error."""
        limit = self.under_limit if distance.limited else 0.0
        thrashing = _LIMITER_ERROR * distance.thrashing
        return math.hypot(self.at_home, self.per_doubling * distance.doublings, limit, thrashing)


# Green Tea marking is the default from Go 1.26 on and lowers the CPU cost of marking by 10 to 40 % (Go 1.26 release
# notes). A log of one version does not show this difference for a program, and the model keeps the calibrated
# version's cost. The interval therefore extends to a cost 40 % lower if only the asked version has Green Tea, and to
# the inverse if only the calibrated version has it.
_GREEN_TEA_LEAST_COST = 0.6
_OF_MARKING_COST = ("gc_cpu_fraction", "gc_assist_cpu_fraction", "gc_idle_cpu_fraction")
_SHARES = "_fraction"  # of all CPU or of the time: at most 1
Z90 = 1.6448536269514722  # half a 90 % interval, in standard deviations
# Error of every metric with the limiter on all the time: the assists that it allows depend on time slices and on the
# number of goroutines, which a log does not contain. With the limiter on a third of the time, heaps of three
# development programs are 5 % off (median)
_LIMITER_ERROR = 0.2

# Widths at which 90 % intervals contain 90 % of the development programs' runs on Go 1.19 to 1.27, with each program
# judged by the others and at most twice its own width (`python -m experiments.validation discrepancy`). They include
# the scatter of a new run and the machine's drift between runs: the cycle rate of a closed loop differed by 12 %
# between two equal runs. Derived from 33 programs, 884 runs. The highest heap and RSS of a closed loop have the widths
# of an open one: their own (0.025 and 0.010) are too narrow for real development programs. With these widths intervals
# from captures contain 87 % of the highest heaps and 100 % of RSS of 38 runs (`python -m experiments.software report`).
DISCREPANCY: dict[LoadKind, dict[str, ModelError]] = {
    "closed": {
        "gc_rate_hz": ModelError(0.114, 0.000, 0.114),
        "heap_peak_bytes": ModelError(0.050, 0.000, 0.000),
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
        "rss_peak_bytes": ModelError(0.034, 0.000, 0.020),
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
        # from 26 runs of two real development jobs (python -m experiments.job_costs); a job always moves
        "job_cpu_seconds": ModelError(0.160, 0.000, 0.000),
        "job_wall_seconds": ModelError(0.180, 0.000, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
}

# The model's error of anonymous memory is that of the heap: file pages and kernel memory have their own spread between
# programs, which the replicas draw
ERROR_OF = {
    "anonymous_peak_bytes": "heap_peak_bytes",
    "container_peak_bytes": "heap_peak_bytes",
}


# Metrics without a measured model error: their intervals are the scatter of replicas only. No run's log has the time
# under the limiter, and the throughput of an open load is the load's.
REPLICAS_ONLY: dict[LoadKind, frozenset[str]] = {
    "closed": frozenset({"limiter_time_fraction"}),
    "open": frozenset({"limiter_time_fraction", "throughput_ratio"}),
    "moving": frozenset({"limiter_time_fraction"}),
}


def error_at_home(name: str, load: LoadKind) -> float:
    """The model error of a metric at the calibrated setting, relative; 0 for a metric of ``REPLICAS_ONLY``."""
    measured = ERROR_OF.get(name, name)
    return 0.0 if measured in REPLICAS_ONLY[load] else DISCREPANCY[load][measured].at_home


def prediction_interval(
    name: str,
    values: FloatArray,
    *,
    load: LoadKind,
    extrapolation: Extrapolation,
    most: FloatArray | None = None,
    share: float = 1.0,
    sampling: SamplingError | None = None,
) -> Estimate:
    """Median of ``values`` over replicas, with a 90 % interval of their scatter and the model error.

        low = median * exp(-1.645 * s),  high = median * exp(1.645 * t)

    s and t combine the model error with the replicas' root mean square below and above the median, as relative and
    independent errors. They differ because some results are bounded on one side: under a tight limit the heap cannot be
    smaller than its live part. Shares are at most 1. ``extrapolation`` is ``distance`` from calibration to the setting.
    ``most`` are upper bounds of ``values``, such as those of a memory limit: the upper end is at most their 95th
    percentile. ``share``, 0 to 1, is the part of the metric that has the model error.
    A metric that is neither in DISCREPANCY nor in REPLICAS_ONLY raises KeyError: its interval would be too narrow.

    With ``sampling`` the replicas are shorter than the predicted run, and their scatter is corrected for that.
    """
    if sampling is not None:
        values = sampling.corrected(values)
    bound = None if most is None else _bound_of(most.tobytes())
    return _interval(name, values, load=load, extrapolation=extrapolation, share=share, most=bound)


def ratio_interval(
    name: str, before: FloatArray, after: FloatArray, *, load: LoadKind, extrapolation: Extrapolation
) -> Estimate | None:
    """The metric of a new run over that of the calibrated service, with a 90 % interval; None where one is 0.

    Replica r of both arrays is the same possible service with the same random numbers, so the uncertainty about the
    service cancels in after / before. The model error of ``extrapolation`` stays: it is measured between a run that a
    model was calibrated on and another run.
    """
    if not ((before > 0).all() and (after > 0).all()):
        return None
    return _interval(name, after / before, load=load, extrapolation=extrapolation, share=1.0, is_ratio=True)


def _interval(
    name: str,
    values: FloatArray,
    *,
    load: LoadKind,
    extrapolation: Extrapolation,
    share: float,
    most: Estimate | None = None,
    is_ratio: bool = False,
) -> Estimate:
    found = _scatter(values.tobytes())
    value = found.value
    measured = ERROR_OF.get(name, name)
    if value <= 0 or measured in REPLICAS_ONLY[load]:
        if found.is_one_value:  # as with the limiter off in all replicas
            return Estimate(value, value, value)
        low, high = (float(q) for q in np.quantile(values, (0.05, 0.95)))
        return Estimate(value, low, high)
    own = share * DISCREPANCY[load][measured].at(extrapolation)
    reach = -math.log(_GREEN_TEA_LEAST_COST) / Z90 if name in _OF_MARKING_COST else 0.0
    lower, higher = reach * (extrapolation.green_tea > 0), reach * (extrapolation.green_tea < 0)
    below = math.hypot(found.below, own, lower)
    above = math.hypot(found.above, own, higher)
    free = value * math.exp(Z90 * above)
    if name.endswith(_SHARES) and not is_ratio:
        free = min(free, 1.0)
    high = free if most is None else min(free, most.high)
    fit = Fit(scatter=found.all, free_high=max(free, value), most=most)
    return Estimate(value, value * math.exp(-Z90 * below), max(high, value), fit=fit)


class _Scatter(NamedTuple):
    """The median of replicas, and the root mean square of the logarithms of their ratios to it."""

    value: float
    is_one_value: bool  # whether all replicas are equal
    below: float
    above: float
    all: float


@lru_cache(maxsize=1 << 14)  # equal lanes give many settings of a grid the same values
def _scatter(values: bytes) -> _Scatter:
    """The scatter of float64 numbers."""
    ordered = _ordered(values)
    value = _median(ordered)
    logs = [math.log(each / value) for each in ordered if each > 0] if value > 0 else []
    return _Scatter(
        value=value,
        is_one_value=ordered[0] == ordered[-1],
        below=_root_mean_square([each for each in logs if each <= 0]),
        above=_root_mean_square([each for each in logs if each >= 0]),
        all=_root_mean_square(logs),
    )


@lru_cache(maxsize=1 << 14)
def _bound_of(most: bytes) -> Estimate | None:
    """The median and the ends of upper bounds, float64 numbers; None if the 95th percentile is infinite.

    They are the quantiles of NumPy's methods "lower" and, for the upper end, "higher".
    """
    ordered = _ordered(most)
    last = len(ordered) - 1
    high = ordered[math.ceil(last * 0.95)]
    if not math.isfinite(high):
        return None
    return Estimate(ordered[math.floor(last * 0.5)], ordered[math.floor(last * 0.05)], high)


def _ordered(values: bytes) -> list[float]:
    """The numbers in rising order. Python's numbers are faster than a few in an array."""
    return sorted(np.frombuffer(values).tolist())


def load_kind(model: Model) -> LoadKind:
    """The kind of load of a model, which selects the widths of its predictions."""
    return model.loop if model.profile.is_steady and model.growth.is_none else "moving"


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2.0


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values) / len(values)) if values else 0.0


def distance(
    calibrated: Settings, asked: Settings, *, limit_binds: bool, thrashing: float = 0.0
) -> Extrapolation:
    """How far a setting is from the calibrated one; a change to or from GOGC=off counts as two doublings.

    ``thrashing`` is the share of the time, 0 to 1, that the GC CPU limiter is predicted to be on.
    """
    limited = limit_binds and asked.gomemlimit_bytes != calibrated.gomemlimit_bytes
    doublings = 0.0 if asked.go == calibrated.go else 2.0
    if asked.gogc is not None and calibrated.gogc is not None:
        doublings += abs(math.log2((asked.gogc + 1.0) / (calibrated.gogc + 1.0)))
    elif asked.gogc != calibrated.gogc:
        doublings += 2.0
    return Extrapolation(doublings, limited, thrashing, _has_green_tea(asked) - _has_green_tea(calibrated))


def farthest(found: Iterable[Extrapolation]) -> Extrapolation:
    """The largest value of each field over one or more settings of one Go version."""
    doublings, limited, thrashing, green_tea = zip(*found, strict=True)
    return Extrapolation(max(doublings), any(limited), max(thrashing), green_tea[0])


def _has_green_tea(settings: Settings) -> int:
    return int(rules_for(settings.go).green_tea)
