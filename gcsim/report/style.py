"""How every figure looks, applied to its own axes only: nothing here changes matplotlib's global state.

Colours are Okabe and Ito's, which readers with any common colour blindness can distinguish.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gcsim.printable import printable

INK, QUIET, FAINT, PAPER = "#1b1f24", "#59636e", "#d1d9e0", "#ffffff"
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

WIDTH_INCHES = 8.4  # drawn for a README column of about 840 pixels
_PNG_DPI = 180
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
    "axes.formatter.limits": (-12, 15),  # ticks are numbers, not mantissas of an exponent at the axis' end
    "axes.formatter.useoffset": False,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}


@contextmanager
def figure_style() -> Iterator[None]:
    """The project's look for figures made and saved inside the block."""
    with mpl.rc_context(_RC):
        yield


def new_figure(height_inches: float) -> Figure:
    """An empty figure of the common width."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def headline(figure: Figure, title: str, subtitle: str) -> None:
    """A left-aligned title over a quieter line that says what is shown."""
    subtitle = printable(subtitle)
    figure.suptitle(f"{title}\n", x=0.012, ha="left", fontsize=12, fontweight="bold", linespacing=1.5)
    figure.text(0.012, _subtitle_height(figure), subtitle, ha="left", va="top", fontsize=8.8, color=QUIET)


def render(figure: Figure, kind: str) -> bytes:
    """The figure as PNG or SVG bytes; the same bytes for the same figure."""
    buffer = io.BytesIO()
    with figure_style(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"Glyph .* missing from"
        )  # a name in another script: boxes are drawn
        if kind == "svg":
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "gcsim"})
        else:
            figure.savefig(buffer, format="png", dpi=_PNG_DPI, metadata={"Software": "gcsim"})
    return buffer.getvalue()


def light_grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Thin lines behind the data."""
    axes.grid(visible=True, axis=axis)
    axes.tick_params(length=0)


def _subtitle_height(figure: Figure) -> float:
    """Just under the title's first line, as a share of the figure's height."""
    return 1.0 - 0.36 / float(figure.get_figheight())
