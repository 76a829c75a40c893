"""Heat maps over the grid of GOGC and GOMEMLIMIT, with hatched infeasible cells."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D

from gcsim.arrays import BoolArray, FloatArray
from gcsim.report.cell_numbers import CellNumbers
from gcsim.report.style import INK, PAPER, QUIET
from gcsim.tuning.sweep import Sweep, loosest_last
from gcsim.units import GIB, MIB, format_go_bytes, format_gogc, format_number

_MAX_LABELLED_COLUMNS, _MAX_LABELLED_ROWS = 21, 24
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue
_UNITS = {"bytes": (MIB, "MiB"), "fraction": (0.01, "%"), "seconds": (1e-3, "ms"), "hz": (1.0, "/s")}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One metric over the grid, in ``unit``; rows and columns ascending, off last."""

    metric: str
    unit: str
    gogc_labels: tuple[str, ...]
    limit_labels: tuple[str, ...]
    value: FloatArray  # (limits, gogc)
    infeasible: BoolArray  # (limits, gogc)
    chosen: tuple[int, int] | None  # (limit, gogc) of a recommended cell


def heat_map_data(
    sweep: "Sweep", metric: str, *, memory_bytes: int | None = None, chosen: tuple[int, int] | None = None
) -> HeatMap:
    """The heat map of one metric of a sweep, with its infeasible cells."""
    rows, columns = loosest_last(sweep.gomemlimit_bytes), loosest_last(sweep.gogc)
    value = sweep.metric(metric).value[np.ix_(rows, columns)]
    scale, unit = _UNITS[metric.rsplit("_", 1)[-1]]
    if unit == "MiB" and np.nanmax(value) >= 10 * GIB:
        scale, unit = GIB, "GiB"
    return HeatMap(
        metric=metric,
        unit=unit,
        gogc_labels=tuple(format_gogc(sweep.gogc[column]) for column in columns),
        limit_labels=tuple(_limit_label(sweep.gomemlimit_bytes[row]) for row in rows),
        value=value / scale,
        infeasible=sweep.infeasible(memory_bytes)[np.ix_(rows, columns)],
        chosen=None if chosen is None else (rows.index(chosen[0]), columns.index(chosen[1])),
    )


def draw_heat_map(axes: Axes, data: HeatMap, *, colours: str = "YlGnBu") -> None:
    """Draws the heat map; small maps have numbers in their cells."""
    rows, columns = data.value.shape
    norm = _colour_scale(data.value)
    # colours of cells, not of pixels: the norm of a large picture takes long
    shades = ScalarMappable(norm, colours)
    axes.imshow(
        shades.to_rgba(data.value, bytes=True), aspect="auto", origin="upper", interpolation="nearest"
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _label_ticks(axes, data)
    if columns <= _MAX_LABELLED_COLUMNS and rows <= _MAX_LABELLED_ROWS:
        _write_cells(axes, data, norm, colours)
    keys = [*_hatch(axes, data), *_box(axes, data)]
    if keys:
        axes.legend(
            handles=keys,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            borderaxespad=0.2,
            handlelength=1.6,
            ncols=len(keys),
        )
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(shades, ax=axes, pad=0.015, aspect=28, fraction=0.045)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_ticks(_bar_ticks(norm))
    bar.minorticks_off()
    bar.ax.yaxis.set_major_formatter(lambda value, _: _short(value))
    bar.set_label(data.unit, color=QUIET)


def _bar_ticks(norm: Normalize) -> list[float]:
    """About six round numbers inside the scale."""
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 1.0)
    if not isinstance(norm, LogNorm):
        return [float(tick) for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high]
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 1.5, 2, 3, 5, 7) if high / low < 30 else (1, 2, 5) if high / low < 1000 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]


def _colour_scale(value: FloatArray) -> Normalize:
    shown = value[np.isfinite(value)]
    positive = shown[shown > 0]
    if positive.size == 0:
        return Normalize(0.0, 1.0)
    low, high = float(positive.min()), float(positive.max())
    if high / low > 4:  # on a linear scale a steep rise would hide all other differences
        return LogNorm(low, high, clip=True)
    return Normalize(low, high if high > low else low * 1.01)


def _label_ticks(axes: Axes, data: HeatMap) -> None:
    rows, columns = data.value.shape
    for axis, labels, most in ((axes.xaxis, data.gogc_labels, 22), (axes.yaxis, data.limit_labels, 24)):
        stride = -(-len(labels) // most)
        axis.set_ticks(range(0, len(labels), stride), labels[::stride])
    axes.set_xlabel("GOGC, percent" if columns > 1 else "GOGC")
    axes.set_ylabel("GOMEMLIMIT")
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)  # first row at the top, as in the table


def _write_cells(axes: Axes, data: HeatMap, norm: Normalize, colours: str) -> None:
    """Writes each value in the middle of its cell."""
    import matplotlib as mpl

    size = 8.0 if data.value.shape[1] <= 14 else 6.6
    shades = mpl.colormaps[colours](norm(np.nan_to_num(data.value)))
    is_dark = (shades[:, :, :3] @ _LUMINANCE < 0.5) & ~data.infeasible
    shown = np.isfinite(data.value)
    rows, columns = np.nonzero(shown)
    CellNumbers(
        axes,
        np.column_stack([columns, rows]).astype(np.float64),
        [_short(value) for value in data.value[shown].tolist()],
        np.where(is_dark[shown], PAPER, INK).tolist(),
        size,
    )


def _hatch(axes: Axes, data: HeatMap) -> list[Patch]:
    """Hatches infeasible cells; returns their legend key."""
    if not data.infeasible.any():
        return []
    cells = [
        Path.unit_rectangle().transformed(Affine2D().translate(column - 0.5, row - 0.5))
        for row, column in np.argwhere(data.infeasible).tolist()
    ]
    # one patch: each patch with a hatch takes a millisecond
    axes.add_patch(
        PathPatch(
            Path.make_compound_path(*cells),
            facecolor="#ffffffc8",
            edgecolor="#59636e90",
            hatch="////",
            linewidth=0,
        )
    )
    return [Patch(facecolor=PAPER, edgecolor=QUIET, hatch="////", linewidth=0, label="infeasible")]


def _box(axes: Axes, data: HeatMap) -> list[Patch]:
    """Frames the chosen cell; returns its legend key."""
    if data.chosen is None:
        return []
    limit, gogc = data.chosen
    axes.add_patch(Rectangle((gogc - 0.5, limit - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=2.2))
    return [Patch(facecolor=PAPER, edgecolor=INK, linewidth=2.2, label="best for this memory")]


def _short(value: float) -> str:
    """The number with two significant digits below 10, else as a whole number."""
    return format_number(value, 2)


def _limit_label(limit: int | None) -> str:
    if limit is not None and limit >= GIB and limit % GIB:
        return f"{limit // MIB}MiB" if limit % MIB == 0 else format_go_bytes(limit)
    return format_go_bytes(limit)
