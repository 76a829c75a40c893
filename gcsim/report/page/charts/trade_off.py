"""GC CPU against container memory, over all simulated settings."""

import math
from collections.abc import Sequence

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.report.page.charts.axes import log_axis, rule_at
from gcsim.report.page.charts.chart import (
    BLUE,
    INK,
    KEY,
    PAPER,
    QUIET,
    VERMILION,
    Chart,
    Datum,
    Spec,
    chart_spec,
    rows,
)
from gcsim.report.page.elements import Table
from gcsim.report.text import format_estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import pareto_front
from gcsim.tuning.feasible import container_peak, is_feasible
from gcsim.tuning.reason import short
from gcsim.units import MIB, format_go_bytes, format_gogc, format_mib

_LEAST_CPU = 0.0005  # as in the still figure: settings with almost no GC CPU would stretch the axis
_HEIGHT = 340
_REACH = 2.5  # times the memory given: larger settings are left out
_KINDS = ("recommended", "today", "feasible", "infeasible")
_COLOURS = (VERMILION, INK, BLUE, QUIET)
_SHAPES = ("circle", "diamond", "circle", "cross")


def trade_off(
    runs: Sequence[Run], *, chosen: Settings | None, today: Settings, memory_bytes: int | None
) -> Chart | None:
    """The figure; None without a run that takes noticeable GC CPU."""
    known = {run.settings: run for run in runs if run.metrics["gc_cpu_fraction"].value >= _LEAST_CPU}
    most = _most_bytes(list(known.values()), chosen, today, memory_bytes)
    shown = sorted(
        (run for run in known.values() if container_peak(run).value <= most),
        key=lambda run: container_peak(run).value,
    )
    if not shown:
        return None
    values = [_datum(run, chosen, today, memory_bytes) for run in shown]
    about = "Each point is a setting. The line joins the settings that are best for their memory. Bars: 90 % of runs."
    about += "" if memory_bytes is None else " The dashed line is the memory given."
    if len(shown) < len(known):
        about += f" Settings with more than {format_mib(most)} are left out."
    return Chart(
        stem="trade-off",
        title="GC CPU against memory",
        about=about,
        spec=_spec(values, shown, memory_bytes),
        table=Table(
            caption="GC CPU against memory",
            columns=("GOGC", "GOMEMLIMIT", "container memory, peak", "GC CPU", ""),
            rows=tuple(_row(run, str(one["k"])) for run, one in zip(shown, values, strict=True)),
            texts=(4,),
        ),
    )


def _most_bytes(
    runs: Sequence[Run], chosen: Settings | None, today: Settings, memory_bytes: int | None
) -> float:
    """The most memory of a setting in the figure: larger ones would press the others together."""
    if memory_bytes is None:
        return math.inf
    marked = [container_peak(run).value for run in runs if run.settings in (chosen, today)]
    return max([_REACH * memory_bytes, *(1.2 * peak for peak in marked)])


def _datum(run: Run, chosen: Settings | None, today: Settings, memory_bytes: int | None) -> Datum:
    memory, cpu = container_peak(run), run.metrics["gc_cpu_fraction"]
    kind = "feasible" if is_feasible(run, memory_bytes) else "infeasible"
    kind = "recommended" if run.settings == chosen else "today" if run.settings == today else kind
    return {
        "m": memory.value / MIB, "m0": memory.low / MIB, "m1": memory.high / MIB,
        "c": 100.0 * cpu.value, "c0": max(100.0 * cpu.low, 1e-3), "c1": 100.0 * cpu.high, "k": kind,
        "text": _text(run, kind),
    }  # fmt: skip


def _text(run: Run, kind: str) -> str:
    return (
        f"{short(run.settings)}: container memory {format_estimate('container_peak_bytes', container_peak(run))}, GC"
        f" CPU {format_estimate('gc_cpu_fraction', run.metrics['gc_cpu_fraction'])}; {kind}"
    )


def _row(run: Run, kind: str) -> tuple[str | tuple[str, str], ...]:
    return (
        format_gogc(run.settings.gogc),
        format_go_bytes(run.settings.gomemlimit_bytes),
        parted("container_peak_bytes", container_peak(run)),
        parted("gc_cpu_fraction", run.metrics["gc_cpu_fraction"]),
        kind,
    )


def parted(name: str, estimate: Estimate) -> tuple[str, str]:
    """Median and interval as two texts."""
    value, found, interval = format_estimate(name, estimate).partition(" (")
    return value, f"({interval}" if found else ""


def _spec(values: list[Datum], shown: Sequence[Run], memory_bytes: int | None) -> Spec:
    memory = [float(one["m"]) for one in values] + ([] if memory_bytes is None else [memory_bytes / MIB])
    across = log_axis("m", "container memory at its peak, MiB (logarithmic)", memory)
    up = log_axis("c", "GC CPU, % of all CPU (logarithmic)", [float(one["c"]) for one in values])
    front = [
        {"m": container_peak(run).value / MIB, "c": 100.0 * run.metrics["gc_cpu_fraction"].value}
        for run in pareto_front([run for run in shown if is_feasible(run, memory_bytes)])
    ]
    used = [place for place, kind in enumerate(_KINDS) if any(one["k"] == kind for one in values)]
    kinds, colours, shapes = ([of[place] for place in used] for of in (_KINDS, _COLOURS, _SHAPES))
    place = {"x": across, "y": up}
    marked = {"filter": "datum.k === 'recommended' || datum.k === 'today'"}
    own = {"condition": {"test": "datum.k === 'today'", "value": INK}, "value": VERMILION}
    kind: Spec = {
        "field": "k",
        "type": "nominal",
        "legend": KEY,
        "scale": {"domain": kinds, "range": colours},
    }
    shape = {**kind, "scale": {"domain": kinds, "range": shapes}}
    layers: list[Spec] = [
        {"data": {"values": front}, "mark": {"type": "line", "color": BLUE, "strokeWidth": 1.8, "opacity": 0.7},
         "encoding": place},
        {"mark": {"type": "point", "filled": True, "opacity": 0.9, "size": 45},
         "encoding": {**place, "color": kind, "shape": shape}},
        {"transform": [marked], "mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "x": {**across, "field": "m0"}, "x2": {"field": "m1"}, "y": up, "color": own}},
        {"transform": [marked], "mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "y": {**up, "field": "c0"}, "y2": {"field": "c1"}, "x": across, "color": own}},
        {"transform": [marked],
         "mark": {"type": "point", "filled": True, "opacity": 1, "size": 170, "stroke": PAPER, "strokeWidth": 1.5},
         "encoding": {**place, "fill": own, "shape": shape}},
    ]  # fmt: skip
    if memory_bytes is not None:
        layers.insert(0, rule_at(memory_bytes / MIB, axis="x"))
    return chart_spec(layers, height=_HEIGHT, data=rows(values), place=place)
