"""GC CPU against peak container memory, with each rule of thumb marked and named."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gcsim.arrays import FloatArray
from gcsim.printable import printable
from gcsim.report.style import (
    BLUE,
    FAINT,
    INK,
    PAPER,
    QUIET,
    VERMILION,
    figure_style,
    headline,
    light_grid,
    new_figure,
)
from gcsim.tuning.compare import NEAREST_MISS, RECOMMENDED, TODAY, Comparison
from gcsim.tuning.feasible import container_peak
from gcsim.units import MIB, format_mib, format_number

_LEAST_SHOWN_PERCENT = 0.01  # smaller shares are drawn at this height: the axis is logarithmic
_LABEL_ROOM = 1.5  # line heights between two labels
_FONT_SIZE = 8.6
_COLUMN = 1.03  # of the axes' width: where the labels begin
_LONGEST_NAME = 26
_AXES_SHARE = 0.76  # of the figure's width; the names stand at the right of it


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePoint:
    """One rule in the figure."""

    name: str
    memory_mib: tuple[float, float, float]  # low, median, high
    gc_cpu_percent: float
    feasible: bool

    @property
    def colour(self) -> str:
        """Vermilion for the recommendation, dark for today, blue for rules that fit, grey for others."""
        if self.name in (RECOMMENDED, NEAREST_MISS):
            return VERMILION
        if self.name == TODAY:
            return INK
        return BLUE if self.feasible else QUIET


def rule_points(found: Comparison) -> list[RulePoint]:
    """The points of all rules, from the highest GC CPU down."""
    points = []
    for row in found.rows:
        peak = container_peak(row.run)
        share = row.run.metrics["gc_cpu_fraction"].value
        name = printable(row.rule.name)
        points.append(
            RulePoint(
                name=name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :],
                memory_mib=(peak.low / MIB, peak.value / MIB, peak.high / MIB),
                gc_cpu_percent=max(100.0 * share, _LEAST_SHOWN_PERCENT),
                feasible=row.feasible,
            )
        )
    return sorted(points, key=lambda one: (-one.gc_cpu_percent, one.memory_mib[1]))


def rules_figure(found: Comparison, subtitle: str) -> Figure:
    """The figure; names stand in a column at the right, joined to their points by thin lines."""
    points = rule_points(found)
    with figure_style():
        figure = new_figure(max(4.4, 1.3 + 0.27 * len(points)))
        axes = figure.add_subplot()
        _draw(axes, points, found.memory_bytes / MIB)
        headline(figure, "Rules of thumb against the recommendation", f"bars: 90 % of runs · {subtitle}")
        figure.set_layout_engine("constrained", rect=(0.0, 0.0, _AXES_SHARE, 1.0))
        figure.canvas.draw()
        _label(axes, points)
        figure.set_layout_engine("none")
    return figure


def _draw(axes: Axes, points: Sequence[RulePoint], given_mib: float) -> None:
    for one in points:
        low, value, high = one.memory_mib
        axes.plot([low, high], [one.gc_cpu_percent] * 2, "-", color=one.colour, linewidth=1.1, alpha=0.55)
        axes.plot(
            value,
            one.gc_cpu_percent,
            "o" if one.feasible else "x",
            color=one.colour,
            markersize=8 if one.colour in (VERMILION, INK) else 6,
            markeredgecolor=PAPER if one.feasible else one.colour,
            zorder=6 if one.colour in (VERMILION, INK) else 5,
        )
    axes.axvline(given_mib, color=INK, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    lows, highs = (np.array([one.memory_mib[end] for one in points]) for end in (0, 2))
    axes.set_xlim(float(lows.min()) / 1.15, max(float(highs.max()), given_mib) * 1.12)
    shares = np.array([one.gc_cpu_percent for one in points])
    axes.set_ylim(float(shares.min()) / 1.35, min(float(shares.max()) * 1.35, 120.0))
    axes.axvspan(given_mib, axes.get_xlim()[1], color="#f3f4f6", zorder=0, linewidth=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda mib, _: format_mib(mib * MIB)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{format_number(value)} %"))
    axes.minorticks_off()
    axes.spines[:].set_color(FAINT)
    axes.set_xlabel("peak container memory (logarithmic); dashed: the memory given; ×: infeasible")
    axes.set_ylabel("GC CPU, percent of all CPU (logarithmic)")
    light_grid(axes)


def _label(axes: Axes, points: Sequence[RulePoint]) -> None:
    """Writes the names in a column, each near the height of its point and apart from the others."""
    to_axes = axes.transAxes.inverted()
    wanted = np.array(
        [
            to_axes.transform(axes.transData.transform((one.memory_mib[1], one.gc_cpu_percent)))[1]
            for one in points
        ]
    )
    line = _FONT_SIZE / 72.0 * axes.figure.dpi / axes.bbox.height
    for one, height, own in zip(points, spread(wanted, _LABEL_ROOM * line), wanted, strict=True):
        start = to_axes.transform(axes.transData.transform((one.memory_mib[1], one.gc_cpu_percent)))[0]
        axes.plot(
            [start, _COLUMN - 0.02, _COLUMN - 0.005],
            [own, own if abs(own - height) < 1e-9 else height, height],
            color=one.colour,
            linewidth=0.6,
            alpha=0.55,
            transform=axes.transAxes,
            clip_on=False,
            zorder=3,
        )
        axes.text(
            _COLUMN,
            height,
            one.name,
            transform=axes.transAxes,
            va="center",
            ha="left",
            fontsize=_FONT_SIZE,
            color=one.colour,
            fontweight="bold" if one.colour in (VERMILION, INK) else "normal",
        )


def spread(wanted: FloatArray, room: float) -> FloatArray:
    """Heights near ``wanted``, which falls, at least ``room`` apart, and within 0 to 1 if they have room there."""
    heights = wanted.astype(np.float64)
    for place in range(1, len(heights)):
        heights[place] = min(heights[place], heights[place - 1] - room)
    if len(heights) and heights[-1] < 0.0:
        heights[-1] = 0.0
        for place in range(len(heights) - 2, -1, -1):
            heights[place] = max(heights[place], heights[place + 1] + room)
    return heights
