"""The hit rate of a sync.Pool in the long run, from a Markov chain."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gcsim.arrays import FloatArray


def pool_hit_rate(
    *,
    gets_per_second: float,
    in_flight: float,
    gc_period_seconds: FloatArray,
    goroutines: int | None = None,
) -> FloatArray:
    """Share of Gets that hit, 0 to 1, for each period between collections; shaped like ``gc_period_seconds``.

        misses per cycle = E[peak of 2 cycles] - E[peak of 1 cycle]

    The peak is the largest number of objects in flight. A pool keeps as many objects as the busiest moment of a cycle
    needed, so that a cycle misses as often as its peak exceeds the last one. The result is exact (Go 1.13+) for one P,
    exponential holding times, and Poisson arrivals or, with ``goroutines``, this number of users with exponential
    pauses. With more Ps it is an upper bound, because a P cannot take private objects of other Ps. Compared with the
    simulation of ``service.objects.pool_users`` it is up to 4 points too high at 6 Gets per P and cycle, and half a
    point from 40 on. Raises ValueError unless ``in_flight`` lies between 0 and ``goroutines``.
    """
    peak = _ExpectedPeak.of(in_flight, goroutines)
    cycle = np.asarray(gc_period_seconds, dtype=np.float64)
    in_holds = cycle * (gets_per_second / in_flight)
    misses = peak.over(2 * in_holds) - peak.over(in_holds)
    return np.clip(1 - misses / (gets_per_second * cycle), 0.0, 1.0)


def pool_retained_objects(
    *,
    gets_per_second: float,
    in_flight: float,
    gc_period_seconds: FloatArray,
    goroutines: int | None = None,
) -> FloatArray:
    """Mean number of unused objects that a pool keeps over a collection; shaped like ``gc_period_seconds``.

        retained = E[peak of 1 cycle] - in_flight

    A collection drops objects that no Get took since the collection before. Raises ValueError as
    ``pool_hit_rate`` does.
    """
    peak = _ExpectedPeak.of(in_flight, goroutines)
    in_holds = np.asarray(gc_period_seconds, dtype=np.float64) * (gets_per_second / in_flight)
    return np.maximum(peak.over(in_holds) - in_flight, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExpectedPeak:
    """E[most objects in flight] over a window, for a stationary birth-and-death process.

    For each level, the probability that a window stays at or below it is a sum of decaying exponentials.
    """

    decay: tuple[FloatArray, ...]  # per mean hold, all <= 0, one array per level
    weight: tuple[FloatArray, ...]
    step: int  # between levels; more than 1 for a large process
    least: float  # objects in flight in the lowest state

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, in_flight: float, goroutines: int | None) -> "_ExpectedPeak":
        """The process with a mean of ``in_flight``: Poisson, or binomial with ``goroutines`` users."""
        from scipy.stats import binom, poisson

        if not (in_flight > 0 and (goroutines is None or in_flight < goroutines)):
            raise ValueError(f"in_flight must lie between 0 and the number of goroutines, got {in_flight}")
        states = np.arange(int(in_flight + 10 * np.sqrt(in_flight) + 12), dtype=np.float64)
        if goroutines is None:
            chance, births = poisson.pmf(states, in_flight), np.full(len(states), in_flight)
        else:
            states = states[: goroutines + 1]
            chance = binom.pmf(states, goroutines, in_flight / goroutines)
            births = (goroutines - states) * (in_flight / (goroutines - in_flight))
        kept = chance > 1e-14
        states, chance, births = states[kept], chance[kept], births[kept]
        step = max(1, int(np.sqrt(in_flight) / 6))
        pairs = [_stay_below(states, chance, births, level) for level in range(0, len(states) - 1, step)]
        return cls(
            decay=tuple(d for d, _ in pairs),
            weight=tuple(w for _, w in pairs),
            step=step,
            least=float(states[0]),
        )

    def over(self, window_holds: FloatArray) -> FloatArray:
        """The expected peak of each window, whose length is in mean holds."""
        staying = (
            np.exp(np.multiply.outer(window_holds, d)) @ w
            for d, w in zip(self.decay, self.weight, strict=True)
        )
        return self.least + self.step * sum((1 - stay for stay in staying), np.zeros_like(window_holds))


def _stay_below(
    states: FloatArray, chance: FloatArray, births: FloatArray, level: int
) -> tuple[FloatArray, FloatArray]:
    """(decay rates, weights) of the probability to start and stay in ``states[: level + 1]``."""
    from scipy.linalg import eigh_tridiagonal

    inside = slice(level + 1)
    # the generator, symmetric after scaling by the root of the stationary probabilities; births at the top leave
    diagonal = -(births[inside] + states[inside])
    off_diagonal = np.sqrt(births[:level] * states[1 : level + 1])
    decay, modes = eigh_tridiagonal(diagonal, off_diagonal)
    weight = (np.sqrt(chance[inside]) @ modes) ** 2
    return np.asarray(decay, dtype=np.float64), np.asarray(weight, dtype=np.float64)
