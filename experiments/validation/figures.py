"""Predicted over observed, one panel a metric: on this scale an error can be seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.validation.study import Row
from experiments.validation.summary import elsewhere, of_metric
from gcsim.atomic import make_folder, replacing
from gcsim.report.style import (
    BLUE,
    FAINT,
    INK,
    QUIET,
    VERMILION,
    figure_style,
    headline,
    light_grid,
    new_figure,
    render,
)
from gcsim.units import MIB

_PANELS = {
    "heap_peak_mean_bytes": ("mean heap peak, MiB", 1 / MIB),
    "gc_rate_hz": ("GC cycles per second", 1.0),
    "gc_cpu_fraction": ("GC CPU, percent", 100.0),
    "rss_peak_bytes": ("peak resident memory, MiB", 1 / MIB),
}
_TICKS = (0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
_KINDS = ((False, QUIET, "development programs"), (True, BLUE, "held-out programs"))


def write_ratios(rows: Sequence[Row], path: Path, subtitle: str) -> None:
    """Four panels: each point a real run, its bar the 90 % interval; beyond a factor of two at the edge."""
    with figure_style():
        figure = new_figure(7.2)
        panels = figure.subplots(2, 2, sharey=True)
        for axes, (metric, (label, scale)) in zip(panels.flat, _PANELS.items(), strict=True):
            _panel(axes, [row for row in of_metric(elsewhere(rows), metric) if row.observed > 0], scale)
            axes.set_xlabel(f"real: {label}")
        for axes in panels[:, 0]:
            axes.set_ylabel("predicted / real")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        headline(figure, "Predicted from one run at GOGC=100, over real Go", subtitle)
        make_folder(path.parent)
        with replacing(path) as temporary:
            temporary.write_bytes(render(figure, "png"))


def _panel(axes: Any, rows: Sequence[Row], scale: float) -> None:
    axes.axhspan(0.9, 1.1, color=FAINT, alpha=0.5, linewidth=0)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    for held_out, colour, name in _KINDS:
        _points(axes, [row for row in rows if row.held_out is held_out], scale, colour, name)
    missed = [row for row in rows if not row.inside]
    axes.plot(
        *_place(missed, scale), "o", markersize=5.5, markerfacecolor="none", markeredgecolor=VERMILION,
        markeredgewidth=0.8, linestyle="none", label="outside the interval",
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", ylim=(0.48, 2.1))
    axes.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_yticks([], minor=True)
    light_grid(axes)


def _points(axes: Any, rows: Sequence[Row], scale: float, colour: str, name: str) -> None:
    x, y = _place(rows, scale)
    low, high = (np.array([getattr(row, end) / row.observed for row in rows]) for end in ("low", "high"))
    bars = [np.maximum(y - low, 0.0), np.maximum(high - y, 0.0)]
    axes.errorbar(
        x,
        y,
        yerr=bars,
        fmt="o",
        markersize=2.8,
        color=colour,
        ecolor=colour,
        elinewidth=0.6,
        alpha=0.7,
        label=name,
    )


def _place(rows: Sequence[Row], scale: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    ratio = np.array([row.predicted / row.observed for row in rows])
    return np.array([row.observed for row in rows]) * scale, np.clip(ratio, 0.5, 2.0)
