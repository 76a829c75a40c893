"""Sums over the cycles of each lane, from which the metrics follow."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.cycle_step import CycleStep
from gcsim.units import MIB


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

    def _add_cpu(self, step: CycleStep, counted: BoolArray, weight: FloatArray) -> None:
        self.assist_cpu_seconds += counted * self.last_assist_cpu_seconds
        self.background_cpu_seconds += counted * self.last_background_cpu_seconds
        self.idle_cpu_seconds += counted * self.last_idle_cpu_seconds
        self.limited_seconds += weight * step.limited_seconds
        phase = step.phase
        self.last_assist_cpu_seconds = weight * phase.assist_cpu_seconds
        self.last_background_cpu_seconds = weight * phase.background_cpu_seconds
        self.last_idle_cpu_seconds = weight * phase.idle_cpu_seconds

    def select(self, keep: BoolArray | Int64Array) -> Self:
        """The lanes that ``keep`` marks or numbers."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def scatter_into(self, whole: Self, places: Int64Array) -> None:
        """Writes these lanes to ``places`` of a table of all lanes."""
        for f in fields(self):
            getattr(whole, f.name)[places] = getattr(self, f.name)
