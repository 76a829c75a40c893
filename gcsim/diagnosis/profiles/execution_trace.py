"""Reads an execution trace (runtime/trace) through the Go toolchain's own reader, ``go tool trace -d=parsed``.

The format of Go 1.22 and later has no reader outside the toolchain. gcsim uses two kinds of events: ranges (stop the
world, mark phase, assist) and states of goroutines.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gcsim.errors import InputError
from gcsim.units import MIB

MOST_BYTES = 256 * MIB  # of a trace
MOST_EVENTS = 700_000  # states and ranges that are read; a longer trace is used up to there
TOOL_SECONDS = 120.0  # the first call of a toolchain builds the tool
_MAGIC = re.compile(rb"go 1\.\d{1,3} trace\0\0\0")
_PARSED = re.compile(r"M=-?\d+ P=-?\d+ G=-?\d+ \w+ Time=\d+")
_RANGE = re.compile(
    r'M=-?\d+ P=(-?\d+) G=(-?\d+) Range(Begin|Active|End) Time=(\d{1,19}) Name="([^"]{1,100})" Scope=(\S+)'
)
_STATE = re.compile(r"M=-?\d+ P=-?\d+ G=-?\d+ StateTransition Time=(\d{1,19}) GoID=(\d{1,19}) (\w+)->(\w+)")
_STOP, _MARK, _ASSIST = "stop-the-world (", "GC concurrent mark phase", "GC mark assist"
_LONGEST_LINE = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One range of a trace."""

    name: str
    begin_seconds: float  # since the first event
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionTrace:
    """The part of a trace about GC, and the waits of goroutines for a P."""

    source: str
    seconds: float  # from the first event to the last one that was read
    is_whole: bool  # all events were read
    procs: int  # Ps with events
    pauses: tuple[Span, ...]  # stop the world; the name is the reason, such as "GC mark termination"
    marks: tuple[Span, ...]  # concurrent mark phases
    assists: tuple[Span, ...]
    waits_marking: tuple[float, ...]  # seconds from runnable to running, while GC marks
    waits_outside: tuple[float, ...]

    @property
    def mark_seconds(self) -> float:
        """The duration of all mark phases."""
        return sum(span.seconds for span in self.marks)

    @property
    def assist_seconds(self) -> float:
        """The duration of all assists."""
        return sum(span.seconds for span in self.assists)


def looks_like_trace(head: bytes) -> bool:
    """Whether a file is an execution trace."""
    return _MAGIC.match(head) is not None


def is_parsed_trace(text: str) -> bool:
    """Whether a text is the output of ``go tool trace -d=parsed``."""
    return _PARSED.match(text) is not None


def read_execution_trace(path: Path) -> ExecutionTrace:
    """The trace in a file, or in the saved output of ``go tool trace -d=parsed``. Raises InputError.

    A file in the trace format needs a Go toolchain on PATH.
    """
    with path.open("rb") as file:
        if not looks_like_trace(file.read(32)):
            file.seek(0)
            lines = (line.decode("utf-8", errors="replace") for line in file)
            return trace_of_lines(lines, str(path))
    if path.stat().st_size > MOST_BYTES:
        raise InputError(
            f"{path}: is larger than {MOST_BYTES // MIB} MiB, the most that is read of a trace; record a few seconds,"
            " such as /debug/pprof/trace?seconds=5"
        )
    go = shutil.which("go")
    if go is None:
        raise InputError(
            f"{path}: is an execution trace, which only the Go toolchain can read, and no go command is on PATH;"
            f" install Go, or run go tool trace -d=parsed {path.name} > parsed.txt where it is, and give parsed.txt"
        )
    return _through_tool(go, path)


def _through_tool(go: str, path: Path) -> ExecutionTrace:
    """The trace as the toolchain prints it. The tool runs in an empty folder, so that no go.mod chooses another one."""
    env = {name: value for name, value in os.environ.items() if name not in ("GOFLAGS", "GODEBUG")}
    env |= {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        command = [go, "tool", "trace", "-d=parsed", str(path.absolute())]
        with subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        ) as process:
            timer = threading.Timer(TOOL_SECONDS, process.kill)
            timer.daemon = True
            timer.start()
            assert process.stdout is not None
            try:
                found = trace_of_lines(_decoded(process.stdout), str(path), is_tool=True)
            finally:
                timer.cancel()
                process.kill()
            process.wait()
        if found is not None and found.seconds > 0:
            return found
        said.seek(0)
        reason = said.read(400).decode("utf-8", errors="replace").strip().splitlines()
    raise InputError(
        f"{path}: go tool trace cannot read it ({reason[-1][:200] if reason else 'it printed nothing'}); record it"
        " again, or use a Go toolchain at least as new as the program's"
    )


def _decoded(stream: IO[bytes]) -> Iterator[str]:
    with suppress(ValueError, OSError):
        for line in stream:
            if line.startswith(b"M="):
                yield line[:_LONGEST_LINE].decode("utf-8", errors="replace")


@dataclass(slots=True)
class _Reading:
    """What the events so far say; times in ns."""

    first: int = 0
    last: int = 0
    open: dict[tuple[str, str], int] = field(default_factory=dict)  # begin of a range, by name and scope
    runnable: dict[str, int] = field(default_factory=dict)  # since when a goroutine waits for a P
    procs: set[str] = field(default_factory=set)
    spans: dict[str, list[Span]] = field(default_factory=lambda: {"stop": [], "mark": [], "assist": []})
    waits: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    marking: int = 0

    def at(self, time: int) -> None:
        """Takes the time of an event."""
        self.first = self.first or time
        self.last = max(self.last, time)

    def range(self, match: re.Match[str]) -> None:
        """Takes the begin or the end of a range."""
        proc, kind, time, name, scope = match[1], match[3], int(match[4]), match[5], match[6]
        self.at(time)
        if proc != "-1":
            self.procs.add(proc)
        sort = (
            "stop"
            if name.startswith(_STOP)
            else "mark"
            if name == _MARK
            else "assist"
            if name == _ASSIST
            else ""
        )
        if not sort:
            return
        key = name, scope
        if kind != "End":
            self.open.setdefault(key, time)
            self.marking += sort == "mark"
            return
        begin = self.open.pop(key, self.first)
        self.marking = max(self.marking - (sort == "mark"), 0)
        shown = name.removeprefix(_STOP).rstrip(")") if sort == "stop" else name
        self.spans[sort].append(
            Span(name=shown, begin_seconds=(begin - self.first) / 1e9, seconds=(time - begin) / 1e9)
        )

    def state(self, match: re.Match[str]) -> None:
        """Takes a change of a goroutine's state."""
        time, goroutine, after = int(match[1]), match[2], match[4]
        self.at(time)
        if after == "Runnable":
            self.runnable[goroutine] = time
        elif after == "Running" and goroutine in self.runnable:
            since = self.runnable.pop(goroutine)
            self.waits[self.marking > 0].append((time - since) / 1e9)


def trace_of_lines(lines: Iterable[str], source: str, *, is_tool: bool = False) -> ExecutionTrace:
    """The trace in the lines of ``go tool trace -d=parsed``. Raises InputError for lines without an event."""
    reading = _Reading()
    events, is_whole = 0, True
    for line in lines:
        if not line.startswith("M="):
            continue
        if (found := _STATE.match(line[:_LONGEST_LINE])) is not None:
            reading.state(found)
        elif (found := _RANGE.match(line[:_LONGEST_LINE])) is not None:
            reading.range(found)
        else:
            continue
        events += 1
        if events >= MOST_EVENTS:
            is_whole = False
            break
    if not events and not is_tool:
        raise InputError(f"{source}: holds no event of go tool trace -d=parsed; save its whole output")
    spans: Mapping[str, list[Span]] = reading.spans
    return ExecutionTrace(
        source=source, seconds=(reading.last - reading.first) / 1e9, is_whole=is_whole, procs=len(reading.procs),
        pauses=tuple(spans["stop"]), marks=tuple(spans["mark"]), assists=tuple(spans["assist"]),
        waits_marking=tuple(reading.waits[True]), waits_outside=tuple(reading.waits[False]),
    )  # fmt: skip
