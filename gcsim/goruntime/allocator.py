"""The allocator's refills of spans, and how heapLive counts them.

Each P caches one span for every span class in use and allocates small objects from it. heapLive does not count
objects. It changes when

- a P takes a span (``mcache.refill``): plus the whole span, its free slots and tail included, less its used slots;
- the program allocates a large object (``mcache.allocLarge``): plus its whole pages, ``round_up_size``;
- ReadMemStats takes back a cached span (``mcache.releaseAll``): minus its free slots, but not its tail. Spans that a P
  has cached since before the last mark termination do not count;
- marking ends (``gcMarkTermination``, ``resetLive``): heapLive is set to the bytes of the marked slots.

Between collections heapLive is therefore above the allocated objects, by up to a span per P and span class and by the
tail of every span taken. The comment in ``refill`` says that this is intended. The rules are the same in Go 1.19 to
1.27.
"""

from typing import overload

import numpy as np

from gcsim.arrays import Int64Array, IntOrArray
from gcsim.goruntime.size_classes import same_kind


@overload
def refills(objects: int, free_slots: int, slots_per_refill: int) -> tuple[int, int]: ...
@overload
def refills(
    objects: Int64Array, free_slots: Int64Array, slots_per_refill: Int64Array
) -> tuple[Int64Array, Int64Array]: ...
def refills(
    objects: IntOrArray, free_slots: IntOrArray, slots_per_refill: IntOrArray
) -> tuple[IntOrArray, IntOrArray]:
    """(spans that one P takes for ``objects`` objects, free slots left in its cached span).

    ``free_slots`` is the number of free slots in the cached span before, 0 without a cached span. Each span taken has
    ``slots_per_refill`` (1 or more) free slots. The P replaces a full span only when it allocates the next object
    (``nextFree``).
    """
    missing = np.maximum(np.asarray(objects) - np.asarray(free_slots), 0)
    taken = -(-missing // np.asarray(slots_per_refill))
    left = np.asarray(free_slots) + taken * np.asarray(slots_per_refill) - np.asarray(objects)
    kinds = (objects, free_slots, slots_per_refill)
    return same_kind(taken, *kinds), same_kind(left, *kinds)
