"""How cycles of one run differ from each other: the log's own distributions, kept as quantiles.

Real scatter has a heavy side that no normal law shows: a thread that the operating system took off its core in the
middle of a mark phase lets a tiny heap grow to thrice its size. Peaks are made there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import number, numbers
from gcsim.errors import InputError
from gcsim.service.pauses import LEVELS
from gcsim.units import format_bound, format_range

MARK_FACTORS = ("mark_cpu_factor", "mark_time_factor", "allocated_black_factor")  # drawn together
_CORRELATIONS = "mark_correlations"
_MOST_BLACK = "most_allocated_black"
_MOST_FACTOR = 1e6
_MOST_MEAN = 4.0  # of a factor; calibration makes it about 1
_MOST_SLACK_BYTES = float((1 << 48) - 1)
_MOST_PAST_GOAL = "most_past_goal"
_BOUNDS = (_MOST_BLACK, _MOST_PAST_GOAL)
_FEW_CYCLES = 10.0  # so many cycles' worth of no correlation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CycleVariability:
    """Quantiles at ``pauses.LEVELS``, shape (17,), of what a cycle is multiplied by, or has added.

    The three factors of a mark phase go together: a phase that took long for its CPU time had little of that, or
    did not allocate all the while. ``mark_correlations``, shape (3,), are those of their normal scores, in the order
    (CPU, time), (CPU, bytes), (time, bytes). Drawn apart, their tails would multiply to peaks that no log shows.
    ``most_allocated_black``, shape (), 1 or more, bounds what one mark phase allocates, over the larger of its runway
    and what its length makes it: a phase that a burst fell into had a large factor of little, and not of much.
    ``most_past_goal``, shape (), more than 0, bounds what one mark phase allocates beyond that larger one, over what
    the mean phase allocates where no assist slows the program. Factors of length and of bytes multiply, and a log with
    one tiny runway allows any multiple of a runway: a long phase would allocate more than any cycle of the log.
    Both bounds are infinite in models that lack them.
    """

    live_factor: FloatArray  # live heap of one cycle over the mean
    alloc_time_factor: FloatArray  # time per byte allocated in one interval over the mean
    mark_cpu_factor: FloatArray  # mark CPU of one cycle over the mean
    mark_time_factor: FloatArray  # a mark phase's length over what its CPU time alone makes it
    allocated_black_factor: (
        FloatArray  # bytes allocated in one mark phase over what its length and runway make it
    )
    heap_start_slack_bytes: FloatArray  # heapLive when a cycle starts, less the trigger
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
                raise InputError(f"scatter: {name} must not fall")
            mean = float(np.trapezoid(quantiles, LEVELS))
            if name != "heap_start_slack_bytes" and not 1.0 / _MOST_MEAN <= mean <= _MOST_MEAN:
                raise InputError(
                    f"scatter: {name} must have a mean of {format_range(1.0 / _MOST_MEAN, _MOST_MEAN)},"
                    f" got {format_bound(mean)}"
                )

    @classmethod
    def none(cls, *, heap_start_slack_bytes: float = 0.0) -> Self:
        """Every cycle like the mean one."""
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
        """From a model file's table; an older one has no bounds on what a mark phase allocates. Raises InputError."""
        known = {**dict.fromkeys(_BOUNDS, np.inf), **entry}
        lists = {f.name: numbers(known, f.name) for f in fields(cls) if f.name not in _BOUNDS}
        return cls(**lists, **{name: np.array(number(known, name)) for name in _BOUNDS})

    def to_document(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @property
    def distributions(self) -> dict[str, FloatArray]:
        """The quantiles of every field that has some, by its name."""
        return {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in (_CORRELATIONS, *_BOUNDS)
        }

    def marking_factors(
        self, first: FloatArray, second: FloatArray, third: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mark phases' factors in the order of ``MARK_FACTORS``, from three independent standard normal draws each.

        A Gaussian copula; arrays of one shape. Element by element: a phase's factors depend on its own draws only, to
        the last bit, which a matrix product does not promise.
        """
        from scipy.special import ndtr  # takes longer to import than a model takes to read

        cpu_time, cpu_bytes, time_bytes = self.mark_correlations
        matrix = np.array([[1, cpu_time, cpu_bytes], [cpu_time, 1, time_bytes], [cpu_bytes, time_bytes, 1]])
        values, vectors = np.linalg.eigh(matrix)  # three correlations of one matrix, but for rounding
        weights = vectors * np.sqrt(np.maximum(values, 0.0))
        cpu, time, black = (
            np.interp(ndtr(a * first + b * second + c * third), LEVELS, getattr(self, name))
            for name, (a, b, c) in zip(MARK_FACTORS, weights.tolist(), strict=True)
        )
        return cpu, time, black


def factors(values: FloatArray, *, noise_sd: float = 0.0) -> FloatArray:
    """Quantiles of values over their mean, drawn together by the share of their spread that is printing noise.

    ``values`` has shape (n,), n >= 1; ``noise_sd`` is in their unit. The mean of the distribution is 1.
    """
    mean = float(values.mean())
    if mean <= 0 or values.size < 2:
        return np.ones(LEVELS.size)
    spread = float(values.std())
    keep = np.sqrt(max(1.0 - (noise_sd / spread) ** 2, 0.0)) if spread > 0 else 0.0
    quantiles = np.maximum(1.0 + keep * (np.quantile(values, LEVELS) / mean - 1.0), 0.0)
    return quantiles / max(float(np.trapezoid(quantiles, LEVELS)), 1e-9)


def correlations(cpu: FloatArray, time: FloatArray, allocated: FloatArray) -> FloatArray:
    """Of the normal scores of three factors, shape (n,) each; drawn toward none where cycles are few."""
    cycles = cpu.size
    if cycles < 3:
        return np.zeros(3)
    from scipy.special import ndtri

    scores = [ndtri((_ranks(values) - 0.5) / cycles) for values in (cpu, time, allocated)]
    if min(float(score.std()) for score in scores) == 0.0:
        return np.zeros(3)
    matrix: FloatArray = np.atleast_2d(np.corrcoef(scores))
    found: FloatArray = matrix[np.triu_indices(3, 1)] * cycles / (cycles + _FEW_CYCLES)
    return np.clip(found, -1.0, 1.0)


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 to n, shape (n,); equal values share their mean rank. SciPy's own costs half a second to import."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (np.cumsum(count) - (count - 1) / 2)[place.reshape(-1)]
    return ranks
