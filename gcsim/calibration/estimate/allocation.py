"""Allocation rates of a log: outside marking, while marking and overall, each with its standard error."""

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

# CPU seconds per byte of heap peak that the mutator pays after each collection: see _sweep_cost
SWEEP_SMALL_OBJECTS = Parameter(5e-11, 1.2, "prior: measured on Go 1.27, small objects", "prior")
SWEEP_UNKNOWN_SIZES = Parameter(4e-11, 1.3, "prior: measured on Go 1.27; object sizes unknown", "prior")
_HIDDEN_BYTES = 0.25 * MIB  # allocated in an interval whose printed sizes do not change, to a factor of e
_RECOUNTED = "from the live heap and slot_garbage_share"


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


def fit_allocation(
    evidence: Evidence, gaps: Intervals, pace: LoopDetection, profile: Profile
) -> dict[str, Parameter]:
    """The allocation parameters, at the profile's mean allocation factor.

    Errors of both speeds are errors of measurement only. ``engine.inputs.draws`` computes the speed outside marking
    from the drawn sweep cost, and the ratio of the speeds from that speed.
    """
    busy_procs = pace.busy_procs
    sweep = _sweep_cost(evidence)
    outside, outside_error = outside_rate(gaps)
    share = min(sweep.value * swept_per_byte(gaps) * outside / busy_procs, 1.0 - LEAST_FREE_OF_SWEEPING)
    marking = evidence.concurrent_seconds
    marked = float(evidence.allocated_bytes.sum()) / float(marking.sum())
    per_cpu = max(outside / (1.0 - share) / busy_procs, 1.0)
    # in an open loop bytes and CPU time are proportional; the error is that of CPU time
    per_cpu_error = pace.rel_sd if pace.loop == "open" else outside_error
    mutator = mark_mutator_procs(evidence)
    crowding = _crowding(evidence, profile)
    at_mean_pace = mutator
    per_mark_cpu = marked / mutator
    if pace.loop == "open":
        at_mean_pace = _demanded_procs(evidence, mutator, crowding)
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
        "sweep_share": Parameter(share, 0.0, "from the two parameters above", "derived"),
        **_recounted_shares(evidence, gaps),
    }


def _recounted_shares(evidence: Evidence, gaps: Intervals) -> dict[str, Parameter]:
    """The share of recounted span tails in heapLive's growth, outside marking and overall."""
    recounted, outside = (
        float(gaps.span_tail_recount_bytes.sum()),
        max(float(gaps.allocated_bytes.sum()), 1.0),
    )
    black = float(evidence.allocated_bytes[:-1][gaps.chosen].sum())
    most = RANGES["recounted_share"].high  # reached if almost nothing is allocated outside marking
    shares = (recounted / (outside + recounted), recounted / (outside + black + recounted))
    outside_share, share_of_all = (
        Parameter(min(share, most), 0.0, _RECOUNTED, "derived") for share in shares
    )
    return {"recounted_share": outside_share, "recounted_share_of_all": share_of_all}


def outside_rate(gaps: Intervals) -> tuple[float, float]:
    """Bytes allocated per second outside marking, sweeping included, and the relative error."""
    mean_bytes = float(gaps.allocated_bytes.mean())
    if mean_bytes < gaps.printed_bytes:
        return _hidden_rate(gaps.seconds)
    rate = float(gaps.allocated_bytes.sum()) / max(float(gaps.seconds.sum()), 1e-9)
    each = standard_error(ratio_difference(gaps.allocated_bytes, gaps.seconds))
    return max(rate, 1.0), math.hypot(each, gaps.printed_bytes / mean_bytes)


def _hidden_rate(seconds: FloatArray) -> tuple[float, float]:
    """Bytes per second and relative error, for intervals whose allocation is below the printed MiB.

    Anything from 0 to 1 MiB prints the same. The 90 % interval is from 1/20 MiB to slightly more than 1 MiB.
    """
    return _HIDDEN_BYTES / max(float(seconds.mean()), 1e-9), 1.0


def swept_per_byte(gaps: Intervals) -> float:
    """Bytes of heap peak swept per byte allocated outside marking."""
    return float(gaps.peak_bytes.sum()) / max(float(gaps.allocated_bytes.sum()), 1.0)


def _total_rate(evidence: Evidence, gaps: Intervals) -> Parameter:
    """Bytes allocated per second overall, from each cycle's start to the next one's, lost lines left out."""
    bytes_ = (evidence.allocated_between_bytes + evidence.allocated_bytes[:-1])[gaps.chosen]
    seconds = np.diff(evidence.start_seconds)[gaps.chosen]
    rate = float(bytes_.sum()) / max(float(seconds.sum()), 1e-9)
    printed_bytes = math.hypot(gaps.printed_bytes, black_printing_error(evidence))
    if float(bytes_.mean()) < printed_bytes:
        rate, error = _hidden_rate(seconds)
        return Parameter(rate, error, "log: one cycle allocates less than the printed MiB")
    printed = printed_bytes / max(float(bytes_.mean()), 1.0)
    error = math.hypot(standard_error(ratio_difference(bytes_, seconds)), printed)
    return Parameter(max(rate, 1.0), min(error, 1.0), LOG)


def _crowding(evidence: Evidence, profile: Profile) -> FloatArray:
    """The profile's mean allocation factor over each mark phase: usually above 1, because allocation starts cycles."""
    since = evidence.start_seconds - evidence.start_seconds[0]
    return profile.mean_alloc(since, np.maximum(evidence.mark_seconds, 1e-6))


def _demanded_procs(evidence: Evidence, mutator_procs: float, crowding: FloatArray) -> float:
    """The Ps that arrivals at the mean rate demand while marking, given the mean number that the mutator got.

    got = min(demand x ``crowding``, P - background workers), averaged over mark time; solved for the demand.
    """
    marking = evidence.concurrent_seconds
    background = float(evidence.background_cpu_seconds.sum() / marking.sum())
    free = max(float(evidence.gomaxprocs.mean()) - background, mutator_procs)
    # got is piecewise linear in the demand, with a knee where a phase reaches the free Ps
    demand = np.concatenate([[0.0], free / np.sort(np.maximum(crowding, 1e-3))[::-1]])
    got = np.minimum(np.outer(demand, crowding), free) @ marking / marking.sum()
    return float(np.interp(mutator_procs, got, demand))


def _sweep_cost(evidence: Evidence) -> Parameter:
    """CPU seconds per byte of heap peak that the mutator pays after each collection, for sweeping and cache misses.

    A prior, because one log shows one interval between collections. Measured on Go 1.27 as the extra cost of
    allocation outside marking when collections come more often (closed loops at GOGC 25 to 800), in ns per byte of
    heap peak: 0.01 for JSON and orders; 0.06 to 0.11 for a leak, a cache and steps; 0.2 to 0.4 for syntax trees, deep
    stacks and maps of strings; 0 for large values.
    """
    scanned = evidence.scanned_share
    if scanned is None:
        return SWEEP_UNKNOWN_SIZES
    if scanned < LITTLE_SCANNED:
        return Parameter(5e-12, 1.0, "prior: large objects, few spans to sweep", "prior")
    return SWEEP_SMALL_OBJECTS
