"""The factors of one cycle in each lane, from the keyed draws of its replica."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.engine.inputs.cycle_draws import CycleDraws
from gcsim.service.variability import CycleVariability
from gcsim.submodels.mark_cost import program_slowness

_LEAST_TIME_FACTOR = 1e-3
_SLOWNESS = "slowness"
_MOST_KEPT, _MOST_KEPT_REPLICAS = 8, 64  # blocks of draws, and replicas of those that are kept


class CycleFactors(NamedTuple):
    """The factors of one cycle; arrays of shape (lanes,). The names are those of ``CycleVariability``."""

    live_factor: FloatArray
    alloc_time_factor: FloatArray  # at least 0.001
    heap_start_slack_bytes: FloatArray
    mark_cpu_factor: FloatArray
    mark_time_factor: FloatArray
    allocated_black_factor: FloatArray
    slowness: FloatArray | None  # program_slowness of the cycle, for a steady open loop


class LaneDraws:
    """Reads the factors of all lanes, cycle by cycle."""

    def __init__(self, scatter: CycleVariability, *, seed: int, replicas: int, with_slowness: bool) -> None:
        self._of = _Blocks.of(scatter, seed, replicas, with_slowness)
        self._with_slowness = with_slowness
        names = [*self._of.names, _SLOWNESS]
        self._order = [names.index(name) for name in CycleFactors._fields]
        self._blocks: Iterator[FloatArray] = iter(self._of)
        self._block = np.zeros((0, 0, 0))
        self._next = 0

    def next_cycle(self, replica: Int64Array) -> CycleFactors:
        """The factors of the next cycle in lanes of the given replicas."""
        if self._next == self._block.shape[0]:
            self._block, self._next = next(self._blocks), 0
        rows = self._block[self._next].take(replica, axis=1)
        self._next += 1
        live, time, slack, mark_cpu, mark_time, black, slowness = self._order
        return CycleFactors(
            live_factor=rows[live],
            alloc_time_factor=rows[time],
            heap_start_slack_bytes=rows[slack],
            mark_cpu_factor=rows[mark_cpu],
            mark_time_factor=rows[mark_time],
            allocated_black_factor=rows[black],
            slowness=rows[slowness] if self._with_slowness else None,
        )


class _Blocks:
    """The factors of consecutive cycles, shape (cycles, factors, replicas) each; the first ones are kept."""

    def __init__(self, scatter: CycleVariability, seed: int, replicas: int, with_slowness: bool) -> None:
        self._scatter, self._seed, self._replicas = scatter, seed, replicas
        self._with_slowness = with_slowness
        self._kept: list[FloatArray] = []
        self._rest = CycleDraws(scatter, seed=seed, replicas=range(replicas))
        self.names = self._rest.names

    @classmethod
    def of(cls, scatter: CycleVariability, seed: int, replicas: int, with_slowness: bool) -> "_Blocks":
        """The blocks of these draws; few replicas share theirs with earlier engines of the same service."""
        make = _kept_blocks if replicas <= _MOST_KEPT_REPLICAS else cls
        return make(scatter, seed, replicas, with_slowness)

    def __iter__(self) -> Iterator[FloatArray]:
        for place in range(_MOST_KEPT):
            if place == len(self._kept):
                self._kept.append(self._drawn(self._rest))
            yield self._kept[place]
        draws = CycleDraws(self._scatter, seed=self._seed, replicas=range(self._replicas))
        for _ in range(_MOST_KEPT):
            draws.next_block()
        while True:
            yield self._drawn(draws)

    def _drawn(self, draws: CycleDraws) -> FloatArray:
        block = draws.next_block()
        names = draws.names
        time = names.index("alloc_time_factor")
        block[:, time] = np.maximum(block[:, time], _LEAST_TIME_FACTOR)
        if not self._with_slowness:
            return block
        cpu = names.index("mark_cpu_factor")
        slowness = program_slowness(block[:, cpu], self._scatter.mark_cpu_factor)
        return np.concatenate([block, slowness[:, np.newaxis]], axis=1)


_kept_blocks = lru_cache(maxsize=4)(_Blocks)
