"""The random numbers of GC cycles; each depends only on (seed, replica, quantity, cycle)."""

from collections.abc import Sequence

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.service.pauses import LEVELS
from gcsim.service.variability import MARK_FACTORS, CycleVariability
from gcsim.streams import stream

_MARKING = "marking"
_MAX_CYCLES_PER_BLOCK = 256  # drawn together; the number changes only the speed
_NUMBERS_PER_BLOCK = 1 << 19


class CycleDraws:
    """The factors of a model's cycle variability for some replicas, cycle by cycle.

    Each (replica, quantity) has its own random stream, and cycle c takes the c-th number. Every setting therefore has
    the same numbers, and other settings and replicas do not change them.
    """

    def __init__(self, scatter: CycleVariability, *, seed: int, replicas: Sequence[int]) -> None:
        """Opens the streams of ``replicas``, in that order; replica r has the same numbers in both engines."""
        self._scatter = scatter
        names = [name for name in scatter.distributions if name not in MARK_FACTORS]
        self._streams = {
            name: [stream(seed, f"cycle {name}", replica) for replica in replicas]
            for name in (*names, _MARKING)
        }
        self._per_block = min(max(_NUMBERS_PER_BLOCK // max(len(replicas), 1), 1), _MAX_CYCLES_PER_BLOCK)
        self._blocks: dict[str, FloatArray] = {}
        self._first: dict[str, int] = dict.fromkeys(self._streams, -self._per_block)

    def at(self, cycle: int, name: str) -> FloatArray:
        """The factor ``name``, not one of a mark phase, shape (replicas,); ``cycle`` (>= 0) must not decrease."""
        return self._row(cycle, name)

    def marking_at(self, cycle: int) -> FloatArray:
        """The factors of a mark phase in the order of ``MARK_FACTORS``, shape (3, replicas)."""
        return self._row(cycle, _MARKING)

    @property
    def names(self) -> list[str]:
        """The factors in the order of ``next_block``."""
        return [name for name in self._streams if name != _MARKING] + list(MARK_FACTORS)

    def next_block(self) -> FloatArray:
        """All factors of the next cycles, shape (cycles, factors, replicas).

        The first block begins with cycle 0. A caller that reads blocks must not call ``at`` or ``marking_at``.
        """
        single = [self._levels(name) for name in self._streams if name != _MARKING]
        return np.concatenate([np.stack(single, axis=1), self._marking()], axis=1)

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
