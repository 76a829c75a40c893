"""What spans that Ps cache add to heapLive, and what sweeping leaves in them, exactly."""

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
    """What heapLive grows by when a P takes a span of a class (1 to 67) with ``used_slots`` already used.

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
    """What heapLive shrinks by when a span taken since the last mark end is handed back with ``free_slots``.

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
    """heapLive's lead over the ``objects`` that one P has made of a small class since marking ended.

    For spans taken empty; where sweeping left spans partly used, each span brings fewer slots and the
    same tail, so that the tails weigh more and the cached free slots less. Sum over Ps and span classes
    for a process.
    """
    slots = np.asarray(slots_per_span(np.asarray(size_class), np.asarray(scan), rules=rules))
    taken, free = refills(np.asarray(objects), np.zeros_like(slots), slots)
    tails = taken * np.asarray(span_tail_bytes(np.asarray(size_class), np.asarray(scan), rules=rules))
    lead = free * SIZE_CLASS_BYTES[np.asarray(size_class)] + tails
    return same_kind(lead, objects, size_class, scan)


def cached_lead_bytes(gomaxprocs: int, size_class: Int64Array, scan: BoolArray, *, rules: GoRules) -> float:
    """Mean lead of heapLive from cached spans alone, on a P count of 1 or more and the span classes in use.

    Each P's cached span of each class is taken to be filled to a uniformly random degree; true where
    every P allocates at least a span of each class between collections. ``size_class``, ``scan``: one
    element a span class.
    """
    slots = slots_per_span(size_class, scan, rules=rules)
    free = (slots - 1) / 2
    tails = span_tail_bytes(size_class, scan, rules=rules)
    return float(gomaxprocs * np.sum(free * SIZE_CLASS_BYTES[size_class] + tails))


def swept_spans(spans: FloatArray, slots: Int64Array, survival: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (spans freed whole, free slots in the spans that stay) when full spans are swept; arrays of
    one shape.

    Each of a span's ``slots`` objects survives with chance ``survival``, independently. Objects made together
    often die together: then more spans are freed, and fewer slots stay free, than this says.
    Source: ``(*sweepLocked).sweep``.
    """
    freed = spans * (1 - survival) ** slots
    return freed, spans * slots * (1 - survival) - freed * slots
