"""The factors of one cycle in each lane, from the keyed draws of its replica."""

from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.engine.inputs.cycle_draws import CycleDraws
from gcsim.service.variability import CycleVariability
from gcsim.submodels.mark_cost import program_slowness

_LEAST_TIME_FACTOR = 1e-3
_SLOWNESS = "slowness"


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
        self._draws = CycleDraws(scatter, seed=seed, replicas=range(replicas))
        self._scatter = scatter
        self._with_slowness = with_slowness
        names = [*self._draws.names, _SLOWNESS]
        self._order = [names.index(name) for name in CycleFactors._fields]
        self._block = np.zeros((0, 0, 0))
        self._next = 0

    def next_cycle(self, replica: Int64Array) -> CycleFactors:
        """The factors of the next cycle in lanes of the given replicas."""
        if self._next == self._block.shape[0]:
            self._block, self._next = self._drawn(), 0
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

    def _drawn(self) -> FloatArray:
        block = self._draws.next_block()
        names = self._draws.names
        time = names.index("alloc_time_factor")
        block[:, time] = np.maximum(block[:, time], _LEAST_TIME_FACTOR)
        if not self._with_slowness:
            return block
        cpu = names.index("mark_cpu_factor")
        slowness = program_slowness(block[:, cpu], self._scatter.mark_cpu_factor)
        return np.concatenate([block, slowness[:, np.newaxis]], axis=1)
