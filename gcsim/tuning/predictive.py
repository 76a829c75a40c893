"""Quantiles and probabilities of a new run, from the distribution that is fitted to a prediction.

The prediction is log-normal with its own width on each side, as ``prediction_interval`` makes it: 5 % lies above
``high``, 5 % below ``low``, half above ``value``. The widths hold the uncertainty about the service, the scatter of
runs and the model error. Under a memory limit the value is at most what the limit allows, which has its own interval.
A few dozen replicas cannot show a probability of 99 % by counting, so nothing is counted.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from gcsim.engine.summary.intervals import Z90
from gcsim.metrics import Estimate

_NORMAL = NormalDist()
_END = 0.95  # the quantile that ``high`` is
_SE_OF_A_MEDIAN = math.sqrt(math.pi / 2.0)  # of normal values, over that of their mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """A probability, and the standard error that it has because the replicas are few."""

    value: float
    error: float

    def to_json(self) -> dict[str, float]:
        """The JSON document of both."""
        return {"value": self.value, "error": self.error}


def format_share(share: float) -> str:
    """A share of runs in percent, with the digits that a share near 1 needs."""
    return f"{100.0 * share:.4g} %"


def format_chance(chance: Chance) -> str:
    """A probability with its error in percent, such as "99.6±0.2 %"; above 99.9 % without digits that mean nothing."""
    value, error = 100.0 * chance.value, 100.0 * chance.error
    if value > 99.9 and error < 0.05:
        return ">99.9 %"
    return f"{min(value, 99.9):.1f}±{max(error, 0.1):.1f} %"


def quantile(estimate: Estimate, share: float) -> float:
    """The value that a share of new runs, more than 0 and less than 1, stays below."""
    if abs(share - _END) < 1e-9:
        return estimate.high
    if abs(share - (1.0 - _END)) < 1e-9:
        return estimate.low
    value, z = estimate.value, _NORMAL.inv_cdf(share)
    if not value > 0.0:
        return estimate.high if z > 0.0 else estimate.low
    found = value * math.exp(z * _width(estimate, upper=z > 0.0))
    most = _most(estimate)
    return found if most is None else max(min(found, quantile(most, share)), min(value, found))


def chance_above(estimate: Estimate, bound: float) -> float:
    """The probability that a new run's value is above ``bound``, 0 to 1."""
    free = _free_chance(estimate, bound)
    most = _most(estimate)
    return free if most is None else min(free, _free_chance(most, bound))


def chance_below(estimate: Estimate, bound: float, *, replicas: int) -> Chance:
    """The probability that a new run's value is at most ``bound``, with the error from a number of replicas.

    With the replicas' scatter s in a width w, a distance of z widths has the variance

        (pi / 2) (s / w)^2 / n + z^2 (s / w)^4 / n

    of the median and of the scatter, which n / 2 replicas on one side show. Without a known scatter, s is w.
    """
    value = 1.0 - chance_above(estimate, bound)
    most = _most(estimate)
    if most is not None and _free_chance(most, bound) < _free_chance(estimate, bound):
        estimate = most  # the bound decides, and its scatter counts
    if bound <= 0.0 or estimate.value <= 0.0:
        return Chance(value=value, error=0.0)
    width = _width(estimate, upper=bound > estimate.value)
    if width == 0.0:
        return Chance(value=value, error=0.0)
    share = 1.0 if estimate.fit is None else min(estimate.fit.scatter / width, 1.0)
    z = math.log(bound / estimate.value) / width
    error = math.hypot(_SE_OF_A_MEDIAN * share, z * share * share) / math.sqrt(max(replicas, 1))
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return Chance(value=value, error=min(density * error, 0.5))


def _most(estimate: Estimate) -> Estimate | None:
    return None if estimate.fit is None else estimate.fit.most


def _free_chance(estimate: Estimate, bound: float) -> float:
    """The probability of a value above ``bound`` without regard to the most that it can be."""
    value = estimate.value
    if bound <= 0.0 or value <= 0.0:
        return 1.0 if value > bound else 0.0
    distance, width = math.log(bound / value), _width(estimate, upper=bound > value)
    if width == 0.0:
        return 1.0 if distance < 0.0 else 0.0
    return 0.5 * math.erfc(distance / width / math.sqrt(2.0))


def _width(estimate: Estimate, *, upper: bool) -> float:
    """Standard deviation of the logarithm on one side of the median."""
    high = estimate.high if estimate.fit is None else estimate.fit.free_high
    end = high if upper else estimate.low
    return abs(math.log(end / estimate.value)) / Z90 if end > 0.0 else 0.0
