"""The HTML page of one model: its sweep, and the recommended setting."""

from collections.abc import Sequence

from gcsim.engine.run import RecordedRun
from gcsim.report.page import Section, estimate_rows, html_page
from gcsim.report.plots import Shown, figures_of
from gcsim.report.snippets import kubernetes_env
from gcsim.report.sweep_figures import about_model
from gcsim.service.model import Model
from gcsim.tuning.reason import short
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep
from gcsim.units import format_seconds


def model_page(
    model: Model, sweep: Sweep, recorded: Sequence[RecordedRun], recommendation: Recommendation | None
) -> str:
    """The page as HTML text. The sweep holds at least two finished settings."""
    about = about_model(model.name, sweep.finished[0].settings)
    found = recommendation
    chosen = found.run if found is not None and found.feasible else None
    shown = Shown(about=about, sweep=sweep, chosen=chosen, recommendation=found, recorded=recorded)
    sections = [] if found is None else [_recommended(found, shown)]
    # the recommended setting is marked
    sections.append(Section(title="All settings", figures=figures_of(shown, "grid")))
    sections.append(_over_time(shown))
    sections.append(_learned(model))
    return html_page(f"gcsim: {model.name}", about, sections)


def _recommended(found: Recommendation, shown: Shown) -> Section:
    """The section of the recommendation; it has no setting to paste if none is feasible."""
    return Section(
        title="Recommended setting" if found.feasible else "No setting is feasible",
        paragraphs=found.reasons,
        code=kubernetes_env(found.env) if found.feasible else "",
        figures=figures_of(shown, "recommendation"),
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


def _over_time(shown: Shown) -> Section:
    """The section of recorded runs."""
    figures = figures_of(shown, "over time")
    if not figures:
        return Section(title="Over time", paragraphs=("None of these settings has two GC cycles.",))
    return Section(title="Over time", figures=figures)


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
