"""CPU cost of marking relative to the calibrated cost."""

import numpy as np

from gcsim.arrays import FloatArray, Real
from gcsim.service.pauses import LEVELS
from gcsim.submodels.heap_growth import heap_growth

_LEAST_SPREAD = 1e-3


def mark_cpu_factor(
    live_bytes: Real,
    last_peak_bytes: Real,
    *,
    root_bytes: Real,
    calibrated_live_bytes: Real,
    calibrated_growth: Real,
    heap_exponent: Real,
) -> Real:
    """CPU time of marking over the calibrated CPU time; arrays of one shape, or numbers.

        (reachable / calibrated reachable) * (heap growth / calibrated growth) ** heap_exponent

    ``last_peak_bytes`` is the heap at the end of the last marking. Heap growth is ``heap_growth`` of that peak.
    """
    reachable = np.maximum(live_bytes + root_bytes, 1.0)
    spread_out = heap_growth(last_peak_bytes, live_bytes, root_bytes) / calibrated_growth
    stretch = np.exp(heap_exponent * np.log(np.maximum(spread_out, _LEAST_SPREAD)))
    size = reachable / np.maximum(calibrated_live_bytes + root_bytes, 1.0)
    factor: Real = size * stretch
    return factor


# slope of the program's log CPU time per byte on the log mark CPU of the same cycle: median 0.5 over runs of nine
# programs, -0.3 to 1.9 by run (Go 1.27)
_SLOWNESS_SHARED = 0.5


def program_slowness(machine_factor: Real, quantiles: FloatArray) -> Real:
    """Factor on an open loop's CPU time per byte in a cycle whose marking takes ``machine_factor`` of its mean CPU.

    slowness = machine_factor ** 0.5 / mean: other load on the machine slows the program and marking. ``quantiles`` are
    those of ``machine_factor`` at ``LEVELS``. The mean over time is 1; the duration of a phase is proportional to its
    factor.
    """
    mean = 1.0 / float(np.trapezoid(quantiles ** (1.0 - _SLOWNESS_SHARED), LEVELS))
    slowness: Real = machine_factor**_SLOWNESS_SHARED / mean
    return slowness
