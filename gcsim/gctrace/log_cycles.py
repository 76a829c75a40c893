"""All gc lines of a log: their order in time, their process, and which of them are copies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import Int64Array
from gcsim.cycles import CycleTable
from gcsim.gctrace.assemble import Older, cycles_from_lines
from gcsim.gctrace.formats import CYCLES
from gcsim.gctrace.processes import assign_processes, prefix_tag
from gcsim.gctrace.rows import LINE, ORDER, PREFIX_END, PREFIX_START, Raw, RowStore
from gcsim.gctrace.sequence import (
    is_newest_first,
    is_one_process,
    merged_processes,
    originals,
    without_glued_digits,
    writer_of,
)
from gcsim.gctrace.trace import ParseWarning

_WALL = ("stw_sweep_term_ns", "scan_ns", "write_barrier_ns", "mark_ns", "stw_mark_term_ns")


class LogCycles:
    """All gc lines of a log in order, each with its process and its row in the process. Copies share a row."""

    def __init__(self, rows: RowStore, data: bytes) -> None:
        self.order: Int64Array = np.empty(0, np.int64)
        self.process: NDArray[np.intp] = np.empty(0, np.intp)
        self.row: NDArray[np.intp] = np.empty(0, np.intp)
        self.parts: list[Part] = []  # one per process
        self.parse_warnings: list[ParseWarning] = []  # about the order of the lines
        self.repeated = 0  # copies of lines
        tables = {generation: rows.table([template]) for generation, template in CYCLES.items()}
        self.last_line = max(
            (int(raw[ORDER][-1]) // LINE for raw in tables.values() if len(raw[ORDER])), default=0
        )
        largest = max(tables.values(), key=lambda raw: len(raw[ORDER]))
        self.newest_first = is_newest_first(largest["cycle_number"], _clock(largest))
        if self.newest_first:
            self.parse_warnings.append(_newest_first(largest))
        for generation, raw in tables.items():
            if len(raw[ORDER]):
                self._add(generation, self.in_order(raw), data)
        rising = np.argsort(self.order, kind="stable")
        self.order, self.process, self.row = self.order[rising], self.process[rising], self.row[rising]

    def in_order(self, raw: Raw) -> Raw:
        """A table in the order of time; a log with the newest line first is reversed."""
        if not self.newest_first:
            return raw
        order = (self.last_line - raw[ORDER] // LINE) * LINE + raw[ORDER] % LINE
        rising = np.argsort(order, kind="stable")
        return {name: column[rising] for name, column in (raw | {ORDER: order}).items()}

    def line_numbers(self, order: Int64Array) -> Int64Array:
        """The line numbers in the file of places in the order of time."""
        lines: Int64Array = self.last_line - order // LINE if self.newest_first else order // LINE
        return lines

    def _add(self, generation: str, raw: Raw, data: bytes) -> None:
        raw = raw | {"cycle_number": self._without_glued_digits(raw)}
        process, original = _assign(raw, data)
        for chosen in range(int(process.max()) + 1):
            rows = np.flatnonzero((process == chosen) & (original == np.arange(len(original))))
            rows = rows[np.argsort(raw["cycle_number"][rows], kind="stable")]
            part = {name: column[rows] for name, column in raw.items()}
            cycles, older = cycles_from_lines(generation, part, len(rows))
            place = np.full(len(process), -1, np.intp)
            place[rows] = np.arange(len(rows))
            lines = np.flatnonzero(process == chosen)
            self.order = np.concatenate([self.order, raw[ORDER][lines]])
            self.process = np.concatenate([self.process, np.full(len(lines), len(self.parts))])
            self.row = np.concatenate([self.row, place[original[lines]]])
            self.parts.append(Part(generation, cycles, older, part))
            self._out_of_order(part)
        self._copies(raw, original)

    def _without_glued_digits(self, raw: Raw) -> Int64Array:
        """The cycle numbers without digits of another writer before them, as in gc 19, gc 47120, gc 21."""
        numbers, glued = without_glued_digits(raw["cycle_number"], _clock(raw))
        lines = self.line_numbers(raw[ORDER])
        for row in glued.tolist():
            text = f"gc {raw['cycle_number'][row]} between gc {numbers[row] - 1} and gc {numbers[row] + 1}"
            self.parse_warnings.append(
                ParseWarning(kind="digits before a number", line_number=int(lines[row]), text=text)
            )
        return numbers

    def _out_of_order(self, part: Raw) -> None:
        """Reports gc lines of a process that are not in the file's order."""
        order = part[ORDER]
        early = np.flatnonzero(order < np.maximum.accumulate(order))
        if len(early):
            count, first = len(early), int(early[0])
            number, lines = part["cycle_number"][first], self.line_numbers(order)
            text = f"gc {number}{f' and {count - 1} more' if count > 1 else ''}, sorted by number and time"
            self.parse_warnings.append(
                ParseWarning(kind="gc line out of order", line_number=int(lines[first]), text=text)
            )

    def _copies(self, raw: Raw, original: Int64Array) -> None:
        """Reports runs of copied gc lines."""
        copies = np.flatnonzero(original != np.arange(len(original)))
        self.repeated += len(copies)
        lines = self.line_numbers(raw[ORDER])
        for run in np.split(copies, np.flatnonzero(np.diff(copies) != 1) + 1):
            if len(run):
                numbers = raw["cycle_number"][run]
                text = f"gc {numbers[0]}" + (f" to gc {numbers[-1]}" if len(run) > 1 else "")
                text += f", as in line {lines[original[run[0]]]}; read once"
                self.parse_warnings.append(
                    ParseWarning(kind="repeated gc line", line_number=int(lines[run].min()), text=text)
                )


@dataclass(frozen=True, slots=True)
class Part:
    """The cycles of one process."""

    generation: str
    cycles: CycleTable
    older: Older
    raw: Raw


def _clock(raw: Raw) -> Int64Array:
    """A column that never decreases within a process: time, or the count of allocations without it."""
    clock: Int64Array = raw["start_ns"] if "start_ns" in raw else raw["mallocs"]
    return clock


def _newest_first(raw: Raw) -> ParseWarning:
    first, last = raw["cycle_number"][0], raw["cycle_number"][-1]
    text = f"gc {first} to gc {last}; the log is read from its end"
    return ParseWarning(kind="newest line first", line_number=int(raw[ORDER][0]) // LINE, text=text)


def _assign(raw: Raw, data: bytes) -> tuple[NDArray[np.intp], Int64Array]:
    """(process of each gc line, index of the line that it copies, or its own index)."""
    numbers, begins, procs = raw["cycle_number"], _clock(raw), raw["gomaxprocs"]
    own = np.arange(len(numbers))
    if np.all(np.diff(numbers) >= 1) and np.all(np.diff(begins) >= 0):
        return np.zeros(len(numbers), np.intp), own
    tags = [prefix_tag(prefix) for prefix in _prefixes(data, raw)]
    places = (ORDER, PREFIX_START, PREFIX_END)
    original = originals({name: column for name, column in raw.items() if name not in places}, tags)
    kept = np.flatnonzero(original == own)
    columns = (numbers[kept], begins[kept], procs[kept], writer_of(tags)[kept])
    if is_one_process(*columns):
        return np.zeros(len(numbers), np.intp), original
    ends = begins if "start_ns" not in raw else begins + sum(raw[name] for name in _WALL if name in raw)
    found = assign_processes(numbers[kept], begins[kept], ends[kept], procs[kept], [tags[i] for i in kept])
    process = np.empty(len(numbers), np.intp)
    process[kept] = merged_processes(found, *columns)
    return process[original], original


def _prefixes(data: bytes, raw: Raw) -> list[bytes]:
    spans = zip(raw[PREFIX_START].tolist(), raw[PREFIX_END].tolist(), strict=True)
    return [data[start:end] for start, end in spans]
