"""The GOGC that heap goals imply, cycle by cycle.

    goal = marked + (marked + roots) x GOGC/100        (Go 1.18+ ``gcControllerState.commit``)

The printed goal and the heapMarked printed before it bound the GOGC of each cycle. If one GOGC explains a log, the
intervals of all cycles overlap. Otherwise GOGC changed, or something else set the goals.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.calibration.evidence import HALF_MIB, Evidence
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.pacer import (
    DEFAULT_HEAP_MINIMUM_BYTES,
    MIN_RUNWAY_BYTES,
    SWEEP_MIN_HEAP_DISTANCE_BYTES,
)
from gcsim.units import MIB, format_number

MIN_RUN = 5  # consecutive cycles that must agree on one GOGC
_SLACK = 0.01  # relative, for rounding in the runtime
_PRACTICALLY_OFF = 1e6  # percent


@dataclass(frozen=True, slots=True, kw_only=True)
class GogcRun:
    """Consecutive cycles whose goals one GOGC explains."""

    first_row: int  # of the trace's cycles
    last_row: int
    cycles: int  # that bound GOGC
    low: float  # percent
    high: float  # infinite at GOGC=off

    @property
    def middle(self) -> float:
        """A GOGC inside the interval, in percent, as round as possible; infinite for off."""
        if self.high >= _PRACTICALLY_OFF:
            return np.inf if self.low >= _PRACTICALLY_OFF else self.low
        centre = 0.5 * (self.low + self.high)
        for step in (100.0, 50.0, 25.0, 10.0, 5.0, 1.0):
            rounded = step * round(centre / step)
            if self.low <= rounded <= self.high:
                return rounded
        return centre

    def overlaps(self, other: "GogcRun") -> bool:
        """Whether one GOGC explains both runs."""
        return max(self.low, other.low) <= min(self.high, other.high)

    def explains(self, gogc: float) -> bool:
        """Whether the interval contains ``gogc``, in percent."""
        return self.low <= gogc <= self.high

    def __str__(self) -> str:
        return "GOGC=off" if np.isinf(self.middle) else f"GOGC={format_number(self.middle)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GogcBounds:
    """The lowest and highest GOGC that each cycle's goal allows, in percent, shape (n,); 0 and infinity if open."""

    low: FloatArray
    high: FloatArray

    @property
    def informative(self) -> BoolArray:
        """Whether a cycle bounds GOGC, shape (n,)."""
        return (self.low > 0) | np.isfinite(self.high)


def gogc_bounds(trace: Trace, printed: Evidence, *, gomemlimit_bytes: int | None = None) -> GogcBounds:
    """The GOGC that each cycle's goal allows; ``printed`` is the evidence of the whole trace, sizes as printed.

    A bound is open if the minimum heap, the distance for sweeping, the minimum runway or a memory limit may have set
    the goal, for the first cycle, and after a gap in the numbering. All bounds are open before Go 1.18, where forced
    cycles print other goals.
    """
    low, high = np.zeros(len(printed)), np.full(len(printed), np.inf)
    if trace.generation != "1.18":
        return GogcBounds(low=low, high=high)
    marked = printed.heap_marked_bytes[:-1]
    least, most = _growth_bounds(printed)
    usable = printed.follows & (marked - HALF_MIB >= DEFAULT_HEAP_MINIMUM_BYTES)
    usable &= trace.cycles.heap_goal_bytes[1:] > 0
    limited = (
        gomemlimit_bytes is not None
    )  # stacks can take most of a limit, so any goal below it may be the limit's
    off = np.isinf(printed.heap_goal_bytes[1:]) & (not limited)
    low[1:] = np.where(usable & ~_raised(printed), least, 0.0)
    high[1:] = np.where(usable & (not limited), most, np.inf)
    low[1:][off], high[1:][off] = _PRACTICALLY_OFF, np.inf
    return GogcBounds(low=low * (1.0 - _SLACK), high=high * (1.0 + _SLACK))


def gogc_runs(bounds: GogcBounds, rows: slice) -> list[GogcRun]:
    """The runs of cycles among ``rows`` that one GOGC explains.

    Runs shorter than ``MIN_RUN`` belong to a change and are dropped. Neighbouring runs that overlap are joined.
    """
    chosen = np.arange(len(bounds.low))[rows]
    chosen = chosen[bounds.informative[chosen]]
    joined: list[GogcRun] = []
    for run in _cut(chosen, bounds.low, bounds.high):
        if run.cycles < MIN_RUN:
            continue
        if joined and joined[-1].overlaps(run):
            joined[-1] = _join(joined[-1], run)
        else:
            joined.append(run)
    return joined


def informative_cycles(bounds: GogcBounds, rows: slice) -> int:
    """The number of rows that bound GOGC."""
    return int(bounds.informative[rows].sum())


def _growth_bounds(evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """GOGC bounds of rows 1.. in percent, from goals and heapMarked, each known to half a MiB either way."""
    goal, marked = evidence.heap_goal_bytes[1:], evidence.heap_marked_bytes[:-1]
    goal_error = np.where(evidence.exact[1:], 0.0, HALF_MIB)
    roots = evidence.stack_bytes[:-1] + evidence.globals_bytes[:-1]
    roots_low = np.where(
        evidence.exact[:-1], roots, 0.0
    )  # Go 1.19 prints allocated stacks and counts scanned stacks
    roots_high = np.where(evidence.exact[:-1], roots, roots + 2.0 * MIB)
    most_marked, least_marked = marked + HALF_MIB, np.maximum(marked - HALF_MIB, 1.0)
    least = (goal - goal_error - most_marked) / (most_marked + roots_high)
    most = (goal + goal_error - least_marked) / (least_marked + roots_low)
    return 100.0 * np.maximum(least, 0.0), 100.0 * np.maximum(most, 0.0)


def _raised(evidence: Evidence) -> BoolArray:
    """Whether heapLive at the start of marking plus the minimum runway, 64 KiB, may have raised the goal."""
    pushed = evidence.heap_start_bytes[1:] + 2.0 * HALF_MIB + MIN_RUNWAY_BYTES
    swept = evidence.heap_marked_bytes[:-1] + 2.0 * HALF_MIB + SWEEP_MIN_HEAP_DISTANCE_BYTES
    return np.asarray(evidence.heap_goal_bytes[1:] <= np.maximum(pushed, swept), dtype=np.bool_)


def _cut(rows: Int64Array, low: FloatArray, high: FloatArray) -> list[GogcRun]:
    """Maximal runs with a non-empty common interval, from the first row on."""
    runs: list[GogcRun] = []
    first, count, bottom, top = -1, 0, 0.0, np.inf
    last = -1
    for row in rows.tolist():
        new_bottom, new_top = max(bottom, low[row]), min(top, high[row])
        if new_bottom > new_top:
            runs.append(GogcRun(first_row=first, last_row=last, cycles=count, low=bottom, high=top))
            first, count, new_bottom, new_top = -1, 0, low[row], high[row]
        first, last, count = (row if first < 0 else first), row, count + 1
        bottom, top = float(new_bottom), float(new_top)
    if count:
        runs.append(GogcRun(first_row=first, last_row=last, cycles=count, low=bottom, high=top))
    return runs


def _join(one: GogcRun, other: GogcRun) -> GogcRun:
    return GogcRun(
        first_row=one.first_row,
        last_row=other.last_row,
        cycles=one.cycles + other.cycles,
        low=max(one.low, other.low),
        high=min(one.high, other.high),
    )
