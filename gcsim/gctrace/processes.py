"""Separates the processes that share a log, by their cycle numbers and clocks.

``go run``, ``go build`` and ``go test`` print the traces of the go tool, of every compiler and linker and of the
program into one stream. A container log holds several runs in sequence. A process numbers its cycles 1, 2, 3 ..., and
its clock never decreases. A cycle therefore continues a process with the number before it that had ended its last
cycle by then. If several processes qualify, the one with the same prefix (pod, unit and pid) is taken, then the one
with a much smaller step of the clock, then the one that printed last.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import Int64Array

_TRUNCATION_NS = 1_000_000  # a time stamp is truncated to milliseconds
_JUMP_NS = 1_000_000_000  # a clock that moves less than this has not jumped
_RECENT = 64  # candidate processes if a cycle's predecessor is missing
_STAMP = re.compile(
    rb"\d{4}[-/]\d\d[-/]\d\d[T ]?[\d:.,]*(?:Z|[+-]\d\d:?\d\d)?|\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?"
    rb"|[A-Z][a-z]{2} +\d{1,2}\b|\d{9,}(?:\.\d+)?|\d+\.\d+"
)


def prefix_tag(prefix: bytes) -> bytes:
    """The constant part of the text before one writer's lines: the prefix without time stamps."""
    tag = _STAMP.sub(b"", prefix).strip()
    return tag if re.search(rb"\w", tag) else b""


@dataclass(slots=True)
class _Process:
    number: int  # of its last cycle
    begin: int
    clock: int  # when its last cycle ended
    gomaxprocs: int
    tag: bytes
    row: int


def assign_processes(
    numbers: Int64Array,
    begins: Int64Array,
    ends: Int64Array,
    gomaxprocs: Int64Array,
    tags: list[bytes],
) -> NDArray[np.intp]:
    """The process of each cycle, numbered from 0 in order of appearance.

    ``begins`` and ``ends`` are clocks that never decrease within a process: nanoseconds, or counts of allocations in a
    format without time. ``tags`` are the ``prefix_tag`` of the text before each cycle's line.
    """
    assigned = np.empty(len(numbers), np.intp)
    processes: list[_Process] = []
    next_of: dict[int, list[int]] = {}
    columns = zip(numbers.tolist(), begins.tolist(), ends.tolist(), gomaxprocs.tolist(), tags, strict=True)
    for row, (number, begin, end, procs, tag) in enumerate(columns):
        now = _Process(number, begin, begin + _TRUNCATION_NS, procs, tag, row)
        chosen = _successor(now, processes, next_of)
        if chosen is None:
            chosen = len(processes)
            processes.append(now)
        else:
            next_of[processes[chosen].number + 1].remove(chosen)
            now.tag = now.tag or processes[chosen].tag
            processes[chosen] = now
        now.clock = end
        next_of.setdefault(number + 1, []).append(chosen)
        assigned[row] = chosen
    return assigned


def _successor(now: _Process, processes: list[_Process], next_of: dict[int, list[int]]) -> int | None:
    """The process that a cycle continues; None for a new one."""
    if now.number == 1:
        return None
    direct = [i for i in next_of.get(now.number, ()) if processes[i].begin <= now.begin]
    direct = [i for i in direct if processes[i].clock <= now.clock] or direct
    recent = [
        i
        for i in range(max(len(processes) - _RECENT, 0), len(processes))
        if _could_precede(processes[i], now)
    ]
    if now.tag:
        tagged = [i for i in recent if processes[i].tag == now.tag]
        nearest = [i for i in tagged if i in direct] or tagged
        if nearest:
            return max(nearest, key=lambda i: (processes[i].number, processes[i].row))
    if direct:
        return _likeliest(direct, processes, now)
    return max(recent, key=lambda i: (processes[i].number, processes[i].row), default=None)


def _could_precede(process: _Process, now: _Process) -> bool:
    """Whether the cycle ``now`` may be a later one of ``process``: higher number, no earlier time, equal GOMAXPROCS.

    Cycles may be missing between the two, as in excerpts.
    """
    return process.number < now.number and process.clock <= now.clock and process.gomaxprocs == now.gomaxprocs


def _likeliest(candidates: list[int], processes: list[_Process], now: _Process) -> int:
    last = max(candidates, key=lambda i: processes[i].row)
    nearest = max(candidates, key=lambda i: processes[i].clock)
    jump, least = now.clock - processes[last].clock, now.clock - processes[nearest].clock
    return nearest if jump > _JUMP_NS and jump > 10 * least else last
