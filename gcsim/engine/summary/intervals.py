"""Prediction intervals: the scatter of replicas combined with the measured error of the model."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray, median
from gcsim.engine.summary.model_errors import (
    DISCREPANCY,
    ERROR_OF,
    QUIET_BUSY,
    QUIET_REQUESTS,
    REPLICAS_ONLY,
    Extrapolation,
    LoadKind,
    ModelError,
)
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate, Fit
from gcsim.service.model import Model
from gcsim.settings import Settings


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


# A log of one version does not show what marking costs on another, so the model keeps the calibrated version's cost.
# Both widths are those at which intervals of GC CPU hold nine of ten real upgrades of development programs that had no
# part in them (python -m experiments.whatif.upgrades; Go 1.21 and 1.25 to 1.26 and 1.27, and back, 11 programs).
# OTHER_GO_ERROR is a relative standard deviation for each other version. From Go 1.26 on Green Tea marking lowers the
# cost. The interval extends to GREEN_TEA_LEAST_COST of it if only the asked version has Green Tea, and to the inverse
# if only the calibrated version has it.
OTHER_GO_ERROR = 0.088
GREEN_TEA_LEAST_COST = 0.52
_OF_MARKING_COST = ("gc_cpu_fraction", "gc_assist_cpu_fraction", "gc_idle_cpu_fraction")
_SHARES = "_fraction"  # of all CPU or of the time: at most 1
Z90 = 1.6448536269514722  # half a 90 % interval, in standard deviations


def prediction_interval(
    name: str,
    values: FloatArray,
    *,
    load: LoadKind,
    extrapolation: Extrapolation,
    most: FloatArray | None = None,
    share: float = 1.0,
    sampling: SamplingError | None = None,
    error: ModelError | None = None,
) -> Estimate:
    """Median of ``values`` over replicas, with a 90 % interval of their scatter and the model error.

        low = median * exp(-1.645 * s),  high = median * exp(1.645 * t)

    s and t combine the model error with the replicas' root mean square below and above the median, as relative and
    independent errors. They differ because some results are bounded on one side: under a tight limit the heap cannot be
    smaller than its live part. Shares are at most 1. ``extrapolation`` is ``distance`` from calibration to the setting.
    ``most`` are upper bounds of ``values``, such as those of a memory limit: the upper end is at most their 95th
    percentile. ``share``, 0 to 1, is the part of the metric that has the model error.
    ``error`` replaces the model error of the load.
    A metric that is neither in DISCREPANCY nor in REPLICAS_ONLY raises KeyError: its interval would be too narrow.

    With ``sampling`` the replicas are shorter than the predicted run, and their scatter is corrected for that.
    """
    if sampling is not None:
        values = sampling.corrected(values)
    bound = None if most is None else _bound_of(most.tobytes())
    return _interval(
        name, values.tobytes(), load=load, extrapolation=extrapolation, share=share, most=bound, error=error
    )


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
    ratios = (after / before).tobytes()
    return _interval(name, ratios, load=load, extrapolation=extrapolation, share=1.0, is_ratio=True)


@lru_cache(maxsize=1 << 12)  # the settings of a column of a grid share many metrics
def _interval(
    name: str,
    values: bytes,
    *,
    load: LoadKind,
    extrapolation: Extrapolation,
    share: float,
    most: Estimate | None = None,
    is_ratio: bool = False,
    error: ModelError | None = None,
) -> Estimate:
    """The interval of float64 numbers."""
    found = _scatter(values)
    value = found.value
    measured = ERROR_OF.get(name, name)
    if value <= 0 or measured in REPLICAS_ONLY[load]:
        if found.is_one_value:  # as with the limiter off in all replicas
            return Estimate(value, value, value)
        low, high = (float(q) for q in np.quantile(np.frombuffer(values), (0.05, 0.95)))
        return Estimate(value, low, high)
    own = share * (error or DISCREPANCY[load][measured]).at(extrapolation)
    lower = higher = 0.0
    if name in _OF_MARKING_COST and extrapolation.other_go:
        own = math.hypot(own, share * OTHER_GO_ERROR)
        reach = -math.log(GREEN_TEA_LEAST_COST) / Z90
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


def request_errors(model: Model, gomaxprocs: int) -> dict[str, ModelError]:
    """The model errors of request latencies far from saturation, by metric; none near it and in a closed loop."""
    p = model.parameters
    busy = p.alloc_bytes_per_second.value / p.alloc_bytes_per_cpu_second.value / gomaxprocs
    return QUIET_REQUESTS if model.loop == "open" and busy < QUIET_BUSY else {}


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
    green_tea = _has_green_tea(asked) - _has_green_tea(calibrated)
    return Extrapolation(doublings, limited, thrashing, green_tea, asked.go != calibrated.go)


def farthest(found: Iterable[Extrapolation]) -> Extrapolation:
    """The largest value of each field over one or more settings of one Go version."""
    doublings, limited, thrashing, green_tea, other_go = zip(*found, strict=True)
    return Extrapolation(max(doublings), any(limited), max(thrashing), green_tea[0], other_go[0])


def _has_green_tea(settings: Settings) -> int:
    return int(rules_for(settings.go).green_tea)
