"""Damaged gctrace logs: whatever happens to its lines, the reader claims no cycle that was not logged.

Run a large size with ``pytest tests/fuzz/test_reader_fuzz.py --fuzz-lines 1000000``.
"""

import io
import json
import random
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import fields

import pytest

from gcsim.errors import InputError
from gcsim.gctrace import read_processes
from gcsim.gctrace.numbers import format_ns_as_ms

LINES_PER_LOG = 50
SECONDS_PER_LOG = 5.0
# Of a million damaged lines some ten read as cycles that were not printed: two torn lines that fit together, say. The
# small size must have none, a large one no more than this.
FALSE_LOGS_PER_LINE = 1 / 50_000

MS = r"(\d{1,12}(?:\.\d{1,3})?)"
STRICT = re.compile(
    rf"gc[\t\x20]+(\d{{1,18}}) @(\d{{1,9}}\.\d{{3}})s (\d{{1,18}})%: {MS}\+{MS}\+{MS} ms clock, "
    rf"{MS}\+{MS}/{MS}/{MS}\+{MS} ms cpu, "
    r"(\d{1,14})->(\d{1,14})->(\d{1,14}) MB, (\d{1,14}) MB goal, "
    r"(?:(\d{1,14}) MB stacks, (\d{1,14}) MB globals, )?(\d{1,18}) P(?P<forced> \(forced\))?".replace(
        " ", r"[ \t]*"
    )
)
FOREIGN = (
    "hello", "12", "471", "0", "2026/11/29 20:00:00 served 3 orders", "level=info msg=\"gc is on\" took=1.5ms",
    "gcr.io/app@sha256:0",
    "{\"a\": 1}", "GET /gc 200 12ms", "2 P", "99%", "goroutine 5 [running]:", "+1.2", "->", ".", "gc", " ", "(x)",
    "7 MB",
)  # fmt: skip

Row = tuple[int, ...]


def pause(rng: random.Random) -> int:
    return rng.choice((0, rng.randrange(1_000, 90_000), rng.randrange(1_000, 3_000_000)))


def gc_line(rng: random.Random, number: int, start_ms: int, procs: int) -> str:
    """One line as Go 1.18 and later print it."""
    first, last = pause(rng), pause(rng)
    clock = (first, rng.randrange(200_000, 30_000_000), last)
    cpu = (
        first * procs,
        rng.choice((0, rng.randrange(3_000_000))),
        rng.randrange(20_000_000),
        pause(rng),
        last * procs,
    )
    start = rng.randrange(4, 3_000)
    end, marked = start + rng.randrange(40), rng.randrange(1, start)
    c, p = [format_ns_as_ms(ns) for ns in clock], [format_ns_as_ms(ns) for ns in cpu]
    return (
        f"gc {number} @{start_ms / 1000:.3f}s {rng.randrange(30)}%: {c[0]}+{c[1]}+{c[2]} ms clock,"
        f" {p[0]}+{p[1]}/{p[2]}/{p[3]}+{p[4]} ms cpu, {start}->{end}->{marked} MB, {start + 7} MB goal,"
        f" {rng.randrange(3)} MB stacks, {rng.randrange(2)} MB globals, {procs} P{rng.choice(('', '', ' (forced)'))}"
    )


def torn(rng: random.Random, line: str) -> str:
    """Another writer's line between two of the runtime's writes."""
    cut = rng.choice([match.end() for match in re.finditer(r"[\d.]+|[^\d.]+", line)][:-1])
    return f"{line[:cut]}{rng.choice(FOREIGN)}\n{line[cut:]}"


def broken(rng: random.Random, line: str) -> str:
    """A line break at any character."""
    cut = rng.randrange(1, len(line))
    return f"{line[:cut]}\n{line[cut:]}"


def changed(rng: random.Random, line: str) -> str:
    """One character more, less or another."""
    at = rng.randrange(len(line))
    new = rng.choice("0123456789.+->/ %@gcPms\t#(") if rng.random() < 0.7 else ""
    return line[:at] + new + line[at + rng.randrange(2) :]


def glued(rng: random.Random, line: str) -> str:
    """Text of another writer in front or behind."""
    return rng.choice(
        (
            f"{line}{rng.choice(FOREIGN)}",
            f"{rng.choice(FOREIGN)}x {line}",
            f"[pod/web-{rng.randrange(2)}] {line}",
        )
    )


def lost(rng: random.Random, line: str) -> str:
    """A beginning or an end."""
    cut = rng.randrange(len(line))
    return rng.choice((line[:cut], line[cut:]))


DAMAGES: tuple[Callable[[random.Random, str], str], ...] = (torn, broken, changed, glued, lost)


def damaged_log(rng: random.Random) -> tuple[str, list[str]]:
    """A log's text, and the lines that its process printed."""
    procs, number, start_ms = rng.choice((1, 2, 8)), rng.randrange(1, 300), rng.randrange(10, 5_000)
    lines = []
    for _ in range(LINES_PER_LOG):
        lines.append(gc_line(rng, number, start_ms, procs))
        number += 1
        start_ms += rng.randrange(100, 900)
    rate = rng.choice((0.05, 0.3, 0.9))
    chosen = rng.choice((DAMAGES, DAMAGES[:2], DAMAGES[2:3]))
    text = [rng.choice(chosen)(rng, line) if rng.random() < rate else line for line in lines]
    text = [
        part for line in text for part in ((line, rng.choice(FOREIGN)) if rng.random() < 0.1 else (line,))
    ]
    shape = rng.random()
    if shape < 0.1:
        text.reverse()
    elif shape < 0.2:
        text += text[len(text) // 2 :]
    elif shape < 0.3:
        at = rng.randrange(len(text) - 1)
        text[at : at + 2] = text[at + 1], text[at]
    elif shape < 0.4:
        text = [
            json.dumps({"log": f"{line}\n", "stream": "stderr"}) for part in text for line in part.split("\n")
        ]
    return "\n".join(text), lines


def strict_rows(text: str) -> set[Row]:
    """The gc lines that stand whole in a text."""
    found = set()
    for match in STRICT.finditer(text):
        number, start, percent, *times = match.groups()[:11]
        ms = [round(float(t) * 1_000_000) for t in times]
        sizes = [-1 if size is None else int(size) << 20 for size in match.groups()[11:17]]
        if max(sizes) >= 1 << 60:
            continue
        found.add(
            (
                int(number),
                round(float(start) * 1000) * 1_000_000,
                int(percent),
                *ms,
                *sizes,
                int(match[18]),
                int(bool(match["forced"])),
            )
        )
    return found


def read_rows(text: str) -> set[Row]:
    """The cycles that the reader claims."""
    try:
        traces = read_processes(io.BytesIO(text.encode()))
    except InputError:
        return set()
    names = [field.name for field in fields(traces[0].cycles)]
    return {
        tuple(int(column[i]) for column in columns)
        for trace in traces
        for columns in ([getattr(trace.cycles, name) for name in names],)
        for i in range(len(trace.cycles))
    }


class FalseRowError(AssertionError):
    """A cycle was claimed that was never printed, or one that stands whole was not read."""


def check(seed: int) -> int:
    """Read one damaged log; its lines. Raises FalseRowError."""
    text, lines = damaged_log(random.Random(seed))
    standing = strict_rows(text.replace("\\n", "\n"))
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = read_rows(text)
    assert time.perf_counter() - begun < SECONDS_PER_LOG, (
        f"seed {seed}: a log of {len(lines)} lines takes too long"
    )
    printed = strict_rows("\n".join(lines))
    if not rows <= standing | printed:
        raise FalseRowError(f"seed {seed}: claimed and never printed: {sorted(rows - standing - printed)}")
    missed = standing - rows - {row for row in standing - printed if _is_corrected(row, rows)}
    if missed:
        raise FalseRowError(f"seed {seed}: whole and not read: {sorted(missed)}")
    return text.count("\n") + 1


def _is_corrected(row: Row, rows: set[Row]) -> bool:
    """Whether a line that was changed is left for what the lines around it show: its mark, or digits too many."""
    number, *fields, forced = row
    return not forced or any(str(number).endswith(str(n)) and rest == fields for n, *rest, _ in rows)


def test_damaged_logs_give_no_cycle_that_was_not_printed(request: pytest.FixtureRequest) -> None:
    """Every row is a line the program printed or one that stands whole in the file; no other error, warning or hang."""
    lines = request.config.getoption("--fuzz-lines", default=3_000)
    remaining, seed = lines, request.config.getoption("--fuzz-seed", default=0)
    failures: list[str] = []
    while remaining > 0:
        try:
            remaining -= check(seed)
        except FalseRowError as error:
            failures.append(str(error))
            remaining -= LINES_PER_LOG
        seed += 1
    print(f"{len(failures)} logs with a false row among {lines:,} lines: {failures[:10]}")
    assert len(failures) <= int(lines * FALSE_LOGS_PER_LINE), failures
