"""Cycle-to-cycle scatter for many lanes, cheaply."""

import numpy as np
from numpy.typing import NDArray

from gcsim.streams import stream
from gcsim.workload.pauses import LEVELS
from gcsim.workload.scatter import MARK_FACTORS, Scatter

FloatArray = NDArray[np.float64]

_NOISE_POOL = 1 << 16


class Noise:
    """Draws of the model's scatter from pools, another stretch of a pool each time.

    Drawing anew each step would cost more than the rest of the engine. Stretches start at random places of a
    pool of 65,536 draws: means and spreads are those of fresh draws, and two steps share numbers only in
    other lanes.
    """

    def __init__(self, scatter: Scatter, seed: int, lanes: int) -> None:
        self._places = stream(seed, "scatter places")
        self._marking = scatter.draw_marking(stream(seed, "scatter marking"), _NOISE_POOL + lanes)
        self._pools = {}
        for name, quantiles in scatter.distributions.items():
            if name not in MARK_FACTORS:
                levels = stream(seed, f"scatter {name}").random(_NOISE_POOL + lanes)
                self._pools[name] = np.interp(levels, LEVELS, quantiles)

    def draw(self, name: str, lanes: int) -> FloatArray:
        """A view of ``lanes`` numbers of one of Scatter's fields but for marking's, not to be written to."""
        start = int(self._places.integers(_NOISE_POOL))
        return self._pools[name][start : start + lanes]

    def draw_marking(self, lanes: int) -> FloatArray:
        """The same of a mark phase's factors, in the order of ``MARK_FACTORS``: shape (3, lanes)."""
        start = int(self._places.integers(_NOISE_POOL))
        return self._marking[:, start : start + lanes]
