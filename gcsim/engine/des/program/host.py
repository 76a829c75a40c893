"""How fast the machine is: what neighbours on the host take comes and goes within seconds.

The same marking took a calibrated run more CPU time in one cycle and less in another, and cycles that follow each
other are alike: that is the machine's speed, and requests meet it too. The factor of a cycle's mark CPU is drawn as
ever, but with a memory: a Gaussian process with exponential correlation, mapped to the log's own distribution.
"""

import math

import numpy as np
from scipy.special import ndtr

from gcsim.arrays import FloatArray
from gcsim.service.pauses import LEVELS

# A request's CPU time moves with this power of the mark CPU of cycles beside it (order service, Go 1.27: 0.2 to 0.4)
_REQUEST_EXPONENT = 0.3


class HostSpeed:
    """CPU time over the mean for the same work."""

    def __init__(self, factors: FloatArray, *, memory_seconds: float, draws: np.random.Generator) -> None:
        self._factors, self._draws = factors, draws
        self._memory_ns = memory_seconds * 1e9
        self._state = float(draws.standard_normal())
        self._now_ns = 0

    def request_slowness(self, now_ns: int) -> float:
        """For requests, whose CPU time moves less."""
        return float(self.slowness(now_ns) ** _REQUEST_EXPONENT)

    def slowness(self, now_ns: int) -> float:
        """For marking, at a time not before that of the last call."""
        elapsed = now_ns - self._now_ns
        kept = math.exp(-elapsed / self._memory_ns) if self._memory_ns > 0 else 0.0
        if elapsed > 0:
            fresh = math.sqrt(1.0 - kept * kept) * float(self._draws.standard_normal())
            self._state = kept * self._state + fresh
            self._now_ns = now_ns
        return max(float(np.interp(ndtr(self._state), LEVELS, self._factors)), 1e-3)
