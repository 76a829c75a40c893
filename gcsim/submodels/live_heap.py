"""What a service keeps when it is collected more or less often.

At a collection the live heap is what the program can reach at that instant, however long ago the last one was: in ten
Go programs at GOGC 25 to 800 it moved by 0.5 % and less for each doubling of what is allocated in between. It does
move where collections themselves empty something: ``sync.Pool``, caches behind weak pointers, finalizers.
"""

import numpy as np

from gcsim.arrays import Real

_LEAST_GROWTH = 0.02  # of what is reachable, allocated between two collections: below, ages are alike
_MOST_DOUBLINGS = 6.0
_LEAST_KEPT = 0.1


def doublings(growth: Real, calibrated: Real) -> Real:
    """By how much more is allocated between collections than at calibration, as a power of 2, -6 to 6.

    Both are growths of the heap (``heap_growth``): arrays of one shape, or numbers. ``growth`` less 1 is the allocation
    between two collections over what is reachable.
    """
    more = np.maximum(growth - 1.0, _LEAST_GROWTH) / np.maximum(calibrated - 1.0, _LEAST_GROWTH)
    times: Real = np.clip(np.log2(more), -_MOST_DOUBLINGS, _MOST_DOUBLINGS)
    return times


def live_heap_scale(per_doubling: Real, growth: Real, calibrated: Real) -> Real:
    """Live heap over the calibrated one: ``per_doubling`` to the power of ``doublings``, for values close to 1."""
    kept: Real = np.maximum(1.0 + (per_doubling - 1.0) * doublings(growth, calibrated), _LEAST_KEPT)
    return kept
