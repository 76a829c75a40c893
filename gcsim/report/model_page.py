"""The HTML page of one model: its sweep, and the recommended setting."""

from collections.abc import Sequence

from gcsim.engine.run import Run
from gcsim.report.figures import heap_figure, heat_map_figure, pauses_figure, trade_off_figure
from gcsim.report.heatmap import heat_map_data
from gcsim.report.page import Section, estimate_rows, html_page, kubernetes_env
from gcsim.report.sweep_figures import about_model, recommendation_points, recorded_curves
from gcsim.service.model import Model
from gcsim.tuning.reason import short
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep
from gcsim.units import format_seconds


def model_page(
    model: Model, sweep: Sweep, recorded: Sequence[Run], recommendation: Recommendation | None
) -> str:
    """The page as HTML text. The sweep holds at least two finished settings."""
    about = about_model(model.name, sweep.finished[0].settings)
    sections = [] if recommendation is None else [_recommended(recommendation, about)]
    sections.append(_grid(sweep, recommendation, about))
    sections.append(_over_time(recorded, about))
    sections.append(_learned(model))
    return html_page(f"gcsim: {model.name}", about, sections)


def _recommended(found: Recommendation, about: str) -> Section:
    """The section of the recommendation; it has no setting to paste if none is feasible."""
    return Section(
        title="Recommended setting" if found.feasible else "No setting is feasible",
        paragraphs=found.reasons,
        code=kubernetes_env(found.env) if found.feasible else "",
        figures=((trade_off_figure(recommendation_points(found), about), "GC CPU against peak memory"),),
        columns=(
            "",
            f"today ({short(found.today.settings)})",
            "recommended" if found.feasible else f"nearest miss ({short(found.settings)})",
            "5th percentile",
            "95th percentile",
        ),
        rows=_compared(found),
    )


def _compared(found: Recommendation) -> tuple[tuple[str, ...], ...]:
    """The rows of metrics: today, and recommended with interval."""
    today = {label: value for label, value, *_ in estimate_rows(found.today.metrics)}
    return tuple((label, today.get(label, ""), *rest) for label, *rest in estimate_rows(found.run.metrics))


def _grid(sweep: Sweep, found: Recommendation | None, about: str) -> Section:
    """The section of both heat maps, with the recommended setting marked."""
    place = None if found is None or not found.feasible else sweep.place_of(found.settings)
    return Section(
        title="All settings",
        figures=tuple(
            (heat_map_figure(heat_map_data(sweep, metric, chosen=place), about), text)
            for metric, text in (
                ("gc_cpu_fraction", "GC CPU over the grid"),
                ("rss_peak_bytes", "peak resident memory over the grid"),
            )
        ),
    )


def _over_time(recorded: Sequence[Run], about: str) -> Section:
    curves, pauses = recorded_curves(recorded)
    if not curves:
        return Section(title="Over time", paragraphs=("None of these settings has two GC cycles.",))
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
        title="Calibration",
        paragraphs=(
            f"Calibrated on {model.cycles} cycles in {format_seconds(model.duration_seconds)} at {model.settings};"
            f" {model.loop} loop. Prediction intervals are built to contain 90 % of new real runs.",
        ),
        columns=("", "") if provenance else (),
        rows=provenance,
    )
