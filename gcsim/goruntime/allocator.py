"""The allocator's accounts: what counts into heapLive and when, and what sweeping leaves in spans.

Small objects come from spans that each P caches, one for every span class in use. heapLive does not count
objects. It moves when

- a P takes a span (``mcache.refill``): by all of the span but its used slots, so free slots and tail at
once; - a large object is made (``mcache.allocLarge``): by its whole pages, ``round_up_size``; - a cached
span is handed back early (``mcache.releaseAll``, from ReadMemStats): down by its free slots, not by
  its tail; spans cached since before the last mark termination are left out;
- marking ends (``gcMarkTermination``, ``resetLive``): it is *set* to the bytes of the slots marked.

So between collections it runs ahead of the objects allocated, by up to a span for each P and span class
and by the tail of every span taken: ``refill``'s own comment prefers that to running behind. Go 1.19 to
1.27 alike.
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
    """Spans that one P takes to place ``objects``, and the free slots then left in its cached span.

    ``free_slots`` are left in the cached span before, 0 if there is none; each span taken has
    ``slots_per_refill`` (1 or more) free. A full span is replaced only when the next object comes
    (``nextFree``).
    """
    missing = np.maximum(np.asarray(objects) - np.asarray(free_slots), 0)
    taken = -(-missing // np.asarray(slots_per_refill))
    left = np.asarray(free_slots) + taken * np.asarray(slots_per_refill) - np.asarray(objects)
    kinds = (objects, free_slots, slots_per_refill)
    return same_kind(taken, *kinds), same_kind(left, *kinds)
