"""The table of GC cycles: one row per cycle, with the fields that gctrace prints.

A real log and a simulated run are both a ``CycleTable``, so that observed and predicted metrics come from the same code
(``gcsim/metrics.py``).
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, Int64Array

NOT_LOGGED = -1  # value of an integer column whose field the log's format lacks
NO_HEAP_GOAL = (1 << 63) - 1  # heap_goal_bytes with GOGC=off and no memory limit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CycleTable:
    """Columns of equal length n, one element per GC cycle, in order of start.

    Times are integer nanoseconds and sizes integer bytes. Sizes read from a log are whole MiB (gctrace
    truncates) and times have the two or three digits printed. NOT_LOGGED (-1) marks a field that the
    log's format lacks. Field by field: Go 1.19+ ``runtime.gcMarkTermination``.
    """

    cycle_number: Int64Array  # N of "gc N", from 1
    start_ns: Int64Array  # start of sweep termination, since the runtime's start
    utilization_percent: Int64Array  # cumulative since the program's start
    stw_sweep_term_ns: Int64Array  # first stop-the-world, wall (w1)
    mark_ns: Int64Array  # concurrent mark, wall (wm)
    stw_mark_term_ns: Int64Array  # second stop-the-world, wall (w2)
    stw_sweep_term_cpu_ns: Int64Array  # c1
    assist_cpu_ns: Int64Array  # mark assists
    background_cpu_ns: Int64Array  # dedicated and fractional workers
    idle_cpu_ns: Int64Array  # idle workers
    stw_mark_term_cpu_ns: Int64Array  # c2
    heap_start_bytes: Int64Array  # heapLive at the start (h0)
    heap_end_bytes: Int64Array  # heapLive at mark termination, the cycle's peak (h1)
    heap_marked_bytes: Int64Array  # heapMarked, allocated-black included (h2)
    heap_goal_bytes: Int64Array
    stack_bytes: Int64Array  # scannable stacks (see Go version for the exact meaning)
    globals_bytes: Int64Array
    gomaxprocs: Int64Array
    forced: BoolArray  # by runtime.GC or similar, printed "(forced)"

    def __post_init__(self) -> None:
        lengths = {getattr(self, field.name).shape for field in fields(self)}
        if len(lengths) != 1 or len(next(iter(lengths))) != 1:
            raise ValueError(f"columns must be one-dimensional and of one length, got {sorted(lengths)}")

    def __len__(self) -> int:
        return int(self.start_ns.shape[0])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CycleTable):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # arrays are not hashable, and equality is by value

    def select(self, rows: BoolArray | Int64Array | slice) -> Self:
        """The table of the chosen rows."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def end_ns(self) -> Int64Array:
        """The end of mark termination, since the runtime's start."""
        return self.start_ns + self.stw_sweep_term_ns + self.mark_ns + self.stw_mark_term_ns

    @property
    def heap_live_bytes(self) -> Int64Array:
        """The live heap at cycle start: h2 - (h1 - h0), at least 0."""
        return np.maximum(self.heap_marked_bytes - (self.heap_end_bytes - self.heap_start_bytes), 0)
