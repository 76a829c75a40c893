"""Writes a trace in the runtime's format, for gctrace viewers and ``read_gctrace``."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gcsim.atomic import replacing
from gcsim.cycles import NOT_LOGGED, CycleTable
from gcsim.errors import InputError
from gcsim.gctrace.assemble import lines_from_cycles
from gcsim.gctrace.formats import CYCLES, OTHERS, Template, cycle_generation
from gcsim.gctrace.numbers import quantize_mib, quantize_ms, quantize_seconds
from gcsim.gctrace.records import Columns, HeapSummaries, Scavenges, Sweeps
from gcsim.gctrace.trace import Trace

Raw = dict[str, NDArray[Any]]

_SHORTEST_FLOATS_SINCE = 26  # Go 1.26 print.go prints floats with strconv


def write_gctrace(trace: Trace | CycleTable, file: str | Path | IO[str], *, go: str | None = None) -> None:
    """Writes a trace, or cycles alone, in the real format, which ``read_gctrace`` reads back.

    ``go`` ("1.27", "1.16") selects the format. The default is the trace's own format, and for cycles that of the newest
    Go. Numbers are truncated as in the runtime (see ``quantize_cycles``). A path is written whole or not at all. Raises
    InputError for a path that cannot be written, and for a format with fields that the trace lacks.
    """
    trace = (
        trace if isinstance(trace, Trace) else _bare_trace(trace, "1.18" if go is None else _generation(go))
    )
    generation = trace.generation if go is None else _generation(go)
    if go is not None and generation != trace.generation:
        trace = _bare_trace(trace.cycles, generation)
    minor = int(go.split(".")[1]) if go is not None else None
    lines = _lines(trace, shortest_floats=_prints_shortest(generation, minor))
    if isinstance(file, (str, Path)):
        with replacing(Path(file)) as temporary, temporary.open("w", encoding="utf-8") as out:
            out.writelines(lines)
    else:
        file.writelines(lines)


def format_gctrace(trace: Trace | CycleTable, *, go: str | None = None) -> str:
    """The text that ``write_gctrace`` writes."""
    text = io.StringIO()
    write_gctrace(trace, text, go=go)
    return text.getvalue()


def quantize_cycles(cycles: CycleTable) -> CycleTable:
    """The cycles with the precision of a log of Go 1.18+.

    Sizes are truncated to MiB, durations to two digits (whole ms from 10 ms on), time stamps to ms.
    """
    columns = {f.name: getattr(cycles, f.name) for f in fields(cycles)}
    for name, column in columns.items():
        if name == "start_ns":
            columns[name] = quantize_seconds(column)
        elif name.endswith("_ns"):
            columns[name] = quantize_ms(column)
        elif name.endswith("_bytes"):
            columns[name] = quantize_mib(column)
    return CycleTable(**columns)


def _generation(go: str) -> str:
    match = re.fullmatch(r"1\.(\d+)", go)
    if match is None or int(match[1]) < 2:
        raise InputError(f"a Go version is written like 1.26, from 1.2 on; got {go!r}")
    return cycle_generation(int(match[1]))


def _prints_shortest(generation: str, minor: int | None) -> bool:
    return minor >= _SHORTEST_FLOATS_SINCE if minor is not None else generation == "1.18"


def _bare_trace(cycles: CycleTable, generation: str) -> Trace:
    if generation not in ("1.6", "1.18"):
        raise InputError(f"cycles alone lack what Go {generation} printed; write them for Go 1.6 or later")
    none = np.zeros(len(cycles), np.bool_)
    return Trace(generation=generation, cycles=cycles, periodic=none, leak_check=none)


def _lines(trace: Trace, *, shortest_floats: bool) -> Iterator[str]:
    """All lines, in an order from which the reader finds each line's cycle."""
    count = len(trace.cycles)
    around: list[tuple[list[str], list[str]]] = [([], []) for _ in range(count + 2)]  # from cycle -1 on
    during = (
        ("pacer_starts", trace.pacer_starts),
        ("pacer_ends", trace.pacer_ends),
        ("pacer_ends_before_118", trace.pacer_ends_before_118),
    )
    after = (
        ("sweeps", trace.sweeps),
        ("scavenges", trace.scavenges),
        ("heap_summaries", trace.heap_summaries),
    )
    for place, tables in enumerate((during, after)):
        for name, table in tables:
            for index, line in _table_lines(name, table, trace.generation, shortest_floats):
                around[index + 1][place].append(line)
    cycle_lines = list(_cycle_lines(trace, shortest_floats))
    for index, (before, behind) in enumerate(around):
        yield from before
        if 1 <= index <= count:
            yield cycle_lines[index - 1]
        yield from behind


def _cycle_lines(trace: Trace, shortest_floats: bool) -> Iterator[str]:
    template = CYCLES[trace.generation]
    raw = lines_from_cycles(trace.generation, trace.cycles, trace.older) | {"leak_check": trace.leak_check}
    for token in template.fields:
        if token.number is not None and np.any(raw[token.name] < 0):
            raise InputError(
                f"Go {trace.generation} prints {token.name}, which these cycles lack; name another Go"
            )
    text = _renderer(template, shortest_floats)
    early = trace.generation in ("1.2", "1.3", "1.4")  # the scavenger printed the mark after the cycle
    rows = zip(*(raw[token.name].tolist() for token in template.fields), strict=True)
    for values, periodic in zip(rows, trace.periodic.tolist(), strict=True):
        line = text(values)
        if periodic:
            line = f"{line}scvg0: GC forced\n" if early else f"GC forced\n{line}"
        yield line


def _table_lines(
    name: str, table: Columns, generation: str, shortest_floats: bool
) -> Iterator[tuple[int, str]]:
    """(index of the cycle, line) of each row of a table."""
    texts = {template: _renderer(template, shortest_floats) for template in OTHERS[name]}
    names = [f.name for f in fields(table)]
    for values in zip(*(getattr(table, column).tolist() for column in names), strict=True):
        row = dict(zip(names, values, strict=True))
        template = _spelling(table, row, generation)
        yield row["cycle_index"], texts[template]([row[token.name] for token in template.fields])


def _spelling(table: Columns, row: dict[str, Any], generation: str) -> Template:
    """The template with the fields of a row."""
    if isinstance(table, Scavenges):
        numbered, plain, eager = OTHERS["scavenges"]
        return (
            eager if row["eager_bytes"] != NOT_LOGGED else numbered if row["number"] != NOT_LOGGED else plain
        )
    if isinstance(table, HeapSummaries):
        megabytes, kilobytes, summary = OTHERS["heap_summaries"]
        if row["newly_released_bytes"] == NOT_LOGGED:
            return summary
        return kilobytes if row["newly_released_bytes"] % (1 << 20) else megabytes
    if isinstance(table, Sweeps):
        during_sweep, of_spans = OTHERS["sweeps"]
        return during_sweep if generation == "1.18" else of_spans
    name = {"PacerStarts": "pacer_starts", "PacerEnds": "pacer_ends"}.get(type(table).__name__)
    return OTHERS[name or "pacer_ends_before_118"][0]


def _renderer(template: Template, shortest_floats: bool) -> Callable[[Any], str]:
    """A function from the values of a row, in the order of ``template.fields``, to the line."""
    tokens = template.tokens

    def render(values: Any) -> str:
        remaining, pieces = iter(values), []
        for token in tokens:
            if not token.name:
                pieces.append(token.text)
            elif token.number is None:
                pieces.append(token.text if next(remaining) else "")
            else:
                pieces.append(token.number.write(next(remaining), shortest_floats=shortest_floats))
        return "".join(pieces) + "\n"

    return render
