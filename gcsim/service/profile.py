"""The profile: live heap and allocation rate over time, relative to their means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import number, numbers
from gcsim.errors import InputError
from gcsim.units import format_bound, format_range

_LEAST_PERIOD_SECONDS = 0.01  # a shorter period lies within a mark phase
_LEAST_STEP_SECONDS = 1e-6
_MOST_SECONDS = 1e9
_MOST_FACTOR = 1e6
_LEAST_MEAN = 1e-3  # of the allocation factor, whose mean is about 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """Factors on live heap and allocation rate at knots of time, linear in between.

    Arrays of one length k >= 1. ``seconds`` rises from 0; its last element is the time after which the profile
    repeats, from ``repeats_from_seconds`` on: what comes before is the start of the process, which happens once. A
    steady service has one knot with both factors 1.
    """

    seconds: FloatArray
    live_factor: FloatArray
    alloc_factor: FloatArray
    repeats_from_seconds: float = 0.0
    _done: FloatArray = field(init=False, repr=False)  # the integral of alloc_factor up to each knot

    def __post_init__(self) -> None:
        shapes = {self.seconds.shape, self.live_factor.shape, self.alloc_factor.shape}
        if len(shapes) != 1 or self.seconds.ndim != 1 or self.seconds.size == 0:
            raise InputError("profile: seconds, live_factor and alloc_factor must be lists of one length")
        steps = np.diff(self.seconds)
        if self.seconds[0] != 0 or not bool((steps >= _LEAST_STEP_SECONDS).all()):
            raise InputError(
                f"profile: seconds must rise from 0, by {format_bound(_LEAST_STEP_SECONDS)} or more each"
            )
        if self.seconds.size > 1 and not _LEAST_PERIOD_SECONDS <= self.seconds[-1] <= _MOST_SECONDS:
            raise InputError(
                f"profile: seconds must end in the range {format_range(_LEAST_PERIOD_SECONDS, _MOST_SECONDS)}"
            )
        if not 0.0 <= self.repeats_from_seconds <= max(self.seconds[-1] - _LEAST_PERIOD_SECONDS, 0.0):
            raise InputError("profile: repeats_from_seconds must be from 0 to less than the last of seconds")
        for factors in (self.live_factor, self.alloc_factor):
            if not bool(((factors >= 0) & (factors <= _MOST_FACTOR)).all()):
                raise InputError(f"profile: factors must be from 0 to {format_bound(_MOST_FACTOR)}")
        between = steps * 0.5 * (self.alloc_factor[1:] + self.alloc_factor[:-1])
        done = np.concatenate([np.zeros(1), np.cumsum(np.maximum(between, 1e-9))])
        mean = float(self.alloc_factor[0]) if steps.size == 0 else float(done[-1] / self.seconds[-1])
        if mean < _LEAST_MEAN:
            raise InputError(
                f"profile: alloc_factor must be {format_bound(_LEAST_MEAN)} or more on average,"
                f" got {format_bound(mean)}"
            )
        object.__setattr__(self, "_done", done)

    @classmethod
    def steady(cls) -> Self:
        """The profile of a steady service."""
        return cls(seconds=np.zeros(1), live_factor=np.ones(1), alloc_factor=np.ones(1))

    @property
    def is_steady(self) -> bool:
        """Whether the profile is constant."""
        return self.seconds.size == 1

    @property
    def period_seconds(self) -> float:
        """The length of the part that repeats; 0 for a steady profile."""
        return float(self.seconds[-1]) - self.repeats_from_seconds

    def within(self, seconds: FloatArray) -> FloatArray:
        """Times of the profile, with its end moved just before the end: the factors there are those of the start."""
        if self.is_steady:
            return seconds
        return np.minimum(seconds, np.nextafter(float(self.seconds[-1]), 0.0))

    def live_at(self, now_seconds: FloatArray) -> FloatArray:
        """The factor on the live heap at times of any shape."""
        return self._at(now_seconds, self.live_factor)

    def alloc_at(self, now_seconds: FloatArray) -> FloatArray:
        """The factor on the allocation rate at times of any shape."""
        return self._at(now_seconds, self.alloc_factor)

    def mean_alloc(self, now_seconds: FloatArray, seconds: FloatArray) -> FloatArray:
        """The mean factor on the allocation rate over ``seconds`` > 0 from ``now_seconds``; arrays of one shape."""
        if self.is_steady:
            return np.full_like(now_seconds, self.alloc_factor[0])
        mean: FloatArray = (self._allocated(now_seconds + seconds) - self._allocated(now_seconds)) / seconds
        return mean

    def wait_seconds(self, now_seconds: FloatArray, at_mean_rate_seconds: FloatArray) -> FloatArray:
        """The time from ``now_seconds`` to allocate the bytes that the mean rate allocates in the given time.

        Arrays of one shape. The method inverts the integral of the allocation factor over any number of periods.
        """
        if self.is_steady:
            factor = float(self.alloc_factor[0])
            return at_mean_rate_seconds if factor == 1.0 else at_mean_rate_seconds / factor
        done, once = self._done, self._once_done
        folded, _ = self._folded(now_seconds)
        period, per_period = self.period_seconds, float(done[-1]) - once
        target = np.interp(folded, self.seconds, done) + at_mean_rate_seconds
        whole = np.maximum(np.floor((target - once) / per_period), 0.0)
        end = whole * period + np.interp(target - whole * per_period, done, self.seconds)
        wait: FloatArray = np.maximum(end - folded, 0.0)
        return wait

    def _allocated(self, now_seconds: FloatArray) -> FloatArray:
        """The integral of the allocation factor from time 0."""
        done = self._done
        folded, whole = self._folded(now_seconds)
        per_period = float(done[-1]) - self._once_done
        integral: FloatArray = whole * per_period + np.interp(folded, self.seconds, done)
        return integral

    @property
    def _once_done(self) -> float:
        """The integral of the allocation factor over the part that happens once."""
        once = self.repeats_from_seconds
        return float(np.interp(once, self.seconds, self._done)) if once else 0.0

    def _folded(self, now_seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(the same times within the profile, the number of periods that were repeated before them)."""
        if not self.repeats_from_seconds:
            whole, folded = np.divmod(now_seconds, self.period_seconds)
            return folded, whole
        whole, folded = np.divmod(now_seconds - self.repeats_from_seconds, self.period_seconds)
        whole = np.maximum(whole, 0.0)
        return now_seconds - whole * self.period_seconds, whole

    def _at(self, now_seconds: FloatArray, factors: FloatArray) -> FloatArray:
        if self.is_steady:
            return np.full_like(now_seconds, factors[0])
        return np.interp(self._folded(now_seconds)[0], self.seconds, factors)

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        """The profile in a model file's table. Raises InputError."""
        return cls(
            seconds=numbers(entry, "seconds"),
            live_factor=numbers(entry, "live_factor"),
            alloc_factor=numbers(entry, "alloc_factor"),
            repeats_from_seconds=number(entry, "repeats_from_seconds")
            if "repeats_from_seconds" in entry
            else 0.0,
        )

    def to_document(self) -> dict[str, list[float] | float]:
        """The table of the model file."""
        once = self.repeats_from_seconds
        return {
            "seconds": self.seconds.tolist(),
            "live_factor": self.live_factor.tolist(),
            "alloc_factor": self.alloc_factor.tolist(),
            **({"repeats_from_seconds": once} if once else {}),
        }
