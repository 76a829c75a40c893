"""The state of lanes between two GC cycles."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.goruntime.cons_mark import ConsMarkMemory, initial_cons_mark
from gcsim.goruntime.versions import GoRules


@dataclass(slots=True, kw_only=True)
class LaneState:
    """The state of lanes between two cycles; arrays of shape (lanes,)."""

    now_seconds: FloatArray  # end of the last cycle
    heap_marked_bytes: FloatArray
    heap_end_bytes: FloatArray
    live_bytes: FloatArray
    backlog_bytes: (
        FloatArray  # allocation of arrivals that wait; negative if the program ran ahead of arrivals
    )
    memory: ConsMarkMemory[FloatArray]
    limiter_fill_seconds: FloatArray
    worked_bytes: FloatArray  # allocated by the program since the warm-up
    gc_percent: Int64Array  # -1: off
    memory_limit_bytes: Int64Array  # MAX_INT64: off

    def select(self, keep: BoolArray) -> Self:
        """The lanes that ``keep`` marks."""
        arrays = {f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "memory"}
        memory = ConsMarkMemory(self.memory.cons_mark[keep], tuple(kept[keep] for kept in self.memory.kept))
        return type(self)(memory=memory, **arrays)


def initial_state(parameters: LaneParameters, rules: GoRules) -> LaneState:
    """The state of every lane after a cycle that ended at its live heap."""
    zero = np.zeros(parameters.lanes)
    return LaneState(
        now_seconds=zero,
        heap_marked_bytes=parameters.live_bytes.copy(),
        heap_end_bytes=parameters.calibrated_peak_bytes,
        live_bytes=parameters.live_bytes.copy(),
        backlog_bytes=zero,
        memory=initial_cons_mark(zero, rules=rules),
        limiter_fill_seconds=zero,
        worked_bytes=zero,
        gc_percent=parameters.gc_percent,
        memory_limit_bytes=parameters.memory_limit_bytes,
    )
