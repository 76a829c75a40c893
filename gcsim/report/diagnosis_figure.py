"""The figure of a diagnosis: the heap of each log over its time, with findings at the cycles that show them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from gcsim.arrays import FloatArray
from gcsim.atomic import FileSet
from gcsim.diagnosis.records import Verdicts
from gcsim.gctrace.source import source_name
from gcsim.gctrace.trace import Trace
from gcsim.report.figures import save_figure
from gcsim.report.log_panels import MOST_LOGS, TIME_LABEL, log_title, start_seconds
from gcsim.report.style import (
    BLUE,
    GREEN,
    INK,
    QUIET,
    VERMILION,
    figure_style,
    headline,
    legend_of,
    light_grid,
    new_figure,
)
from gcsim.units import MIB

_MOST_MARKS = 9
_MOST_GOAL = 4.0  # times the highest heap: a goal above it is not drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One finding at one cycle; ``number`` is its place in the list under the figure."""

    number: int
    seconds: float
    is_serious: bool


def write_diagnosis_figure(traces: Mapping[str, Trace], found: Verdicts, files: FileSet) -> list[Path]:
    """Adds PNG and SVG of the figure for up to four logs to the files; returns their paths."""
    shown = dict(list(traces.items())[:MOST_LOGS])
    if not shown:
        return []
    listed = [cause for cause in found.causes if cause.severity != "healthy"][:_MOST_MARKS]
    key = [f"{place} {cause.title} ({cause.severity})" for place, cause in enumerate(listed, start=1)]
    with figure_style():
        figure = new_figure(1.6 + 2.3 * len(shown) + 0.17 * len(key))
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for panel, (log, trace) in zip(panels, shown.items(), strict=True):
            _draw(panel, trace, list(_marks(source_name(log), trace, found)))
            panel.set_title(log_title(log))
        panels[-1].set_xlabel(TIME_LABEL)
        legend_of(figure, panels, "outside upper right")
        if key:
            figure.supxlabel("\n".join(key), x=0.012, ha="left", fontsize=8.5, color=QUIET)
        headline(figure, "The heap and its findings", "numbers mark the cycles that show a finding")
        return save_figure(figure, files, "diagnosis")


def _marks(name: str, trace: Trace, found: Verdicts) -> Iterator[Mark]:
    """The cycles of a log that signs name, for the findings under the figure."""
    lines = trace.line_numbers
    listed = [cause for cause in found.causes if cause.severity != "healthy"][:_MOST_MARKS]
    for number, cause in enumerate(listed, start=1):
        for sign in cause.signs:
            if sign.line is None or sign.source != name:
                continue
            for row in np.flatnonzero(lines == sign.line)[:1].tolist():
                seconds = float(start_seconds(trace)[row])
                yield Mark(number=number, seconds=seconds, is_serious=cause.severity == "serious")


def _draw(axes: Axes, trace: Trace, marks: list[Mark]) -> None:
    cycles = trace.cycles
    seconds = start_seconds(trace)
    heap, live = cycles.heap_end_bytes / MIB, cycles.heap_live_bytes / MIB
    goal = _drawn(cycles.heap_goal_bytes / MIB, top=_MOST_GOAL * float(heap.max()))
    axes.plot(seconds, heap, color=BLUE, linewidth=1.2, label="heap peak of a cycle")
    axes.plot(seconds, live, color=GREEN, linewidth=1.4, label="live heap")
    axes.plot(seconds, goal, color=QUIET, linewidth=1.0, linestyle="--", label="heap goal")
    if float(cycles.stack_bytes.max()) >= MIB:
        axes.plot(seconds, cycles.stack_bytes / MIB, color=VERMILION, linewidth=1.4, label="scanned stacks")
    top = 1.15 * max(float(heap.max()), float(np.nanmax(goal)) if np.isfinite(goal).any() else 0.0, 1.0)
    for mark in marks:
        colour = VERMILION if mark.is_serious else INK
        axes.axvline(mark.seconds, color=colour, linewidth=0.7, alpha=0.6)
        axes.text(mark.seconds, top, str(mark.number), color=colour, ha="center", va="top", fontsize=9)
    axes.set_ylim(0, top)
    axes.set_ylabel("MiB")
    light_grid(axes)


def _drawn(goal: FloatArray, *, top: float) -> FloatArray:
    """The goals; NaN where there is none, or one that is too high to draw."""
    return np.where((goal > 0) & (goal <= top), goal, np.nan)
