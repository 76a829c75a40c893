"""From evidence to a model's numbers: each a direct measurement on the log, with its standard error."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.pace import Pace
from gcsim.engine.fluid_mark import idle_displaced
from gcsim.goruntime.workers import FORCE_PREEMPT_NS
from gcsim.workload.model import Loop
from gcsim.workload.parameters import Parameter
from gcsim.workload.profile import Profile

FloatArray = NDArray[np.float64]

LOG = "log"
LITTLE_SCANNED = 0.05  # scan work of marked bytes: below it, objects are large or hold no pointers
_MOST_SWEEPING = 0.6  # of the time outside marking is left to the program at least
_CREDIT_DELAY_SECONDS = FORCE_PREEMPT_NS * 1e-9
_ASSIST_BOUND_REACH = 0.93  # share of the runway used by the median cycle
_AUTOCORRELATION = 0.5  # of successive cycles, usual in measured runs; errors of means grow by sqrt(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The stretches between two consecutive natural cycles; arrays of shape (k,)."""

    middle_seconds: FloatArray  # since the window's first cycle
    seconds: FloatArray  # outside marking
    allocated_bytes: FloatArray


def intervals(evidence: Evidence) -> Intervals:
    """From each cycle's end to the next one's start, where the pacer started the next."""
    seconds = evidence.start_seconds[1:] - evidence.end_seconds[:-1]
    allocated = evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1]
    usable = (seconds > 0) & evidence.natural[1:]
    middle = evidence.end_seconds[:-1] + 0.5 * seconds - evidence.start_seconds[0]
    return Intervals(
        middle_seconds=middle[usable], seconds=seconds[usable], allocated_bytes=allocated[usable]
    )


def fit_heap(evidence: Evidence) -> dict[str, Parameter]:
    """Live heap and roots."""
    live = evidence.live_bytes
    mean = float(live.mean())
    roots = float((evidence.stack_bytes + evidence.globals_bytes).mean())
    peak_ratio = (float(evidence.heap_end_bytes.mean()) + roots) / max(mean + roots, 1.0)
    return {
        "live_bytes": Parameter(mean, _standard_error(live), LOG),
        "stack_bytes": Parameter(float(evidence.stack_bytes.mean()), 0.0, LOG),
        "globals_bytes": Parameter(float(evidence.globals_bytes.mean()), 0.0, LOG),
        "mark_cpu_heap_ratio": Parameter(max(peak_ratio, 1.0), 0.0, LOG),
    }


def fit_marking(evidence: Evidence, loop: Loop) -> dict[str, Parameter]:
    """Mark CPU, and who does it."""
    mark_s = float(evidence.mark_seconds.sum())
    cpu = evidence.mark_cpu_seconds
    background = float(evidence.background_cpu_seconds.sum()) / mark_s
    idle = float(evidence.idle_cpu_seconds.sum()) / mark_s
    return {
        "mark_cpu_seconds": Parameter(float(cpu.mean()), _standard_error(cpu), LOG),
        "mark_background_procs": Parameter(max(background, 1e-6), 0.0, LOG),
        "mark_idle_procs": Parameter(idle, 0.0, LOG),
        "assist_cpu_seconds": _assist_cpu(evidence, loop),
    }


def _assist_cpu(evidence: Evidence, loop: Loop) -> Parameter:
    """CPU that assists take in a cycle with runway to spare.

    Where cycles end at their goal, assists paid what the goal demanded, and how little they would have paid at
    ease stays unseen: then credit's delay tells. Fractional workers first run when a time slice ends, and until
    then assists pay for all that is allocated (Go 1.19+ ``findRunnableGCWorker``, ``forcePreemptNS``).
    """
    paid = float(evidence.assist_cpu_seconds.mean())
    rows = evidence.natural & np.isfinite(evidence.heap_goal_bytes)
    runway = np.maximum(evidence.heap_goal_bytes[rows] - evidence.heap_start_bytes[rows], 0.0)
    if not rows.any() or runway.mean() <= 0:
        return Parameter(paid, 0.5, "log: cycles without a runway, an upper bound")
    chosen = evidence.select(rows)
    reached = float(np.median(chosen.allocated_bytes / np.maximum(runway, 1.0)))
    mark_s = float(chosen.mark_seconds.sum())
    mutator = mark_mutator_procs(chosen)
    per_mutator_s = float(chosen.allocated_bytes.sum()) / mark_s / mutator
    debt = float(chosen.mark_cpu_seconds.mean()) / float(runway.mean()) * per_mutator_s
    if reached <= _ASSIST_BOUND_REACH:
        forced = _forced_assist_cpu(chosen, mutator, debt) if loop == "open" else 0.0
        return Parameter(
            max(paid - forced, 0.2 * paid), max(_standard_error(evidence.assist_cpu_seconds), 0.1), LOG
        )
    busy = mutator + float(chosen.assist_cpu_seconds.sum()) / mark_s
    delayed = min(_CREDIT_DELAY_SECONDS, float(chosen.mark_seconds.mean())) * busy * debt / (1.0 + debt)
    return Parameter(min(delayed, paid), 0.5, "prior: the log's cycles end at their goal")


def _forced_assist_cpu(evidence: Evidence, mutator_procs: float, debt: float) -> float:
    """What of a cycle's assists displaced idle workers, by the engine's own account of an open loop."""
    procs = float(evidence.gomaxprocs.mean())
    displaced = float(idle_displaced(np.array([mutator_procs * (1.0 + debt) / procs]))[0])
    marking_s = float(evidence.mark_seconds.mean())
    room_s = (procs - mutator_procs) * marking_s - float(evidence.background_cpu_seconds.mean())
    paid_s = float(evidence.assist_cpu_seconds.mean())
    at_ease_s = (paid_s - room_s * displaced) / max(1.0 - displaced, 0.1)
    return paid_s - max(at_ease_s, 0.0)


def fit_allocation(evidence: Evidence, gaps: Intervals, pace: Pace, profile: Profile) -> dict[str, Parameter]:
    """Allocation rates: outside marking, while marking, and over all; each at the profile's mean pace."""
    busy_procs = pace.busy_procs
    window_s = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    sweep = _sweep_cost(evidence)
    gap_s = float(gaps.seconds.sum())
    sweeping_s = sweep.value * float(evidence.heap_end_bytes.mean()) * gaps.seconds.size / busy_procs
    outside = float(gaps.allocated_bytes.sum()) / max(gap_s - sweeping_s, _MOST_SWEEPING * gap_s)
    marked = float(evidence.allocated_bytes.sum()) / float(evidence.mark_seconds.sum())
    total = float(
        (evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1]).sum()
        + evidence.allocated_bytes[:-1].sum()
    ) / max(window_s, 1e-9)
    per_cpu = outside / busy_procs
    mutator = mark_mutator_procs(evidence)
    crowding = _crowding(evidence, profile)
    per_mark_cpu = marked / mutator / (1.0 if pace.loop == "open" else crowding)
    rates = gaps.allocated_bytes / gaps.seconds
    mark_rates = evidence.allocated_bytes / np.maximum(evidence.mark_seconds, 1e-9)
    return {
        "alloc_bytes_per_second": Parameter(max(total, 1.0), _standard_error(rates), LOG),
        "alloc_bytes_per_cpu_second": Parameter(max(per_cpu, 1.0), _standard_error(rates), LOG),
        "mark_alloc_efficiency": Parameter(
            per_mark_cpu / max(per_cpu, 1.0), _standard_error(mark_rates), LOG
        ),
        "mark_mutator_procs": Parameter(mutator / (crowding if pace.loop == "open" else 1.0), 0.0, LOG),
        "mutator_procs": Parameter(busy_procs, 0.0, LOG),
        "sweep_cpu_seconds_per_byte": sweep,
    }


def mark_mutator_procs(evidence: Evidence) -> float:
    """Ps on the mutator while marking: those that neither workers nor assists have."""
    mark_s = float(evidence.mark_seconds.sum())
    procs = float(evidence.gomaxprocs.mean())
    return max(procs - float(evidence.mark_cpu_seconds.sum()) / mark_s, 0.02 * procs)


def _crowding(evidence: Evidence, profile: Profile) -> float:
    """The profile's pace over mark phases; above 1, for collections come when much is allocated."""
    pace = profile.alloc_at(evidence.start_seconds - evidence.start_seconds[0])
    return max(float((pace * evidence.mark_seconds).sum() / evidence.mark_seconds.sum()), 0.1)


def _sweep_cost(evidence: Evidence) -> Parameter:
    """What the mutator pays after each collection: sweeping spans as it needs them, and colder caches.

    A prior, for one log shows one period. Measured on Go 1.27 as the fall of allocation outside marking when
    collections come more often (order service, closed loop, GOGC 25 to 200): 0.11 ms a MiB of heap peak; for a heap of
    large values nothing to be seen.
    """
    known = np.isfinite(evidence.heap_scan_bytes)
    if known.any():
        scanned = float(evidence.heap_scan_bytes[known].sum() / evidence.heap_marked_bytes[known].sum())
        if scanned < LITTLE_SCANNED:
            return Parameter(5e-12, 1.0, "prior: large objects, few spans to sweep")
        return Parameter(1e-10, 0.6, "prior: measured on Go 1.27, small objects")
    return Parameter(6e-11, 0.9, "prior: measured on Go 1.27; object sizes unknown")


def _standard_error(values: FloatArray) -> float:
    """Relative standard error of the mean, at most 1, with the usual correlation of successive cycles."""
    mean = float(values.mean())
    if values.size < 2 or mean <= 0:
        return 1.0
    inflation = (1.0 + _AUTOCORRELATION) / (1.0 - _AUTOCORRELATION)
    return min(float(values.std(ddof=1)) / mean * math.sqrt(inflation / values.size), 1.0)
