"""How long objects live: phases in sequence, on the clock of seconds or of bytes allocated.

A phase ends at a constant rate whatever its age, so counts of objects by phase are all there is to remember,
and how many of n objects are still alive after any span of time is exactly multinomial: no bucket of ages or
of times of death, no error that depends on the length of a step.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from scipy.special import gammainc, gammaln, xlogy

from gcsim.arrays import FloatArray, Int64Array

Clock = Literal["seconds", "bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """Erlang distributed: ``phases`` 1 is exponential, many come near a fixed time (relative sd phases^-1/2).

    ``mean`` in the unit of ``clock``, seconds or bytes allocated by the whole program; 0 dies at once,
    infinity never. A mixture is several kinds of object, each with its own lifetime.
    """

    mean: float
    clock: Clock = "seconds"
    phases: int = 1

    def __post_init__(self) -> None:
        if not self.mean >= 0 or self.phases < 1:
            raise ValueError(
                f"a lifetime has a mean of 0 or more and a phase, got {self.mean}, {self.phases}"
            )

    @classmethod
    def at_once(cls) -> Self:
        """Garbage before anyone looks."""
        return cls(mean=0.0)

    @classmethod
    def for_ever(cls) -> Self:
        """Lives as long as the program."""
        return cls(mean=float("inf"))

    def phases_passed(self, elapsed: float) -> FloatArray:
        """Chances that 0, 1, … phases - 1 phases end within ``elapsed`` (0 or more), for an object in any
        phase."""
        return _poisson(np.arange(self.phases), self._phases_in(elapsed))

    def phase_at_end(self, elapsed: float) -> FloatArray:
        """Chances to be in phase 0, 1, … at the end of ``elapsed`` for objects made at even intervals
        during it.

        What is missing from 1 has died already.
        """
        expected = self._phases_in(elapsed)
        if expected == 0:
            return _poisson(np.arange(self.phases), 0.0)
        if np.isinf(expected):
            return np.zeros(self.phases)
        died_later = gammainc(np.arange(self.phases) + 1.0, expected)
        return np.asarray(died_later / expected, dtype=np.float64)

    def _phases_in(self, elapsed: float) -> float:
        if self.mean == 0:
            return float("inf")
        return elapsed * self.phases / self.mean


def survivors(counts: Int64Array, passed: FloatArray, rng: np.random.Generator) -> Int64Array:
    """Where objects are after a step: ``counts`` by (kind, phase, age) moved on by ``passed`` phases at
    random."""
    if passed[0] >= 1:
        return counts
    after = np.zeros_like(counts)
    phases = counts.shape[1]
    for phase in range(phases):
        moves = passed[: phases - phase]
        chances = np.append(moves, max(1 - moves.sum(), 0.0))
        moved = rng.multinomial(counts[:, phase], chances / chances.sum())
        after[:, phase:] += np.moveaxis(moved[..., :-1], -1, 1)
    return after


def _poisson(counts: Int64Array, expected: float) -> FloatArray:
    """Chance of each count; all 0 for an infinite expectation."""
    if np.isinf(expected):
        return np.zeros(len(counts))
    logs = np.asarray(xlogy(counts, expected) - expected - gammaln(counts + 1.0), dtype=np.float64)
    return np.exp(logs)
