"""The table of figures of a sweep, a recommendation and recorded runs.

A new figure needs its file in this folder, which computes and draws it, and a row of PLOTS here. Every command that has
the data then writes it, and the HTML page shows it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from gcsim.atomic import FileSet
from gcsim.engine.run import RecordedRun, Run
from gcsim.report.figures import (
    heap_figure,
    heat_map_figure,
    pauses_figure,
    save_figure,
    trade_off_figure,
)
from gcsim.report.heatmap import heat_map_data
from gcsim.report.sweep_figures import recommendation_points, recorded_curves
from gcsim.report.tradeoff import trade_off_data
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep

Section = Literal["recommendation", "grid", "over time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The results that a command has to draw."""

    about: str  # service, Go version and GOMAXPROCS, for subtitles
    sweep: Sweep | None = None
    chosen: Run | None = None  # the setting to mark
    recommendation: Recommendation | None = None
    recorded: Sequence[RecordedRun] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One figure: the stem of its files, its place and description on the HTML page, and its function."""

    stem: str
    section: Section
    text: str
    draw: Callable[[Shown], Figure | None]  # None if the results do not have its data


def figures_of(shown: Shown, section: Section) -> tuple[tuple[Figure, str], ...]:
    """The figures of one section of the page, each with its description."""
    drawn = ((plot.draw(shown), plot.text) for plot in PLOTS if plot.section == section)
    return tuple((figure, text) for figure, text in drawn if figure is not None)


def write_figures(shown: Shown, files: FileSet) -> list[Path]:
    """Adds PNG and SVG of every figure that the results have data for; returns their paths."""
    drawn = ((plot.draw(shown), plot.stem) for plot in PLOTS)
    return [path for figure, stem in drawn if figure is not None for path in save_figure(figure, files, stem)]


def _heat_map(metric_of: Callable[[Sweep], str]) -> Callable[[Shown], Figure | None]:
    def draw(shown: Shown) -> Figure | None:
        sweep, chosen = shown.sweep, shown.chosen
        if sweep is None or len(sweep.finished) < 2:
            return None
        place = None if chosen is None else sweep.place_of(chosen.settings)
        return heat_map_figure(heat_map_data(sweep, metric_of(sweep), chosen=place), shown.about)

    return draw


def _trade_off(shown: Shown) -> Figure | None:
    if shown.recommendation is not None:
        return trade_off_figure(recommendation_points(shown.recommendation), shown.about)
    sweep = shown.sweep
    if sweep is None or len(sweep.finished) < 2:
        return None
    points = trade_off_data(sweep.finished, chosen=shown.chosen, memory_bytes=sweep.memory_bytes)
    return trade_off_figure(points, shown.about) if points.memory_mib.size else None


def _heap(shown: Shown) -> Figure | None:
    curves, _ = recorded_curves(shown.recorded)
    return heap_figure(curves, shown.about) if curves else None


def _pauses(shown: Shown) -> Figure | None:
    _, curves = recorded_curves(shown.recorded)
    return pauses_figure(curves, shown.about) if curves else None


#: All figures, in the order in which commands write them.
PLOTS = (
    Plot(
        stem="gc-cpu",
        section="grid",
        text="GC CPU over the grid",
        draw=_heat_map(lambda _: "gc_cpu_fraction"),
    ),
    Plot(
        stem="memory",
        section="grid",
        text="peak container memory over the grid",
        draw=_heat_map(lambda sweep: sweep.memory_metric),
    ),
    Plot(stem="trade-off", section="recommendation", text="GC CPU against peak memory", draw=_trade_off),
    Plot(stem="heap", section="over time", text="heap over time", draw=_heap),
    Plot(stem="pauses", section="over time", text="distribution of stop-the-world pauses", draw=_pauses),
)
