"""Reads the lines of GODEBUG=schedtrace, scheddetail and inittrace, alone or in a log of other lines.

Sources: Go 1.21 to 1.27 ``schedtrace`` (proc.go) and ``doInit1`` (proc.go).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.errors import InputError

MOST_LINES = 500_000  # of each kind
_LONGEST_ROW = 4000
_SCHED = re.compile(
    r"SCHED (\d{1,15})ms: gomaxprocs=(\d{1,7}) idleprocs=(\d{1,7}) threads=(\d{1,9})[^\n]*?"
    r" runqueue=(\d{1,9})(?: \[([\d ]*)\])?"
)
_LOCAL = re.compile(r" {2,}P(\d{1,7}): .*\brunqsize=(-?\d{1,9})")
_GOROUTINE = re.compile(r" {2,}G\d{1,15}: status=(\d)\(([^)]{0,60})\)")
_INIT = re.compile(
    r"init (\S{1,300}) @([\d.]{1,20}) ms, ([\d.e+-]{1,20}) ms clock, (\d{1,18}) bytes, (\d{1,15}) allocs"
)
_WAITING = "4"  # _Gwaiting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SchedTrace:
    """The states of the scheduler, shape (n,): one per SCHED line."""

    source: str
    seconds: FloatArray  # since the program's start
    gomaxprocs: Int64Array
    idle_procs: Int64Array
    threads: Int64Array
    run_queue: Int64Array  # goroutines that wait for a P, in the global queue and in those of Ps
    first_line: int
    waiting: dict[str, int] = field(
        default_factory=dict
    )  # scheddetail: goroutines of the last state, by reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageInit:
    """The initialization of one package: the work of its variables and init functions."""

    package: str
    at_seconds: float  # since the program's start
    seconds: float
    bytes: int
    allocations: int


def has_sched_lines(text: str) -> bool:
    """Whether a text has a line of GODEBUG=schedtrace."""
    return "SCHED " in text and _SCHED.search(text) is not None


def has_init_lines(text: str) -> bool:
    """Whether a text has a line of GODEBUG=inittrace=1."""
    return "init " in text and _INIT.search(text) is not None


def read_sched_trace(text: str, source: str) -> SchedTrace:
    """The states in a text. Raises InputError for a text without any, or with too many."""
    rows: list[list[int]] = []
    first_line = 0
    waiting: dict[str, int] = {}
    for number, row in enumerate(_rows(text), start=1):
        found = _SCHED.search(row) if "SCHED " in row else None
        if found is not None:
            rows.append([int(part) for part in found.groups()[:5]])
            rows[-1][4] += sum(int(one) for one in (found[6] or "").split()[:100_000] if len(one) < 10)
            first_line = first_line or number
            waiting = {}
        elif rows and (local := _LOCAL.match(row)) is not None:
            rows[-1][4] += max(int(local[2]), 0)
        elif rows and (state := _GOROUTINE.match(row)) is not None and state[1] == _WAITING:
            waiting[state[2]] = waiting.get(state[2], 0) + 1
        if len(rows) > MOST_LINES:
            raise InputError(
                f"{source}: holds more than {MOST_LINES:,} SCHED lines; give a shorter part of the log"
            )
    if not rows:
        raise InputError(f"{source}: holds no SCHED line; run the program with GODEBUG=schedtrace=1000")
    columns = np.array(rows, dtype=np.int64)
    return SchedTrace(
        source=source, seconds=columns[:, 0] / 1e3, gomaxprocs=columns[:, 1], idle_procs=columns[:, 2],
        threads=columns[:, 3], run_queue=columns[:, 4], first_line=first_line, waiting=waiting,
    )  # fmt: skip


def read_inits(text: str, source: str) -> tuple[PackageInit, ...]:
    """The initializations in a text, in their order. Raises InputError for a text without any, or with too many."""
    found: list[PackageInit] = []
    for row in _rows(text):
        one = _INIT.search(row) if row.startswith("init ") or " init " in row else None
        if one is None:
            continue
        at, seconds = _number(one[2]), _number(one[3])
        if at is not None and seconds is not None:
            found.append(
                PackageInit(
                    package=one[1],
                    at_seconds=at / 1e3,
                    seconds=seconds / 1e3,
                    bytes=int(one[4]),
                    allocations=int(one[5]),
                )
            )
        if len(found) > MOST_LINES:
            raise InputError(
                f"{source}: holds more than {MOST_LINES:,} init lines; give the start of the log"
            )
    if not found:
        raise InputError(f"{source}: holds no init line; run the program with GODEBUG=inittrace=1")
    return tuple(found)


def _rows(text: str) -> Iterator[str]:
    return (row[:_LONGEST_ROW] for row in text.splitlines())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
