"""What a collection's marking costs, beside what it cost where the service was calibrated."""

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
    """CPU time of marking over the calibrated one: with what is reachable, and how far the heap is spread out.

    ``last_peak_bytes`` is the heap at the end of the last marking, ``calibrated_growth`` the growth at calibration
    (``heap_growth``), ``heap_exponent`` the power to which reachable memory costs more in a heap that is spread out;
    roots do not spread. Arrays of one shape, or numbers.
    """
    reachable = np.maximum(live_bytes + root_bytes, 1.0)
    spread_out = heap_growth(last_peak_bytes, live_bytes, root_bytes) / calibrated_growth
    stretch = np.exp(heap_exponent * np.log(np.maximum(spread_out, _LEAST_SPREAD)))
    size = reachable / np.maximum(calibrated_live_bytes + root_bytes, 1.0)
    factor: Real = size * stretch
    return factor


# slope of the program's CPU time per byte on the same cycle's mark CPU: 0.5 in the middle of nine programs' runs, -0.3
# to 1.9 by run (Go 1.27)
_SLOWNESS_SHARED = 0.5


def program_slowness(machine_factor: Real, quantiles: FloatArray) -> Real:
    """CPU time per byte that an open loop allocates while marking takes ``machine_factor`` of its mean CPU; mean 1.

    What a shared machine takes from marking it takes from the program too, half of it on a log scale. ``quantiles``
    are the factor's, at ``LEVELS``. The mean is over time, as a log's is: phases are as long as their factor.
    """
    mean = 1.0 / float(np.trapezoid(quantiles ** (1.0 - _SLOWNESS_SHARED), LEVELS))
    slowness: Real = machine_factor**_SLOWNESS_SHARED / mean
    return slowness
