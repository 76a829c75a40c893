"""Lifetimes of objects: sequences of phases, in seconds or in bytes allocated.

A phase ends at a constant rate, independent of its age. So counts of objects by phase are the whole state, and the
number of survivors of n objects after any time is exactly multinomial. There are no age buckets, and the error does
not depend on the length of a step.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from gcsim.arrays import FloatArray, Int64Array

Clock = Literal["seconds", "bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """An Erlang distribution of lifetimes: 1 phase is exponential; the relative sd is phases ** -0.5.

    ``mean`` is in the unit of ``clock``: seconds, or bytes allocated by the whole program. An object with mean 0 dies
    at once, with an infinite mean never. Several kinds of objects form a mixture.
    """

    mean: float
    clock: Clock = "seconds"
    phases: int = 1

    def __post_init__(self) -> None:
        if not self.mean >= 0 or self.phases < 1:
            raise ValueError(
                f"a lifetime needs a mean of 0 or more and 1 phase or more, got {self.mean}, {self.phases}"
            )

    @classmethod
    def at_once(cls) -> Self:
        """The lifetime of an object that dies at its allocation."""
        return cls(mean=0.0)

    @classmethod
    def for_ever(cls) -> Self:
        """The lifetime of an object that lives as long as the program."""
        return cls(mean=float("inf"))

    def phases_passed(self, elapsed: float) -> FloatArray:
        """Probabilities that 0, 1, … phases - 1 phases end within ``elapsed`` (0 or more), from any phase."""
        return _poisson(np.arange(self.phases), self._phases_in(elapsed))

    def phase_at_end(self, elapsed: float) -> FloatArray:
        """Probabilities of phase 0, 1, … at the end of ``elapsed`` for objects allocated evenly during it.

        1 less their sum is the probability of an earlier death.
        """
        expected = self._phases_in(elapsed)
        if expected == 0:
            return _poisson(np.arange(self.phases), 0.0)
        if np.isinf(expected):
            return np.zeros(self.phases)
        from scipy.special import gammainc  # here: the import takes longer than reading a model

        died_later = gammainc(np.arange(self.phases) + 1.0, expected)
        return np.asarray(died_later / expected, dtype=np.float64)

    def _phases_in(self, elapsed: float) -> float:
        if self.mean == 0:
            return float("inf")
        return elapsed * self.phases / self.mean


def survivors(counts: Int64Array, passed: FloatArray, rng: np.random.Generator) -> Int64Array:
    """Counts of objects by (kind, phase, age) after a step, drawn at random.

    ``passed[k]`` is the probability that an object passes k phases in the step. Objects that pass the last phase die.
    """
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
    """Poisson probability of each count; 0 for an infinite expectation."""
    if np.isinf(expected):
        return np.zeros(len(counts))
    from scipy.special import gammaln, xlogy

    logs = np.asarray(xlogy(counts, expected) - expected - gammaln(counts + 1.0), dtype=np.float64)
    return np.exp(logs)
