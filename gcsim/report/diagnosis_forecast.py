"""The figure of a leak: live heap or stacks, the forecast band, and the times at which limits are reached."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from gcsim.atomic import FileSet
from gcsim.diagnosis.records import Cause, Forecast, Verdicts
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
from gcsim.units import MIB, format_mib


def write_forecast_figure(traces: Mapping[str, Trace], found: Verdicts, files: FileSet) -> list[Path]:
    """Adds PNG and SVG of the figure to the files, if a log has a forecast; returns their paths."""
    leaks: dict[str, Cause] = {}
    for cause in found.causes:
        if cause.band is not None:
            leaks.setdefault(cause.log, cause)
    shown = [
        (log, trace, leaks[source_name(log)]) for log, trace in traces.items() if source_name(log) in leaks
    ]
    if not shown:
        return []
    shown = shown[:MOST_LOGS]
    with figure_style():
        figure = new_figure(1.3 + 2.5 * len(shown))
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for panel, (log, trace, cause) in zip(panels, shown, strict=True):
            _draw(panel, trace, cause)
            panel.set_title(log_title(log))
        panels[-1].set_xlabel(TIME_LABEL)
        legend_of(figure, panels, "outside lower center")
        headline(figure, "The leak and its forecast", "shaded: 90 % interval of the forecast")
        return save_figure(figure, files, "forecast")


def _draw(axes: Axes, trace: Trace, cause: Cause) -> None:
    band, cycles = cause.band, trace.cycles
    assert band is not None
    seconds = start_seconds(trace)
    leaks_stacks = cause.name == "goroutine-leak"
    sizes = (cycles.stack_bytes if leaks_stacks else cycles.heap_live_bytes) / MIB
    colour = BLUE if leaks_stacks else GREEN
    name = "scanned stacks of a cycle" if leaks_stacks else "live heap of a cycle"
    axes.plot(seconds, sizes, ".", color=colour, markersize=4, label=name)
    axes.plot(band.seconds, band.median_bytes / MIB, color=INK, linewidth=1.3, label="forecast")
    axes.fill_between(
        band.seconds, band.low_bytes / MIB, band.high_bytes / MIB, color=colour, alpha=0.22, linewidth=0
    )
    end, last = float(band.seconds[0]), float(band.seconds[-1])
    axes.axvline(end, color=QUIET, linewidth=0.9, linestyle="--")
    axes.annotate(
        " end of the log", (end, 0.03), xycoords=("data", "axes fraction"), ha="left", va="bottom",
        fontsize=8, color=QUIET,
    )  # fmt: skip
    axes.set_xlim(0.0, last)
    top = max(float(np.max(band.high_bytes)) / MIB, float(sizes.max()))
    axes.set_ylim(0.0, 1.08 * max(top, 1.0))
    for place, forecast in enumerate(cause.forecasts):
        _draw_limit(axes, forecast, end, last, 0.96 - 0.11 * place)
    axes.set_ylabel("MiB")
    light_grid(axes)


def _draw_limit(axes: Axes, forecast: Forecast, end: float, last: float, height: float) -> None:
    """A vertical line at the time at which a limit is reached, with its interval."""
    at = end + forecast.seconds.value
    if math.isinf(at) or at > last:
        return
    high = min(end + forecast.seconds.high, last)
    axes.axvspan(end + forecast.seconds.low, high, color=VERMILION, alpha=0.10, linewidth=0)
    axes.axvline(at, color=VERMILION, linewidth=1.2)
    what = "the container's" if forecast.limit == "container" else "GOMEMLIMIT of"
    axes.annotate(
        f"reaches {what} {format_mib(forecast.limit_bytes)} ", (at, height), xycoords=("data", "axes fraction"),
        ha="right", va="top", fontsize=8.5, color=VERMILION,
    )  # fmt: skip
