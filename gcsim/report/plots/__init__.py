"""The figures of a sweep, a recommendation and recorded runs: one file of this folder for each kind.

A new figure is a new file here with a tuple ``PLOTS``. No other file names it: every command that has its data writes
it, and the HTML page shows it.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from matplotlib.figure import Figure

from gcsim.atomic import FileSet
from gcsim.report.figures import save_figure
from gcsim.report.plot import Plot, Section, Shown

__all__ = ["PLOTS", "Plot", "Shown", "figures_of", "write_figures"]


def _plots() -> tuple[Plot, ...]:
    files = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return tuple(sorted((plot for file in files for plot in file.PLOTS), key=lambda plot: plot.order))


#: All figures, in the order in which commands write them.
PLOTS = _plots()


def figures_of(shown: Shown, section: Section) -> tuple[tuple[Figure, str], ...]:
    """The figures of one section of the page, each with its description."""
    drawn = ((plot.draw(shown), plot.text) for plot in PLOTS if plot.section == section)
    return tuple((figure, text) for figure, text in drawn if figure is not None)


def write_figures(shown: Shown, files: FileSet) -> list[Path]:
    """Adds PNG and SVG of every figure that the results have data for; returns their paths."""
    drawn = ((plot.draw(shown), plot.stem) for plot in PLOTS)
    return [path for figure, stem in drawn if figure is not None for path in save_figure(figure, files, stem)]
