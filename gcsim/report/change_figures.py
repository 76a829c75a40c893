"""The figures of ``gcsim whatif``: the ratio of each metric, and the heap before and after."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from gcsim.atomic import FileSet
from gcsim.engine.run import RecordedRun
from gcsim.metrics import METRIC_LABELS
from gcsim.report.figures import heap_figure, save_figure
from gcsim.report.heap_curve import heap_curve_data
from gcsim.report.style import BLUE, QUIET, figure_style, headline, light_grid, new_figure
from gcsim.report.sweep_figures import window_seconds
from gcsim.tuning.reason import short
from gcsim.tuning.whatif import WhatIf
from gcsim.units import format_number


def write_change_figures(found: WhatIf, recorded: Sequence[RecordedRun], files: FileSet) -> list[Path]:
    """Adds PNG and SVG of the figures that the results have data for; returns their paths.

    ``recorded`` holds the run before and the run after; the heap is drawn if both have two cycles.
    """
    subtitle = f"{found.model.name}: {', '.join(note.change for note in found.notes)}"
    written: list[Path] = []
    if any(name in found.ratios for name in found.moved):
        written += save_figure(_ratio_figure(found, subtitle), files, "change")
    if len(recorded) == 2:
        seconds = window_seconds([run.cycles for run in recorded])
        curves = [
            heap_curve_data(run.cycles, run.settings, label=f"{when}: {short(run.settings)}", seconds=seconds)
            for when, run in zip(("before", "after"), recorded, strict=True)
        ]
        written += save_figure(heap_figure(curves, subtitle), files, "heap")
    return written


def _ratio_figure(found: WhatIf, subtitle: str) -> Figure:
    """After over before of every metric that moves, with its interval, on a logarithmic axis."""
    names = [name for name in found.moved if name in found.ratios][::-1]
    ratios = [found.ratios[name] for name in names]
    values = np.array([(one.low, one.value, one.high) for one in ratios])
    with figure_style():
        figure = new_figure(1.4 + 0.3 * len(names))
        axes = figure.add_subplot()
        rows = np.arange(len(names))
        axes.axvline(1.0, color=QUIET, linewidth=1.0)
        axes.hlines(rows, values[:, 0], values[:, 2], color=BLUE, linewidth=2.2, alpha=0.5)
        axes.plot(values[:, 1], rows, "o", color=BLUE, markersize=5)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{format_number(value)} ×"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(rows, [METRIC_LABELS[name] for name in names])
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel("after / before")
        light_grid(axes, "x")
        headline(figure, "The change", f"medians and 90 % intervals · {subtitle}")
    return figure
