"""How far cycles scatter about their means, from the log; and how late a cycle starts."""

import math

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.fit import Intervals
from gcsim.goruntime.pacer import sweep_min_trigger_bytes, trigger_bytes
from gcsim.units import KIB, MIB
from gcsim.workload.pauses import LEVELS
from gcsim.workload.profile import Profile
from gcsim.workload.scatter import Scatter, factors

FloatArray = NDArray[np.float64]

_PRINTED_SD = 0.29 * MIB  # standard deviation of a truncation to whole MiB
_PRIOR_SLACK_BYTES = 64.0 * KIB  # a few span refills, where no pacer line gives the trigger
_MIN_TRIGGERS = 10


def fit_scatter(evidence: Evidence, gaps: Intervals, profile: Profile) -> Scatter:
    """The distributions of the window's cycles about the profile, less what truncated printing adds to them."""
    since_s = evidence.start_seconds - evidence.start_seconds[0]
    pace = np.maximum(profile.alloc_at(since_s), 0.1)
    live = evidence.live_bytes / np.maximum(profile.live_at(since_s), 0.1)
    difference_sd = 0.0 if evidence.exact.all() else _PRINTED_SD * math.sqrt(2.0)
    return Scatter(
        live_factor=factors(live, noise_sd=_PRINTED_SD * math.sqrt(2.0)),
        alloc_time_factor=_time_factors(gaps, profile),
        mark_cpu_factor=factors(evidence.mark_cpu_seconds),
        allocated_black_factor=factors(evidence.allocated_bytes / pace, noise_sd=difference_sd),
        heap_start_slack_bytes=_start_slack(evidence),
    )


def _time_factors(gaps: Intervals, profile: Profile) -> FloatArray:
    """Of time per byte, so that the mean wait for some bytes is what the mean rate says."""
    sizes = np.maximum(gaps.allocated_bytes, 0.1 * float(np.maximum(gaps.allocated_bytes, 1.0).mean()))
    pace = np.maximum(profile.alloc_at(gaps.middle_seconds), 0.1)
    per_byte = gaps.seconds / sizes * pace
    mean = float(sizes.mean())
    return factors(per_byte, noise_sd=float(per_byte.mean()) * _PRINTED_SD * math.sqrt(2.0) / max(mean, 1.0))


def _start_slack(evidence: Evidence) -> FloatArray:
    """heapLive when a cycle starts less the trigger computed for it; quantiles, in bytes.

    A cycle is noticed when a goroutine refills a span or allocates a large object (Go 1.19+ ``gcTrigger.test``),
    and the heap grows on while it is being started.
    """
    known = (
        evidence.exact[1:]
        & np.isfinite(evidence.runway_bytes[1:])
        & np.isfinite(evidence.heap_goal_bytes[1:])
    )
    known &= evidence.natural[1:]
    if int(known.sum()) < _MIN_TRIGGERS:
        return np.full(LEVELS.size, _PRIOR_SLACK_BYTES)
    marked = evidence.heap_marked_bytes[:-1][known].astype(np.int64)
    goal = evidence.heap_goal_bytes[1:][known].astype(np.int64)
    runway = evidence.runway_bytes[1:][known].astype(np.int64)
    trigger = trigger_bytes(marked, goal, runway, np.minimum(sweep_min_trigger_bytes(marked), goal))
    late = evidence.heap_start_bytes[1:][known] - trigger
    return np.quantile(np.maximum(late, 0.0), LEVELS)
