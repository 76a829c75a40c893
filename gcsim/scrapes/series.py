"""The metrics of one process over time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.errors import InputError
from gcsim.scrapes.sample import Sample

COLLECTIONS = ("go_gc_cycles_total_gc_cycles_total", "go_gc_duration_seconds_count")
ALLOCATED = ("go_gc_heap_allocs_bytes_total", "go_memstats_alloc_bytes_total")
GOAL = ("go_gc_heap_goal_bytes", "go_memstats_next_gc_bytes")
_LEAST_SAMPLES = 2
_SAME_START_SECONDS = 2.0  # clocks and roundings of process_start_time_seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Samples of one process, in order of time: columns of shape (n,), NaN where a sample lacks the metric."""

    source: str
    seconds: FloatArray  # since 1970
    columns: Mapping[str, FloatArray]
    pauses: tuple[Mapping[float, float], ...]  # of each sample: count of stop-the-world phases up to a time
    go_version: str  # such as go1.27.3; "" if no page names it
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.seconds.shape[0])

    def first_of(self, *names: str) -> FloatArray | None:
        """The first of the columns that any sample has; None if no sample has one."""
        for name in names:
            if name in self.columns:
                return self.columns[name]
        return None

    def last(self, *names: str) -> float | None:
        """The last known value of the first of the columns."""
        column = self.first_of(*names)
        known = np.array([]) if column is None else column[np.isfinite(column)]
        return float(known[-1]) if known.size else None

    def rise(self, *names: str) -> float | None:
        """The growth of a counter from its first known value to its last."""
        column = self.first_of(*names)
        known = np.array([]) if column is None else column[np.isfinite(column)]
        return float(known[-1] - known[0]) if known.size >= 2 else None


def series_of(samples: Iterable[Sample], source: str) -> Series:
    """The series of a process's samples, without repetitions; of several runs, the one with most samples.

    Raises InputError for fewer than two usable samples, and for samples whose times contradict their counters.
    """
    usable = [one for one in samples if one.values and math.isfinite(one.seconds)]
    usable.sort(key=lambda one: one.seconds)
    kept = [one for i, one in enumerate(usable) if i == 0 or one.values != usable[i - 1].values]
    runs = _runs(kept)
    chosen = max(runs, key=len, default=[])
    if len(chosen) < _LEAST_SAMPLES:
        raise InputError(
            f"{source}: holds {len(chosen)} sample{'s' * (len(chosen) != 1)} of one process, but needs two or more;"
            " scrape the service for a minute or more, such as with gcsim capture --url"
        )
    notes = []
    if len(runs) > 1:
        notes.append(
            f"the process was started again {len(runs) - 1} time{'s' * (len(runs) != 2)}; the longest run,"
            f" {len(chosen)} samples, is used"
        )
    names = sorted({name for one in chosen for name in one.values})
    return Series(
        source=source,
        seconds=np.array([one.seconds for one in chosen]),
        columns={name: np.array([one.values.get(name, np.nan) for one in chosen]) for name in names},
        pauses=tuple(one.pauses for one in chosen),
        go_version=next((one.go_version for one in reversed(chosen) if one.go_version), ""),
        notes=tuple(notes),
    )


def _runs(samples: Sequence[Sample]) -> list[list[Sample]]:
    """The samples of each run of the process: its counters fall, or its start moves, when it is started again."""
    runs: list[list[Sample]] = []
    for one in samples:
        if not runs or _is_another(runs[-1][-1], one):
            runs.append([])
        runs[-1].append(one)
    return runs


def _is_another(before: Sample, after: Sample) -> bool:
    start = "process_start_time_seconds"
    moved = after.values.get(start, 0.0) - before.values.get(start, 0.0)
    if start in before.values and start in after.values and abs(moved) > _SAME_START_SECONDS:
        return True
    counters = (*COLLECTIONS, *ALLOCATED, "process_cpu_seconds_total")
    return any(
        name in before.values and name in after.values and after.values[name] < before.values[name]
        for name in counters
    )
