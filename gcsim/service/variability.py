"""The variability of cycles within one run, as quantiles of the log's own distributions.

Measured distributions have a heavy upper tail, unlike a normal distribution: if the operating system deschedules a
thread during a mark phase, a small heap can grow to three times its size. The tail determines the heap peaks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.distributions import normal_cdf
from gcsim.documents import number, numbers
from gcsim.errors import InputError
from gcsim.service.pauses import LEVELS
from gcsim.units import format_bound, format_range

MARK_FACTORS = ("mark_cpu_factor", "mark_time_factor", "allocated_black_factor")  # correlated
_CORRELATIONS = "mark_correlations"
_MOST_BLACK = "most_allocated_black"
_MOST_FACTOR = 1e6
_MOST_MEAN = 4.0  # of a factor; about 1 after calibration
_MOST_SLACK_BYTES = float((1 << 48) - 1)
_MOST_PAST_GOAL = "most_past_goal"
_BOUNDS = (_MOST_BLACK, _MOST_PAST_GOAL)
_PRIOR_CYCLES = 10.0  # weight, in cycles, of the prior of no correlation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CycleVariability:
    """Quantiles, at ``pauses.LEVELS``, shape (17,), of the factors on a cycle's quantities, and of heap start slack.

    - ``mark_correlations``, shape (3,): correlations of the normal scores of the three factors of a mark phase, in the
      order (CPU, time), (CPU, bytes), (time, bytes). Independent draws of the factors would multiply their tails to
      peaks that no log shows.
    - ``most_allocated_black``, shape (), 1 or more: upper bound of a phase's allocation over the larger of its runway
      and its expected allocation. It prevents a large factor, measured on a small phase, on a large phase.
    - ``most_past_goal``, shape (), more than 0: upper bound of a phase's allocation beyond that larger value, over the
      mean phase's allocation without assists. It prevents long phases from allocating more than any cycle of the log
      if the log has one tiny runway.

    Both bounds are infinite in model files without them.
    """

    live_factor: FloatArray  # live heap of a cycle over the mean
    alloc_time_factor: FloatArray  # time per allocated byte in an interval over the mean
    mark_cpu_factor: FloatArray  # mark CPU of a cycle over the mean
    mark_time_factor: FloatArray  # duration of a mark phase over the duration from its CPU time
    allocated_black_factor: (
        FloatArray  # bytes allocated in a mark phase over the bytes from its duration and runway
    )
    heap_start_slack_bytes: FloatArray  # heapLive at cycle start less the trigger
    mark_correlations: FloatArray
    most_allocated_black: FloatArray
    most_past_goal: FloatArray

    def __post_init__(self) -> None:
        if self.mark_correlations.shape != (3,) or not bool((np.abs(self.mark_correlations) <= 1).all()):
            raise InputError(f"scatter: {_CORRELATIONS} must hold 3 numbers of -1 to 1")
        if self.most_allocated_black.shape != () or not self.most_allocated_black >= 1.0:
            raise InputError(f"scatter: {_MOST_BLACK} must be a number of 1 or more")
        if self.most_past_goal.shape != () or not self.most_past_goal > 0.0:
            raise InputError(f"scatter: {_MOST_PAST_GOAL} must be a number of more than 0")
        for name, quantiles in self.distributions.items():
            if quantiles.shape != LEVELS.shape:
                raise InputError(f"scatter: {name} must hold {LEVELS.size} quantiles")
            most = _MOST_SLACK_BYTES if name == "heap_start_slack_bytes" else _MOST_FACTOR
            if not bool(((quantiles >= 0) & (quantiles <= most)).all()):
                raise InputError(f"scatter: {name} must hold numbers from 0 to {format_bound(most)}")
            if bool((np.diff(quantiles) < 0).any()):
                raise InputError(f"scatter: {name} must be in ascending order")
            mean = float(np.trapezoid(quantiles, LEVELS))
            if name != "heap_start_slack_bytes" and not 1.0 / _MOST_MEAN <= mean <= _MOST_MEAN:
                raise InputError(
                    f"scatter: {name} must have a mean of {format_range(1.0 / _MOST_MEAN, _MOST_MEAN)},"
                    f" got {format_bound(mean)}"
                )

    @classmethod
    def none(cls, *, heap_start_slack_bytes: float = 0.0) -> Self:
        """No variability: every cycle equals the mean cycle."""
        one = np.ones(LEVELS.size)
        return cls(
            live_factor=one,
            alloc_time_factor=one,
            mark_cpu_factor=one,
            mark_time_factor=one,
            allocated_black_factor=one,
            heap_start_slack_bytes=one * heap_start_slack_bytes,
            mark_correlations=np.zeros(3),
            most_allocated_black=np.array(np.inf),
            most_past_goal=np.array(np.inf),
        )

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        """The variability in a model file's table. Older files lack both bounds. Raises InputError."""
        known = {**dict.fromkeys(_BOUNDS, np.inf), **entry}
        lists = {f.name: numbers(known, f.name) for f in fields(cls) if f.name not in _BOUNDS}
        return cls(**lists, **{name: np.array(number(known, name)) for name in _BOUNDS})

    def to_document(self) -> dict[str, Any]:
        """The table of the model file."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @property
    def distributions(self) -> dict[str, FloatArray]:
        """The quantiles by name of their field."""
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in (_CORRELATIONS, *_BOUNDS)
        }

    def marking_factors(
        self, first: FloatArray, second: FloatArray, third: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The factors of mark phases in the order of ``MARK_FACTORS``, from three independent standard normal draws.

        A Gaussian copula; arrays of one shape. It is computed element by element, because a matrix product may change
        the last bit of one phase with the draws of another.
        """
        cpu_time, cpu_bytes, time_bytes = self.mark_correlations
        matrix = np.array([[1, cpu_time, cpu_bytes], [cpu_time, 1, time_bytes], [cpu_bytes, time_bytes, 1]])
        values, vectors = np.linalg.eigh(matrix)  # rounding can make an eigenvalue negative
        weights = vectors * np.sqrt(np.maximum(values, 0.0))
        cpu, time, black = (
            np.interp(normal_cdf(a * first + b * second + c * third), LEVELS, getattr(self, name))
            for name, (a, b, c) in zip(MARK_FACTORS, weights.tolist(), strict=True)
        )
        return cpu, time, black


def factors(values: FloatArray, *, noise_sd: float = 0.0) -> FloatArray:
    """Quantiles of values / mean(values) at ``LEVELS``, without the scatter that printing adds; shape (17,).

        quantile = 1 + sqrt(1 - (noise_sd / sd)^2) * (quantile of values / mean - 1), at least 0

    sd is the standard deviation of ``values``, shape (n,), n >= 1. ``noise_sd`` is the part of it that comes from
    rounding in the log, in the unit of ``values``. The quantiles are scaled so that their distribution has mean 1. They
    are all 1 for fewer than two values.
    """
    mean = float(values.mean())
    if mean <= 0 or values.size < 2:
        return np.ones(LEVELS.size)
    spread = float(values.std())
    keep = np.sqrt(max(1.0 - (noise_sd / spread) ** 2, 0.0)) if spread > 0 else 0.0
    quantiles = np.maximum(1.0 + keep * (np.quantile(values, LEVELS) / mean - 1.0), 0.0)
    return quantiles / max(float(np.trapezoid(quantiles, LEVELS)), 1e-9)


def correlations(cpu: FloatArray, time: FloatArray, allocated: FloatArray) -> FloatArray:
    """The correlations of the normal scores of three factors, shape (n,) each; shrunk to 0 by 10 cycles."""
    cycles = cpu.size
    if cycles < 3:
        return np.zeros(3)
    from scipy.special import ndtri

    scores = [ndtri((_ranks(values) - 0.5) / cycles) for values in (cpu, time, allocated)]
    if min(float(score.std()) for score in scores) == 0.0:
        return np.zeros(3)
    matrix: FloatArray = np.atleast_2d(np.corrcoef(scores))
    found: FloatArray = matrix[np.triu_indices(3, 1)] * cycles / (cycles + _PRIOR_CYCLES)
    return np.clip(found, -1.0, 1.0)


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 to n, shape (n,); equal values get their mean rank. (SciPy's takes half a second to import.)"""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (np.cumsum(count) - (count - 1) / 2)[place.reshape(-1)]
    return ranks
