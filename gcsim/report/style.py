"""The style of all figures; it does not change matplotlib's global state.

Colours are those of Okabe and Ito, which readers with any common colour blindness can distinguish.
"""

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gcsim.printable import printable
from gcsim.report.png_file import png_bytes

INK, QUIET, FAINT, PAPER = "#1b1f24", "#59636e", "#d1d9e0", "#ffffff"
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

WIDTH_INCHES = 8.4  # drawn for a README column of about 840 pixels
_PNG_DPI = 180
_LAYOUT_DPI = 72  # the resolution of SVG
_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same glyphs on every machine
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": "#eaeef2",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "hatch.linewidth": 0.7,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "gcsim",  # SVG ids from the content, so that the same figure is the same bytes
    "svg.fonttype": "path",
    "axes.formatter.limits": (-12, 15),  # ticks show whole numbers, without a common exponent
    "axes.formatter.useoffset": False,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "text.parse_math": False,  # dollar signs in names are plain text
}


@contextmanager
def figure_style() -> Iterator[None]:
    """A context with the project's style for figures that are made and saved inside it."""
    with mpl.rc_context(_RC):
        yield


def new_figure(height_inches: float) -> Figure:
    """An empty figure of the common width."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def headline(figure: Figure, title: str, subtitle: str) -> None:
    """Adds a left-aligned title and a subtitle that describes the figure."""
    subtitle = printable(subtitle)
    figure.suptitle(f"{title}\n", x=0.012, ha="left", fontsize=12, fontweight="bold", linespacing=1.5)
    figure.text(0.012, _subtitle_height(figure), subtitle, ha="left", va="top", fontsize=8.8, color=QUIET)


def render(figure: Figure, kind: str, *, text: Literal["path", "none"] = "path") -> bytes:
    """The figure as PNG or SVG bytes, deterministic in the figure.

    ``text`` says how an SVG holds letters: as their outlines, or as text in a font of the reader, which is smaller.
    """
    buffer = io.BytesIO()
    with figure_style(), mpl.rc_context({"svg.fonttype": text}), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"Glyph .* missing from"
        )  # a name in another script is drawn as boxes
        _lay_out(figure)
        if kind == "svg":
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "gcsim"})
            return buffer.getvalue()
        figure.set_dpi(_PNG_DPI)
        canvas = figure.canvas
        assert isinstance(canvas, FigureCanvasAgg)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        figure.set_dpi(_LAYOUT_DPI)
        return png_bytes(pixels, _PNG_DPI)


def _lay_out(figure: Figure) -> None:
    """Places the axes once and keeps them there: otherwise each file would compute the layout and draw twice."""
    engine = figure.get_layout_engine()
    if engine is None or not figure.axes:
        return
    figure.set_dpi(_LAYOUT_DPI)
    engine.execute(figure)
    figure.set_layout_engine(None)


def light_grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Adds thin grid lines behind the data."""
    axes.grid(visible=True, axis=axis)
    axes.tick_params(length=0)


def legend_of(
    figure: Figure, panels: Iterable[Axes], place: Literal["outside lower center", "outside upper right"]
) -> None:
    """Adds one legend with every label of the panels, once each."""
    handles = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc=place, ncols=len(handles), handlelength=1.6)


def _subtitle_height(figure: Figure) -> float:
    """The position under the title's first line, as a share of the figure's height."""
    return 1.0 - 0.36 / float(figure.get_figheight())
