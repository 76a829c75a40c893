"""The figure of ``gcsim heap``: the memory of a heap over time."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from gcsim.atomic import FileSet
from gcsim.report.figures import save_figure
from gcsim.report.style import BLUE, INK, QUIET, VERMILION, figure_style, headline, light_grid, new_figure
from gcsim.submodels.heap_course import HeapSample
from gcsim.units import MIB


def write_heap_course(samples: Sequence[HeapSample], subtitle: str, files: FileSet) -> list[Path]:
    """Adds PNG and SVG of the figure; returns their paths."""
    return save_figure(_figure(samples, subtitle), files, "heap-course")


def _figure(samples: Sequence[HeapSample], subtitle: str) -> Figure:
    seconds = [one.seconds for one in samples]
    curves = {
        "HeapAlloc": (QUIET, [one.heap_alloc_bytes for one in samples]),
        "HeapInuse": (BLUE, [one.heap_in_use_bytes for one in samples]),
        "HeapIdle": (INK, [one.heap_idle_bytes for one in samples]),
        "HeapReleased": (VERMILION, [one.heap_released_bytes for one in samples]),
        "resident": ("#009E73", [one.heap_resident_bytes for one in samples]),
    }
    with figure_style():
        figure = new_figure(3.6)
        axes = figure.add_subplot()
        for name, (colour, values) in curves.items():
            axes.plot(seconds, [value / MIB for value in values], color=colour, label=name)
        axes.set_xlabel("seconds")
        axes.set_ylabel("MiB")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, ncols=3)
        light_grid(axes)
        headline(figure, "The heap over time", subtitle)
    return figure
