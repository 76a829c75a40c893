"""The figure of ``gcsim pool``: hit rate and retained bytes against the time between collections."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from gcsim.arrays import FloatArray
from gcsim.atomic import FileSet
from gcsim.report.figures import save_figure
from gcsim.report.style import BLUE, INK, QUIET, VERMILION, figure_style, headline, light_grid, new_figure
from gcsim.tuning.pool_study import PoolPoint
from gcsim.units import MIB, format_seconds

_COLOURS = (BLUE, VERMILION, INK, QUIET)
_STYLES = ("-", "--", ":", "-.")


def write_pool_figure(
    curves: Sequence[tuple[str, FloatArray, FloatArray, FloatArray]],
    points: Sequence[PoolPoint],
    subtitle: str,
    files: FileSet,
) -> list[Path]:
    """Adds PNG and SVG of the figure; returns their paths."""
    return save_figure(_figure(curves, points, subtitle), files, "pool")


def _figure(
    curves: Sequence[tuple[str, FloatArray, FloatArray, FloatArray]],
    points: Sequence[PoolPoint],
    subtitle: str,
) -> Figure:
    with figure_style():
        figure = new_figure(5.2)
        hits, retained = figure.subplots(2, 1, sharex=True)
        for number, (label, intervals, share, size) in enumerate(curves):
            colour = _COLOURS[number % len(_COLOURS)]
            line = _STYLES[number // len(_COLOURS) % len(_STYLES)]
            hits.plot(intervals, 100 * share, line, color=colour, label=label)
            retained.plot(intervals, size / MIB, line, color=colour)
        at = [point.interval_seconds for point in points]
        hits.plot(at, [100 * point.found.hit_share for point in points], "o", color=INK, markersize=4)
        hits.set_xscale("log")
        hits.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_seconds(value)))
        hits.xaxis.set_minor_formatter(NullFormatter())
        hits.set_ylabel("Gets that hit, %")
        retained.set_ylabel("retained, MiB")
        retained.set_ylim(bottom=0)
        retained.set_xlabel("time between collections")
        hits.legend(frameon=False)
        for axes in (hits, retained):
            light_grid(axes)
        headline(figure, "The pool", subtitle)
    return figure
