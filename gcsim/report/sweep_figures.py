"""The figures of a sweep: two heat maps, heap curves and pauses at telling settings, the trade-off."""

from dataclasses import replace
from pathlib import Path

from gcsim.cycles import CycleTable
from gcsim.engine.run import Run
from gcsim.engine.simulate import DEFAULT_DURATION_SECONDS, record_cycles
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
from gcsim.report.tradeoff import trade_off_data
from gcsim.settings import Settings
from gcsim.tuning.constraints import pareto_front
from gcsim.tuning.reason import short
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep, is_feasible
from gcsim.workload.model import Model

DRAWN_CYCLES = 5000  # of one run, in its pauses; the heap is drawn over some ten to forty of them
CURVE_CYCLES = 8  # shown of the setting that collects least
_SANE_GC_CPU = 0.25  # what the pacer itself plans for while marking: Go gcBackgroundUtilization


def write_sweep_figures(
    sweep: Sweep,
    model: Model,
    folder: Path,
    *,
    seed: int,
    memory_bytes: int | None = None,
    chosen: Run | None = None,
) -> list[Path]:
    """PNG and SVG of every figure that the sweep has data for; the paths written. Raises InputError."""
    about = about_model(model, sweep.finished[0].settings)
    settings = telling_settings(
        sweep, model, memory_bytes=memory_bytes, chosen=None if chosen is None else chosen.settings
    )
    return [
        *write_grid_figures(sweep, folder, about=about, memory_bytes=memory_bytes, chosen=chosen),
        *write_run_figures(model, settings, folder, seed=seed, about=about),
    ]


def about_model(model: Model, settings: Settings) -> str:
    """What every figure's second line says about the service."""
    return f"{model.name}, Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}"


def write_grid_figures(
    sweep: Sweep, folder: Path, *, about: str, memory_bytes: int | None = None, chosen: Run | None = None
) -> list[Path]:
    """Heat maps of GC CPU and memory, and the trade-off; nothing for a single setting."""
    if len(sweep.finished) < 2:
        return []
    paths: list[Path] = []
    for stem, metric in (("gc-cpu", "gc_cpu_fraction"), ("memory", "rss_peak_bytes")):
        place = None if chosen is None else sweep.place_of(chosen.settings)
        data = heat_map_data(sweep, metric, memory_bytes=memory_bytes, chosen=place)
        paths += save_figure(heat_map_figure(data, about), folder, stem)
    points = trade_off_data(sweep.finished, chosen=chosen, memory_bytes=memory_bytes)
    if points.memory_mib.size:
        paths += save_figure(trade_off_figure(points, about), folder, "trade-off")
    return paths


def write_recommendation_figures(
    found: Recommendation, model: Model, folder: Path, *, seed: int
) -> list[Path]:
    """The trade-off with the chosen setting, its heap over time and its pauses; the paths written."""
    about = about_model(model, found.settings)
    points = trade_off_data(found.explored, chosen=found.run, memory_bytes=found.memory_bytes)
    return [
        *save_figure(trade_off_figure(points, about), folder, "trade-off"),
        *write_run_figures(model, [found.settings], folder, seed=seed, about=about),
    ]


def write_run_figures(
    model: Model,
    settings: list[Settings],
    folder: Path,
    *,
    seed: int,
    about: str,
    duration_seconds: float = DEFAULT_DURATION_SECONDS,
) -> list[Path]:
    """Heap over time and pauses of one simulated run at each setting."""
    curves, pauses = recorded_curves(model, settings, seed=seed, duration_seconds=duration_seconds)
    if not curves:
        return []
    return [
        *save_figure(heap_figure(curves, about), folder, "heap"),
        *save_figure(pauses_figure(pauses, about), folder, "pauses"),
    ]


def recorded_curves(
    model: Model,
    settings: list[Settings],
    *,
    seed: int,
    duration_seconds: float = DEFAULT_DURATION_SECONDS,
) -> tuple[list[HeapCurve], list[PauseCurve]]:
    """One recorded run at each setting; settings that do not collect twice are left out."""
    recorded = {
        each: record_cycles(
            model, each, duration_seconds=duration_seconds, seed=seed, most_cycles=DRAWN_CYCLES
        )
        for each in settings
    }
    drawn = {each: cycles for each, cycles in recorded.items() if len(cycles) >= 2}
    seconds = window_seconds(list(drawn.values())) if drawn else 0.0
    curves = [
        heap_curve_data(cycles, each, label=short(each), seconds=seconds) for each, cycles in drawn.items()
    ]
    return curves, [pause_curve_data(cycles, label=short(each)) for each, cycles in drawn.items()]


def telling_settings(
    sweep: Sweep, model: Model, *, memory_bytes: int | None, chosen: Settings | None
) -> list[Settings]:
    """Up to three settings: least memory at a sane cost, as calibrated, and the chosen or least GC CPU."""
    feasible = [run for run in sweep.finished if is_feasible(run, memory_bytes)]
    sane = [run for run in feasible if run.metrics["gc_cpu_fraction"].value <= _SANE_GC_CPU]
    front = pareto_front(sane or feasible or sweep.finished)
    swept = front[0].settings
    calibrated = replace(model.settings, gomaxprocs=swept.gomaxprocs, go=swept.go)
    return list(dict.fromkeys([swept, calibrated, chosen or front[-1].settings]))


def window_seconds(tables: list[CycleTable]) -> float:
    """Long enough to show some cycles of the setting with the longest, short enough to see the shortest."""
    periods = [_period_seconds(cycles) for cycles in tables]
    return max(min(CURVE_CYCLES * max(periods), 40 * min(periods)), 3 * max(periods))


def _period_seconds(cycles: CycleTable) -> float:
    return float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9 / (len(cycles) - 1)
