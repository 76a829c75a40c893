"""Numbers in the cells of a heat map, as one artist: a text for each cell takes a millisecond in each format."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, IdentityTransform

from gcsim.arrays import FloatArray


class CellNumbers(Artist):
    """Texts in the middle of cells, with one colour each; every glyph is drawn once and set to its places."""

    def __init__(
        self, axes: Axes, cells: FloatArray, texts: Sequence[str], colours: Sequence[str], size_points: float
    ) -> None:
        """``cells`` are the places in data coordinates, shape (texts, 2)."""
        super().__init__()
        self._cells, self._size_points = cells, size_points
        places: defaultdict[tuple[str, str], list[tuple[int, float, float]]] = defaultdict(list)
        self._outlines: dict[str, Path] = {}
        for number, (text, colour) in enumerate(zip(texts, colours, strict=True)):
            glyphs, outlines = _glyphs(text)
            self._outlines |= outlines
            for name, x, y in glyphs:
                places[name, colour].append((number, x, y))
        self._places = {key: np.array(found) for key, found in places.items()}
        self.set_zorder(4)
        self.set_in_layout(False)  # inside the axes: the layout need not measure it
        axes.add_artist(self)

    def draw(self, renderer: RendererBase) -> None:
        """Draws each glyph at all of its places."""
        assert self.axes is not None
        middles = self.axes.transData.transform(self._cells)
        scale = cast(float, renderer.points_to_pixels(self._size_points)) / text_to_path.FONT_SCALE
        context = renderer.new_gc()
        context.set_linewidth(0)
        for (name, colour), places in self._places.items():
            at = middles[places[:, 0].astype(np.int64)] + places[:, 1:] * scale
            renderer.draw_markers(
                context, self._outlines[name], Affine2D().scale(scale), Path(at), IdentityTransform(),
                to_rgba(colour),
            )  # fmt: skip
        context.restore()
        self.stale = False


@lru_cache(maxsize=1024)
def _glyphs(text: str) -> tuple[list[tuple[str, float, float]], dict[str, Path]]:
    """(names of glyphs with their places from the middle of the text, outlines by name), in units of FONT_SCALE."""
    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    font.set_size(text_to_path.FONT_SCALE, text_to_path.DPI)
    glyphs, outlines, _ = text_to_path.get_glyphs_with_font(font, text)
    paths = {name: Path(*outline) for name, outline in outlines.items()}
    corners = []
    for name, x, y, _ in glyphs:
        vertices = np.asarray(outlines[name][0], dtype=np.float64)
        corners.append(vertices[np.asarray(outlines[name][1]) != Path.CLOSEPOLY] + (x, y))
    drawn = np.concatenate(corners)
    middle_x, middle_y = (drawn.min(axis=0) + drawn.max(axis=0)) / 2
    return [(name, x - middle_x, y - middle_y) for name, x, y, _ in glyphs], paths
