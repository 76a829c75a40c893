"""The heap over time: heapLive, trigger and goal, cycle by cycle."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from gcsim.arrays import FloatArray
from gcsim.cycles import NOT_LOGGED, CycleTable
from gcsim.printable import printable
from gcsim.report.style import BLUE, FAINT, INK, ORANGE, QUIET, VERMILION, light_grid
from gcsim.settings import Settings
from gcsim.units import MIB

DEFAULT_CYCLES = 10
_CROWDED_CYCLES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapCurve:
    """Consecutive cycles. Times are seconds from the start of the curve, sizes are MiB.

    ``time_s`` and ``heap_mib`` hold three points per cycle (start, end of marking, swept) in order of time. The other
    arrays hold one element per cycle.
    """

    label: str
    time_s: FloatArray  # (3n,)
    heap_mib: FloatArray  # (3n,)
    start_s: FloatArray  # (n,)
    end_s: FloatArray  # (n,)
    trigger_mib: FloatArray  # (n,) heapLive at cycle start
    goal_mib: FloatArray  # (n,) NaN without a goal
    live_mib: FloatArray  # (n,) live heap at cycle start
    limit_mib: float | None


def heap_curve_data(
    cycles: CycleTable, settings: Settings | None = None, *, label: str = "", seconds: float | None = None
) -> HeapCurve:
    """The curve of the last ten cycles of a run, or of its last ``seconds`` and the two cycles before.

    These two cycles have negative times, so that the lines reach the left edge. ``cycles`` holds at least one cycle.
    """
    end_ns = int(cycles.end_ns[-1])
    if seconds is None:
        shown = cycles.select(slice(max(0, len(cycles) - DEFAULT_CYCLES), len(cycles)))
    else:
        inside = int(np.searchsorted(cycles.start_ns, end_ns - int(seconds * 1e9)))
        shown = cycles.select(slice(max(0, min(inside, len(cycles) - 1) - 2), len(cycles)))
    zero_ns = int(shown.start_ns[0]) if seconds is None else end_ns - int(seconds * 1e9)
    start, end = ((column - zero_ns) / 1e9 for column in (shown.start_ns, shown.end_ns))
    sizes = (shown.heap_start_bytes, shown.heap_end_bytes, shown.heap_marked_bytes)
    limit = settings.gomemlimit_bytes if settings is not None else None
    return HeapCurve(
        label=label,
        time_s=np.column_stack([start, end, end]).ravel(),
        heap_mib=np.column_stack(sizes).ravel() / MIB,
        start_s=start,
        end_s=end,
        trigger_mib=shown.heap_start_bytes / MIB,
        goal_mib=_goal_mib(shown),
        live_mib=shown.heap_live_bytes / MIB,
        limit_mib=None if limit is None else limit / MIB,
    )


def draw_heap_curve(axes: Axes, data: HeapCurve, *, top_mib: float | None = None) -> None:
    """Draws live heap as an area, heapLive as a line, trigger and goal as marks, marking as bands."""
    top = top_mib or ceiling_mib([data])
    dot = 4.2 if len(data.start_s) <= _CROWDED_CYCLES else 2.2
    for start, end in zip(data.start_s, data.end_s, strict=True):
        axes.axvspan(start, end, color="#fff1d6", linewidth=0, zorder=0)
    axes.fill_between(data.end_s, data.live_mib, color="#cfe3f1", linewidth=0, step="pre", label="live")
    axes.plot(
        data.time_s, data.heap_mib, color=BLUE, linewidth=1.6, label="heap", zorder=3, solid_joinstyle="miter"
    )
    axes.plot(data.start_s, data.trigger_mib, "o", color=ORANGE, markersize=dot, label="trigger", zorder=4)
    if np.isfinite(data.goal_mib).any():
        axes.step(
            data.end_s, data.goal_mib, color=VERMILION, linewidth=1.3, where="pre", label="goal", zorder=2
        )
    if data.limit_mib is not None and data.limit_mib <= 1.6 * top:
        axes.axhline(data.limit_mib, color=INK, linewidth=1.0, linestyle=(0, (5, 3)), label="GOMEMLIMIT")
        top = max(top, 1.06 * data.limit_mib)
    axes.set_ylim(0, top)
    axes.set_title(printable(data.label), color=QUIET)
    light_grid(axes, "y")
    axes.spines["bottom"].set_color(FAINT)


def ceiling_mib(curves: list[HeapCurve]) -> float:
    """The common upper limit of several curves, above the highest heap and the goals near it, MiB."""
    peak = max(float(curve.heap_mib.max()) for curve in curves)
    goals = [float(goal) for curve in curves for goal in curve.goal_mib if goal <= 1.5 * peak]
    return 1.08 * max([peak, *goals])


def _goal_mib(cycles: CycleTable) -> FloatArray:
    """Goals in MiB; NaN for goals that are not logged or without effect (GOGC=off)."""
    goal = cycles.heap_goal_bytes.astype(np.float64)
    nothing = (cycles.heap_goal_bytes == NOT_LOGGED) | (goal > 16.0 * cycles.heap_end_bytes.max())
    goal[nothing] = np.nan
    return goal / MIB
