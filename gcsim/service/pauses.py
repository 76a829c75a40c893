"""The distributions of the two stop-the-world pauses of a cycle, from the log.

Pauses depend on the number of Ps and on the operating system, not on the heap (Go 1.19+ ``stopTheWorldWithSema``,
``gcMarkTermination``). All settings draw from the same distribution.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import numbers
from gcsim.errors import InputError
from gcsim.units import format_bound

_LONGEST_SECONDS = 3600.0
#: The levels of stored quantiles, 0 to 1, denser in the upper tail.
LEVELS: FloatArray = np.array([0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5, 100]) / 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pauses:
    """Quantiles in seconds at LEVELS of the first (sweep termination) and second (mark termination) pause."""

    sweep_term_seconds: FloatArray
    mark_term_seconds: FloatArray

    def __post_init__(self) -> None:
        for quantiles in (self.sweep_term_seconds, self.mark_term_seconds):
            if quantiles.shape != LEVELS.shape:
                raise InputError(f"pauses: each list must hold {LEVELS.size} quantiles")
            if not bool(((quantiles >= 0) & (quantiles <= _LONGEST_SECONDS)).all()):
                raise InputError(
                    f"pauses: quantiles must be from 0 to {format_bound(_LONGEST_SECONDS)} seconds"
                )
            if bool((np.diff(quantiles) < 0).any()):
                raise InputError("pauses: quantiles must be in ascending order")

    @classmethod
    def from_samples(cls, sweep_term_seconds: FloatArray, mark_term_seconds: FloatArray) -> Self:
        """The distributions of measured pauses, arrays (n,), n >= 1."""
        return cls(
            sweep_term_seconds=np.quantile(sweep_term_seconds, LEVELS),
            mark_term_seconds=np.quantile(mark_term_seconds, LEVELS),
        )

    @property
    def sweep_term_mean_seconds(self) -> float:
        """The mean sweep termination pause."""
        return _mean(self.sweep_term_seconds)

    @property
    def mark_term_mean_seconds(self) -> float:
        """The mean mark termination pause."""
        return _mean(self.mark_term_seconds)

    def draw_sweep_term(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Random sweep termination pauses, shape (size,), seconds."""
        return np.interp(generator.random(size), LEVELS, self.sweep_term_seconds)

    def draw_mark_term(self, generator: np.random.Generator, size: int) -> FloatArray:
        """Random mark termination pauses, shape (size,), seconds."""
        return np.interp(generator.random(size), LEVELS, self.mark_term_seconds)

    def quantile_of_both(self, level: FloatArray) -> FloatArray:
        """Quantiles of the mixture of both pauses, half of each; levels of any shape."""
        values = np.union1d(self.sweep_term_seconds, self.mark_term_seconds)
        share = 0.5 * (
            _share_up_to(values, self.sweep_term_seconds) + _share_up_to(values, self.mark_term_seconds)
        )
        return np.interp(level, share, values)

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        """The pauses in a model file's table. Raises InputError."""
        return cls(
            sweep_term_seconds=numbers(entry, "sweep_term_seconds"),
            mark_term_seconds=numbers(entry, "mark_term_seconds"),
        )

    def to_document(self) -> dict[str, list[float]]:
        """The table of the model file."""
        return {
            "sweep_term_seconds": self.sweep_term_seconds.tolist(),
            "mark_term_seconds": self.mark_term_seconds.tolist(),
        }


def _mean(quantiles: FloatArray) -> float:
    """The mean of the distribution with linear interpolation between its quantiles."""
    return float(np.trapezoid(quantiles, LEVELS))


def _share_up_to(values: FloatArray, quantiles: FloatArray) -> FloatArray:
    """The distribution function of one pause; at equal quantiles the share at their upper end."""
    rising, first = np.unique(quantiles[::-1], return_index=True)
    return np.interp(values, rising, LEVELS[::-1][first], left=0.0, right=1.0)
