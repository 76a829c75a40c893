"""Memory accounting: what counts against GOMEMLIMIT, what is resident, and what a sweep leaves behind.

The runtime's memory, in the terms of ``runtime/metrics``:

    mappedReady = heap in use + heap free + stacks + metadata          (/memory/classes/total - heap/released)
    heap in use = objects + free slots                                 (heap/objects + heap/unused)
    nonHeap     = mappedReady - heap free - objects = metadata + stacks + free slots

``mappedReady`` is what GOMEMLIMIT limits; text, data and bss, C memory and the kernel's own are not in it.
``nonHeap`` (``memory_limit.non_heap_bytes``) is what the limit's heap goal subtracts. Its first two parts
change slowly; the third is the whole difference between programs:

- A swept span with no live object gives its pages back (heap free). A span with one live object stays in
  use, and its dead slots become *free slots*: nonHeap. How much of the garbage goes that way, and so how much of
  what is allocated fills such slots, is the slots' share of garbage: nothing in programs whose objects die
  together, three quarters where small ones die at random.
- Until a span is swept its dead objects count as objects. So nonHeap is least when marking ends, grows as
  sweeping goes on, and falls as allocation fills the slots again, in a straight line down to what no allocation
  fits (``free_slot_bytes``).

So a memory limit bites earlier in a program of the second kind: a cycle starts before the slots are filled, at a
goal that counts them (``limited_trigger_bytes``).

Sizes are bytes, numbers or arrays. Source: Go 1.19+ ``memoryLimitHeapGoal``, ``mspan.sweep``
(``sweepLocked.sweep``), ``mheap.allocSpan``, ``runtime/metrics``.
"""

from collections.abc import Callable
from functools import reduce
from typing import overload

from gcsim.arrays import FloatArray, FloatOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, where
from gcsim.goruntime.pacer import (
    DEFAULT_HEAP_MINIMUM_BYTES,
    MAX_TRIGGER_RATIO_NUMERATOR,
    MIN_TRIGGER_RATIO_NUMERATOR,
    TRIGGER_RATIO_DENOMINATOR,
)
from gcsim.goruntime.versions import GoRules
from gcsim.priors.records import MemoryPrior

_RECOUNTED_ANYWAY, _RECOUNTED_OF_SLOTS = 0.008, 0.035  # of the live heap, in each cycle
_MOST_RECOUNTED = 0.5  # of heapLive's growth between two cycles
MOST_SLOT_GARBAGE = 0.95  # "nearly 1" was measured; at 1 no span would ever be given back
UNFILLED_AT_PEAK = 0.2  # of what stays unfilled at mark ends on average, the part at a run's highest heap
_MIN_TRIGGER_SHARE = MIN_TRIGGER_RATIO_NUMERATOR / TRIGGER_RATIO_DENOMINATOR
_MAX_TRIGGER_SHARE = MAX_TRIGGER_RATIO_NUMERATOR / TRIGGER_RATIO_DENOMINATOR


def metadata_bytes(heap_in_use_bytes: Real, *, prior: MemoryPrior) -> Real:
    """The runtime's own memory beside a heap of ``heap_in_use_bytes``; it does not shrink with the heap."""
    return prior.metadata_base_bytes + prior.metadata_share * heap_in_use_bytes


def free_slot_bytes(heap_live_bytes: Real, *, last_peak_bytes: Real, slot_garbage: Real) -> Real:
    """Slots in swept spans that wait for allocation, when the heap has grown to ``heap_live_bytes`` again.

        slot garbage x (last peak - heap live), not below 0

    ``last_peak_bytes`` is the heap at the last mark end, ``slot_garbage`` the share of garbage beside live objects,
    which is also the share of what is allocated that goes there. Beside them some slots are never filled.

    Measured by the runtime's own counts, fifty times a second, in 26 programs on Go 1.27 at GOGC=100: from a third of
    the way on free slots fall in a straight line, by 0 to 0.8 of what is allocated (none in 9 programs, a quarter in
    order services, 0.7 in caches whose entries die at random), to what mark end leaves.
    """
    return slot_garbage * maximum(last_peak_bytes - heap_live_bytes, 0)


def unfilled_slot_bytes(last_peak_bytes: Real, *, share: Real, calibrated_peak_bytes: Real) -> Real:
    """Slots that are free when marking ends, for no allocation fitted them.

    ``share`` of the heap's peak in a run that peaked at ``calibrated_peak_bytes``; elsewhere with the fourth root of
    the peak. Counted in 17 programs at GOGC=100, alone and under limits: they go with the peak in some, stay as they
    are where live objects pin them, and grow in others; this is the middle, either way by half
    (docs/explanation/memory.md holds programs counted since).
    """
    unfilled: Real = share * calibrated_peak_bytes * (last_peak_bytes / calibrated_peak_bytes) ** 0.25
    return unfilled


def span_tail_recount_bytes(grown_bytes: Real, live_bytes: Real, *, slot_garbage: Real | float) -> Real:
    """Of what heapLive grew by between two cycles, what nobody allocated: ends of spans, counted again.

    A span that a P takes counts whole, less its objects (Go 1.19+ ``mcache.refill``): what is left at its end, a few
    percent of it, is too small for an object. Of a fresh span it is counted once, and of one that is taken
    for the slots that a sweep freed in every cycle. How much of the live heap is taken so goes with ``slot_garbage``,
    the slots' share of garbage. Chosen on heapLive's growth less ``MemStats.TotalAlloc``'s in design programs on
    Go 1.27: about 0.01 of the live heap in each cycle where slots are hardly filled again, 0.03 where most are, with
    any number of Ps (docs/explanation/memory.md; the code is the same from Go 1.19 on). What grows with the heap itself
    counts as allocation here, as it does in a log.

    ``grown_bytes`` is the growth while nothing marks. The engines spread this over the way to the trigger: a cycle
    that is forced before it counts less, where the runtime would count nearly as much.
    """
    return minimum(_recounted_weight(slot_garbage) * live_bytes, _MOST_RECOUNTED * grown_bytes)


@overload
def without_span_tails(
    recounted_share: float, *, slot_garbage: float, known_slot_garbage: float
) -> float: ...
@overload
def without_span_tails(
    recounted_share: FloatOrArray, *, slot_garbage: FloatArray, known_slot_garbage: FloatOrArray
) -> FloatArray: ...
def without_span_tails(
    recounted_share: FloatOrArray, *, slot_garbage: FloatOrArray, known_slot_garbage: FloatOrArray
) -> FloatOrArray:
    """What was allocated in a run with this share of slots over what ``known_slot_garbage`` made of the same log.

    ``recounted_share``, 0 to 1/2, is the share of heapLive's growth in that log that the latter took for recounted.
    """
    times = _recounted_weight(slot_garbage) / _recounted_weight(known_slot_garbage)
    return (1.0 - minimum(recounted_share * times, _MOST_RECOUNTED)) / (1.0 - recounted_share)


@overload
def _recounted_weight(slot_garbage: float) -> float: ...
@overload
def _recounted_weight(slot_garbage: FloatArray) -> FloatArray: ...
@overload
def _recounted_weight(slot_garbage: FloatOrArray) -> FloatOrArray: ...
def _recounted_weight(slot_garbage: FloatOrArray) -> FloatOrArray:
    """Recounted bytes for each byte of the live heap."""
    return _RECOUNTED_ANYWAY + _RECOUNTED_OF_SLOTS * slot_garbage


def limited_trigger_bytes(
    heap_marked_bytes: Real,
    available_bytes: Real,
    *,
    runway_bytes: Real,
    last_peak_bytes: Real,
    slot_garbage: Real,
    rules: GoRules,
) -> Real:
    """heapLive at which a cycle starts in the memory-limit regime, when all is swept.

    ``available_bytes`` is the limit less metadata, stacks and slots that are never filled. The goal, what is available
    less free slots and the headroom, moves out as the heap grows and fills slots (``free_slot_bytes``): the trigger is
    where the heap meets the goal's own trigger, goal - ``runway_bytes`` within its bounds (``pacer.trigger_bytes``).
    Never below ``heap_marked_bytes`` (continuous collection). Sweeping that is not done yet would leave more room than
    this. Source: Go 1.19+ ``memoryLimitHeapGoal``, ``gcControllerState.trigger``.
    """

    def met(intercept: Real, slope: Real) -> Real:
        """Where heap = trigger(goal), with goal = intercept + slope x heap, 0 <= slope < 1: bound by bound."""
        lower, upper = (
            (heap_marked_bytes * (1.0 - share) + share * intercept) / (1.0 - share * slope)
            for share in (_MIN_TRIGGER_SHARE, _MAX_TRIGGER_SHARE)
        )
        upper = maximum(upper, (intercept - DEFAULT_HEAP_MINIMUM_BYTES) / (1.0 - slope))
        return minimum(maximum((intercept - runway_bytes) / (1.0 - slope), lower), upper)

    return maximum(
        _intersect_headroom_lines(met, available_bytes, last_peak_bytes, slot_garbage, rules),
        heap_marked_bytes,
    )


def limit_bound_heap_bytes(
    available_bytes: Real, *, last_peak_bytes: Real, slot_garbage: Real, rules: GoRules
) -> Real:
    """heapLive at which a heap that goes on growing meets the limit's goal, which moves out as slots are filled.

    As ``limited_trigger_bytes``; where assists hold the heap at its goal, it ends there.
    """
    return _intersect_headroom_lines(
        lambda intercept, slope: intercept / (1.0 - slope),
        available_bytes,
        last_peak_bytes,
        slot_garbage,
        rules,
    )


def _intersect_headroom_lines(
    met: Callable[[Real, Real], Real], available: Real, last_peak: Real, slot_garbage: Real, rules: GoRules
) -> Real:
    """Where a heap that fills free slots meets what rises with its goal, which is the least of several straight lines.

    One line for each kind of headroom (``memory_limit_heap_goal_bytes``), flatter beyond the last peak, where no slots
    are left to fill. ``met`` solves for one line.
    """
    lines = [(1.0, rules.limit_headroom_min_bytes)]
    if rules.limit_headroom_percent:
        lines.append((1.0 - rules.limit_headroom_percent / 100.0, 0))
    places = []
    for keep, headroom in lines:
        filled = met(keep * available - headroom, 0.0 * slot_garbage)
        filling = met(keep * (available - slot_garbage * last_peak) - headroom, keep * slot_garbage)
        places.append(where(filling < last_peak, filling, filled))
    return reduce(minimum, places)


def resident_peak_bytes(heap_in_use_peak_bytes: Real, *, stack_bytes: Real, prior: MemoryPrior) -> Real:
    """Peak resident memory of a process that never returned memory it then lacked.

        heap in use x (1 + metadata share) + metadata base + stacks, x (1 + the measured median error)

    ``heap_in_use_peak_bytes`` is the heap peak (gctrace's h1, the highest so far): at mark end hardly a slot
    is free, in most runs without a limit. In the memory-limit regime take the highest heap ever in use: with
    later peaks of h1 in its place this is too low, by up to half for small objects (measured RSS up to 2.0
    times it). ``stack_bytes`` are allocated stacks. Free pages kept for later are in it as far as they were
    in use at the peak; C memory and mappings of the program's own are not.
    """
    ready = metadata_bytes(heap_in_use_peak_bytes, prior=prior) + heap_in_use_peak_bytes + stack_bytes
    return ready * (1.0 + prior.resident_error)
