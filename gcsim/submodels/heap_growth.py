"""How far a heap grows between two collections: the one definition that calibration and both engines use.

    growth = (peak + roots) / (live + roots)

``peak`` is heapLive at the end of marking, ``live`` the heap that was reachable when the cycle began, ``roots`` the
scanned stacks and globals. GOGC acts on the same sum: the pacer's goal is live + (live + roots) * GOGC/100 (Go 1.18+
``gcControllerState.commit``), so growth is 1 + GOGC/100 where a cycle ends at its goal, whatever the roots are.
``peak / live`` would grow without bound for a service of many goroutines and a small heap.
"""

import numpy as np

from gcsim.arrays import Real


def heap_growth(peak_bytes: Real, live_bytes: Real, root_bytes: Real) -> Real:
    """(peak + roots) / (live + roots); arrays of one shape, or numbers. At least a byte is taken as reachable."""
    growth: Real = (peak_bytes + root_bytes) / np.maximum(live_bytes + root_bytes, 1.0)
    return growth


def grown_peak_bytes(growth: Real, live_bytes: Real, root_bytes: Real) -> Real:
    """The heap's peak that makes ``heap_growth`` what is given: no less than what is live, for a growth below 1."""
    peak: Real = np.maximum(growth * (live_bytes + root_bytes) - root_bytes, live_bytes)
    return peak
