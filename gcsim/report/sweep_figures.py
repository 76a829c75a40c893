"""The figures of a sweep and of a recommendation, from finished runs."""

from collections.abc import Sequence
from pathlib import Path

from gcsim.atomic import FileSet
from gcsim.cycles import CycleTable
from gcsim.engine.run import Run
from gcsim.report.figures import (
    heap_figure,
    heat_map_figure,
    pauses_figure,
    save_figure,
    trade_off_figure,
)
from gcsim.report.heap_curve import HeapCurve, heap_curve_data
from gcsim.report.heatmap import heat_map_data
from gcsim.report.pauses import PauseCurve, pause_curve_data
from gcsim.report.tradeoff import TradeOff, trade_off_data
from gcsim.settings import Settings
from gcsim.tuning.reason import short
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep

CURVE_CYCLES = 8  # cycles of the setting with the lowest cycle rate


def about_model(name: str, settings: Settings) -> str:
    """Service, Go version and GOMAXPROCS, for the subtitles of figures."""
    return f"{name}, Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}"


def write_sweep_figures(
    sweep: Sweep, recorded: Sequence[Run], files: FileSet, *, about: str, chosen: Run | None = None
) -> list[Path]:
    """Adds PNG and SVG of all figures of the sweep and the recorded runs; returns their paths."""
    return [
        *write_grid_figures(sweep, files, about=about, chosen=chosen),
        *write_run_figures(recorded, files, about=about),
    ]


def write_grid_figures(sweep: Sweep, files: FileSet, *, about: str, chosen: Run | None = None) -> list[Path]:
    """Adds heat maps of GC CPU and memory, and the trade-off; returns their paths, none for a single setting."""
    if len(sweep.finished) < 2:
        return []
    paths: list[Path] = []
    for stem, metric in (("gc-cpu", "gc_cpu_fraction"), ("memory", "rss_peak_bytes")):
        place = None if chosen is None else sweep.place_of(chosen.settings)
        data = heat_map_data(sweep, metric, chosen=place)
        paths += save_figure(heat_map_figure(data, about), files, stem)
    points = trade_off_data(sweep.finished, chosen=chosen, memory_bytes=sweep.memory_bytes)
    if points.memory_mib.size:
        paths += save_figure(trade_off_figure(points, about), files, "trade-off")
    return paths


def write_recommendation_figures(
    found: Recommendation, recorded: Sequence[Run], files: FileSet, *, about: str
) -> list[Path]:
    """Adds the trade-off, and heap and pauses of the recorded runs; returns their paths."""
    points = recommendation_points(found)
    return [
        *save_figure(trade_off_figure(points, about), files, "trade-off"),
        *write_run_figures(recorded, files, about=about),
    ]


def recommendation_points(found: Recommendation) -> TradeOff:
    """All simulated settings as points, with today's setting and, if feasible, the chosen one."""
    return trade_off_data(
        found.explored,
        chosen=found.run if found.feasible else None,
        today=found.today,
        memory_bytes=found.memory_bytes,
    )


def write_run_figures(recorded: Sequence[Run], files: FileSet, *, about: str) -> list[Path]:
    """Adds heap over time and pauses of the recorded runs; returns their paths."""
    curves, pauses = recorded_curves(recorded)
    if not curves:
        return []
    return [
        *save_figure(heap_figure(curves, about), files, "heap"),
        *save_figure(pauses_figure(pauses, about), files, "pauses"),
    ]


def recorded_curves(recorded: Sequence[Run]) -> tuple[list[HeapCurve], list[PauseCurve]]:
    """The curves of recorded runs with at least two cycles."""
    drawn = [
        (run.settings, run.cycles) for run in recorded if run.cycles is not None and len(run.cycles) >= 2
    ]
    seconds = window_seconds([cycles for _, cycles in drawn]) if drawn else 0.0
    curves = [heap_curve_data(cycles, each, label=short(each), seconds=seconds) for each, cycles in drawn]
    return curves, [pause_curve_data(cycles, label=short(each)) for each, cycles in drawn]


def window_seconds(tables: Sequence[CycleTable]) -> float:
    """A duration that shows some of the longest cycles and resolves the shortest ones."""
    periods = [_period_seconds(cycles) for cycles in tables]
    return max(min(CURVE_CYCLES * max(periods), 40 * min(periods)), 3 * max(periods))


def _period_seconds(cycles: CycleTable) -> float:
    return float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9 / (len(cycles) - 1)
