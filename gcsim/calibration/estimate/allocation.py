"""Allocation rates of a log: outside marking, while marking and overall, each with its standard error."""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.intervals import Intervals, hidden_rate, outside_rate, swept_per_byte
from gcsim.calibration.estimate.loop import LoopDetection
from gcsim.calibration.estimate.marking import MarkingMutator
from gcsim.calibration.evidence import LITTLE_SCANNED, LOG, Evidence
from gcsim.calibration.stats.standard_error import ratio_difference, standard_error
from gcsim.engine.inputs.draws import LEAST_FREE_OF_SWEEPING
from gcsim.service.parameters import RANGES, Parameter, ParameterOrigin
from gcsim.service.profile import Profile

# CPU seconds per byte of heap peak that the mutator pays after each collection: see _sweep_cost
SWEEP_SMALL_OBJECTS = Parameter(5e-11, 1.2, "prior: measured on Go 1.27, small objects", "prior")
SWEEP_UNKNOWN_SIZES = Parameter(4e-11, 1.3, "prior: measured on Go 1.27; object sizes unknown", "prior")
_RECOUNTED = "from the live heap and slot_garbage_share"


def fit_allocation(
    evidence: Evidence, gaps: Intervals, pace: LoopDetection, profile: Profile, mutator: MarkingMutator
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
    crowding = _crowding(evidence, profile)
    at_mean_pace = mutator.procs
    per_mark_cpu = marked / mutator.procs
    if pace.loop == "open":
        at_mean_pace = _demanded_procs(evidence, mutator.procs, crowding)
    else:
        per_mark_cpu /= max(float(np.average(crowding, weights=marking)), 0.1)
    busy_error = math.hypot(outside_error, pace.rel_sd) if pace.loop == "open" else 0.0
    source = LOG if pace.busy_from_log else f"prior: {pace.source}"
    origin: ParameterOrigin = "log" if pace.busy_from_log else "prior"
    return {
        "alloc_bytes_per_second": _total_rate(evidence, gaps),
        "alloc_bytes_per_cpu_second": Parameter(per_cpu, min(per_cpu_error, 1.0), source, origin),
        "mark_alloc_efficiency": Parameter(
            per_mark_cpu / per_cpu, min(mutator.rate_error, 1.0), source, origin
        ),
        "mark_mutator_procs": Parameter(at_mean_pace, mutator.error, LOG),
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


def _total_rate(evidence: Evidence, gaps: Intervals) -> Parameter:
    """Bytes allocated per second overall, from each cycle's start to the next one's, lost lines left out."""
    bytes_ = (evidence.allocated_between_bytes + evidence.allocated_bytes[:-1])[gaps.chosen]
    seconds = np.diff(evidence.start_seconds)[gaps.chosen]
    rate = float(bytes_.sum()) / max(float(seconds.sum()), 1e-9)
    printed_bytes = math.hypot(gaps.printed_bytes, evidence.allocated_printing_error)
    if float(bytes_.mean()) < printed_bytes:
        rate, error = hidden_rate(seconds)
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
