"""The intervals between cycles, and the allocation rate in them."""

import math
from dataclasses import dataclass

from gcsim.arrays import BoolArray, FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.stats.standard_error import (
    printing_error,
    printing_scatter,
    ratio_difference,
    standard_error,
)
from gcsim.units import MIB

_HIDDEN_BYTES = 0.25 * MIB  # allocated in an interval whose printed sizes do not change, to a factor of e


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The intervals between consecutive cycles where the pacer started the second; arrays of shape (k,).

    Durations are differences of time stamps in whole ms. A short one may be 0 or negative; only sums are unbiased.
    """

    middle_seconds: FloatArray  # since the window's first cycle
    seconds: FloatArray  # outside marking
    allocated_bytes: FloatArray
    span_tail_recount_bytes: FloatArray  # recounted span tails in the growth of heapLive
    peak_bytes: FloatArray  # of the cycle before
    printed_bytes: float  # error that truncation leaves in the mean of allocated_bytes
    noise_bytes: float  # standard deviation that truncation adds to allocated_bytes
    chosen: BoolArray  # the chosen pairs of rows of the window, shape (n - 1,)


def intervals(evidence: Evidence) -> Intervals:
    """The intervals from each cycle's end to the next one's start, without those across lost lines."""
    seconds = evidence.start_seconds[1:] - evidence.end_seconds[:-1]
    chosen = evidence.follows_naturally
    middle = evidence.end_seconds[:-1] + 0.5 * seconds - evidence.start_seconds[0]
    sizes = (
        (evidence.heap_start_bytes, evidence.heap_step_bytes),
        (evidence.heap_marked_bytes, evidence.marked_step_bytes),
    )
    return Intervals(
        middle_seconds=middle[chosen],
        seconds=seconds[chosen],
        allocated_bytes=evidence.allocated_between_bytes[chosen],
        span_tail_recount_bytes=evidence.span_tail_recount_bytes[1:][chosen],
        peak_bytes=evidence.heap_end_bytes[:-1][chosen],
        printed_bytes=math.hypot(*(printing_error(*size) for size in sizes)),
        noise_bytes=math.hypot(*(printing_scatter(*size) for size in sizes)),
        chosen=chosen,
    )


def outside_rate(gaps: Intervals) -> tuple[float, float]:
    """Bytes allocated per second outside marking, sweeping included, and the relative error."""
    mean_bytes = float(gaps.allocated_bytes.mean())
    if mean_bytes < gaps.printed_bytes:
        return hidden_rate(gaps.seconds)
    rate = float(gaps.allocated_bytes.sum()) / max(float(gaps.seconds.sum()), 1e-9)
    each = standard_error(ratio_difference(gaps.allocated_bytes, gaps.seconds))
    return max(rate, 1.0), math.hypot(each, gaps.printed_bytes / mean_bytes)


def hidden_rate(seconds: FloatArray) -> tuple[float, float]:
    """Bytes per second and relative error, for intervals whose allocation is below the printed MiB.

    Anything from 0 to 1 MiB prints the same. The 90 % interval is from 1/20 MiB to slightly more than 1 MiB.
    """
    return _HIDDEN_BYTES / max(float(seconds.mean()), 1e-9), 1.0


def swept_per_byte(gaps: Intervals) -> float:
    """Bytes of heap peak swept per byte allocated outside marking."""
    return float(gaps.peak_bytes.sum()) / max(float(gaps.allocated_bytes.sum()), 1.0)
