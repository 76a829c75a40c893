"""The live heap as a function of the interval between collections.

The live heap is the reachable memory at the instant of a collection and mostly independent of the interval: in ten Go
programs at GOGC 25 to 800 it moved by 0.5 % or less per doubling of the bytes allocated between collections. It depends
on the interval if collections themselves empty something: ``sync.Pool``, caches behind weak pointers, finalizers.
"""

import numpy as np

from gcsim.arrays import Real

_LEAST_GROWTH = 0.02  # allocation between two collections over reachable bytes, at least
_MOST_DOUBLINGS = 6.0
_LEAST_SCALE = 0.1


def doublings(growth: Real, calibrated: Real) -> Real:
    """log2 of the bytes allocated between collections over those at calibration, -6 to 6.

    Both arguments are ``heap_growth``: arrays of one shape, or numbers. ``growth`` - 1 is the allocation between two
    collections over reachable bytes.
    """
    ratio = np.maximum(growth - 1.0, _LEAST_GROWTH) / np.maximum(calibrated - 1.0, _LEAST_GROWTH)
    times: Real = np.minimum(np.maximum(np.log2(ratio), -_MOST_DOUBLINGS), _MOST_DOUBLINGS)
    return times


def live_heap_scale(per_doubling: Real, growth: Real, calibrated: Real) -> Real:
    """Live heap over the calibrated live heap: ``per_doubling`` ** ``doublings``, linearized around 1; at least 0.1."""
    scale: Real = np.maximum(1.0 + (per_doubling - 1.0) * doublings(growth, calibrated), _LEAST_SCALE)
    return scale
