"""Rules of thumb against the recommendation."""

from matplotlib.figure import Figure

from gcsim.report.plot import Plot, Shown
from gcsim.report.rules_figure import rules_figure


def _rules(shown: Shown) -> Figure | None:
    return None if shown.comparison is None else rules_figure(shown.comparison, shown.about)


PLOTS = (
    Plot(
        stem="rules",
        section="recommendation",
        order=40,
        text="Rules of thumb against the recommendation",
        draw=_rules,
    ),
)
