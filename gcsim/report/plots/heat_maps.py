"""GC CPU and memory over the grid."""

from collections.abc import Callable

from matplotlib.figure import Figure

from gcsim.report.figures import heat_map_figure
from gcsim.report.heatmap import heat_map_data
from gcsim.report.plot import Plot, Shown
from gcsim.tuning.sweep import Sweep


def _heat_map(metric_of: Callable[[Sweep], str]) -> Callable[[Shown], Figure | None]:
    def draw(shown: Shown) -> Figure | None:
        sweep, chosen = shown.sweep, shown.chosen
        if sweep is None or len(sweep.finished) < 2:
            return None
        place = None if chosen is None else sweep.place_of(chosen.settings)
        return heat_map_figure(heat_map_data(sweep, metric_of(sweep), chosen=place), shown.about)

    return draw


PLOTS = (
    Plot(
        stem="gc-cpu",
        section="grid",
        order=10,
        text="GC CPU over the grid",
        draw=_heat_map(lambda _: "gc_cpu_fraction"),
    ),
    Plot(
        stem="memory",
        section="grid",
        order=20,
        text="peak container memory over the grid",
        draw=_heat_map(lambda sweep: sweep.memory_metric),
    ),
)
