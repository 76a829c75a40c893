"""The page of one model: what a sweep predicts, and the setting recommended for a container."""

from gcsim.report.figures import heap_figure, heat_map_figure, pauses_figure, trade_off_figure
from gcsim.report.heatmap import heat_map_data
from gcsim.report.page import Section, estimate_rows, html_page, kubernetes_env
from gcsim.report.sweep_figures import about_model, recorded_curves, telling_settings
from gcsim.report.tradeoff import trade_off_data
from gcsim.settings import Settings
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep
from gcsim.units import format_seconds
from gcsim.workload.model import Model


def model_page(model: Model, sweep: Sweep, recommendation: Recommendation | None, *, seed: int) -> str:
    """The whole page. The sweep needs two finished settings or more."""
    about = about_model(model, sweep.finished[0].settings)
    sections = [] if recommendation is None else [_recommended(recommendation, about)]
    memory_bytes = None if recommendation is None else recommendation.memory_bytes
    sections.append(_grid(sweep, memory_bytes, about))
    settings = telling_settings(
        sweep,
        model,
        memory_bytes=memory_bytes,
        chosen=None if recommendation is None else recommendation.settings,
    )
    sections.append(_over_time(model, settings, about, seed))
    sections.append(_learned(model))
    return html_page(f"gcsim: {model.name}", about, sections)


def _recommended(found: Recommendation, about: str) -> Section:
    points = trade_off_data(found.explored, chosen=found.run, memory_bytes=found.memory_bytes)
    return Section(
        title="Recommended setting" if found.feasible else "Nothing is feasible; the nearest miss",
        paragraphs=(found.reason,),
        code=kubernetes_env(found.env),
        figures=((trade_off_figure(points, about), "GC CPU against peak resident memory"),),
        columns=("", "predicted", "5th percentile", "95th percentile"),
        rows=estimate_rows(found.run.metrics),
    )


def _grid(sweep: Sweep, memory_bytes: int | None, about: str) -> Section:
    return Section(
        title="Every setting",
        figures=tuple(
            (heat_map_figure(heat_map_data(sweep, metric, memory_bytes=memory_bytes), about), text)
            for metric, text in (
                ("gc_cpu_fraction", "GC CPU over the grid"),
                ("rss_peak_bytes", "peak resident memory over the grid"),
            )
        ),
    )


def _over_time(model: Model, settings: list[Settings], about: str, seed: int) -> Section:
    curves, pauses = recorded_curves(model, settings, seed=seed)
    if not curves:
        return Section(title="Over time", paragraphs=("None of these settings collects twice.",))
    return Section(
        title="Over time",
        figures=(
            (heap_figure(curves, about), "heap over time"),
            (pauses_figure(pauses, about), "distribution of stop-the-world pauses"),
        ),
    )


def _learned(model: Model) -> Section:
    provenance = tuple((name.replace("_", " "), value) for name, value in model.provenance.items())
    return Section(
        title="Where this comes from",
        paragraphs=(
            f"Calibrated on {model.cycles} cycles in {format_seconds(model.duration_seconds)} at {model.settings};"
            f" {model.loop} loop. Intervals are meant to hold nine in ten fresh real runs.",
        ),
        columns=("", "") if provenance else (),
        rows=provenance,
    )
