"""Matplotlib figures with axes and headline, from finished data, and their files."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from gcsim.atomic import FileSet
from gcsim.report.heap_curve import HeapCurve, ceiling_mib, draw_heap_curve
from gcsim.report.heatmap import HeatMap, draw_heat_map
from gcsim.report.pauses import PauseCurve, draw_pause_curves
from gcsim.report.style import figure_style, headline, new_figure, render
from gcsim.report.tradeoff import TradeOff, draw_trade_off

_HEAT_MAPS = {
    "gc_cpu_fraction": ("GC CPU by GOGC and GOMEMLIMIT", "percent of all CPU", "YlOrRd"),
    "rss_peak_bytes": ("Memory by GOGC and GOMEMLIMIT", "peak resident memory", "YlGnBu"),
    "container_peak_bytes": ("Memory by GOGC and GOMEMLIMIT", "peak container memory", "YlGnBu"),
}


def heat_map_figure(data: HeatMap, subtitle: str) -> Figure:
    """The heat map of one metric over the grid."""
    title, what, colours = _HEAT_MAPS.get(data.metric, (data.metric, data.metric, "YlGnBu"))
    rows = data.value.shape[0]
    with figure_style():
        figure = new_figure(max(2.4, 1.5 + 0.31 * rows))
        draw_heat_map(figure.add_subplot(), data, colours=colours)
        headline(figure, title, f"{what} · {subtitle}")
    return figure


def heap_figure(curves: Sequence[HeapCurve], subtitle: str, *, title: str = "The heap over time") -> Figure:
    """Heap over time, one panel per setting, with common axes."""
    with figure_style():
        figure = new_figure(1.15 + 1.55 * len(curves))
        panels = figure.subplots(len(curves), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        top = ceiling_mib(list(curves))
        for panel, curve in zip(panels, curves, strict=True):
            draw_heap_curve(panel, curve, top_mib=top)
        panels[-1].set_xlabel("seconds")
        panels[len(curves) // 2].set_ylabel("heap, MiB")
        panels[-1].set_xlim(0, max(float(curve.end_s[-1]) for curve in curves))
        handles = {
            label: handle
            for panel in panels
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), handlelength=1.6
        )
        headline(figure, title, f"shaded: marking · {subtitle}")
    return figure


def pauses_figure(curves: Sequence[PauseCurve], subtitle: str) -> Figure:
    """The distribution of pauses, all settings on one pair of axes."""
    with figure_style():
        figure = new_figure(4.2)
        draw_pause_curves(figure.add_subplot(), curves)
        headline(figure, "Stop-the-world pauses", f"both pauses of every cycle · {subtitle}")
    return figure


def trade_off_figure(data: TradeOff, subtitle: str) -> Figure:
    """The trade-off of memory and GC CPU."""
    with figure_style():
        figure = new_figure(4.6)
        draw_trade_off(figure.add_subplot(), data)
        headline(figure, "GC CPU against memory", f"each point is a setting · {subtitle}")
    return figure


def save_figure(figure: Figure, files: FileSet, stem: str) -> list[Path]:
    """Adds ``stem.png`` and ``stem.svg`` to the files; returns their paths."""
    return [files.write_bytes(f"{stem}.{kind}", render(figure, kind)) for kind in ("png", "svg")]
