"""Typed tables of the lines of a trace that are not gc lines; columns of equal length, compared by value.

Sizes are integer bytes, durations integer nanoseconds, as in ``CycleTable``. NOT_LOGGED (-1) marks a field that the
line's format lacks. ``cycle_index`` is the row in ``Trace.cycles`` of a line's cycle: -1 before the first cycle,
``len(cycles)`` for a cycle without a gc line at the end of the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.cycles import NOT_LOGGED

_DTYPES: dict[object, tuple[type, object]] = {
    Int64Array: (np.int64, NOT_LOGGED),
    FloatArray: (np.float64, np.nan),
    BoolArray: (np.bool_, False),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Base of the tables: one-dimensional arrays of equal length."""

    def __post_init__(self) -> None:
        shapes = {getattr(self, f.name).shape for f in fields(self)}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise ValueError(f"columns must be one-dimensional and of one length, got {sorted(shapes)}")

    def __len__(self) -> int:
        return int(getattr(self, fields(self)[0].name).shape[0])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # arrays are not hashable, and equality is by value

    def select(self, rows: BoolArray | Int64Array | slice) -> Self:
        """The chosen rows, as a table."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def build(cls, length: int, columns: Mapping[str, NDArray[Any]]) -> Self:
        """A table of ``length`` rows from the given columns; the other columns hold "not logged"."""
        values: dict[str, Any] = {}
        for f in fields(cls):
            dtype, missing = _DTYPES[f.type]
            column = columns.get(f.name)
            values[f.name] = np.full(length, missing, dtype) if column is None else column.astype(dtype)
        return cls(**values)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype == np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PacerStarts(Columns):
    """``pacer: assist ratio=``: the pacer's plan when marking begins. Go ``startCycle``."""

    cycle_index: Int64Array
    assist_ratio: FloatArray  # assist_work_per_byte at the start
    heap_scan_bytes: Int64Array  # worst-case scan work, whole MiB
    heap_live_bytes: Int64Array  # whole MiB
    heap_goal_bytes: Int64Array  # whole MiB
    dedicated_workers: Int64Array
    fractional_utilization: FloatArray  # to Go 1.9 a number of fractional workers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PacerEnds(Columns):
    """``pacer: u% CPU (g exp.) for ... B work``: exact bytes at mark's end. Go 1.18+ ``endCycle``.

    Go prints no such line for a cycle whose heapLive did not pass its trigger (most forced cycles).
    """

    cycle_index: Int64Array
    utilization_percent: Int64Array
    goal_percent: Int64Array
    heap_work_bytes: Int64Array  # scan work done: heap, stacks, globals
    stack_work_bytes: Int64Array
    globals_work_bytes: Int64Array
    expected_work_bytes: Int64Array
    triggered_bytes: Int64Array  # heapLive at which this cycle started (T)
    heap_live_bytes: Int64Array  # at mark's end (L)
    past_goal_bytes: Int64Array  # L - heap goal, signed
    cons_mark: FloatArray  # the smoothed value in force before this cycle's update
    controller_reset: BoolArray

    @property
    def heap_goal_bytes(self) -> Int64Array:
        """The exact heap goal at mark's end."""
        return self.heap_live_bytes - self.past_goal_bytes

    @property
    def scan_work_bytes(self) -> Int64Array:
        """All scan work done (W)."""
        return self.heap_work_bytes + self.stack_work_bytes + self.globals_work_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PacerEndsBefore118(Columns):
    """``pacer: H_m_prev=``: the proportional pacer's state at mark's end. Go 1.5-1.17 ``endCycle``."""

    cycle_index: Int64Array
    heap_marked_previous_bytes: Int64Array  # H_m_prev
    trigger_ratio: FloatArray  # h_t
    trigger_bytes: Int64Array  # H_T
    actual_ratio: FloatArray  # h_a
    heap_live_bytes: Int64Array  # H_a
    goal_ratio: FloatArray  # h_g
    heap_goal_bytes: Int64Array  # H_g
    utilization: FloatArray  # u_a
    goal_utilization: FloatArray  # u_g
    scan_work_bytes: Int64Array  # W_a
    goal_delta: FloatArray
    actual_delta: FloatArray
    utilization_ratio: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweeps(Columns):
    """``pacer: sweep done``: the end of the sweep that follows cycle ``cycle_index``. Go ``sweepone``."""

    cycle_index: Int64Array
    heap_live_bytes: Int64Array  # whole MiB
    allocated_bytes: Int64Array  # during the sweep, whole MiB
    swept_pages: Int64Array
    pages_per_byte: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scavenges(Columns):
    """``scav`` lines of scavtrace=1. Go 1.14+ ``printScavTrace``."""

    cycle_index: Int64Array
    number: Int64Array  # only in the first spelling, "scav N ..."
    background_bytes: (
        Int64Array  # returned to the system since the last line; up to Go 1.20 all returned memory
    )
    eager_bytes: Int64Array  # by allocation and FreeOSMemory, Go 1.21+
    released_bytes: Int64Array  # heapReleased now
    utilization_percent: Int64Array  # heap in use / heap not released
    forced: BoolArray
    controller_reset: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeapSummaries(Columns):
    """``scvg`` lines, which gctrace=1 printed up to Go 1.13. Go ``mHeap_Scavenge``."""

    cycle_index: Int64Array
    number: Int64Array  # -1 for FreeOSMemory and without a number
    forced: BoolArray  # "forced scvg", Go 1.13
    newly_released_bytes: Int64Array  # the only field of "N MB released" lines
    inuse_bytes: Int64Array  # this and all below: fields of the other lines, whole MiB
    idle_bytes: Int64Array
    sys_bytes: Int64Array
    released_bytes: Int64Array
    consumed_bytes: Int64Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StopTheWorldFields(Columns):
    """Fields of Go 1.2-1.4 that ``CycleTable`` lacks, one row per cycle. Go ``runtime·gc`` (mgc0.c).

    The sum of the phases is the pause, ``stw_mark_term_ns`` in ``CycleTable``. Nothing is concurrent.
    """

    phase1_ns: Int64Array  # Go 1.2: mark, sweep, other work
    phase2_ns: Int64Array  # Go 1.3, 1.4: stop and set up, roots, mark, finish
    phase3_ns: Int64Array
    phase4_ns: Int64Array  # Go 1.3+
    objects_before: Int64Array  # Go 1.2 only
    objects: Int64Array  # live after
    mallocs: Int64Array  # since the program's start
    frees: Int64Array
    goroutines: Int64Array  # Go 1.4 only
    sweep_spans: Int64Array  # Go 1.3+
    background_sweeps: Int64Array
    pause_sweeps: Int64Array
    handoffs: Int64Array
    handoff_count: Int64Array
    steals: Int64Array
    steal_count: Int64Array
    proc_yields: Int64Array
    os_yields: Int64Array
    sleeps: Int64Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FivePhaseFields(Columns):
    """The parts of Go 1.5's concurrent phase: scanning roots, then installing write barriers.

    ``CycleTable`` counts them in ``mark_ns`` and ``background_cpu_ns``. Go 1.5 ``gcMarkTermination``.
    """

    scan_ns: Int64Array
    write_barrier_ns: Int64Array
    scan_cpu_ns: Int64Array
    write_barrier_cpu_ns: Int64Array
