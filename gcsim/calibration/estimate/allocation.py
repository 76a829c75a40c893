"""Allocation outside marking, while marking and over all, from the log; each with its standard error."""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.calibration.estimate.loop import LoopDetection
from gcsim.calibration.estimate.marking import mark_mutator_error, mark_mutator_procs, marking_rate_error
from gcsim.calibration.evidence import LITTLE_SCANNED, LOG, Evidence
from gcsim.calibration.stats.standard_error import (
    black_printing_error,
    printing_error,
    printing_scatter,
    ratio_difference,
    standard_error,
)
from gcsim.engine.inputs.draws import LEAST_FREE_OF_SWEEPING
from gcsim.service.parameters import RANGES, Parameter, ParameterOrigin
from gcsim.service.profile import Profile
from gcsim.units import MIB

# CPU seconds per byte of heap peak that allocation pays after each collection: see _sweep_cost
SWEEP_SMALL_OBJECTS = Parameter(5e-11, 1.2, "prior: measured on Go 1.27, small objects", "prior")
SWEEP_UNKNOWN_SIZES = Parameter(4e-11, 1.3, "prior: measured on Go 1.27; object sizes unknown", "prior")
_HIDDEN_BYTES = 0.25 * MIB  # allocated in a stretch whose printed sizes do not change, to a factor of e
_RECOUNTED = "from the live heap and the slots' share of garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The stretches between two consecutive cycles of which the pacer started the second; arrays of shape (k,).

    Times are differences of stamps in whole ms: short ones may come out at 0 or below, and only sums are right.
    """

    middle_seconds: FloatArray  # since the window's first cycle
    seconds: FloatArray  # outside marking
    allocated_bytes: FloatArray
    span_tail_recount_bytes: FloatArray  # that heapLive grew by beside
    peak_bytes: FloatArray  # of the cycle before
    printed_bytes: float  # what truncated printing leaves in the mean of allocated_bytes
    noise_bytes: float  # and what it adds to their spread
    chosen: BoolArray  # which of the window's pairs of rows, shape (n - 1,)


def intervals(evidence: Evidence) -> Intervals:
    """From each cycle's end to the next one's start; none across lines that the log lost."""
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


def fit_allocation(
    evidence: Evidence, gaps: Intervals, pace: LoopDetection, profile: Profile
) -> dict[str, Parameter]:
    """Allocation rates: outside marking, while marking, and over all; each at the profile's mean pace.

    Errors of the speeds are those of their own measurement: ``engine.inputs.draws`` lets speed outside follow the
    cost of sweeping that is drawn, and the ratio of both speeds follow that.
    """
    busy_procs = pace.busy_procs
    sweep = _sweep_cost(evidence)
    outside, outside_error = outside_rate(gaps)
    share = min(sweep.value * swept_per_byte(gaps) * outside / busy_procs, 1.0 - LEAST_FREE_OF_SWEEPING)
    marking = evidence.concurrent_seconds
    marked = float(evidence.allocated_bytes.sum()) / float(marking.sum())
    per_cpu = max(outside / (1.0 - share) / busy_procs, 1.0)
    # in an open loop bytes and CPU time go together, and what is not known is the CPU time
    per_cpu_error = pace.rel_sd if pace.loop == "open" else outside_error
    mutator = mark_mutator_procs(evidence)
    crowding = _crowding(evidence, profile)
    at_mean_pace = mutator
    per_mark_cpu = marked / mutator
    if pace.loop == "open":
        at_mean_pace = _asked_for(evidence, mutator, crowding)
    else:
        per_mark_cpu /= max(float(np.average(crowding, weights=marking)), 0.1)
    busy_error = math.hypot(outside_error, pace.rel_sd) if pace.loop == "open" else 0.0
    source = LOG if pace.busy_from_log else f"prior: {pace.source}"
    origin: ParameterOrigin = "log" if pace.busy_from_log else "prior"
    return {
        "alloc_bytes_per_second": _total_rate(evidence, gaps),
        "alloc_bytes_per_cpu_second": Parameter(per_cpu, min(per_cpu_error, 1.0), source, origin),
        "mark_alloc_efficiency": Parameter(
            per_mark_cpu / per_cpu, min(marking_rate_error(evidence, mutator), 1.0), source, origin
        ),
        "mark_mutator_procs": Parameter(at_mean_pace, mark_mutator_error(evidence, mutator), LOG),
        "mutator_procs": Parameter(busy_procs, min(busy_error, 1.0), source, origin),
        "sweep_cpu_seconds_per_byte": sweep,
        "sweep_share": Parameter(share, 0.0, "from the two above", "derived"),
        **_recounted_shares(evidence, gaps),
    }


def _recounted_shares(evidence: Evidence, gaps: Intervals) -> dict[str, Parameter]:
    """Of heapLive's growth outside marking and over all, what nobody allocated."""
    recounted, outside = (
        float(gaps.span_tail_recount_bytes.sum()),
        max(float(gaps.allocated_bytes.sum()), 1.0),
    )
    black = float(evidence.allocated_bytes[:-1][gaps.chosen].sum())
    most = RANGES["recounted_share"].high  # where next to nothing is allocated outside marking
    shares = (recounted / (outside + recounted), recounted / (outside + black + recounted))
    outside_share, share_of_all = (
        Parameter(min(share, most), 0.0, _RECOUNTED, "derived") for share in shares
    )
    return {"recounted_share": outside_share, "recounted_share_of_all": share_of_all}


def outside_rate(gaps: Intervals) -> tuple[float, float]:
    """Bytes per second that the program allocates while nothing marks, sweeping included; and the relative error."""
    mean_bytes = float(gaps.allocated_bytes.mean())
    if mean_bytes < gaps.printed_bytes:
        return _hidden_rate(gaps.seconds)
    rate = float(gaps.allocated_bytes.sum()) / max(float(gaps.seconds.sum()), 1e-9)
    each = standard_error(ratio_difference(gaps.allocated_bytes, gaps.seconds))
    return max(rate, 1.0), math.hypot(each, gaps.printed_bytes / mean_bytes)


def _hidden_rate(seconds: FloatArray) -> tuple[float, float]:
    """A rate, in bytes per second, and its relative error where whole MiB hide what is allocated in a stretch.

    From nothing to a MiB goes unprinted: the 90 % interval is from a twentieth of a MiB to somewhat more than one.
    """
    return _HIDDEN_BYTES / max(float(seconds.mean()), 1e-9), 1.0


def swept_per_byte(gaps: Intervals) -> float:
    """Bytes of heap peak to sweep for each byte allocated outside marking."""
    return float(gaps.peak_bytes.sum()) / max(float(gaps.allocated_bytes.sum()), 1.0)


def _total_rate(evidence: Evidence, gaps: Intervals) -> Parameter:
    """Bytes per second over all, from one cycle's start to the next one's where no line is missing."""
    bytes_ = (evidence.allocated_between_bytes + evidence.allocated_bytes[:-1])[gaps.chosen]
    seconds = np.diff(evidence.start_seconds)[gaps.chosen]
    rate = float(bytes_.sum()) / max(float(seconds.sum()), 1e-9)
    printed_bytes = math.hypot(gaps.printed_bytes, black_printing_error(evidence))
    if float(bytes_.mean()) < printed_bytes:
        rate, error = _hidden_rate(seconds)
        return Parameter(rate, error, "log: whole MiB hide what is allocated in a cycle")
    printed = printed_bytes / max(float(bytes_.mean()), 1.0)
    error = math.hypot(standard_error(ratio_difference(bytes_, seconds)), printed)
    return Parameter(max(rate, 1.0), min(error, 1.0), LOG)


def _crowding(evidence: Evidence, profile: Profile) -> FloatArray:
    """The profile's pace over each mark phase; above 1 as a rule, for collections come when much is allocated."""
    since = evidence.start_seconds - evidence.start_seconds[0]
    return profile.mean_alloc(since, np.maximum(evidence.mark_seconds, 1e-6))


def _asked_for(evidence: Evidence, mutator_procs: float, crowding: FloatArray) -> float:
    """The Ps that arrivals at mean pace ask for while marking, where phases at their own pace had so many on average.

    What is asked for goes with the pace, and what is got ends at the Ps that workers leave.
    """
    marking = evidence.concurrent_seconds
    background = float(evidence.background_cpu_seconds.sum() / marking.sum())
    free = max(float(evidence.gomaxprocs.mean()) - background, mutator_procs)
    # what is got, of what is asked for, bends where a phase gets no more
    asked = np.concatenate([[0.0], free / np.sort(np.maximum(crowding, 1e-3))[::-1]])
    got = np.minimum(np.outer(asked, crowding), free) @ marking / marking.sum()
    return float(np.interp(mutator_procs, got, asked))


def _sweep_cost(evidence: Evidence) -> Parameter:
    """What the mutator pays after each collection: sweeping spans as it needs them, and colder caches.

    A prior, for one log shows one period. Measured on Go 1.27 as what allocation outside marking costs more when
    collections come more often (closed loops at GOGC 25 to 800), in ns per byte of heap peak: JSON and orders 0.01, a
    leak, a cache and steps 0.06 to 0.11, syntax trees, deep stacks and maps of strings 0.2 to 0.4; large values
    nothing.
    """
    scanned = evidence.scanned_share
    if scanned is None:
        return SWEEP_UNKNOWN_SIZES
    if scanned < LITTLE_SCANNED:
        return Parameter(5e-12, 1.0, "prior: large objects, few spans to sweep", "prior")
    return SWEEP_SMALL_OBJECTS
