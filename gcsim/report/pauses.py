"""The distribution of stop-the-world pauses: the share of pauses longer than a given time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gcsim.arrays import FloatArray
from gcsim.cycles import CycleTable
from gcsim.metrics import pauses_seconds
from gcsim.printable import printable
from gcsim.report.style import PAPER, SERIES, light_grid
from gcsim.units import format_percent, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseCurve:
    """The pauses of one run, ascending, with the share of pauses at least that long."""

    label: str
    seconds: FloatArray  # (n,) ascending
    share_longer: FloatArray  # (n,) from 1 down to 1/n
    p50_seconds: float
    p99_seconds: float


def pause_curve_data(cycles: CycleTable, *, label: str = "") -> PauseCurve:
    """The curve of both stop-the-world pauses of every cycle."""
    seconds = np.sort(pauses_seconds(cycles))
    count = len(seconds)
    return PauseCurve(
        label=label,
        seconds=seconds,
        share_longer=np.arange(count, 0, -1) / count,
        p50_seconds=float(np.quantile(seconds, 0.50)),
        p99_seconds=float(np.quantile(seconds, 0.99)),
    )


def draw_pause_curves(axes: Axes, curves: Sequence[PauseCurve]) -> None:
    """Draws one curve per run on logarithmic axes, with marks at median and 99th percentile."""
    for colour, curve in zip(SERIES, curves, strict=False):
        shown = np.maximum(curve.seconds, 1e-7)
        axes.step(shown, curve.share_longer, where="post", color=colour, linewidth=1.7, label=_key(curve))
        for share, value in ((0.5, curve.p50_seconds), (0.01, curve.p99_seconds)):
            axes.plot(
                max(value, 1e-7), share, "o", color=colour, markersize=6.5, markeredgecolor=PAPER, zorder=4
            )
    least = min(float(curve.share_longer[-1]) for curve in curves)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(max(least, 1e-4) * 0.8, 1.15)
    axes.set_xlabel("pause")
    axes.set_ylabel("share of pauses longer than this")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_seconds(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_percent(value)))
    axes.minorticks_off()
    light_grid(axes)
    axes.legend(
        loc="lower left", title="setting: median, 99th percentile", title_fontsize=8.5, alignment="left"
    )


def _key(curve: PauseCurve) -> str:
    return (
        f"{printable(curve.label)}: {format_seconds(curve.p50_seconds)}, {format_seconds(curve.p99_seconds)}"
    )
