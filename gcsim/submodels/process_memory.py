"""Memory accounting: memory that counts against GOMEMLIMIT, resident memory, and free slots after a sweep.

The runtime's memory, in the terms of ``runtime/metrics``:

    mappedReady = heap in use + heap free + stacks + metadata          (/memory/classes/total - heap/released)
    heap in use = objects + free slots                                 (heap/objects + heap/unused)
    nonHeap     = mappedReady - heap free - objects = metadata + stacks + free slots

GOMEMLIMIT limits ``mappedReady``; it excludes text, data, bss, C memory and kernel memory. The limit's heap goal
subtracts ``nonHeap`` (``memory_limit.non_heap_bytes``). Metadata and stacks change slowly; free slots make the
difference between programs:

- A swept span without live objects returns its pages (heap free). A span with a live object stays in use, and its
  dead slots become *free slots*, part of nonHeap. ``slot_garbage`` is the share of garbage that becomes free slots,
  and so the share of allocation that fills such slots: 0 in programs whose objects die together, 3/4 where small
  objects die at random.
- Dead objects of unswept spans count as objects. So nonHeap is smallest at mark end, grows during sweeping, and then
  falls linearly as allocation fills the slots, down to the slots that no allocation fits (``free_slot_bytes``).

A memory limit therefore acts earlier in programs with many free slots: a cycle starts before allocation has filled the
slots, at a goal that subtracts them (``submodels.limit_goal``).

Sizes are bytes, numbers or arrays. Source: Go 1.19+ ``memoryLimitHeapGoal``, ``mspan.sweep``
(``sweepLocked.sweep``), ``mheap.allocSpan``, ``runtime/metrics``.
"""

from typing import overload

from gcsim.arrays import FloatArray, FloatOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum
from gcsim.priors.records import MemoryPrior

_RECOUNTED_PER_SLOT_GARBAGE = 0.035  # of the live heap, in each cycle
_LEAST_RECOUNTED = 0.001
_MOST_RECOUNTED = 0.5  # of heapLive's growth between two cycles
MOST_SLOT_GARBAGE = 0.95  # values near 1 were measured; at 1 no span would return its pages
UNFILLED_AT_PEAK = 0.2  # free slots at a run's highest heap over the mean at mark ends


def metadata_bytes(heap_in_use_bytes: Real, *, prior: MemoryPrior) -> Real:
    """The runtime's own memory for a heap in use, in bytes. In the runtime it does not shrink with the heap."""
    return prior.metadata_base_bytes + prior.metadata_share * heap_in_use_bytes


def free_slot_bytes(heap_live_bytes: Real, *, last_peak_bytes: Real, slot_garbage: Real) -> Real:
    """Free slots of swept spans that allocation will fill, in bytes, at heapLive of ``heap_live_bytes``.

        slot_garbage x (last peak - heap live), at least 0

    ``last_peak_bytes`` is the heap at the last mark end. ``slot_garbage``, 0 to 1, is the share of garbage in spans
    with live objects, which equals the share of allocation that fills them. ``unfilled_slot_bytes`` come on top.

    Measured with the runtime's own counters, fifty times a second, in 26 programs on Go 1.27 at GOGC=100: after the
    first third of a cycle's allocation, free slots fall linearly, by 0 to 0.8 of the allocated bytes (0 in 9 programs,
    1/4 in order services, 0.7 in caches whose entries die at random), down to their level at mark end.
    """
    return slot_garbage * maximum(last_peak_bytes - heap_live_bytes, 0)


def unfilled_slot_bytes(last_peak_bytes: Real, *, share: Real, calibrated_peak_bytes: Real) -> Real:
    """Free slots at mark end, in bytes: no allocation fitted them.

        share x calibrated peak x (last peak / calibrated peak) ** 0.25

    Counted in 17 programs at GOGC=100, without and with limits: these slots are proportional to the peak in some
    programs, constant where live objects pin them, and grow under limits in others. The formula is the middle, with an
    error of half either way (docs/explanation/memory.md has more programs).
    """
    unfilled: Real = share * calibrated_peak_bytes * (last_peak_bytes / calibrated_peak_bytes) ** 0.25
    return unfilled


def span_tail_recount_bytes(
    grown_bytes: Real,
    live_bytes: Real,
    *,
    slot_garbage: Real | float,
    base_share: Real | float,
) -> Real:
    """Growth of heapLive between two cycles that is not allocation, in bytes.

        min((base_share + 0.035 x slot_garbage) x live heap, 0.5 x growth)

    A P that takes a span adds the whole span less its objects to heapLive (Go 1.19+ ``mcache.refill``). Two parts of
    that are not allocation. The tail of a span, a few percent of it, is too small for an object: it is counted once in
    a fresh span, and in every cycle in a span with slots that a sweep freed, whose share of the live heap depends on
    ``slot_garbage``. And the spans that Ps hold when a cycle starts are not full: marking counts their objects alone.

    ``base_share`` is ``RECOUNT_BASE_SHARE`` in development programs on Go 1.27, fitted to the growth of heapLive less
    the growth of ``MemStats.TotalAlloc``: in all 0.01 of the live heap per cycle with few refilled slots, 0.03 with
    many (docs/explanation/memory.md; the code is the same from Go 1.19 on). A capture measures it: servers with many
    size classes and a small heap hold more. Tails of fresh spans in a growing heap count as allocation, as in a log.

    ``grown_bytes`` is the growth outside marking. The engines spread the recount over the way to the trigger, so that a
    cycle forced before the trigger counts less; the runtime would count nearly as much.
    """
    return minimum(_recounted_weight(slot_garbage, base_share) * live_bytes, _MOST_RECOUNTED * grown_bytes)


@overload
def without_span_tails(
    recounted_share: float, *, slot_garbage: float, known_slot_garbage: float, base_share: float
) -> float: ...
@overload
def without_span_tails(
    recounted_share: FloatOrArray,
    *,
    slot_garbage: FloatArray,
    known_slot_garbage: FloatOrArray,
    base_share: float,
) -> FloatArray: ...
def without_span_tails(
    recounted_share: FloatOrArray,
    *,
    slot_garbage: FloatOrArray,
    known_slot_garbage: FloatOrArray,
    base_share: float,
) -> FloatOrArray:
    """Allocation of a log with ``slot_garbage`` over its allocation with ``known_slot_garbage``.

    ``recounted_share``, 0 to 1/2, is the recounted share of heapLive's growth in that log with ``known_slot_garbage``.
    """
    times = _recounted_weight(slot_garbage, base_share) / _recounted_weight(known_slot_garbage, base_share)
    return (1.0 - minimum(recounted_share * times, _MOST_RECOUNTED)) / (1.0 - recounted_share)


def recount_base_share(recounted_share: float, *, slot_garbage: float) -> float:
    """The ``base_share`` at which ``recounted_share`` of the live heap is recounted in each cycle."""
    return recounted_share - _RECOUNTED_PER_SLOT_GARBAGE * slot_garbage


@overload
def _recounted_weight(slot_garbage: float, base_share: float) -> float: ...
@overload
def _recounted_weight(slot_garbage: FloatArray, base_share: FloatOrArray) -> FloatArray: ...
@overload
def _recounted_weight(slot_garbage: FloatOrArray, base_share: FloatOrArray) -> FloatOrArray: ...
def _recounted_weight(slot_garbage: FloatOrArray, base_share: FloatOrArray) -> FloatOrArray:
    """Recounted bytes per byte of live heap in each cycle, at least 0.001."""
    return maximum(base_share + _RECOUNTED_PER_SLOT_GARBAGE * slot_garbage, _LEAST_RECOUNTED)


def container_bytes(anonymous_bytes: Real, *, file_bytes: Real, hot_share: Real, kernel_bytes: Real) -> Real:
    """Memory that the container must hold for the program to run without stalls, in bytes.

        anonymous + hot share x file pages + kernel memory

    The kernel reclaims the cold file pages. Where the hot ones have no room, it reclaims them too, and the program
    reads them from disk again and again: it stalls, without an OOM kill.
    """
    return anonymous_bytes + hot_share * file_bytes + kernel_bytes


def resident_peak_bytes(heap_in_use_peak_bytes: Real, *, stack_bytes: Real, prior: MemoryPrior) -> Real:
    """Peak resident memory, in bytes, of a process that returned no memory before its peak.

        (heap in use x (1 + metadata share) + metadata base + stacks) x (1 + the measured median error)

    ``heap_in_use_peak_bytes`` is the heap peak (gctrace's h1, the highest so far): in most runs without a limit almost
    no slot is free at mark end. In the memory-limit regime, pass the highest heap in use: with later peaks of h1 the
    result is too low, by up to half for small objects (measured RSS up to 2.0 times the result). ``stack_bytes`` are
    allocated stacks. The result includes free pages that were in use at the peak. It excludes C memory and the
    program's own mappings.
    """
    ready = metadata_bytes(heap_in_use_peak_bytes, prior=prior) + heap_in_use_peak_bytes + stack_bytes
    return ready * (1.0 + prior.resident_error)
