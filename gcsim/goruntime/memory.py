"""Memory accounting: what counts against GOMEMLIMIT, what is resident, and what a sweep leaves behind.

The runtime's memory, in the terms of ``runtime/metrics``:

    mappedReady = heap in use + heap free + stacks + metadata          (/memory/classes/total - heap/released)
    heap in use = objects + free slots                                 (heap/objects + heap/unused)
    nonHeap     = mappedReady - heap free - objects = metadata + stacks + free slots

``mappedReady`` is what GOMEMLIMIT limits; text, data and bss, C memory and the kernel's own are not in it.
``nonHeap`` (``memory_limit.non_heap_bytes``) is what the limit's heap goal subtracts. Its first two parts
change slowly; the third is the whole difference between programs:

- A swept span with no live object gives its pages back (heap free). A span with one live object stays in
  use, and its dead slots become *free slots*: nonHeap. How much of the garbage goes that way is
  ``slot_garbage_share``: next to nothing for large objects or lifetimes that end together, almost all for
  small objects that die at random.
- Until a span is swept its dead objects count as objects. So nonHeap is least when marking ends, grows as
  sweeping goes on, and falls as allocation fills the slots again.

So a memory limit bites much earlier in a program of the second kind: heap in use does not shrink, and the
goal leaves only the room between heap in use and the limit (``limited_trigger_bytes``). Measured on Go 1.19
to 1.27, with a live heap of 200 MiB of small objects that die at random: at GOMEMLIMIT=430MiB marking starts
at 210 to 240 MiB and hardly stops; large objects in the same room run up to 400 MiB.

Sizes are bytes, numbers or arrays. Source: Go 1.19+ ``memoryLimitHeapGoal``, ``mspan.sweep``
(``sweepLocked.sweep``), ``mheap.allocSpan``, ``runtime/metrics``.
"""

from dataclasses import dataclass
from typing import Any

from gcsim.goruntime.arithmetic import maximum, minimum, where
from gcsim.goruntime.sweep import PAGE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPrior:
    """Memory of one Go version outside the heap, measured; ``memory_priors.py`` has the values.

    Metadata (span and heap bitmaps, mspans, mark bits, page and arena tables, work buffers, profiling
    buckets) grew in a straight line with heap in use in every program, within ``metadata_error_bytes``. The
    share depends on how many objects and spans a byte of heap is made of: low is that of large objects, high
    that of small ones.
    """

    go: str
    metadata_base_bytes: int
    metadata_base_low_bytes: int
    metadata_base_high_bytes: int
    metadata_share: float  # of heap in use
    metadata_share_low: float
    metadata_share_high: float
    metadata_error_bytes: int  # standard deviation about one program's own line
    resident_error_low: float  # peak RSS / ``resident_peak_bytes`` - 1, 5th percentile over programs
    resident_error: float  # median
    resident_error_high: float  # 95th percentile


def metadata_bytes(heap_in_use_bytes: Any, *, prior: MemoryPrior) -> Any:
    """The runtime's own memory beside a heap of ``heap_in_use_bytes``; it does not shrink with the heap."""
    return prior.metadata_base_bytes + prior.metadata_share * heap_in_use_bytes


def slot_garbage_share(live_share: Any, *, slots_per_span: Any) -> Any:
    """The share of dead slots that lie in spans with a live object, if slots die independently.

        1 - (1 - live)^(slots - 1)

    ``live_share`` is the live part of all slots, 0 to 1. An upper bound: objects allocated together tend to
    die together. Not measured directly. A rough gauge, the most free slots seen in a cycle over (heap peak -
    marked), was 0.01-0.06 for 4-256 KiB objects, 0.14-0.75 (median 0.35) for sizes from 16 B to 8 KiB, and
    0.31 upward (median 0.6) for objects of 16 to 100 B, where 10 of 40 runs passed 1: free slots there
    outlast a cycle.
    """
    return 1.0 - (1.0 - live_share) ** (slots_per_span - 1)


def heap_in_use_after_sweep_bytes(
    heap_marked_bytes: Any, heap_in_use_bytes: Any, *, slot_garbage: Any
) -> Any:
    """Heap in use when everything is swept: what is marked, and the garbage beside it in the same spans.

    ``heap_in_use_bytes`` is that of mark end, its peak; ``slot_garbage`` the share of garbage in spans that
    live on.
    """
    return heap_marked_bytes + slot_garbage * maximum(heap_in_use_bytes - heap_marked_bytes, 0)


def limited_trigger_bytes(
    heap_marked_bytes: Any,
    available_bytes: Any,
    *,
    heap_in_use_after_sweep_bytes: Any,
    unswept_slot_bytes: Any = 0,
    swept_after_bytes: Any = 0,
    trigger_share: Any = 45 / 64,
    headroom_share: float = 0.03,
) -> Any:
    """heapLive at which a cycle starts in the memory-limit regime, while spans are swept.

    ``available_bytes`` is the limit less metadata and stacks, ``unswept_slot_bytes`` what was free in spans when
    marking ended, ``swept_after_bytes`` what is allocated until all is swept. The goal (1 - headroom) x (available -
    free slots) moves with heapLive H: sweeping makes free slots, allocation turns them into objects. With s =
    ``trigger_share`` of the way from marked to goal, the trigger is met where

        H = marked + s (goal(H) - marked),   goal(H) = (1 - headroom) (available - free slots(H))

    Let x = H - marked, F the slots that sweeping makes, U those free before, D ``swept_after_bytes``: free slots are
    U + x (F/D - 1) up to D, or where allocation fills them as they come U (1 - x/D), and then U + F - x until they are
    filled. Sweeping: Go 1.19+ ``gcPaceSweeper``, ``deductSweepCredit``, ``bgsweep``. Never below ``heap_marked_bytes``
    (continuous collection). Valid from Go 1.21 (percentage headroom) while that exceeds 1 MiB.

    Measured on Go 1.27 (small objects, 2 Ps): all was swept 2 ms after marking where a P idled, and 8 to 40 ms after
    it where none did; real triggers of order services lay at 0.65 of the way under every limit, in open loops as in
    closed ones, where this rule puts them with 0.75 of the garbage beside live objects.
    """
    keep = 1.0 - headroom_share
    slope = trigger_share * keep
    room = trigger_share * (keep * (available_bytes - unswept_slot_bytes) - heap_marked_bytes)
    made = heap_in_use_after_sweep_bytes - heap_marked_bytes - unswept_slot_bytes
    until = maximum(swept_after_bytes, PAGE_BYTES)
    sweeping = room / (1.0 + slope * maximum(made / until - 1.0, -unswept_slot_bytes / until))
    filled = room + slope * unswept_slot_bytes
    swept = minimum(filled, (room - slope * made) / (1.0 - slope))
    grown = where(sweeping <= until, sweeping, maximum(swept, until))
    return heap_marked_bytes + maximum(grown, 0)


def resident_peak_bytes(heap_in_use_peak_bytes: Any, *, stack_bytes: Any, prior: MemoryPrior) -> Any:
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
