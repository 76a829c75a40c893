"""Span tails: bytes of a span that no slot uses."""

from typing import overload

import numpy as np

from gcsim.arrays import BoolOrArray, Int64Array, IntOrArray
from gcsim.goruntime.size_classes import (
    PAGE_BYTES,
    SIZE_CLASS_BYTES,
    SIZE_CLASS_PAGES,
    same_kind,
    slots_per_span,
)
from gcsim.goruntime.versions import GoRules


@overload
def span_tail_bytes(size_class: int, scan: bool, *, rules: GoRules) -> int: ...


@overload
def span_tail_bytes(size_class: Int64Array, scan: BoolOrArray, *, rules: GoRules) -> Int64Array: ...


def span_tail_bytes(size_class: IntOrArray, scan: BoolOrArray, *, rules: GoRules) -> IntOrArray:
    """Bytes of a span that no slot uses: the remainder and the bits kept inside the span; 0 for class 0."""
    number = np.asarray(size_class, dtype=np.int64)
    slots = np.asarray(slots_per_span(number, np.asarray(scan), rules=rules))
    tail = SIZE_CLASS_PAGES[number] * PAGE_BYTES - slots * SIZE_CLASS_BYTES[number]
    return same_kind(tail, size_class, scan)
