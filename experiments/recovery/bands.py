"""How far the distribution of n uniform ranks may stray from the diagonal before chance does not explain it."""

import numpy as np
from scipy.stats import binom

from gcsim.arrays import FloatArray
from gcsim.streams import stream

GRID: FloatArray = np.linspace(0.02, 0.98, 49)
LEVEL = 0.95
_SIMULATIONS = 2000


def simultaneous_band(count: int) -> tuple[FloatArray, FloatArray]:
    """Bounds on ECDF less diagonal at GRID that 95 % of samples of ``count`` uniform numbers keep everywhere.

    Pointwise binomial intervals, of the level at which simulated uniform samples keep all of them at once
    (Säilynoja, Bürkner, Vehtari 2022, arXiv 2103.10522).
    """
    uniform = stream(count, "simultaneous band").random((_SIMULATIONS, count))
    below = np.stack([np.searchsorted(np.sort(row), GRID, side="right") for row in uniform])
    tails = 2.0 * np.minimum(binom.cdf(below, count, GRID), binom.sf(below - 1, count, GRID))
    level = float(np.quantile(tails.min(axis=1), 1.0 - LEVEL))
    low, high = binom.ppf(level / 2.0, count, GRID), binom.isf(level / 2.0, count, GRID)
    return low / count - GRID, high / count - GRID


def ecdf_difference(places: FloatArray) -> FloatArray:
    """ECDF less diagonal at GRID of ranks spread over 0 to 1."""
    below = np.searchsorted(np.sort(places), GRID, side="right")
    return np.asarray(below / max(places.size, 1) - GRID, dtype=np.float64)
