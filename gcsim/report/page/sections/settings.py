"""The sections with figures and tables: all settings, heap and pauses, stress, rules of thumb."""

from collections.abc import Sequence
from dataclasses import replace

from gcsim.report.page.charts.chart import Chart
from gcsim.report.page.charts.heat_maps import heat_map_key, heat_maps
from gcsim.report.page.charts.intervals import rule_charts, rules_table
from gcsim.report.page.charts.over_time import heap_charts, pauses_chart
from gcsim.report.page.charts.trade_off import parted, trade_off
from gcsim.report.page.content import Content
from gcsim.report.page.elements import Cell, Table, image, paragraphs
from gcsim.report.plots import PLOTS
from gcsim.report.sweep_figures import recorded_curves
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.stress import Stress
from gcsim.tuning.stress_text import name_of, stress_sentences, verdict_of
from gcsim.units import format_mib

#: Still figures with an interactive form: the stem of the figure, and of the chart that shows it without JavaScript.
_INTERACTIVE = {
    "memory": "memory",
    "gc-cpu": "gc-cpu",
    "trade-off": "trade-off",
    "heap": "heap-0",
    "pauses": "pauses",
    "rules": "rules-memory",
}


def all_settings(content: Content) -> str:
    """Heat maps over the grid, and the trade-off."""
    memory, chosen, today = content.sweep.memory_bytes, content.chosen, content.today
    charts = heat_maps(content.sweep, chosen=chosen, today=today)
    found = content.recommendation
    runs = [*content.sweep.finished, *(found.explored if found is not None else ())]
    curve = trade_off(runs, chosen=chosen, today=today, memory_bytes=memory)
    key = heat_map_key(chosen=chosen, today=today, memory_bytes=memory)
    return "\n".join(
        [
            paragraphs([f"The grid of all combinations, simulated with the same random numbers. {key}"]),
            _pair(content, charts),
            *([_with_still(content, curve)] if curve is not None else []),
            *_further(content),
        ]
    )


def _with_still(content: Content, chart: Chart) -> str:
    """The chart with its still figure."""
    stems = [stem for stem, shown in _INTERACTIVE.items() if chart.stem == shown]
    still = next((plot.draw(content.shown) for plot in PLOTS if plot.stem in stems), None)
    return replace(chart, still=still).html()


def _further(content: Content) -> list[str]:
    """The still figures that have no interactive form."""
    drawn = ((plot.draw(content.shown), plot.text) for plot in PLOTS if plot.stem not in _INTERACTIVE)
    return [f"<figure>{image(figure, text)}</figure>" for figure, text in drawn if figure is not None]


def over_time(content: Content) -> str:
    """Heap and pauses of the recorded runs."""
    curves, pauses = recorded_curves(content.recorded)
    names = [content.name_of(run.settings) for run in content.recorded if len(run.cycles) >= 2]
    if not curves:
        return paragraphs(["None of these settings has two GC cycles."])
    spread = pauses_chart(pauses, names)
    charts = [*heap_charts(curves, names), *([] if spread is None else [spread])]
    text = "One recorded run per setting, at the central values of the model."
    return "\n".join([paragraphs([text]), *(_with_still(content, chart) for chart in charts)])


def stress(content: Content) -> str:
    """Today's setting and the recommended one under each stress, and the course of a leak; empty without a test."""
    found = content.recommendation
    if found is None or found.test is None:
        return ""
    kept = found.settings == found.today.settings
    rows = [row for one in found.stress for row in _stressed_rows(one, kept=kept)]
    table = Table(
        caption="Both settings under stress",
        columns=("stress", "container memory, peak", "GC CPU", "constraints"),
        rows=tuple(rows),
        texts=(3,),
    )
    return f"{paragraphs(stress_sentences(found.test))}\n{table.html()}"


def _stressed_rows(one: Stress, *, kept: bool) -> list[tuple[Cell, ...]]:
    """Today's setting and then the recommended one under a stress; only one row if today's setting is ``kept``."""
    sides = [("today", one.today, True), *([] if kept else [("recommended", one.run, False)])]
    return [
        (
            f"{name_of(one)}, {name}",
            parted("container_peak_bytes", container_peak(run)),
            parted("gc_cpu_fraction", run.metrics["gc_cpu_fraction"]),
            verdict_of(one, of_today=of_today),
        )
        for name, run, of_today in sides
    ]


def rules(content: Content) -> str:
    """The comparison with rules of thumb; empty without one."""
    found = content.comparison
    if found is None:
        return ""
    first, second = rule_charts(found)
    text = (
        f"Every rule in the same container of {format_mib(found.memory_bytes)}, with the same random numbers. Fits:"
        " share of runs that are not killed and do not stall. Cores saved: of GC, against today's setting, for"
        " today's work."
    )
    return "\n".join(
        [
            paragraphs([text]),
            rules_table(found).html(),
            _pair(content, [first, second]),
        ]
    )


def _pair(content: Content, charts: Sequence[Chart]) -> str:
    return '<div class="pair">\n' + "\n".join(_with_still(content, chart) for chart in charts) + "\n</div>"
