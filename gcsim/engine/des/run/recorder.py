"""The rows of one run: cycles, pauses, assists, requests, heap sizes, and the activities of each P."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import FloatArray, Int64Array
from gcsim.cycles import CycleTable
from gcsim.engine.des.heap.machine import Activity, Kind, Machine
from gcsim.engine.des.heap.objects import ObjectView
from gcsim.engine.des.heap.pools import PoolCounts
from gcsim.engine.des.program.latency import CAUSES, CompletedRequests
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.order import now_ns
from gcsim.engine.des.run.process import GoProcess

Rows = NDArray[np.void]  # a structured array, one field per column


class PauseRecord(NamedTuple):
    """A pause; times are ns."""

    cycle: int
    mark_termination: bool  # False for sweep termination
    start_ns: int
    duration_ns: int


class AssistRecord(NamedTuple):
    """A stretch of a goroutine with assists; times are ns."""

    cycle: int
    processor: int
    start_ns: int
    duration_ns: int  # of the stretch
    assist_ns: float  # the part of the stretch that the goroutine marked


class SpanRecord(NamedTuple):
    """An activity of a P; times are ns."""

    processor: int
    kind: Kind
    start_ns: int
    end_ns: int


class RequestRecord(NamedTuple):
    """A request and its latency by cause; times are ns."""

    due_ns: float
    start_ns: float
    end_ns: float
    service_ns: float
    assist_ns: float
    stw_ns: float
    background_ns: float
    queueing_ns: float


class HeapRecord(NamedTuple):
    """Memory at an event; between two events it changes linearly."""

    time_ns: int
    heap_live_bytes: float
    mark_left_ns: float  # CPU time of mark work left, 0 outside marking
    heap_in_use_bytes: float  # spans: objects, unswept garbage, free slots
    heap_free_bytes: float  # pages that are free and resident
    resident_bytes: float  # RSS
    white_bytes: float  # colours of heapLive while a cycle marks, else 0
    grey_bytes: float
    black_bytes: float


_DTYPES: dict[type, list[tuple[str, str]]] = {
    PauseRecord: [("cycle", "i8"), ("mark_termination", "?"), ("start_ns", "i8"), ("duration_ns", "i8")],
    AssistRecord: [
        ("cycle", "i8"),
        ("processor", "i4"),
        ("start_ns", "i8"),
        ("duration_ns", "i8"),
        ("assist_ns", "f8"),
    ],
    SpanRecord: [("processor", "i4"), ("kind", "U12"), ("start_ns", "i8"), ("end_ns", "i8")],
    RequestRecord: [(name, "f8") for name in RequestRecord._fields],
    HeapRecord: [("time_ns", "i8")] + [(name, "f8") for name in HeapRecord._fields[1:]],
}


def as_array(kind: type[Any], rows: list[Any]) -> Rows:
    """Rows of one record type as a structured array with the record's field names."""
    return np.array([tuple(row) for row in rows], dtype=_DTYPES[kind])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """All rows of one run; times are ns since the end of the warm-up."""

    cycles: CycleTable
    pauses: Rows
    assists: Rows
    spans: Rows
    requests: Rows
    heap: Rows
    objects: ObjectView | None = None  # if the run followed objects
    pools: tuple[tuple[PoolCounts, ...], ...] = ()  # at each collection, of each pool of the model

    def heap_at(self, time_ns: FloatArray, name: str = "heap_live_bytes") -> FloatArray:
        """The column ``name`` of the heap rows at ``time_ns``, interpolated; shape of ``time_ns``."""
        return np.asarray(np.interp(time_ns, self.heap["time_ns"], self.heap[name]))


class Recorder:
    """Records a process from the end of the warm-up on."""

    def __init__(self, process: GoProcess) -> None:
        self._process = process
        self._machine: Machine = process.machine
        self._open: dict[int, tuple[int, Activity]] = {}
        self._spans: list[SpanRecord] = []
        self._assists: list[AssistRecord] = []
        self._requests: list[RequestRecord] = []
        self._heap: list[HeapRecord] = []
        self._pools: list[tuple[PoolCounts, ...]] = []
        self._work_ns = 0.0  # mark work of the mark phase in progress
        self._machine.observer = self._activity_begins
        process.observer = self._notice

    def _notice(self) -> None:
        """Appends a heap row for now."""
        process, machine = self._process, self._machine
        heap, left_ns = process.heap, max(machine.remaining_ns, 0.0)
        colours = (0.0, 0.0, 0.0)
        if process.marked_heap is None:
            self._work_ns = 0.0
        else:
            self._work_ns = max(self._work_ns, left_ns)
            progress = 1.0 - left_ns / max(self._work_ns, 1.0)
            colours = process.marked_heap.colours(progress, heap.heap_live_bytes)
        self._heap.append(
            HeapRecord(
                now_ns(process.env) - process.epoch_ns,
                heap.heap_live_bytes,
                left_ns,
                heap.heap_in_use_bytes,
                heap.heap_free_bytes,
                heap.resident_bytes,
                *colours,
            )
        )

    def _activity_begins(self, at_ns: int, processor: int, activity: Activity) -> None:
        """Appends the rows of the activity that ends on a P, and remembers the new one."""
        epoch = self._process.epoch_ns
        self._notice()
        before = self._open.get(processor)
        if before is not None and before[0] < at_ns:
            started, was = before
            self._spans.append(SpanRecord(processor, was.kind, started - epoch, at_ns - epoch))
            if was.assist > 0:
                length = at_ns - started
                self._assists.append(
                    AssistRecord(
                        self._process.cycles + 1, processor, started - epoch, length, was.assist * length
                    )
                )
        self._open[processor] = (at_ns, activity)

    def add_requests(self, finished: CompletedRequests, parts: dict[str, FloatArray]) -> None:
        """Appends the rows of completed requests."""
        epoch = self._process.epoch_ns
        times = [finished.due_ns - epoch, finished.start_ns - epoch, finished.end_ns - epoch]
        columns = [column.tolist() for column in (*times, *(parts[cause] for cause in CAUSES))]
        self._requests.extend(RequestRecord(*row) for row in zip(*columns, strict=True))

    def add_pools(self) -> None:
        """Appends the sums of the pools at the last collection."""
        if self._machine.pools is not None:
            self._pools.append(self._machine.pools.counts_at_collection)

    def recording(self, cycles: CycleTable, objects: ObjectView | None = None) -> Recording:
        """The recording, with the cycles of the run."""
        return Recording(
            cycles=cycles,
            pauses=as_array(PauseRecord, _pauses(cycles)),
            assists=as_array(AssistRecord, self._assists),
            spans=as_array(SpanRecord, self._spans),
            requests=as_array(RequestRecord, self._requests),
            heap=as_array(HeapRecord, self._heap),
            objects=objects,
            pools=tuple(self._pools),
        )


def _pauses(cycles: CycleTable) -> list[PauseRecord]:
    """Two pauses per cycle."""
    rows = []
    second = cycles.start_ns + cycles.stw_sweep_term_ns + cycles.mark_ns
    columns = (
        cycles.cycle_number,
        cycles.start_ns,
        cycles.stw_sweep_term_ns,
        second,
        cycles.stw_mark_term_ns,
    )
    for number, first_at, first, second_at, last in zip(*(c.tolist() for c in columns), strict=True):
        rows.append(PauseRecord(number, False, first_at, first))
        rows.append(PauseRecord(number, True, second_at, last))
    return rows


def cycle_table(
    cycles: list[Cycle], *, epoch_ns: int, gomaxprocs: int, stack_bytes: int, globals_bytes: int
) -> CycleTable:
    """The cycles as a gctrace would log them, exact to the ns and byte; CPU shares count from the epoch on."""

    def column(values: list[float]) -> Int64Array:
        return np.round(np.array(values, dtype=np.float64)).astype(np.int64)

    count = len(cycles)
    start = column([c.start_ns - epoch_ns for c in cycles])
    first = column([c.sweep_term_ns for c in cycles])
    mark = column([c.mark_ns for c in cycles])
    second = column([c.mark_term_ns for c in cycles])
    assist = column([c.assist_ns for c in cycles])
    background = column([c.background_ns for c in cycles])
    collected = np.cumsum(assist + background + (first + second) * gomaxprocs)
    end = np.maximum(start + first + mark + second, 1)
    return CycleTable(
        cycle_number=np.arange(1, count + 1),
        start_ns=start,
        utilization_percent=100 * collected // (end * gomaxprocs),
        stw_sweep_term_ns=first,
        mark_ns=mark,
        stw_mark_term_ns=second,
        stw_sweep_term_cpu_ns=first * gomaxprocs,
        assist_cpu_ns=assist,
        background_cpu_ns=background,
        idle_cpu_ns=column([c.idle_mark_ns for c in cycles]),
        stw_mark_term_cpu_ns=second * gomaxprocs,
        heap_start_bytes=column([c.heap_start_bytes for c in cycles]),
        heap_end_bytes=column([c.heap_end_bytes for c in cycles]),
        heap_marked_bytes=column([c.heap_marked_bytes for c in cycles]),
        heap_goal_bytes=np.array([c.heap_goal_bytes for c in cycles], dtype=np.int64),
        stack_bytes=np.full(count, stack_bytes),
        globals_bytes=np.full(count, globals_bytes),
        gomaxprocs=np.full(count, gomaxprocs),
        forced=np.array([c.forced for c in cycles], dtype=np.bool_),
    )
