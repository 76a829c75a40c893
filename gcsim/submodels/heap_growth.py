"""Heap growth between two collections: the definition that calibration and both engines use.

    growth = (peak + roots) / (live + roots)

``peak`` is heapLive at the end of marking, ``live`` the reachable heap at the start of the cycle, ``roots`` the scanned
stacks and globals. The pacer's goal is marked + (marked + roots) * GOGC/100, with ``marked`` of the previous cycle (Go
1.18+ ``gcControllerState.commit``). So for a cycle that ends at its goal, (peak + roots) / (marked + roots) is
1 + GOGC/100 with any roots. Growth is larger if marked includes bytes that were allocated while marking. ``peak /
live`` has no upper bound for a service with many goroutines and a small heap.
"""

import numpy as np

from gcsim.arrays import Real


def heap_growth(peak_bytes: Real, live_bytes: Real, root_bytes: Real) -> Real:
    """(peak + roots) / (live + roots), with live + roots of at least 1 byte; arrays of one shape, or numbers."""
    growth: Real = (peak_bytes + root_bytes) / np.maximum(live_bytes + root_bytes, 1.0)
    return growth


def grown_peak_bytes(growth: Real, live_bytes: Real, root_bytes: Real) -> Real:
    """The heap peak, in bytes, with the given ``heap_growth``; at least the live heap."""
    peak: Real = np.maximum(growth * (live_bytes + root_bytes) - root_bytes, live_bytes)
    return peak
