"""From evidence to a model's numbers: each a direct measurement on the log, with its standard error.

A ratio of sums R = sum x / sum y has the error of the mean of x / mean x - y / mean y, cycle by cycle: that carries
what the two have in common, and how successive cycles depend on each other. What truncated printing leaves in the
sums is added.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.evidence import BELOW_A_MIB, Evidence, time_steps
from gcsim.calibration.pace import Pace
from gcsim.calibration.standard_error import printing_error, printing_scatter, standard_error
from gcsim.engine.draws import LEAST_FREE_OF_SWEEPING
from gcsim.engine.fluid_mark import idle_displaced, owed_share
from gcsim.goruntime.workers import FORCE_PREEMPT_NS
from gcsim.units import MIB
from gcsim.workload.model import Loop
from gcsim.workload.parameters import Parameter
from gcsim.workload.profile import Profile

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LOG = "log"
LITTLE_SCANNED = 0.05  # scan work of marked bytes: below it, objects are large or hold no pointers
_CREDIT_DELAY_SECONDS = FORCE_PREEMPT_NS * 1e-9
_ASSIST_BOUND_REACH = 0.93  # share of the runway used by the median cycle
# slopes of log live heap in ten programs' runs at GOGC 25 to 800, per doubling of what is allocated in between
LIVE_PER_DOUBLING = Parameter(1.0, 0.003, "prior: measured on Go 1.27, 0.995 to 1.004 by program")
# CPU seconds per byte of heap peak that allocation pays after each collection: see _sweep_cost
SWEEP_SMALL_OBJECTS = Parameter(5e-11, 1.2, "prior: measured on Go 1.27, small objects")
SWEEP_UNKNOWN_SIZES = Parameter(4e-11, 1.3, "prior: measured on Go 1.27; object sizes unknown")
_UNSEEN = 0.5  # relative error of allocation while marking beyond which the log does not show it
_BELOW_A_MIB = Parameter(BELOW_A_MIB, 1.0, "prior: less than 1 MiB printed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The stretches between two consecutive cycles of which the pacer started the second; arrays of shape (k,).

    Times are differences of stamps in whole ms: short ones may come out at 0 or below, and only sums are right.
    """

    middle_seconds: FloatArray  # since the window's first cycle
    seconds: FloatArray  # outside marking
    allocated_bytes: FloatArray
    peak_bytes: FloatArray  # of the cycle before
    printed_bytes: float  # what truncated printing leaves in the mean of allocated_bytes
    noise_bytes: float  # and what it adds to their spread
    chosen: BoolArray  # which of the window's pairs of rows, shape (n - 1,)


def intervals(evidence: Evidence) -> Intervals:
    """From each cycle's end to the next one's start; none across lines that the log lost."""
    seconds = evidence.start_seconds[1:] - evidence.end_seconds[:-1]
    allocated = evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1]
    chosen = evidence.follows & evidence.natural[1:]
    middle = evidence.end_seconds[:-1] + 0.5 * seconds - evidence.start_seconds[0]
    sizes = (
        (evidence.heap_start_bytes, evidence.heap_step_bytes),
        (evidence.heap_marked_bytes, evidence.marked_step_bytes),
    )
    return Intervals(
        middle_seconds=middle[chosen],
        seconds=seconds[chosen],
        allocated_bytes=allocated[chosen],
        peak_bytes=evidence.heap_end_bytes[:-1][chosen],
        printed_bytes=math.hypot(*(printing_error(*size) for size in sizes)),
        noise_bytes=math.hypot(*(printing_scatter(*size) for size in sizes)),
        chosen=chosen,
    )


def fit_heap(evidence: Evidence) -> dict[str, Parameter]:
    """Live heap and roots."""
    live = evidence.live_bytes
    mean = float(live.mean())
    error = math.hypot(standard_error(live), _live_printing(evidence)) / max(mean, 1.0)
    sizes = {
        "live_bytes": Parameter(mean, min(error, 1.0), LOG),
        "live_per_doubling": LIVE_PER_DOUBLING,
        "stack_bytes": _roots(evidence.stack_bytes, evidence.exact),
        "globals_bytes": _roots(evidence.globals_bytes, evidence.exact),
    }
    return {**sizes, "mark_cpu_heap_ratio": _growth(evidence, sizes)}


def _growth(evidence: Evidence, sizes: dict[str, Parameter]) -> Parameter:
    """Heap peak over live heap, roots in both. A peak grew from what was live one cycle before."""
    live, peak = evidence.live_bytes, evidence.heap_end_bytes
    roots = sizes["stack_bytes"].value + sizes["globals_bytes"].value
    reachable, reached = float(live.mean()) + roots, float(peak.mean()) + roots
    ratio = max(reached / max(reachable, 1.0), 1.0)
    each = standard_error(peak[1:] / reached - live[:-1] / reachable)
    unpaired = math.hypot(float(peak.std()) / reached, float(live.std()) / reachable) / len(evidence)
    of_roots = math.hypot(
        *(sizes[name].value * sizes[name].rel_sd for name in ("stack_bytes", "globals_bytes"))
    )
    printed = math.hypot(
        printing_error(peak, evidence.heap_step_bytes) * (1.0 / reachable - 1.0 / reached),
        printing_error(evidence.heap_start_bytes, evidence.heap_step_bytes) / reachable,
        printing_error(evidence.heap_marked_bytes, evidence.marked_step_bytes) / reachable,
        of_roots * (1.0 / reachable - 1.0 / reached),
    )
    return Parameter(ratio, min(math.hypot(each, unpaired, printed), 1.0), LOG)


def _live_printing(evidence: Evidence) -> float:
    """What truncation leaves in the mean of h2 - (h1 - h0), in bytes."""
    return math.hypot(
        printing_error(evidence.heap_start_bytes, evidence.heap_step_bytes),
        printing_error(evidence.heap_end_bytes, evidence.heap_step_bytes),
        printing_error(evidence.heap_marked_bytes, evidence.marked_step_bytes),
    )


def _black_printing(evidence: Evidence) -> float:
    """What truncation leaves in the mean of h1 - h0, in bytes.

    One cycle more that prints a whole step, or one less, is always possible: no difference seen is not none.
    """
    step = evidence.heap_step_bytes
    return math.hypot(
        printing_error(evidence.heap_start_bytes, step),
        printing_error(evidence.heap_end_bytes, step),
        float(step.mean()) / (len(evidence) + 1),
    )


def _roots(values: FloatArray, exact: BoolArray) -> Parameter:
    """Stacks or globals; what was never printed as 1 MB is a prior."""
    mean = float(values.mean())
    if mean <= 0:
        return Parameter(0.0, 0.0, LOG)
    if not exact.any() and float(values.max()) <= BELOW_A_MIB:
        return _BELOW_A_MIB
    if (
        not exact.any() and float(np.ptp(values)) == 0
    ):  # in one step throughout: any place of it, on a log scale
        low, high = mean - 0.5 * MIB, mean + 0.5 * MIB
        return Parameter(math.sqrt(low * high), math.log(high / low) / math.sqrt(12.0), LOG)
    printed = printing_error(values, np.where(exact, 0.0, MIB))
    return Parameter(mean, min(math.hypot(standard_error(values), printed) / mean, 1.0), LOG)


def fit_marking(evidence: Evidence, loop: Loop) -> dict[str, Parameter]:
    """Mark CPU, and who does it."""
    cpu = evidence.mark_cpu_seconds
    mean = max(float(cpu.mean()), 1e-9)
    cpu_error = math.hypot(standard_error(cpu), *(_time_printing(part) for part in _parts(evidence))) / mean
    return {
        "mark_cpu_seconds": Parameter(mean, min(cpu_error, 1.0), LOG),
        "mark_background_procs": _procs_while_marking(evidence, evidence.background_cpu_seconds, least=1e-6),
        "mark_idle_procs": _procs_while_marking(evidence, evidence.idle_cpu_seconds),
        "assist_cpu_seconds": _assist_cpu(evidence, loop),
    }


def _parts(evidence: Evidence) -> tuple[FloatArray, FloatArray, FloatArray]:
    return evidence.assist_cpu_seconds, evidence.background_cpu_seconds, evidence.idle_cpu_seconds


def _time_printing(seconds: FloatArray) -> float:
    return printing_error(seconds, time_steps(seconds))


def _procs_while_marking(evidence: Evidence, cpu_seconds: FloatArray, *, least: float = 0.0) -> Parameter:
    """CPU time over the time that marking took."""
    marking = evidence.concurrent_seconds
    procs = _ratio(cpu_seconds, marking)
    if procs <= least:
        return Parameter(least, 0.0, LOG)
    error = standard_error(_difference(cpu_seconds, marking))
    printed = math.hypot(
        _time_printing(cpu_seconds) / cpu_seconds.mean(), _time_printing(marking) / marking.mean()
    )
    return Parameter(procs, min(math.hypot(error, printed), 1.0), LOG)


def _ratio(above: FloatArray, below: FloatArray) -> float:
    """The sums' ratio, less the part of its bias that falls with the number of cycles (Cochran, ratio estimators)."""
    bias = float((_difference(above, below) * below).mean()) / max(float(below.mean()), 1e-30) / below.size
    return float(above.sum() / below.sum()) * (1.0 + bias)


def _difference(above: FloatArray, below: FloatArray) -> FloatArray:
    """What each cycle adds to the relative error of sum(above) / sum(below)."""
    return above / max(float(above.mean()), 1e-30) - below / max(float(below.mean()), 1e-30)


def _assist_cpu(evidence: Evidence, loop: Loop) -> Parameter:
    """CPU that assists take in a cycle with the runway that pacing gives, and credit to spare.

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
    mark_s = float(chosen.concurrent_seconds.sum())
    mutator = mark_mutator_procs(chosen)
    per_mutator_s = float(chosen.allocated_bytes.sum()) / mark_s / mutator
    debt = float(chosen.mark_cpu_seconds.mean()) / float(runway.mean()) * per_mutator_s
    if reached <= _ASSIST_BOUND_REACH:
        forced = _forced_assist_cpu(chosen, mutator, debt) if loop == "open" else 0.0
        return _assist_at_ease(
            chosen, runway, mutator, per_mutator_s, max(1.0 - forced / max(paid, 1e-12), 0.2)
        )
    busy = mutator + float(chosen.assist_cpu_seconds.sum()) / mark_s
    delayed = min(_CREDIT_DELAY_SECONDS, float(chosen.concurrent_seconds.mean())) * busy * debt / (1.0 + debt)
    return Parameter(min(delayed, paid), 0.5, "prior: the log's cycles end at their goal")


def _assist_at_ease(
    evidence: Evidence, runway: FloatArray, mutator_procs: float, bytes_per_mutator_s: float, freely: float
) -> Parameter:
    """What assists paid, without what they were forced to, over the share of marking that they owed in each cycle."""
    paid, cpu = evidence.assist_cpu_seconds, evidence.mark_cpu_seconds
    debt = cpu * bytes_per_mutator_s / np.maximum(runway, 1.0)
    owed = owed_share(debt) * cpu
    if paid.mean() <= 0 or owed.mean() <= 0:
        return Parameter(0.0, 0.0, LOG)
    value = float(paid.mean() * cpu.mean() / owed.mean()) * freely
    each = standard_error(_difference(paid, owed) + cpu / float(cpu.mean()))
    speed = _marking_rate_error(evidence, mutator_procs)
    if speed > _UNSEEN:
        return Parameter(value, _UNSEEN, "prior: what is allocated while marking is too little to print")
    # a doubled debt owes less than twice: how much the error of allocation's speed counts
    low, high = (float((owed_share(debt * math.exp(side * speed)) * cpu).mean()) for side in (-1.0, 1.0))
    error = math.hypot(each, _time_printing(paid) / float(paid.mean()), 0.5 * math.log(high / low))
    return Parameter(value, min(error, 1.0), LOG)


def _forced_assist_cpu(evidence: Evidence, mutator_procs: float, debt: float) -> float:
    """What of a cycle's assists displaced idle workers, by the engine's own account of an open loop."""
    procs = float(evidence.gomaxprocs.mean())
    displaced = float(idle_displaced(np.array([mutator_procs * (1.0 + debt) / procs]))[0])
    marking_s = float(evidence.concurrent_seconds.mean())
    room_s = (procs - mutator_procs) * marking_s - float(evidence.background_cpu_seconds.mean())
    paid_s = float(evidence.assist_cpu_seconds.mean())
    at_ease_s = (paid_s - room_s * displaced) / max(1.0 - displaced, 0.1)
    return paid_s - max(at_ease_s, 0.0)


def fit_allocation(evidence: Evidence, gaps: Intervals, pace: Pace, profile: Profile) -> dict[str, Parameter]:
    """Allocation rates: outside marking, while marking, and over all; each at the profile's mean pace.

    Errors of the speeds are those of their own measurement: ``engine.draws`` lets speed outside follow the cost of
    sweeping that is drawn, and the ratio of both speeds follow that.
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
    per_mark_cpu = marked / mutator / (1.0 if pace.loop == "open" else crowding)
    busy_error = math.hypot(outside_error, pace.rel_sd) if pace.loop == "open" else 0.0
    source = LOG if pace.busy_from_log else f"prior: {pace.source}"
    return {
        "alloc_bytes_per_second": _total_rate(evidence, gaps),
        "alloc_bytes_per_cpu_second": Parameter(per_cpu, min(per_cpu_error, 1.0), source),
        "mark_alloc_efficiency": Parameter(
            per_mark_cpu / per_cpu, min(_marking_rate_error(evidence, mutator), 1.0), source
        ),
        "mark_mutator_procs": Parameter(
            mutator / (crowding if pace.loop == "open" else 1.0), _mutator_error(evidence, mutator), LOG
        ),
        "mutator_procs": Parameter(busy_procs, min(busy_error, 1.0), source),
        "sweep_cpu_seconds_per_byte": sweep,
        "sweep_share": Parameter(share, 0.0, "from the two above"),
    }


def outside_rate(gaps: Intervals) -> tuple[float, float]:
    """Bytes per second that the program allocates while nothing marks, sweeping included; and the relative error."""
    mean_bytes = max(float(gaps.allocated_bytes.mean()), 1.0)
    rate = float(gaps.allocated_bytes.sum()) / max(float(gaps.seconds.sum()), 1e-9)
    each = standard_error(_difference(gaps.allocated_bytes, gaps.seconds))
    return max(rate, 1.0), math.hypot(each, gaps.printed_bytes / mean_bytes)


def swept_per_byte(gaps: Intervals) -> float:
    """Bytes of heap peak to sweep for each byte allocated outside marking."""
    return float(gaps.peak_bytes.sum()) / max(float(gaps.allocated_bytes.sum()), 1.0)


def _total_rate(evidence: Evidence, gaps: Intervals) -> Parameter:
    """Bytes per second over all, from one cycle's start to the next one's where no line is missing."""
    between = evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1]
    bytes_ = (between + evidence.allocated_bytes[:-1])[gaps.chosen]
    seconds = np.diff(evidence.start_seconds)[gaps.chosen]
    rate = float(bytes_.sum()) / max(float(seconds.sum()), 1e-9)
    printed = math.hypot(gaps.printed_bytes, _black_printing(evidence)) / max(float(bytes_.mean()), 1.0)
    error = math.hypot(standard_error(_difference(bytes_, seconds)), printed)
    return Parameter(max(rate, 1.0), min(error, 1.0), LOG)


def mark_mutator_procs(evidence: Evidence) -> float:
    """Ps on the mutator while marking: those that neither workers nor assists have."""
    procs = float(evidence.gomaxprocs.mean())
    return max(procs - _ratio(evidence.mark_cpu_seconds, evidence.concurrent_seconds), 0.02 * procs)


def _mutator_each(evidence: Evidence, mutator_procs: float) -> FloatArray:
    """What each cycle adds to the relative error of the Ps left to the mutator."""
    marking, cpu = evidence.concurrent_seconds, evidence.mark_cpu_seconds
    used = float(cpu.sum() / marking.sum())
    return -_difference(cpu, marking) * used / mutator_procs


def _mutator_printing(evidence: Evidence, mutator_procs: float) -> float:
    marking = evidence.concurrent_seconds
    used = float(evidence.mark_cpu_seconds.sum() / marking.sum())
    parts = math.hypot(*(_time_printing(part) for part in _parts(evidence))) / float(marking.mean())
    return math.hypot(parts, used * _time_printing(marking) / float(marking.mean())) / mutator_procs


def _mutator_error(evidence: Evidence, mutator_procs: float) -> float:
    each = standard_error(_mutator_each(evidence, mutator_procs))
    return min(math.hypot(each, _mutator_printing(evidence, mutator_procs)), 1.0)


def _marking_rate_error(evidence: Evidence, mutator_procs: float) -> float:
    """Of bytes allocated per second of mutator time while marking, relative."""
    allocated, marking = evidence.allocated_bytes, evidence.concurrent_seconds
    each = _difference(allocated, marking) - _mutator_each(evidence, mutator_procs)
    printed = _black_printing(evidence) / max(float(allocated.mean()), 1.0)
    clock = _time_printing(marking) / float(marking.mean())
    return math.hypot(standard_error(each), printed, clock, _mutator_printing(evidence, mutator_procs))


def _crowding(evidence: Evidence, profile: Profile) -> float:
    """The profile's pace over mark phases; above 1, for collections come when much is allocated."""
    pace = profile.alloc_at(evidence.start_seconds - evidence.start_seconds[0])
    return max(float((pace * evidence.mark_seconds).sum() / evidence.mark_seconds.sum()), 0.1)


def _sweep_cost(evidence: Evidence) -> Parameter:
    """What the mutator pays after each collection: sweeping spans as it needs them, and colder caches.

    A prior, for one log shows one period. Measured on Go 1.27 as what allocation outside marking costs more when
    collections come more often (closed loops at GOGC 25 to 800), in ns per byte of heap peak: JSON and orders 0.01, a
    leak, a cache and steps 0.06 to 0.11, syntax trees, deep stacks and maps of strings 0.2 to 0.4; large values
    nothing.
    """
    known = np.isfinite(evidence.heap_scan_bytes)
    if known.any():
        scanned = float(evidence.heap_scan_bytes[known].sum() / evidence.heap_marked_bytes[known].sum())
        if scanned < LITTLE_SCANNED:
            return Parameter(5e-12, 1.0, "prior: large objects, few spans to sweep")
        return SWEEP_SMALL_OBJECTS
    return SWEEP_UNKNOWN_SIZES
