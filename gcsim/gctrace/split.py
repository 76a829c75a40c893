"""From the rows of a whole log to one Trace per process."""

import numpy as np
from numpy.typing import NDArray

from gcsim.cycles import BoolArray, CycleTable, Int64Array
from gcsim.gctrace.assemble import Older, cycles_from_lines
from gcsim.gctrace.capture_info import CaptureInfo
from gcsim.gctrace.formats import CYCLES, OTHERS
from gcsim.gctrace.processes import assign_processes
from gcsim.gctrace.records import (
    Columns,
    HeapSummaries,
    PacerEnds,
    PacerEndsBefore118,
    PacerStarts,
    Scavenges,
    StopTheWorldFields,
    Sweeps,
)
from gcsim.gctrace.rows import LINE, ORDER, PREFIX_END, PREFIX_START, Raw, RowStore
from gcsim.gctrace.trace import Oddity, Trace

_TABLES: dict[str, type[Columns]] = {
    "pacer_starts": PacerStarts,
    "pacer_ends": PacerEnds,
    "pacer_ends_before_118": PacerEndsBefore118,
    "sweeps": Sweeps,
    "scavenges": Scavenges,
    "heap_summaries": HeapSummaries,
}
_DURING_MARK = ("pacer_starts", "pacer_ends", "pacer_ends_before_118")  # printed before their cycle's gc line


class _Cycles:
    """All gc lines of a log in its order, each with its process and its row there."""

    def __init__(self, rows: RowStore, data: bytes) -> None:
        self.order: Int64Array = np.empty(0, np.int64)
        self.process: NDArray[np.intp] = np.empty(0, np.intp)
        self.parts: list[tuple[str, CycleTable, Older, Raw]] = []  # one per process
        for generation, template in CYCLES.items():
            self._add(generation, rows.table([template]), data)
        rising = np.argsort(self.order, kind="stable")
        self.order, self.process = self.order[rising], self.process[rising]
        self.row = np.empty(len(self.order), np.int64)
        for process in range(len(self.parts)):
            mine = self.process == process
            self.row[mine] = np.arange(np.count_nonzero(mine))

    def _add(self, generation: str, raw: Raw, data: bytes) -> None:
        count = len(raw[ORDER])
        if count == 0:
            return
        cycles, older = cycles_from_lines(generation, raw, count)
        begins, ends = cycles.start_ns, cycles.end_ns
        if isinstance(older, StopTheWorldFields):
            begins = ends = older.mallocs  # no time in these formats, but a count that only grows
        process = assign_processes(
            cycles.cycle_number, begins, ends, cycles.gomaxprocs, lambda: _prefixes(data, raw)
        )
        groups = np.argsort(process, kind="stable")
        for rows in np.split(groups, np.flatnonzero(np.diff(process[groups])) + 1):
            part = {name: column[rows] for name, column in raw.items()}
            self.process = np.concatenate([self.process, np.full(len(rows), len(self.parts))])
            self.order = np.concatenate([self.order, part[ORDER]])
            self.parts.append((generation, cycles.select(rows), older and older.select(rows), part))


def split_processes(
    rows: RowStore,
    data: bytes,
    *,
    oddities: tuple[Oddity, ...],
    foreign_line_numbers: Int64Array,
    info: CaptureInfo | None,
) -> list[Trace]:
    """One Trace per process, in order of first appearance."""
    cycles = _Cycles(rows, data)
    if not cycles.parts:
        return []
    tables = {name: rows.table(OTHERS[name]) for name in _TABLES}
    places = {name: _place(name, tables, cycles) for name in _TABLES}
    periodic = _periodic(rows, cycles)
    traces = []
    for process, (generation, table, older, raw) in enumerate(cycles.parts):
        others = {
            name: _own_rows(kind, tables[name], places[name], process) for name, kind in _TABLES.items()
        }
        gaps = _gaps(table, raw[ORDER] // LINE)
        traces.append(
            Trace(
                generation=generation,
                cycles=table,
                older=older,
                periodic=periodic[cycles.process == process],
                leak_check=raw["leak_check"].astype(np.bool_)
                if "leak_check" in raw
                else np.zeros(len(table), np.bool_),
                line_numbers=raw[ORDER] // LINE,
                oddities=tuple(sorted((*oddities, *gaps), key=lambda oddity: oddity.line_number)),
                foreign_line_numbers=foreign_line_numbers,
                info=info,
                **others,  # type: ignore[arg-type]  # each table goes to the field of its name
            )
        )
    return sorted(traces, key=lambda trace: int(trace.line_numbers[0]))


def _prefixes(data: bytes, raw: Raw) -> list[bytes]:
    spans = zip(raw[PREFIX_START].tolist(), raw[PREFIX_END].tolist(), strict=True)
    return [data[start:end] for start, end in spans]


def _place(name: str, tables: dict[str, Raw], cycles: _Cycles) -> tuple[NDArray[np.intp], Int64Array]:
    """Process and cycle row of each line of a table that is not a gc line.

    The pacer's lines about marking come before their cycle's gc line. What ends a sweep comes after its
    own, and yet a small heap's sweep can be over before the gc line is printed: then a pacer line
    of that cycle stands between it and the gc line before. With several processes, a line is
    taken for the process whose gc line is next to it.
    """
    order = tables[name][ORDER]
    following = np.searchsorted(cycles.order, order)
    if name in _DURING_MARK:
        return _at(following, cycles)
    started = np.sort(np.concatenate([tables[other][ORDER] for other in _DURING_MARK]))
    previous_gc = np.where(following > 0, cycles.order[np.maximum(following - 1, 0)], -1)
    begun = np.searchsorted(started, order) > np.searchsorted(started, previous_gc)
    process, row = _at(np.where(begun, following, following - 1), cycles)
    return process, row


def _at(index: Int64Array, cycles: _Cycles) -> tuple[NDArray[np.intp], Int64Array]:
    """The process and row of the gc lines at ``index``; one row outside a process where there is none."""
    inside = np.clip(index, 0, len(cycles.order) - 1)
    return cycles.process[inside], cycles.row[inside] + (index - inside)


def _own_rows(
    kind: type[Columns], raw: Raw, place: tuple[NDArray[np.intp], Int64Array], process: int
) -> Columns:
    mine = place[0] == process
    columns = {name: column[mine] for name, column in raw.items()}
    columns["cycle_index"] = place[1][mine]
    return kind.build(int(np.count_nonzero(mine)), columns)


def _periodic(rows: RowStore, cycles: _Cycles) -> BoolArray:
    """Which gc lines, in the order of the log, a "GC forced" line belongs to."""
    marked = np.zeros(len(cycles.order), np.bool_)
    following = np.searchsorted(cycles.order, rows.table(OTHERS["periodic_next"])[ORDER])
    marked[following[following < len(marked)]] = True
    previous = np.searchsorted(cycles.order, rows.table(OTHERS["periodic_last"])[ORDER]) - 1
    marked[previous[previous >= 0]] = True
    return marked


def _gaps(table: CycleTable, line_numbers: Int64Array) -> list[Oddity]:
    """Where the numbering jumps: elided by whoever posted the log, or lines that could not be read."""
    numbers = table.cycle_number
    return [
        Oddity(
            kind="gap in numbering",
            line_number=int(line_numbers[i + 1]),
            text=f"gc {numbers[i]}, then gc {numbers[i + 1]}",
        )
        for i in np.flatnonzero(np.diff(numbers) != 1).tolist()
    ]
