"""Restores the order of a log's gc lines from cycle numbers and times.

Log viewers export the newest line first, two dumps of one log overlap, and a sort by whole seconds swaps neighbours.
Identical lines are one cycle. A log in which numbers and times decrease together is read from its end. Processes that
continue each other exactly are one process.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import Int64Array

_LAGS = 8  # lines of other processes between two cycles of one
_TINY = 3  # first cycles on a coarse clock may be equal in two processes
_CANDIDATES = 64  # processes tried as a part of another one


def is_newest_first(numbers: Int64Array, begins: Int64Array) -> bool:
    """Whether more cycles are followed by their predecessor than by their successor."""
    forward = backward = 0
    for lag in range(1, min(_LAGS, len(numbers) - 1) + 1):
        step, time = numbers[lag:] - numbers[:-lag], begins[lag:] - begins[:-lag]
        forward += int(np.count_nonzero((step == 1) & (time >= 0)))
        backward += int(np.count_nonzero((step == -1) & (time <= 0) & (numbers[lag:] > 1)))
    return backward > forward


def without_glued_digits(numbers: Int64Array, begins: Int64Array) -> tuple[Int64Array, Int64Array]:
    """(cycle numbers without digits of another writer before them, rows that changed), by the rows around."""
    if len(numbers) < 3 or np.all(np.diff(numbers) >= 1):
        return numbers, np.empty(0, np.int64)
    above, here, below = numbers[:-2], numbers[1:-1], numbers[2:]
    between = (
        (below == above + 2) & (here > below) & (begins[:-2] <= begins[1:-1]) & (begins[1:-1] <= begins[2:])
    )
    rows = [i + 1 for i in np.flatnonzero(between).tolist() if str(here[i]).endswith(str(above[i] + 1))]
    found = np.array(rows, np.int64)
    numbers = numbers.copy()
    numbers[found] = numbers[found - 1] + 1
    return numbers, found


def originals(fields: Mapping[str, NDArray[Any]], tags: list[bytes]) -> Int64Array:
    """For each row, the index of the first equal row, which is its own index for a single row.

    Equal lines of two writers are two cycles if each writer's prefix marks several lines.
    """
    writers = writer_of(tags)
    table = np.column_stack([*(column.astype(np.int64) for column in fields.values()), writers])
    _, first, which = np.unique(table, axis=0, return_index=True, return_inverse=True)
    found: Int64Array = first.astype(np.int64)[which.reshape(-1)]
    durations = [column for name, column in fields.items() if name.endswith("_ns") and name != "start_ns"]
    nothing_measured = np.all([column == 0 for column in durations], axis=0)
    alone = nothing_measured & (fields["cycle_number"] <= _TINY)
    return np.where(alone, np.arange(len(found)), found)


def writer_of(tags: list[bytes]) -> Int64Array:
    """The number of each line's writer, by the prefix; 0 for a prefix that marks only one line."""
    counts: dict[bytes, int] = defaultdict(int)
    for tag in tags:
        counts[tag] += 1
    known = {tag: i for i, tag in enumerate((t for t, n in counts.items() if t and n > 1), 1)}
    return np.array([known.get(tag, 0) for tag in tags], np.int64)


def is_one_process(
    numbers: Int64Array, begins: Int64Array, gomaxprocs: Int64Array, writers: Int64Array
) -> bool:
    """Whether all rows, in any order, are cycles of one process.

    Numbers must rise with time. A number may be missing only if the file has the lines around it in order. A restarted
    process counts from 1 below the lines of the one before.
    """
    if len(np.unique(writers[writers > 0])) > 1:
        return False
    rising = np.lexsort((numbers, begins))
    steps = np.diff(numbers[rising])
    gaps = steps != 1
    in_file_order = np.diff(rising) > 0
    same_procs = np.diff(gomaxprocs[rising]) == 0
    return bool(np.all(steps >= 1) and np.all(~gaps | (in_file_order & same_procs)))


class _Chains:
    """Processes as rows in the order of their numbers, with the numbers at which they begin, end or jump."""

    def __init__(self, process: NDArray[np.intp], columns: tuple[Int64Array, ...]) -> None:
        self.numbers, self.begins, self.gomaxprocs, self.writers = columns
        groups = np.argsort(process, kind="stable")
        parts = np.split(groups, np.flatnonzero(np.diff(process[groups])) + 1)
        self.rows: dict[int, NDArray[np.intp]] = dict(enumerate(parts))
        self.ends: dict[int, set[int]] = defaultdict(set)  # number after which a chain stops or jumps
        self.starts: dict[int, set[int]] = defaultdict(set)  # number with which it begins or continues
        for chain in self.rows:
            self._index(chain)

    def _index(self, chain: int) -> None:
        numbers = self.numbers[self.rows[chain]]
        jumps = np.flatnonzero(np.diff(numbers) != 1)
        for number in (*numbers[jumps].tolist(), int(numbers[-1])):
            self.ends[number].add(chain)
        for number in (int(numbers[0]), *numbers[jumps + 1].tolist()):
            self.starts[number].add(chain)

    def partners(self, chain: int) -> list[int]:
        """The chains that may come directly before or after a chain."""
        numbers = self.numbers[self.rows[chain]]
        found = self.ends[int(numbers[0]) - 1] | self.starts[int(numbers[-1]) + 1]
        return sorted(other for other in found if other in self.rows and other != chain)[:_CANDIDATES]

    def merge(self, chain: int, other: int) -> bool:
        """Merges two chains if they fit into each other; returns whether they do."""
        rows = np.concatenate([self.rows[chain], self.rows[other]])
        if len(np.unique(self.gomaxprocs[rows])) > 1:
            return False
        writers = self.writers[rows]
        if len(np.unique(writers[writers > 0])) > 1:
            return False
        mine = np.arange(len(rows)) < len(self.rows[chain])
        rising = np.lexsort((self.numbers[rows], self.begins[rows]))
        steps = np.diff(self.numbers[rows][rising])
        seams = np.diff(mine[rising].astype(np.int8)) != 0
        in_file_order = np.diff(rows[rising]) > 0
        if (
            np.any(steps < 1)
            or np.any(seams & (steps != 1) & ~in_file_order)
            or not np.any(seams & (steps == 1))
        ):
            return False
        self.rows[chain] = rows[rising]
        del self.rows[other]
        self._index(chain)
        return True


def merged_processes(process: NDArray[np.intp], *columns: Int64Array) -> NDArray[np.intp]:
    """The process of each cycle after merging processes that fit into each other's gaps, or before or after.

    ``columns`` are cycle numbers, begins, GOMAXPROCS and writers, one row per cycle.
    """
    chains = _Chains(process, columns)
    waiting = sorted(chains.rows, key=lambda chain: len(chains.rows[chain]))
    while waiting:
        chain = waiting.pop()
        if chain in chains.rows and any(chains.merge(chain, other) for other in chains.partners(chain)):
            waiting.append(chain)
    merged = np.empty_like(process)
    for i, rows in enumerate(chains.rows.values()):
        merged[rows] = i
    return merged
