"""Heap and pauses of recorded runs."""

from matplotlib.figure import Figure

from gcsim.report.figures import heap_figure, pauses_figure
from gcsim.report.plot import Plot, Shown
from gcsim.report.sweep_figures import recorded_curves


def _heap(shown: Shown) -> Figure | None:
    curves, _ = recorded_curves(shown.recorded)
    return heap_figure(curves, shown.about) if curves else None


def _pauses(shown: Shown) -> Figure | None:
    _, curves = recorded_curves(shown.recorded)
    return pauses_figure(curves, shown.about) if curves else None


PLOTS = (
    Plot(stem="heap", section="over time", order=40, text="heap over time", draw=_heap),
    Plot(
        stem="pauses",
        section="over time",
        order=50,
        text="distribution of stop-the-world pauses",
        draw=_pauses,
    ),
)
