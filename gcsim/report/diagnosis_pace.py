"""The figure of pauses and GC CPU over the time of a log, and the model's prediction next to the log."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from gcsim.api import CalibratedService
from gcsim.arrays import FloatArray
from gcsim.atomic import FileSet
from gcsim.gctrace.trace import Trace
from gcsim.report.figures import save_figure
from gcsim.report.fit_figures import check_figure
from gcsim.report.log_panels import MOST_LOGS, NS_PER_SECOND, TIME_LABEL, log_title, start_seconds
from gcsim.report.style import (
    BLUE,
    ORANGE,
    SKY,
    VERMILION,
    figure_style,
    headline,
    legend_of,
    light_grid,
    new_figure,
)

_MOST_BINS = 80
_TICKS_MS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_LEAST_MS = 0.001  # shorter pauses are drawn here


def write_pace_figure(traces: Mapping[str, Trace], files: FileSet) -> list[Path]:
    """Adds PNG and SVG of the figure for up to four logs to the files; returns their paths."""
    shown = {log: trace for log, trace in traces.items() if len(trace.cycles) >= 2}
    shown = dict(list(shown.items())[:MOST_LOGS])
    if not shown:
        return []
    with figure_style():
        figure = new_figure(1.3 + 2.3 * len(shown))
        rows = figure.subplots(len(shown), 2, squeeze=False)
        for row, (log, trace) in zip(rows, shown.items(), strict=True):
            _draw_pauses(row[0], trace)
            _draw_cpu(row[1], trace)
            row[0].set_title(log_title(log) + ": pauses")
            row[1].set_title("GC CPU, percent of all CPU")
        for panel in rows[-1]:
            panel.set_xlabel(TIME_LABEL)
        legend_of(figure, rows[0], "outside lower center")
        headline(
            figure,
            "Pauses, assists and mark workers over time",
            "assists are paid by goroutines that allocate",
        )
        return save_figure(figure, files, "pauses-and-assists")


def write_prediction(service: CalibratedService, files: FileSet) -> list[Path]:
    """Adds PNG and SVG of the prediction next to the log to the files; empty if the log allows no comparison."""
    check = service.check
    if check is None:
        return []
    about = f"{service.model.name}, {service.model.cycles} cycles"
    return save_figure(check_figure(check, about), files, "predicted-and-observed")


def _draw_pauses(axes: Axes, trace: Trace) -> None:
    cycles = trace.cycles
    seconds = start_seconds(trace)
    size = 4.0 if len(cycles) < 400 else 2.0
    for name, values, colour in (
        ("sweep termination", cycles.stw_sweep_term_ns, VERMILION),
        ("mark termination", cycles.stw_mark_term_ns, BLUE),
    ):
        shown = np.maximum(values / 1e6, _LEAST_MS)
        axes.plot(seconds, shown, ".", color=colour, markersize=size, alpha=0.7, label=name)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = [tick for tick in _TICKS_MS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylabel("ms")
    light_grid(axes)


def _draw_cpu(axes: Axes, trace: Trace) -> None:
    """Assists, background and idle workers in equal intervals of time, stacked."""
    cycles = trace.cycles
    seconds = start_seconds(trace)
    count = int(min(_MOST_BINS, max(len(cycles) // 2, 2)))
    edges = np.linspace(0.0, max(float(seconds[-1]), 1e-3), count + 1)
    capacity = float(np.median(np.maximum(cycles.gomaxprocs, 1))) * float(edges[1])

    def share(ns: FloatArray) -> FloatArray:
        total, _ = np.histogram(seconds, bins=edges, weights=np.maximum(ns, 0) / NS_PER_SECOND)
        return np.asarray(100.0 * total / capacity, dtype=np.float64)

    parts = {
        "assists": (share(cycles.assist_cpu_ns.astype(np.float64)), VERMILION),
        "background workers": (share(cycles.background_cpu_ns.astype(np.float64)), ORANGE),
        "idle workers": (share(cycles.idle_cpu_ns.astype(np.float64)), SKY),
    }
    floor = np.zeros(count)
    for name, (values, colour) in parts.items():
        axes.stairs(floor + values, edges, baseline=floor, fill=True, color=colour, label=name)
        floor = floor + values
    axes.set_xlim(0.0, float(edges[-1]))
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("percent")
    light_grid(axes, "y")
