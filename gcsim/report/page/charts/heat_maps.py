"""Heat maps over the grid of GOGC and GOMEMLIMIT."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.page.charts.axes import NUMBERS, log_ticks
from gcsim.report.page.charts.chart import (
    INK,
    Chart,
    Datum,
    Spec,
    chart_spec,
    rows,
)
from gcsim.report.page.elements import Table
from gcsim.report.text import format_estimate
from gcsim.settings import Settings
from gcsim.tuning.feasible import is_feasible
from gcsim.tuning.sweep import Sweep, loosest_last
from gcsim.units import GIB, MIB, format_go_bytes, format_gogc, format_number

_ROW_HEIGHT = 27
_NARROW = 31  # pixels of a column: below, cells have no numbers
_LOG_FROM = 4.0  # highest over lowest value: from there on the colours are logarithmic
_LEAST_RANGE = 1.3  # highest over lowest: smaller differences get nearly one colour
_BLACK, _WHITE = "#000000", "#ffffff"
_SWITCH = 0.179  # luminance on which both have a contrast of 4.58
_FAINT = 0.25  # opacity of infeasible cells


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """One heat map: the metric, the unit of its cells, and its colours."""

    stem: str
    metric: str
    title: str
    unit: str
    scale: float  # of the unit
    scheme: str


MAPS = (
    MapOf(stem="memory", metric="container_peak_bytes", title="Container memory, peak", unit="MiB", scale=MIB,
          scheme="yellowgreenblue"),
    MapOf(stem="gc-cpu", metric="gc_cpu_fraction", title="GC CPU", unit="% of all CPU", scale=0.01,
          scheme="yelloworangered"),
    MapOf(stem="pause", metric="stw_p99_seconds", title="Pause, 99th percentile", unit="ms", scale=1e-3,
          scheme="purplebluegreen"),
    MapOf(stem="cycle-rate", metric="gc_rate_hz", title="GC cycles per second", unit="/s", scale=1.0,
          scheme="bluepurple"),
)  # fmt: skip


def heat_maps(sweep: Sweep, *, chosen: Settings | None, today: Settings) -> list[Chart]:
    """The heat maps of a sweep with two or more finished settings, for the metrics that it has."""
    return [
        _heat_map(one, sweep, chosen=chosen, today=today) for one in MAPS if one.metric in sweep.metric_names
    ]


def _heat_map(one: MapOf, sweep: Sweep, *, chosen: Settings | None, today: Settings) -> Chart:
    limits, gogcs = loosest_last(sweep.gomemlimit_bytes), loosest_last(sweep.gogc)
    runs = [sweep.runs[limit * len(sweep.gogc) + gogc] for limit in limits for gogc in gogcs]
    gogc_labels = [format_gogc(sweep.gogc[place]) for place in gogcs]
    limit_labels = [format_go_bytes(sweep.gomemlimit_bytes[place]) for place in limits]
    places = [(limit, gogc) for limit in limit_labels for gogc in gogc_labels]
    marks: dict[Settings | None, str] = {chosen: "recommended", today: "today"}
    if chosen == today:
        marks = {today: "today, and recommended"}
    cells = [
        _cell(one, run, place, sweep.memory_bytes, marks) for run, place in zip(runs, places, strict=True)
    ]
    width = len(gogc_labels)
    return Chart(
        stem=one.stem,
        title=f"{one.title}, by GOGC and GOMEMLIMIT",
        about=f"Medians in {one.unit}{'; G: GiB' if one.scale == MIB else ''}.",
        spec=_spec(one, cells, gogc_labels, limit_labels),
        table=Table(
            caption=f"{one.title}: rows are GOMEMLIMIT, columns are GOGC",
            columns=("GOMEMLIMIT", *(f"GOGC={label}" for label in gogc_labels)),
            rows=tuple(
                (label, *(cell["table"] for cell in cells[row * width : (row + 1) * width]))
                for row, label in enumerate(limit_labels)
            ),
            is_grid=True,
        ),
        per_row=width,
    )


def heat_map_key(*, chosen: Settings | None, today: Settings, memory_bytes: int | None) -> str:
    """The meaning of frames and struck cells, in sentences."""
    frames = "A solid frame marks the recommended setting, a dashed frame today's."
    if chosen is None or chosen == today:
        frames = "A dashed frame marks today's setting."
    why = "" if memory_bytes is None else "it does not fit the memory given, or "
    return (
        f"{frames} A struck cell is infeasible: {why}it does not keep its own limit, or GC may take half of all CPU."
        " Colours cover the feasible settings."
    )


def _cell(
    one: MapOf,
    run: Run | None,
    place: tuple[str, str],
    memory_bytes: int | None,
    marks: dict[Settings | None, str],
) -> Datum:
    limit, gogc = place
    where = f"GOGC={gogc} GOMEMLIMIT={limit}"
    estimate = None if run is None else run.metrics.get(one.metric)
    if run is None or estimate is None or math.isnan(estimate.value):
        return {"g": gogc, "l": limit, "v": None, "c": "", "bad": False, "mark": "", "text": f"{where}: not simulated",
                "table": "—"}  # fmt: skip
    bad = not is_feasible(run, memory_bytes)
    mark = marks.get(run.settings, "")
    ends = [part for part in ("infeasible" if bad else "feasible", mark) if part]
    shown = format_estimate(one.metric, estimate)
    return {
        "g": gogc,
        "l": limit,
        "v": estimate.value / one.scale,
        "c": _short(one, estimate.value),
        "bad": bad,
        "mark": mark,
        "text": f"{where}: {METRIC_LABELS[one.metric]} {shown}; {', '.join(ends)}",
        "table": (format_metric(one.metric, estimate.value), _interval(shown, ends)),
    }


def _short(one: MapOf, value: float) -> str:
    """The value in a cell: two digits, or a whole number."""
    if one.scale == MIB and value >= 1000.0 * MIB:
        return f"{format_number(value / GIB, 2)}G"
    return format_number(value / one.scale, 2)


def _interval(shown: str, ends: Sequence[str]) -> str:
    interval = shown.partition(" (")[2].removesuffix(")")
    notes = [part for part in ends if part != "feasible"]
    return ", ".join([interval, *notes])


def _ends(cells: list[Datum]) -> tuple[float, float]:
    """The ends of the colours: over the feasible cells, or over all if none is feasible."""
    values = [float(cell["v"]) for cell in cells if cell["v"]]
    kept = [float(cell["v"]) for cell in cells if cell["v"] and not cell["bad"]] or values
    low = min(kept, default=1.0)
    return low, max(*kept, _LEAST_RANGE * low) if kept else low


def _spec(one: MapOf, cells: list[Datum], gogcs: list[str], limits: list[str]) -> Spec:
    low, high = _ends(cells)
    across: Spec = {
        "field": "g", "type": "ordinal", "title": "GOGC, percent", "scale": {"domain": gogcs, "paddingInner": 0.04},
        "axis": {"labelAngle": 0, "domain": False, "ticks": False, "labelOverlap": True},
    }  # fmt: skip
    down: Spec = {
        "field": "l", "type": "ordinal", "title": "GOMEMLIMIT", "scale": {"domain": limits, "paddingInner": 0.06},
        "axis": {"domain": False, "ticks": False},
    }  # fmt: skip
    is_log = high / low > _LOG_FROM
    ticks = {"values": log_ticks(low, high)} if is_log else {"tickCount": 4}
    ends = [low, high if high > low else low * 1.01]
    colour: Spec = {
        "field": "v",
        "type": "quantitative",
        "scale": {"type": "log" if is_log else "linear", "scheme": one.scheme, "domain": ends, "clamp": True},
        "legend": {"title": one.unit, "orient": "bottom", "gradientLength": 240, "gradientThickness": 10,
                   "format": NUMBERS, **ticks},
    }  # fmt: skip
    place = {"x": across, "y": down}
    light = f"luminance(scale('color', datum.v)) > {_SWITCH}"
    text_colour = {
        "condition": [{"test": "datum.bad", "value": INK}, {"test": light, "value": _BLACK}],
        "value": _WHITE,
    }
    faint = {"condition": {"test": "datum.bad", "value": _FAINT}, "value": 1.0}
    size = {"expr": f"width > {_NARROW * len(gogcs)} ? 11.5 : 0"}
    layers: list[Spec] = [
        {"mark": "rect", "encoding": {**place, "color": colour, "fillOpacity": faint}},
        _strikes(place),
        {"mark": {"type": "text", "baseline": "middle", "fontSize": size, "clip": True},
         "encoding": {**place, "text": {"field": "c"}, "color": text_colour}},
        _frame(place, {"filter": "datum.mark !== ''"}, _WHITE, 4.5, []),
        _frame(place, {"filter": "datum.mark === 'recommended'"}, _BLACK, 2.4, []),
        _frame(place, {"filter": "datum.mark !== '' && datum.mark !== 'recommended'"}, _BLACK, 2.4, [5, 3]),
    ]  # fmt: skip
    data = rows([{name: value for name, value in cell.items() if name != "table"} for cell in cells])
    return chart_spec(layers, height=_ROW_HEIGHT * len(limits), data=data, place=place, is_grid=True)


def _strikes(place: Spec) -> Spec:
    """A line through each infeasible cell."""
    across, down = place["x"], place["y"]
    return {
        "transform": [{"filter": "datum.bad"}],
        "mark": {"type": "rule", "color": "#59636e", "strokeWidth": 1.0, "opacity": 0.75},
        "encoding": {
            "x": {**across, "bandPosition": 0.12}, "x2": {"field": "g", "bandPosition": 0.88},
            "y": {**down, "bandPosition": 0.9}, "y2": {"field": "l", "bandPosition": 0.1},
        },
    }  # fmt: skip


def _frame(place: Spec, kept: Spec, colour: str, width: float, dash: list[int]) -> Spec:
    mark = {"type": "rect", "filled": False, "stroke": colour, "strokeWidth": width, "strokeDash": dash}
    return {"transform": [kept], "mark": mark, "encoding": place}
