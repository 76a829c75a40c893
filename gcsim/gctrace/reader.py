"""Reads gctrace logs into one Trace per process, with reports of unreadable lines by line number."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.capture.info import CaptureInfo, read_side_file
from gcsim.errors import InputError
from gcsim.gctrace.lines import KEYWORDS, parse_line
from gcsim.gctrace.repair import Repair, WholeLines, line_numbers, torn_marks
from gcsim.gctrace.rows import LINE, RowStore
from gcsim.gctrace.shapes import NUMERIC, PADDING, LineShape, Numbers, learn_shape
from gcsim.gctrace.source import Source, read_source, source_name
from gcsim.gctrace.split import split_processes
from gcsim.gctrace.trace import ParseWarning, Trace

_BLOCK = 1 << 20  # bytes parsed together: large enough for arrays, small enough for the processor's cache
_FEW = 8  # fewer lines of one shape are read one by one
_SHAPES_KEPT = 4096
_EXCERPT = 120  # characters of a line shown in a warning
_FOREIGN = 0
_CAREFUL = -1


def read_gctrace(source: Source, *, process: int | None = None) -> Trace:
    """The trace of the process with the most cycles in a log; its warnings name the other processes.

    ``source`` is a path, ``-`` for standard input, or an open file. Files of gzip, xz and bzip2 are unpacked.
    ``process`` chooses another process, from 1 in order of first appearance. Raises InputError if the log cannot be
    read, has no gc line, or has no such process.
    """
    traces = read_processes(source)
    chosen = max(traces, key=lambda trace: len(trace.cycles))
    if process is not None:
        if not 1 <= process <= len(traces):
            raise InputError(
                f"{source_name(source)}: holds {len(traces)} process{'es' * (len(traces) != 1)}, so there is no process"
                f" {process}; gcsim inspect --processes lists them"
            )
        chosen = traces[process - 1]
    others = tuple(_other_process(trace) for trace in traces if trace is not chosen)
    return replace(chosen, parse_warnings=(*chosen.parse_warnings, *others))


def read_processes(source: Source) -> list[Trace]:
    """One Trace per process that printed gc lines, in order of first appearance; see ``read_gctrace``."""
    log = _Log(read_source(source))
    log.scan()
    log.repair()
    info, about_side_file = _side_file(source)
    traces = split_processes(
        log.rows,
        log.data,
        parse_warnings=(
            *about_side_file,
            *sorted(log.parse_warnings, key=lambda warning: warning.line_number),
        ),
        foreign_line_numbers=log.foreign_line_numbers(),
        info=info,
    )
    if not traces:
        raise InputError(_nothing_read(log, source_name(source)))
    return traces


class _ShapeIds(dict[bytes, int]):
    """A map from a line without its numbers to an index into ``shapes``, or to ``_FOREIGN`` or ``_CAREFUL``."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[LineShape | None] = [None]

    def __missing__(self, text: bytes) -> int:
        known = _FOREIGN if KEYWORDS.search(text) is None else len(self.shapes)
        if len(self) >= _SHAPES_KEPT:  # most lines are unique: stop storing them
            return min(known, _FOREIGN + 1) * _CAREFUL
        if known != _FOREIGN:
            self.shapes.append(None)
        self[text] = known
        return known


@dataclass
class _Log:
    """One log being read."""

    data: bytes
    rows: RowStore = field(default_factory=RowStore)
    parse_warnings: list[ParseWarning] = field(default_factory=list)
    foreign: list[Int64Array] = field(default_factory=list)  # line numbers
    broken: list[tuple[int, int, str]] = field(default_factory=list)  # line number, offset, kind
    marks: list[int] = field(default_factory=list)  # numbers of lines with only "(forced)"
    _ids: _ShapeIds = field(default_factory=_ShapeIds)
    _ends: list[int] = field(default_factory=list)  # numbers of the last lines of reassembled gc lines

    def scan(self) -> None:
        """Reads all lines, most of them together with other lines of their shape."""
        line_number = 1
        for offset, block in _blocks(self.data):
            line_number += self._scan_block(block, offset - PADDING, line_number)

    def _scan_block(self, block: bytes, shift: int, first_line_number: int) -> int:
        texts = block[PADDING:].translate(None, NUMERIC).split(b"\n")[:-1]
        ids = np.fromiter(map(self._ids.__getitem__, texts), np.int64, len(texts))
        order = np.argsort(ids, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(ids[order])) + 1)
        numbers: Numbers | None = None
        for lines in groups:
            shape_id = int(ids[lines[0]])
            if shape_id == _FOREIGN:
                self.foreign.append(first_line_number + lines)
                continue
            numbers = numbers or Numbers.find(block)
            if shape_id != _CAREFUL and len(lines) >= _FEW:
                lines = self._read_together(shape_id, numbers, lines, first_line_number, shift)
            for line in lines.tolist():
                self._read_alone(numbers, line, first_line_number + line, shift)
        return len(texts)

    def _read_together(
        self, shape_id: int, numbers: Numbers, lines: Int64Array, first_line_number: int, shift: int
    ) -> Int64Array:
        shape = self._ids.shapes[shape_id]
        if shape is None:
            text = _line(numbers, int(lines[0]))
            entries, verdict = parse_line(text)
            shape = learn_shape(text, entries) if entries and verdict == "read" else None
            self._ids.shapes[shape_id] = shape
        return (
            lines if shape is None else self.rows.add_lines(shape, numbers, lines, first_line_number, shift)
        )

    def _read_alone(self, numbers: Numbers, line: int, line_number: int, shift: int) -> None:
        offset = int(numbers.line_starts[line]) + shift
        entries, verdict = parse_line(_line(numbers, line))
        self.rows.add_entries(entries, line_number, offset)
        if verdict == "forced":
            self.marks.append(line_number)
        if verdict in ("foreign", "forced"):
            self.foreign.append(np.array([line_number]))
        elif verdict != "read":
            self.broken.append((line_number, offset, verdict))

    def repair(self) -> None:
        """Joins torn gc lines if their text is certain, and reports all other broken lines."""
        self.broken.sort()
        torn = [(number, offset) for number, offset, kind in self.broken if kind == "broken gc line"]
        whole = WholeLines(self.rows) if torn or self.marks else None
        joined = Repair(self.data, torn, whole).joined() if whole else []
        marks = torn_marks(self.marks, whole) if whole else {}
        self.rows.mark_forced(marks.values())
        for number, place in marks.items():
            self._report("reassembled gc line", place // LINE, b"(forced) in line %d" % number)
        for line in joined:
            self.rows.add_joined(line.entry, line.first, line.prefix)
            self._report("reassembled gc line", line.first, line.entry.match[0])
        self._ends = [line.last for line in joined]
        used = line_numbers(joined)
        for number, offset, kind in self.broken:
            if number not in used:
                end = self.data.find(b"\n", offset, offset + 16 * _EXCERPT)
                self._report(kind, number, self.data[offset : end if end >= 0 else offset + 16 * _EXCERPT])

    def foreign_line_numbers(self) -> Int64Array:
        """The numbers of lines that are not trace lines; the end of a torn gc line is not among them."""
        numbers = np.concatenate([*self.foreign, np.empty(0, np.int64)]).astype(np.int64)
        return np.setdiff1d(numbers, np.array(self._ends, np.int64))

    def _report(self, kind: str, line_number: int, text: bytes) -> None:
        excerpt = text.decode(errors="replace").strip()
        excerpt = excerpt if len(excerpt) <= _EXCERPT else excerpt[: _EXCERPT - 1] + "…"
        self.parse_warnings.append(ParseWarning(kind=kind, line_number=line_number, text=excerpt))


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, padded text) of successive blocks of whole lines."""
    start = 0
    while start < len(data):
        end = (
            data.rfind(b"\n", start, start + _BLOCK) + 1 or data.find(b"\n", start + _BLOCK) + 1 or len(data)
        )
        block = data[start:end]
        yield start, b" " * PADDING + block + (b"" if block.endswith(b"\n") else b"\n")
        start = end


def _line(numbers: Numbers, line: int) -> bytes:
    return numbers.block[numbers.line_starts[line] : numbers.line_starts[line + 1] - 1]


def _other_process(trace: Trace) -> ParseWarning:
    numbers = trace.cycles.cycle_number
    text = f"gc {numbers[0]} to gc {numbers[-1]}, {len(numbers)} cycles of another process left out"
    return ParseWarning(kind="other process", line_number=int(trace.line_numbers[0]), text=text)


def _side_file(source: Source) -> tuple[CaptureInfo | None, tuple[ParseWarning, ...]]:
    """(the log's side file or None, warnings about the side file)."""
    if not isinstance(source, (str, Path)) or str(source) == "-":
        return None, ()
    info, note = read_side_file(Path(source))
    return info, (ParseWarning(kind="side file", line_number=0, text=note),) if note else ()


def _nothing_read(log: _Log, name: str) -> str:
    """The error message for a log without a readable gc line."""
    if not log.data.strip():
        return f"{name}: is empty; run the program with GODEBUG=gctrace=1 and keep its standard error"
    if b"\0" in log.data[:1_000_000]:
        return f"{name}: is a binary file, not a gctrace log; give it the program's standard error"
    if log.broken:
        number, _, kind = log.broken[0]
        return (
            f"{name}: no gc line in it is whole ({len(log.broken)} lines hold parts of trace lines; line {number}:"
            f" {kind}); if a tool wrapped, cut or escaped the lines, pass the text that the program printed"
        )
    return (
        f"{name}: has no gc line; run the program with GODEBUG=gctrace=1 and keep its standard error"
        " (a program with GOGC=off that never reached GOMEMLIMIT prints none)"
    )
