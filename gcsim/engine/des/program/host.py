"""The speed of the host machine, which other tenants change within seconds.

In a calibrated run the same marking takes different CPU times in different cycles, and consecutive cycles are alike.
The engine attributes this to the machine's speed, which also changes the CPU time of requests. The speed is a Gaussian
process with exponential correlation, mapped to the distribution of the log's mark CPU factors.
"""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.service.pauses import LEVELS

# A request's CPU time varies as this power of the mark CPU of nearby cycles (order service, Go 1.27: 0.2 to 0.4)
_REQUEST_EXPONENT = 0.3


class HostSpeed:
    """CPU time of the same work over its mean, as a function of time."""

    def __init__(self, factors: FloatArray, *, memory_seconds: float, draws: np.random.Generator) -> None:
        self._factors, self._draws = factors, draws
        self._memory_ns = memory_seconds * 1e9
        self._state = float(draws.standard_normal())
        from scipy.special import ndtr  # here: only a model with requests needs it

        self._ndtr = ndtr
        self._now_ns = 0

    def request_slowness(self, now_ns: int) -> float:
        """The factor on the CPU time of requests, which varies less than that of marking."""
        return float(self.slowness(now_ns) ** _REQUEST_EXPONENT)

    def slowness(self, now_ns: int) -> float:
        """The factor on the CPU time of marking; ``now_ns`` must not decrease from call to call."""
        elapsed = now_ns - self._now_ns
        kept = math.exp(-elapsed / self._memory_ns) if self._memory_ns > 0 else 0.0
        if elapsed > 0:
            fresh = math.sqrt(1.0 - kept * kept) * float(self._draws.standard_normal())
            self._state = kept * self._state + fresh
            self._now_ns = now_ns
        return max(float(np.interp(self._ndtr(self._state), LEVELS, self._factors)), 1e-3)
