"""Sums over the cycles of each lane, from which the metrics follow."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.controllers import GcSetting
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
    heap_end_max_bytes: FloatArray
    heap_at_end_bytes: (
        FloatArray  # when the run or its job ends between two cycles; 0 for a program that does not grow
    )
    end_seconds: FloatArray  # when the job ends, or its run before that; 0 for a program that is no job
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

    def with_end_between(
        self, step: CycleStep, ended: BoolArray, *, marked_bytes: FloatArray, share: FloatArray
    ) -> Self:
        """The sums with the heap at the end in each lane that ``ended`` marks, whose next cycle would be ``step``.

        The heap had ``marked_bytes`` when the last cycle ended. ``share``, 0 to 1, is the part of the way to the start
        of ``step``. A lane whose heap at the end is set keeps it.
        """
        heap = marked_bytes + np.clip(share, 0.0, 1.0) * (step.heap_start_bytes - marked_bytes)
        is_new = ended & (self.heap_at_end_bytes == 0)
        return replace(self, heap_at_end_bytes=np.where(is_new, heap, self.heap_at_end_bytes))

    def with_job_end(self, ended: BoolArray, *, heap_bytes: FloatArray, seconds: FloatArray) -> Self:
        """The sums with heap and time at the end of the job in each lane that ``ended`` marks; what is set stays."""
        first = ended & (self.end_seconds == 0)
        heap = np.where(first & (self.heap_at_end_bytes == 0), heap_bytes, self.heap_at_end_bytes)
        return replace(self, heap_at_end_bytes=heap, end_seconds=np.where(first, seconds, self.end_seconds))

    def with_last_cycle(self) -> Self:
        """The sums with the work of the last cycle, as for a window that ends after it."""
        kinds = ("assist_cpu_seconds", "background_cpu_seconds", "idle_cpu_seconds")
        return replace(self, **{kind: getattr(self, kind) + getattr(self, f"last_{kind}") for kind in kinds})

    def with_setting(self, setting: GcSetting) -> Self:
        """The sums of lanes that were added without ``setting_changes`` and had ``setting`` in every cycle."""
        ran = self.cycles > 0
        limit, gogc = (np.where(ran, value, 0.0) for value in _as_order(setting))
        return replace(
            self.with_fixed_setting(limit, gogc),
            highest_cycles=self.cycles,
            highest_marked_mib=self.heap_marked_mib,
            highest_goal_mib=self.heap_goal_mib,
        )

    def with_fixed_setting(self, limit_bytes: FloatArray, gogc: FloatArray) -> Self:
        """The sums of runs that had one setting each; GOGC=off is infinite, no limit is MAX_INT64."""
        return replace(
            self,
            highest_limit_bytes=limit_bytes,
            lowest_limit_bytes=limit_bytes,
            highest_gogc=gogc,
            lowest_gogc=gogc,
        )

    def select(self, keep: BoolArray | Int64Array | slice) -> Self:
        """The lanes that ``keep`` marks or numbers."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def scatter_into(self, whole: Self, places: Int64Array) -> None:
        """Writes these lanes to ``places`` of a table of all lanes."""
        for f in fields(self):
            getattr(whole, f.name)[places] = getattr(self, f.name)


class Addition(NamedTuple):
    """A cycle to add to the sums of lanes; arrays of shape (lanes,)."""

    step: CycleStep
    counted: BoolArray | None = None  # the lanes to which it is added; None for all
    times: FloatArray | None = None  # how many times it counts; None for once


def with_cycle(totals: LaneTotals, addition: Addition, *, setting_changes: bool = True) -> LaneTotals:
    """The sums with one more cycle.

    Without ``setting_changes`` the sums of settings are left to ``with_setting``.
    """
    step, counted, times = addition
    if counted is None and times is None:
        weight: FloatArray | float = 1.0
    elif counted is None:
        weight = np.ones_like(step.start_seconds) if times is None else times
    else:
        weight = counted.astype(np.float64)
        if times is not None:
            weight = weight * times
    first = totals.cycles == 0
    last_start_s = step.start_seconds
    if counted is not None:
        first = first & counted
        last_start_s = np.where(counted, step.start_seconds, totals.last_start_seconds)
    mutator, first_start_s = _weighted(step.mutator_bytes, weight), totals.first_start_seconds
    if first.any():
        first_start_s = np.where(first, step.start_seconds, first_start_s)
        mutator = np.where(first, 0.0, mutator)
    marked_mib = np.floor(step.heap_marked_bytes / MIB)
    goal_mib = np.floor(step.heap_goal_bytes / MIB)
    start_mib = np.floor(step.heap_start_bytes / MIB)
    end_mib = np.floor(step.heap_end_bytes / MIB)
    end_bytes = step.heap_end_bytes if counted is None else counted * step.heap_end_bytes
    live_mib = np.maximum(marked_mib - (end_mib - start_mib), 0.0)
    phase = step.phase
    found = replace(
        totals,
        cycles=totals.cycles + weight,
        first_start_seconds=first_start_s,
        last_start_seconds=last_start_s,
        mutator_bytes=totals.mutator_bytes + mutator,
        heap_end_max_bytes=np.maximum(totals.heap_end_max_bytes, end_bytes),
        heap_end_mib=totals.heap_end_mib + _weighted(end_mib, weight),
        heap_marked_mib=totals.heap_marked_mib + _weighted(marked_mib, weight),
        heap_goal_mib=totals.heap_goal_mib + _weighted(goal_mib, weight),
        heap_live_mib=totals.heap_live_mib + _weighted(live_mib, weight),
        limited_seconds=totals.limited_seconds + _weighted(step.limited_seconds, weight),
        assist_cpu_seconds=_with_last(totals.assist_cpu_seconds, totals.last_assist_cpu_seconds, counted),
        background_cpu_seconds=_with_last(
            totals.background_cpu_seconds, totals.last_background_cpu_seconds, counted
        ),
        idle_cpu_seconds=_with_last(totals.idle_cpu_seconds, totals.last_idle_cpu_seconds, counted),
        last_assist_cpu_seconds=_last_of(
            totals.last_assist_cpu_seconds, phase.assist_cpu_seconds, counted, weight
        ),
        last_background_cpu_seconds=_last_of(
            totals.last_background_cpu_seconds, phase.background_cpu_seconds, counted, weight
        ),
        last_idle_cpu_seconds=_last_of(totals.last_idle_cpu_seconds, phase.idle_cpu_seconds, counted, weight),
    )
    if not setting_changes:
        return found
    return _with_setting_of(found, step, first, counted, weight, marked_mib=marked_mib, goal_mib=goal_mib)


def _with_last(total: FloatArray, last: FloatArray, counted: BoolArray | None) -> FloatArray:
    """The sum with the value of the cycle before, in the lanes that have a next one."""
    return total + (last if counted is None else counted * last)


def _last_of(
    last: FloatArray, now: FloatArray, counted: BoolArray | None, weight: FloatArray | float
) -> FloatArray:
    """The value of the last counted cycle."""
    weighted = _weighted(now, weight)
    return weighted if counted is None else np.where(counted, weighted, last)


def _with_setting_of(
    totals: LaneTotals,
    step: CycleStep,
    first: BoolArray,
    counted: BoolArray | None,
    weight: FloatArray | float,
    *,
    marked_mib: FloatArray,
    goal_mib: FloatArray,
) -> LaneTotals:
    """The sums with the setting of one more cycle."""
    counted = np.ones_like(first) if counted is None else counted
    limit, gogc = _as_order(step.setting)
    same_limit = limit == totals.highest_limit_bytes
    higher = (limit > totals.highest_limit_bytes) | (same_limit & (gogc > totals.highest_gogc))
    start = first | (counted & higher)
    highest_limit = np.where(start, limit, totals.highest_limit_bytes)
    highest_gogc = np.where(start, gogc, totals.highest_gogc)
    mine = weight * ((limit == highest_limit) & (gogc == highest_gogc))

    def grown(total: FloatArray, size: FloatArray | float) -> FloatArray:
        found: FloatArray = np.where(start, 0.0, total) + mine * size
        return found

    lower = first | (counted & (limit < totals.lowest_limit_bytes))
    lower_gogc = first | (counted & (gogc < totals.lowest_gogc))
    return replace(
        totals,
        highest_limit_bytes=highest_limit,
        highest_gogc=highest_gogc,
        highest_cycles=grown(totals.highest_cycles, 1.0),
        highest_marked_mib=grown(totals.highest_marked_mib, marked_mib),
        highest_goal_mib=grown(totals.highest_goal_mib, goal_mib),
        lowest_limit_bytes=np.where(lower, limit, totals.lowest_limit_bytes),
        lowest_gogc=np.where(lower_gogc, gogc, totals.lowest_gogc),
    )


def _as_order(setting: GcSetting) -> tuple[FloatArray, FloatArray]:
    """(limit, GOGC) of each lane as numbers that order them."""
    gogc = np.where(setting.gc_percent < 0, np.inf, setting.gc_percent)
    return setting.memory_limit_bytes.astype(np.float64), gogc


def _weighted(values: FloatArray, weight: FloatArray | float) -> FloatArray:
    return values if isinstance(weight, float) else weight * values


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
