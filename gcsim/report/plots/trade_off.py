"""GC CPU against peak memory."""

from matplotlib.figure import Figure

from gcsim.report.figures import trade_off_figure
from gcsim.report.plot import Plot, Shown
from gcsim.report.sweep_figures import recommendation_points
from gcsim.report.tradeoff import trade_off_data


def _trade_off(shown: Shown) -> Figure | None:
    if shown.recommendation is not None:
        return trade_off_figure(recommendation_points(shown.recommendation), shown.about)
    sweep = shown.sweep
    if sweep is None or len(sweep.finished) < 2:
        return None
    points = trade_off_data(sweep.finished, chosen=shown.chosen, memory_bytes=sweep.memory_bytes)
    return trade_off_figure(points, shown.about) if points.memory_mib.size else None


PLOTS = (
    Plot(
        stem="trade-off",
        section="recommendation",
        order=30,
        text="GC CPU against peak memory",
        draw=_trade_off,
    ),
)
