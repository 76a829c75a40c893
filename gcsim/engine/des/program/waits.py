"""The time of a request without a P: network, client, disk, backends. GC does not change it.

It is lognormal and independent of the time that the request needs on Ps and for them:

    P(latency <= x) = sum over simulated times t of  P(t) x Phi(ln((x - t) / median) / sigma)
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.service.requests import Requests

_LEAST_SIGMA = 0.01
_STEPS = 24  # of the search for a quantile
_CLOSE = 1.002  # ratio of its ends at which the search stops


@dataclass(frozen=True, slots=True)
class Waits:
    """The distribution of the time without a P."""

    median_seconds: float  # more than 0
    sigma: float  # standard deviation of the logarithm

    @classmethod
    def of(cls, requests: Requests) -> "Waits | None":
        """The waits of a model's requests; None without any."""
        if requests.wait_seconds <= 0.0:
            return None
        return cls(requests.wait_seconds, max(requests.wait_sigma, _LEAST_SIGMA))

    def quantile_of_sum(self, times: FloatArray, shares: FloatArray, level: float) -> float:
        """The quantile at ``level`` (0 to 1) of waits plus ``times``, rising, that have these shares; seconds.

        It is at least the quantile of each part, and at most the sum of both quantiles at (1 + level) / 2.
        """
        below = np.cumsum(shares)
        low = max(_quantile(times, below, level), self._quantile(level))
        upper = 0.5 * (1.0 + level)
        high = _quantile(times, below, upper) + self._quantile(upper)
        for _ in range(_STEPS):
            if high <= _CLOSE * low:
                break
            middle = math.sqrt(low * high)
            if float(shares @ self._below(middle - times)) < level:
                low = middle
            else:
                high = middle
        return math.sqrt(low * high)

    def _quantile(self, level: float) -> float:
        return self.median_seconds * math.exp(self.sigma * NormalDist().inv_cdf(level))

    def _below(self, seconds: FloatArray) -> FloatArray:
        """The share of waits up to each time."""
        from scipy.special import ndtr  # here: only a model with a load test needs it

        logarithms = np.log(np.maximum(seconds, 1e-12) / self.median_seconds)
        found: FloatArray = ndtr(logarithms / self.sigma)
        return found


def _quantile(times: FloatArray, below: FloatArray, level: float) -> float:
    place = min(int(np.searchsorted(below, level)), times.size - 1)
    return float(times[place])
