"""The figures of a fit: residuals against time and cycle, and the model's comparison with its log."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gcsim.arrays import FloatArray
from gcsim.atomic import FileSet
from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.checks.movement_findings import allocation_rates
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.validation import Comparison, Validation
from gcsim.gctrace.trace import Trace
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.figures import save_figure
from gcsim.report.style import BLUE, INK, QUIET, VERMILION, figure_style, headline, light_grid, new_figure
from gcsim.report.text import format_estimate

_SHOWN_PERCENT = 100.0  # larger residuals are drawn at the edge
_TREND_POINTS = 25
_WIDEST_RATIO = 3.2  # wider intervals leave the axes; the text shows their numbers
_FINE_REACH, _FINE_TICKS, _TICKS = (
    1.6,
    (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4),
    (0.33, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0),
)
_CROWDED = 400  # points of a panel; from there on they are drawn small


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """The residuals of each cycle, in percent; arrays of one length per panel."""

    title: str
    seconds: FloatArray  # since the start of the window
    cycle: FloatArray  # number of the gc line
    percent: FloatArray


def residuals(trace: Trace, calibration: Calibration) -> tuple[Residuals, ...]:
    """Residuals of live heap, allocation rate and mark CPU against the model, and of heap peaks against the goal."""
    evidence, model = calibration.evidence, calibration.model
    seconds = evidence.start_seconds - evidence.start_seconds[0]
    numbers = trace.cycles.cycle_number[calibration.window].astype(np.float64)
    inside = model.profile.within(seconds)
    live = model.parameters.live_bytes.value * model.profile.live_at(inside)
    rates = allocation_rates(evidence)
    rate = float(rates.mean()) * model.profile.alloc_at(inside[1:])
    cpu = evidence.mark_cpu_seconds
    panels = (
        ("live heap against the model", evidence.live_bytes, live, slice(None)),
        ("allocation rate against the model", rates, rate, slice(1, None)),
        ("mark CPU of a cycle per live byte, against its mean", *_per_live(evidence, cpu), slice(None)),
        (
            "heap at the end of marking, against its goal",
            evidence.heap_end_bytes,
            evidence.heap_goal_bytes,
            slice(None),
        ),
    )
    return tuple(
        Residuals(
            title=title,
            seconds=seconds[rows],
            cycle=numbers[rows],
            percent=_percent(values, expected),
        )
        for title, values, expected, rows in panels
    )


def _per_live(evidence: Evidence, cpu: FloatArray) -> tuple[FloatArray, FloatArray]:
    each = cpu / np.maximum(evidence.live_bytes, 1.0)
    return each, np.full_like(each, float(each.mean()))


def _percent(values: FloatArray, expected: FloatArray) -> FloatArray:
    """values / expected - 1 in percent; NaN without an expectation, such as a goal at GOGC=off."""
    known = np.isfinite(expected) & (expected > 0)
    return np.where(known, 100.0 * (values / np.where(known, expected, 1.0) - 1.0), np.nan)


def residual_figure(panels: tuple[Residuals, ...], subtitle: str) -> Figure:
    """The residuals, one row per quantity: against time on the left, against the cycle number on the right."""
    with figure_style():
        figure = new_figure(1.2 + 1.55 * len(panels))
        axes = figure.subplots(len(panels), 2, sharey="row", sharex="col", squeeze=False)
        for row, panel in zip(axes, panels, strict=True):
            for place, across in zip(row, (panel.seconds, panel.cycle), strict=True):
                _draw_residuals(place, across, panel.percent)
            row[0].set_title(panel.title, color=QUIET)
        axes[-1, 0].set_xlabel("seconds of the window")
        axes[-1, 1].set_xlabel("cycle, number in the log")
        headline(
            figure,
            "Residuals of the model",
            f"percent; one point per cycle, line through medians · {subtitle}",
        )
    return figure


def _draw_residuals(axes: Axes, across: FloatArray, percent: FloatArray) -> None:
    shown = np.clip(percent, -_SHOWN_PERCENT, _SHOWN_PERCENT)
    size = 5.5 if across.size < _CROWDED else 2.0
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.plot(across, shown, ".", color=BLUE, markersize=size, alpha=0.55, markeredgewidth=0, rasterized=True)
    pieces = np.array_split(np.arange(across.size), min(_TREND_POINTS, max(across.size // 4, 1)))
    middle = [(float(across[rows].mean()), float(np.median(shown[rows]))) for rows in pieces if rows.size]
    axes.plot(*zip(*middle, strict=True), color=VERMILION, linewidth=1.4)
    reach = (
        float(np.nanquantile(np.abs(shown), 0.99 if across.size >= _CROWDED else 1.0))
        if np.isfinite(shown).any()
        else 1.0
    )
    axes.set_ylim(-1.15 * max(reach, 1.0), 1.15 * max(reach, 1.0))
    light_grid(axes, "y")


def check_figure(check: Validation, subtitle: str) -> Figure:
    """Prediction and interval of each metric over the logged value, on a log scale around 1."""
    shown = [item for item in check.comparisons if item.observed > 0 and item.predicted.value > 0]
    with figure_style():
        figure = new_figure(1.25 + 0.34 * len(shown))
        axes = figure.add_subplot()
        for place, item in enumerate(reversed(shown)):
            _draw_comparison(axes, place, item)
        axes.axvline(1.0, color=INK, linewidth=0.9)
        axes.set_yticks(range(len(shown)), [METRIC_LABELS[item.name] for item in reversed(shown)])
        axes.set_ylim(-0.7, len(shown) - 0.3)
        axes.set_xscale("log")
        low, high = _ratio_range(shown)
        ticks = [tick for tick in (_FINE_TICKS if high < _FINE_REACH else _TICKS) if low <= tick <= high]
        axes.set_xlim(low, high)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("predicted over observed")
        light_grid(axes, "x")
        headline(
            figure,
            "The model compared with its own log",
            f"90 % intervals, red if the log is outside · {subtitle}",
        )
    return figure


def _ratio_range(shown: list[Comparison]) -> tuple[float, float]:
    """The limits of the ratio axis, symmetric about 1, for all but the widest intervals."""
    ratios = [bound / item.observed for item in shown for bound in (item.predicted.low, item.predicted.high)]
    widest = max((max(ratio, 1.0 / max(ratio, 1e-3)) for ratio in ratios), default=1.1)
    reach = min(max(1.08 * widest, 1.15), _WIDEST_RATIO)
    return 1.0 / reach, reach


def _draw_comparison(axes: Axes, place: int, item: Comparison) -> None:
    colour = BLUE if item.inside else VERMILION
    low, value, high = (
        x / item.observed for x in (item.predicted.low, item.predicted.value, item.predicted.high)
    )
    axes.plot(
        [max(low, 1e-3), high], [place, place], color=colour, linewidth=2.4, solid_capstyle="butt", alpha=0.55
    )
    axes.plot([value], [place], "o", color=colour, markersize=4.5)
    text = f"{format_metric(item.name, item.observed)} logged, {format_estimate(item.name, item.predicted)}"
    axes.annotate(
        text, (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
        va="center", fontsize=6.4, color=QUIET, annotation_clip=False,
    )  # fmt: skip


def write_fit_figures(
    trace: Trace, calibration: Calibration, check: Validation | None, files: FileSet
) -> list[Path]:
    """Adds PNG and SVG of both figures to the files; returns their paths."""
    about = f"{calibration.model.name}, {len(calibration.evidence)} cycles"
    paths = save_figure(residual_figure(residuals(trace, calibration), about), files, "residuals")
    if check is not None:
        paths += save_figure(check_figure(check, about), files, "check")
    return paths
