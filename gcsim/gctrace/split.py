"""Splits the rows of a whole log into one Trace per process."""

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import BoolArray, Int64Array
from gcsim.capture.info import CaptureInfo
from gcsim.cycles import CycleTable
from gcsim.gctrace.formats import OTHERS
from gcsim.gctrace.log_cycles import LogCycles
from gcsim.gctrace.records import (
    Columns,
    HeapSummaries,
    PacerEnds,
    PacerEndsBefore118,
    PacerStarts,
    Scavenges,
    Sweeps,
)
from gcsim.gctrace.rows import ORDER, PREFIX_END, PREFIX_START, Raw, RowStore
from gcsim.gctrace.trace import ParseWarning, Trace

_TABLES: dict[str, type[Columns]] = {
    "pacer_starts": PacerStarts,
    "pacer_ends": PacerEnds,
    "pacer_ends_before_118": PacerEndsBefore118,
    "sweeps": Sweeps,
    "scavenges": Scavenges,
    "heap_summaries": HeapSummaries,
}
_DURING_MARK = ("pacer_starts", "pacer_ends", "pacer_ends_before_118")  # printed before their cycle's gc line


def split_processes(
    rows: RowStore,
    data: bytes,
    *,
    parse_warnings: tuple[ParseWarning, ...],
    foreign_line_numbers: Int64Array,
    info: CaptureInfo | None,
) -> list[Trace]:
    """One Trace per process, in order of first appearance."""
    cycles = LogCycles(rows, data)
    if not cycles.parts:
        return []
    tables = {name: cycles.in_order(rows.table(OTHERS[name])) for name in _TABLES}
    places = {name: _place(name, tables, cycles) for name in _TABLES}
    periodic = _periodic(rows, cycles)
    traces = []
    for process, part in enumerate(cycles.parts):
        copied = _copied(cycles, process)
        others = {
            name: _own_rows(kind, tables[name], places[name], process, copied)
            for name, kind in _TABLES.items()
        }
        lines = cycles.line_numbers(part.raw[ORDER])
        found = (*parse_warnings, *cycles.parse_warnings, *_gaps(part.cycles, lines))
        marked = np.zeros(len(part.cycles), np.bool_)
        marked[cycles.row[periodic & (cycles.process == process)]] = True
        traces.append(
            Trace(
                generation=part.generation,
                cycles=part.cycles,
                older=part.older,
                periodic=marked,
                leak_check=part.raw["leak_check"].astype(np.bool_)
                if "leak_check" in part.raw
                else np.zeros(len(part.cycles), np.bool_),
                line_numbers=lines,
                parse_warnings=tuple(sorted(found, key=lambda warning: warning.line_number)),
                foreign_line_numbers=foreign_line_numbers,
                gc_lines_in_log=len(cycles.order),
                repeated_gc_lines_in_log=cycles.repeated,
                processes_in_log=len(cycles.parts),
                info=info,
                **others,  # type: ignore[arg-type]  # each table goes to the field of its name
            )
        )
    return sorted(traces, key=lambda trace: int(trace.line_numbers.min()))


def _place(name: str, tables: dict[str, Raw], cycles: LogCycles) -> tuple[NDArray[np.intp], Int64Array]:
    """(process, cycle row) of each line of a table that is not a gc line.

    The pacer's lines about marking come before their cycle's gc line. The line at the end of a sweep comes after its
    cycle's gc line, except for a small heap, whose sweep can end before the runtime prints the gc line. In that case a
    pacer line of that cycle is between it and the gc line before. With several processes, a line belongs to the process
    of the nearest gc line.
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


def _at(index: Int64Array, cycles: LogCycles) -> tuple[NDArray[np.intp], Int64Array]:
    """(process, row) of the gc lines at ``index``; a row one outside of the process for an index without a gc line."""
    inside = np.clip(index, 0, len(cycles.order) - 1)
    return cycles.process[inside], cycles.row[inside] + (index - inside)


def _copied(cycles: LogCycles, process: int) -> BoolArray:
    """Whether each cycle of a process is in the log more than once."""
    return np.bincount(cycles.row[cycles.process == process]) > 1


def _own_rows(
    kind: type[Columns],
    raw: Raw,
    place: tuple[NDArray[np.intp], Int64Array],
    process: int,
    copied: BoolArray,
) -> Columns:
    """The rows of a process in the order of its cycles, without equal rows of copied cycles."""
    mine = np.flatnonzero(place[0] == process)
    index = place[1][mine]
    rising = np.argsort(index, kind="stable")
    mine, index = mine[rising], index[rising]
    if np.any(copied):
        fields = [
            column[mine] for name, column in raw.items() if name not in (ORDER, PREFIX_START, PREFIX_END)
        ]
        inside = np.clip(index, 0, len(copied) - 1)
        repeated, earlier = np.zeros(len(mine), np.bool_), set()
        for i, row in enumerate(zip(index.tolist(), *(column.tolist() for column in fields), strict=True)):
            repeated[i] = row in earlier
            earlier.add(row)
        kept = ~(repeated & copied[inside])
        mine, index = mine[kept], index[kept]
    columns = {name: column[mine] for name, column in raw.items()}
    columns["cycle_index"] = index
    return kind.build(len(mine), columns)


def _periodic(rows: RowStore, cycles: LogCycles) -> BoolArray:
    """Whether each gc line, in the order of the log, has a "GC forced" line."""
    marked = np.zeros(len(cycles.order), np.bool_)
    following = np.searchsorted(cycles.order, cycles.in_order(rows.table(OTHERS["periodic_next"]))[ORDER])
    marked[following[following < len(marked)]] = True
    previous = np.searchsorted(cycles.order, cycles.in_order(rows.table(OTHERS["periodic_last"]))[ORDER]) - 1
    marked[previous[previous >= 0]] = True
    return marked


def _gaps(table: CycleTable, line_numbers: Int64Array) -> list[ParseWarning]:
    """Warnings for gaps in the numbering, from an incomplete log or from unreadable lines."""
    numbers = table.cycle_number
    return [
        ParseWarning(
            kind="gap in numbering",
            line_number=int(line_numbers[i + 1]),
            text=f"gc {numbers[i]}, then gc {numbers[i + 1]}",
        )
        for i in np.flatnonzero(np.diff(numbers) != 1).tolist()
    ]
