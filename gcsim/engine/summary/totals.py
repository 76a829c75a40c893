"""Sums over the cycles of each lane, from which the metrics follow."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.cycle_step import CycleStep
from gcsim.settings import Settings
from gcsim.units import MAX_INT64, MIB


@dataclass(slots=True, kw_only=True)
class LaneTotals:
    """Sums of all lanes; arrays of shape (lanes,). Sizes in MiB are truncated to whole MiB, as in gctrace.

    The work and pauses of a lane's last cycle lie outside its window (``gcsim.metrics.cycle_metrics``). The sums
    therefore take those of each cycle when the next one starts.
    """

    cycles: FloatArray
    first_start_seconds: FloatArray
    last_start_seconds: FloatArray
    heap_end_mib: FloatArray
    heap_end_max_mib: FloatArray
    heap_end_max_bytes: FloatArray
    heap_at_end_bytes: (
        FloatArray  # when the run or its job ends between two cycles; 0 for a program that does not grow
    )
    heap_marked_mib: FloatArray
    heap_goal_mib: FloatArray
    heap_live_mib: FloatArray
    assist_cpu_seconds: FloatArray
    background_cpu_seconds: FloatArray
    idle_cpu_seconds: FloatArray
    limited_seconds: FloatArray
    mutator_bytes: FloatArray
    last_assist_cpu_seconds: FloatArray
    last_background_cpu_seconds: FloatArray
    last_idle_cpu_seconds: FloatArray
    # The settings in force, as numbers that order them: GOGC=off is infinite, no limit is above all limits. The highest
    # setting is the one with the highest limit, and of equal limits the one with the highest GOGC; it has its own sums.
    highest_limit_bytes: FloatArray
    highest_gogc: FloatArray
    highest_cycles: FloatArray
    highest_marked_mib: FloatArray
    highest_goal_mib: FloatArray
    lowest_limit_bytes: FloatArray
    lowest_gogc: FloatArray

    @classmethod
    def zero(cls, lanes: int) -> Self:
        """Sums without a cycle."""
        return cls(**{f.name: np.zeros(lanes) for f in fields(cls)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The sums of all lanes of the parts, in order."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def add(self, step: CycleStep, counted: BoolArray, times: FloatArray | None = None) -> None:
        """Adds one cycle to each lane that ``counted`` marks; it counts ``times`` times if given."""
        weight = counted.astype(np.float64)
        if times is not None:
            weight *= times
        first = counted & (self.cycles == 0)
        self.first_start_seconds = np.where(first, step.start_seconds, self.first_start_seconds)
        self.last_start_seconds = np.where(counted, step.start_seconds, self.last_start_seconds)
        self.cycles = self.cycles + weight
        self._add_setting(step, counted, weight, first)
        self._add_heap(step, counted, weight)
        self._add_cpu(step, counted, weight)
        self.mutator_bytes += np.where(first, 0.0, weight * step.mutator_bytes)

    def end_between(
        self, step: CycleStep, ended: BoolArray, *, marked_bytes: FloatArray, share: FloatArray
    ) -> None:
        """Sets the heap at the end in each lane that ``ended`` marks, whose next cycle would be ``step``.

        The heap had ``marked_bytes`` when the last cycle ended. ``share``, 0 to 1, is the part of the way to the start
        of ``step``. A lane whose heap at the end is set keeps it.
        """
        heap = marked_bytes + np.clip(share, 0.0, 1.0) * (step.heap_start_bytes - marked_bytes)
        self.heap_at_end_bytes = np.where(ended & (self.heap_at_end_bytes == 0), heap, self.heap_at_end_bytes)

    def _add_heap(self, step: CycleStep, counted: BoolArray, weight: FloatArray) -> None:
        start_mib = np.floor(step.heap_start_bytes / MIB)
        end_mib = np.floor(step.heap_end_bytes / MIB)
        marked_mib = np.floor(step.heap_marked_bytes / MIB)
        self.heap_end_mib += weight * end_mib
        self.heap_end_max_mib = np.maximum(self.heap_end_max_mib, counted * end_mib)
        self.heap_end_max_bytes = np.maximum(self.heap_end_max_bytes, counted * step.heap_end_bytes)
        self.heap_marked_mib += weight * marked_mib
        self.heap_goal_mib += weight * np.floor(step.heap_goal_bytes / MIB)
        self.heap_live_mib += weight * np.maximum(marked_mib - (end_mib - start_mib), 0.0)

    def _add_setting(self, step: CycleStep, counted: BoolArray, weight: FloatArray, first: BoolArray) -> None:
        limit = step.setting.memory_limit_bytes.astype(np.float64)
        gogc = np.where(step.setting.gc_percent < 0, np.inf, step.setting.gc_percent)
        same_limit = limit == self.highest_limit_bytes
        higher = (limit > self.highest_limit_bytes) | (same_limit & (gogc > self.highest_gogc))
        start = first | (counted & higher)
        self.highest_limit_bytes = np.where(start, limit, self.highest_limit_bytes)
        self.highest_gogc = np.where(start, gogc, self.highest_gogc)
        mine = weight * ((limit == self.highest_limit_bytes) & (gogc == self.highest_gogc))
        for name, size in (
            ("highest_cycles", 1.0),
            ("highest_marked_mib", np.floor(step.heap_marked_bytes / MIB)),
            ("highest_goal_mib", np.floor(step.heap_goal_bytes / MIB)),
        ):
            setattr(self, name, np.where(start, 0.0, getattr(self, name)) + mine * size)
        lower = first | (counted & (limit < self.lowest_limit_bytes))
        self.lowest_limit_bytes = np.where(lower, limit, self.lowest_limit_bytes)
        lower = first | (counted & (gogc < self.lowest_gogc))
        self.lowest_gogc = np.where(lower, gogc, self.lowest_gogc)

    def _add_cpu(self, step: CycleStep, counted: BoolArray, weight: FloatArray) -> None:
        self.assist_cpu_seconds += counted * self.last_assist_cpu_seconds
        self.background_cpu_seconds += counted * self.last_background_cpu_seconds
        self.idle_cpu_seconds += counted * self.last_idle_cpu_seconds
        self.limited_seconds += weight * step.limited_seconds
        phase = step.phase
        self.last_assist_cpu_seconds = weight * phase.assist_cpu_seconds
        self.last_background_cpu_seconds = weight * phase.background_cpu_seconds
        self.last_idle_cpu_seconds = weight * phase.idle_cpu_seconds

    def with_fixed_setting(self, limit_bytes: FloatArray, gogc: FloatArray) -> Self:
        """The sums of runs that had one setting each; GOGC=off is infinite, no limit is MAX_INT64."""
        return replace(
            self,
            highest_limit_bytes=limit_bytes,
            lowest_limit_bytes=limit_bytes,
            highest_gogc=gogc,
            lowest_gogc=gogc,
        )

    def select(self, keep: BoolArray | Int64Array) -> Self:
        """The lanes that ``keep`` marks or numbers."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def scatter_into(self, whole: Self, places: Int64Array) -> None:
        """Writes these lanes to ``places`` of a table of all lanes."""
        for f in fields(self):
            getattr(whole, f.name)[places] = getattr(self, f.name)


def settings_in_force(totals: LaneTotals, settings: Settings) -> list[Settings]:
    """The settings of a run: the one at its start, and the highest and lowest that a controller chose in its lanes."""
    counted = totals.cycles > 0
    if not counted.any():
        return [settings]
    ends = (
        (totals.highest_gogc[counted].max(), totals.highest_limit_bytes[counted].max()),
        (totals.lowest_gogc[counted].min(), totals.lowest_limit_bytes[counted].min()),
    )
    found = [
        replace(
            settings,
            gogc=int(gogc) if np.isfinite(gogc) else None,
            gomemlimit_bytes=int(limit) if limit < MAX_INT64 else None,
        )
        for gogc, limit in ends
    ]
    return [settings, *found]
