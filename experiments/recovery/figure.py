"""One panel a parameter: where true values rank, as ECDF less diagonal, with the band that chance keeps."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from experiments.recovery.bands import GRID, ecdf_difference, simultaneous_band
from experiments.recovery.ranks import Uniformity
from gcsim.atomic import make_folder, replacing
from gcsim.report.style import BLUE, FAINT, INK, figure_style, headline, light_grid, new_figure, render

_COLUMNS = 4


def write_ranks(found: Sequence[Uniformity], path: Path, subtitle: str) -> None:
    """A PNG of all ranked parameters, whole or not at all."""
    rows = -(-len(found) // _COLUMNS)
    with figure_style():
        figure = new_figure(0.8 + 1.6 * rows)
        panels = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes, one in zip(panels.flat, found, strict=False):
            _panel(axes, one)
        for axes in list(panels.flat)[len(found) :]:
            axes.set_visible(False)
        for axes in panels[-1]:
            axes.set_xlabel("rank, share of draws")
        for axes in panels[:, 0]:
            axes.set_ylabel("ECDF less uniform")
        headline(figure, "True parameters' ranks among draws of the calibrated ones", subtitle)
        make_folder(path.parent)
        with replacing(path) as temporary:
            temporary.write_bytes(render(figure, "png"))


def _panel(axes: Axes, one: Uniformity) -> None:
    low, high = simultaneous_band(one.places.size)
    axes.fill_between(GRID, low, high, color=FAINT, alpha=0.6, linewidth=0)
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.step(GRID, ecdf_difference(one.places), where="mid", color=BLUE, linewidth=1.2)
    axes.set_title(one.name.replace("_seconds", "_s"), fontsize=7.5)
    axes.set_xlim(0.0, 1.0)
    light_grid(axes)
