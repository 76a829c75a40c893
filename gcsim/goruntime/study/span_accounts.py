"""The bytes that cached spans add to heapLive, and the free slots that sweeping leaves in spans."""

from typing import overload

import numpy as np

from gcsim.arrays import BoolArray, BoolOrArray, FloatArray, Int64Array, IntOrArray
from gcsim.goruntime.allocator import refills
from gcsim.goruntime.size_classes import (
    PAGE_BYTES,
    SIZE_CLASS_BYTES,
    SIZE_CLASS_PAGES,
    same_kind,
    slots_per_span,
)
from gcsim.goruntime.study.span_tails import span_tail_bytes
from gcsim.goruntime.versions import GoRules


@overload
def refill_charge_bytes(size_class: int, used_slots: int) -> int: ...


@overload
def refill_charge_bytes(size_class: Int64Array, used_slots: IntOrArray) -> Int64Array: ...


def refill_charge_bytes(size_class: IntOrArray, used_slots: IntOrArray) -> IntOrArray:
    """Growth of heapLive when a P takes a span of a class (1 to 67) with ``used_slots`` already used, bytes.

    Source: ``(*mcache).refill``.
    """
    number = np.asarray(size_class, dtype=np.int64)
    used = np.asarray(used_slots, dtype=np.int64)
    charge = SIZE_CLASS_PAGES[number] * PAGE_BYTES - used * SIZE_CLASS_BYTES[number]
    return same_kind(charge, size_class, used_slots)


@overload
def flush_credit_bytes(size_class: int, free_slots: int) -> int: ...


@overload
def flush_credit_bytes(size_class: Int64Array, free_slots: IntOrArray) -> Int64Array: ...


def flush_credit_bytes(size_class: IntOrArray, free_slots: IntOrArray) -> IntOrArray:
    """Decrease of heapLive when a P returns a span, taken since the last mark end, with ``free_slots``, bytes.

    Source: ``(*mcache).releaseAll``.
    """
    free = np.asarray(free_slots, dtype=np.int64)
    credit = free * SIZE_CLASS_BYTES[np.asarray(size_class, dtype=np.int64)]
    return same_kind(credit, size_class, free_slots)


@overload
def overcharge_bytes(objects: int, size_class: int, scan: bool, *, rules: GoRules) -> int: ...


@overload
def overcharge_bytes(
    objects: Int64Array, size_class: Int64Array, scan: BoolOrArray, *, rules: GoRules
) -> Int64Array: ...


def overcharge_bytes(
    objects: IntOrArray, size_class: IntOrArray, scan: BoolOrArray, *, rules: GoRules
) -> IntOrArray:
    """heapLive less the bytes of ``objects`` that one P has allocated in a small class since marking ended.

    The result is for spans that were empty. A span that sweeping left partly used has fewer free slots and the same
    tail, so that tails have a larger part and cached free slots a smaller one. The sum over Ps and span classes is the
    value of a process.
    """
    slots = np.asarray(slots_per_span(np.asarray(size_class), np.asarray(scan), rules=rules))
    taken, free = refills(np.asarray(objects), np.zeros_like(slots), slots)
    tails = taken * np.asarray(span_tail_bytes(np.asarray(size_class), np.asarray(scan), rules=rules))
    lead = free * SIZE_CLASS_BYTES[np.asarray(size_class)] + tails
    return same_kind(lead, objects, size_class, scan)


def cached_lead_bytes(gomaxprocs: int, size_class: Int64Array, scan: BoolArray, *, rules: GoRules) -> float:
    """Mean excess of heapLive over allocated objects from cached spans, bytes, for 1 or more Ps.

    The cached span of each P and class is assumed to be filled to a uniformly random degree. This holds if every P
    allocates at least a span of each class between collections. ``size_class`` and ``scan`` have one element per span
    class in use.
    """
    slots = slots_per_span(size_class, scan, rules=rules)
    free = (slots - 1) / 2
    tails = span_tail_bytes(size_class, scan, rules=rules)
    return float(gomaxprocs * np.sum(free * SIZE_CLASS_BYTES[size_class] + tails))


def swept_spans(spans: FloatArray, slots: Int64Array, survival: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (spans freed whole, free slots in the remaining spans) after a sweep of full spans; arrays of one shape.

    Each of a span's ``slots`` objects survives independently with probability ``survival``. Objects allocated together
    often die together. Then the sweep frees more spans and leaves fewer free slots than this result.
    Source: ``(*sweepLocked).sweep``.
    """
    freed = spans * (1 - survival) ** slots
    return freed, spans * slots * (1 - survival) - freed * slots
