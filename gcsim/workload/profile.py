"""How live heap and allocation move with time, relative to their means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gcsim.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """Factors on live heap and allocation rate at knots of time, linear in between.

    Arrays of one length k >= 1; ``seconds`` rises from 0 and its last element is the period after which
    the profile is replayed. A steady service has one knot with both factors 1.
    """

    seconds: FloatArray
    live_factor: FloatArray
    alloc_factor: FloatArray

    def __post_init__(self) -> None:
        shapes = {self.seconds.shape, self.live_factor.shape, self.alloc_factor.shape}
        if len(shapes) != 1 or self.seconds.ndim != 1 or self.seconds.size == 0:
            raise InputError("profile: seconds, live_factor and alloc_factor must be lists of one length")
        if self.seconds[0] != 0 or bool((np.diff(self.seconds) <= 0).any()):
            raise InputError("profile: seconds must rise from 0")
        for factors in (self.live_factor, self.alloc_factor):
            if not bool(np.isfinite(factors).all()) or bool((factors < 0).any()):
                raise InputError("profile: factors must be finite and 0 or more")

    @classmethod
    def steady(cls) -> Self:
        """No movement at all."""
        return cls(seconds=np.zeros(1), live_factor=np.ones(1), alloc_factor=np.ones(1))

    @property
    def is_steady(self) -> bool:
        return self.seconds.size == 1

    @property
    def period_seconds(self) -> float:
        return float(self.seconds[-1])

    def live_at(self, now_seconds: FloatArray) -> FloatArray:
        """Factor on the live heap at times of any shape."""
        return self._at(now_seconds, self.live_factor)

    def alloc_at(self, now_seconds: FloatArray) -> FloatArray:
        """Factor on the allocation rate at times of any shape."""
        return self._at(now_seconds, self.alloc_factor)

    def mean_alloc(self, now_seconds: FloatArray, seconds: FloatArray) -> FloatArray:
        """Mean factor on the allocation rate from ``now_seconds`` on, over ``seconds`` > 0; arrays of one shape."""
        if self.is_steady:
            return np.full_like(now_seconds, self.alloc_factor[0])
        mean: FloatArray = (self._allocated(now_seconds + seconds) - self._allocated(now_seconds)) / seconds
        return mean

    def wait_seconds(self, now_seconds: FloatArray, at_mean_rate_seconds: FloatArray) -> FloatArray:
        """How long it takes from ``now_seconds`` to allocate what the mean rate would in the time given.

        Arrays of one shape. Inverts the integral of the allocation factor, over as many periods as it takes.
        """
        if self.is_steady:
            return at_mean_rate_seconds / float(self.alloc_factor[0])
        done = self._allocated_by_knot()
        period, per_period = self.period_seconds, float(done[-1])
        target = np.interp(np.mod(now_seconds, period), self.seconds, done) + at_mean_rate_seconds
        whole = np.floor(target / per_period)
        end = whole * period + np.interp(target - whole * per_period, done, self.seconds)
        wait: FloatArray = np.maximum(end - np.mod(now_seconds, period), 0.0)
        return wait

    def _allocated_by_knot(self) -> FloatArray:
        """The integral of the allocation factor up to each knot: seconds at the mean rate."""
        steps = np.diff(self.seconds) * 0.5 * (self.alloc_factor[1:] + self.alloc_factor[:-1])
        return np.concatenate([np.zeros(1), np.cumsum(np.maximum(steps, 1e-9))])

    def _allocated(self, now_seconds: FloatArray) -> FloatArray:
        """The integral of the allocation factor from time 0."""
        done = self._allocated_by_knot()
        whole, within = np.divmod(now_seconds, self.period_seconds)
        integral: FloatArray = whole * done[-1] + np.interp(within, self.seconds, done)
        return integral

    def _at(self, now_seconds: FloatArray, factors: FloatArray) -> FloatArray:
        if self.is_steady:
            return np.full_like(now_seconds, factors[0])
        return np.interp(np.mod(now_seconds, self.period_seconds), self.seconds, factors)

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        columns = (
            np.asarray(entry[name], dtype=np.float64) for name in ("seconds", "live_factor", "alloc_factor")
        )
        seconds, live_factor, alloc_factor = columns
        return cls(seconds=seconds, live_factor=live_factor, alloc_factor=alloc_factor)

    def to_document(self) -> dict[str, list[float]]:
        return {
            "seconds": self.seconds.tolist(),
            "live_factor": self.live_factor.tolist(),
            "alloc_factor": self.alloc_factor.tolist(),
        }
