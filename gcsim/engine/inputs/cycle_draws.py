"""The random numbers of single GC cycles, each a function of (seed, replica, quantity, cycle) and of nothing else."""

from collections.abc import Sequence

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.service.pauses import LEVELS
from gcsim.service.variability import MARK_FACTORS, CycleVariability
from gcsim.streams import stream

_MARKING = "marking"
_MOST_CYCLES_PER_BLOCK = 256  # drawn together; how many changes the speed only
_NUMBERS_PER_BLOCK = 1 << 19


class CycleDraws:
    """Draws of a model's scatter for some replicas, cycle by cycle.

    Each (replica, quantity) has a stream of its own, and cycle c takes its c-th number. So every setting meets the
    same numbers, and neither other settings nor other replicas change them.
    """

    def __init__(self, scatter: CycleVariability, *, seed: int, replicas: Sequence[int]) -> None:
        """Draws for ``replicas``, in that order; both engines give replica r the same numbers."""
        self._scatter = scatter
        names = [name for name in scatter.distributions if name not in MARK_FACTORS]
        self._streams = {
            name: [stream(seed, f"cycle {name}", replica) for replica in replicas]
            for name in (*names, _MARKING)
        }
        self._per_block = min(max(_NUMBERS_PER_BLOCK // max(len(replicas), 1), 1), _MOST_CYCLES_PER_BLOCK)
        self._blocks: dict[str, FloatArray] = {}
        self._first: dict[str, int] = dict.fromkeys(self._streams, -self._per_block)

    def at(self, cycle: int, name: str) -> FloatArray:
        """One of Scatter's fields but for marking's in ``cycle`` >= 0, shape (replicas,); cycles never go back."""
        return self._row(cycle, name)

    def marking_at(self, cycle: int) -> FloatArray:
        """A mark phase's factors in the order of ``MARK_FACTORS``, shape (3, replicas)."""
        return self._row(cycle, _MARKING)

    def _row(self, cycle: int, name: str) -> FloatArray:
        while cycle >= self._first[name] + self._per_block:
            self._blocks[name] = self._marking() if name == _MARKING else self._levels(name)
            self._first[name] += self._per_block
        row: FloatArray = self._blocks[name][cycle - self._first[name]]
        return row

    def _levels(self, name: str) -> FloatArray:
        """The next block of one quantity, shape (cycles, replicas)."""
        levels = np.stack([each.random(self._per_block) for each in self._streams[name]], axis=1)
        return np.interp(levels, LEVELS, self._scatter.distributions[name])

    def _marking(self) -> FloatArray:
        """The next block of mark phases' factors, shape (cycles, 3, replicas)."""
        drawn = [each.standard_normal((self._per_block, 3)) for each in self._streams[_MARKING]]
        normals = np.stack(drawn, axis=2)
        return np.stack(self._scatter.marking_factors(normals[:, 0], normals[:, 1], normals[:, 2]), axis=1)
