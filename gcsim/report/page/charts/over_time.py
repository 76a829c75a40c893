"""The heap over time, and the distribution of pauses, of recorded runs."""

from collections.abc import Sequence

import numpy as np

from gcsim.report.heap_curve import HeapCurve, ceiling_mib
from gcsim.report.page.charts.axes import linear_axis, log_axis
from gcsim.report.page.charts.chart import (
    BLUE,
    INK,
    KEY,
    ORANGE,
    VERMILION,
    Chart,
    Datum,
    Spec,
    chart_spec,
    rows,
)
from gcsim.report.page.elements import Table
from gcsim.report.pauses import PauseCurve
from gcsim.units import MIB, format_mib, format_percent, format_seconds

_HEIGHT, _PAUSE_HEIGHT = 230, 280
_SERIES = ("heap", "heap goal", "trigger", "GOMEMLIMIT")
_COLOURS = (BLUE, VERMILION, ORANGE, INK)
_MOST_PAUSES = 40  # points of a curve of pauses
_PAUSE_COLOURS = (INK, VERMILION, BLUE)


def heap_charts(curves: Sequence[HeapCurve], names: Sequence[str]) -> list[Chart]:
    """One figure per setting, with common axes."""
    if not curves:
        return []
    top = ceiling_mib(list(curves))
    limits = [
        curve.limit_mib for curve in curves if curve.limit_mib is not None and curve.limit_mib <= 1.6 * top
    ]
    top = max([top, *(1.06 * limit for limit in limits)])
    seconds = max(float(curve.end_s[-1]) for curve in curves)
    return [
        _heap_chart(curve, f"heap-{place}", name, top, seconds)
        for place, (curve, name) in enumerate(zip(curves, names, strict=True))
    ]


def _heap_chart(curve: HeapCurve, stem: str, name: str, top_mib: float, seconds: float) -> Chart:
    cycles = [
        {"s": start, "e": end, "t": trigger, "g": goal if goal <= top_mib else None, "l": live, "p": peak}
        for start, end, trigger, goal, live, peak in zip(
            curve.start_s.tolist(), curve.end_s.tolist(), curve.trigger_mib.tolist(), curve.goal_mib.tolist(),
            curve.live_mib.tolist(), curve.heap_mib[1::3].tolist(), strict=True,
        )
    ]  # fmt: skip
    data = rows([{**cycle, "text": _cycle_text(cycle)} for cycle in cycles])
    return Chart(
        stem=stem,
        title=f"Heap over time: {name}",
        about=f"{curve.label}. Shaded: marking. Filled: live heap. Point at a trigger to read its cycle.",
        spec=_heap_spec(curve, data, top_mib, seconds),
        table=Table(
            caption=f"Cycles of {curve.label}",
            columns=("start", "marking", "trigger", "heap goal", "heap peak", "live heap"),
            rows=tuple(_cycle_row(cycle) for cycle in cycles),
        ),
    )


def _heap_spec(curve: HeapCurve, data: list[Datum], top_mib: float, seconds: float) -> Spec:
    across = linear_axis("s", "seconds", 0.0, seconds)
    up = linear_axis("p", "heap, MiB", 0.0, top_mib)
    limit = curve.limit_mib
    has_limit = limit is not None and limit <= top_mib
    scale: Spec = {"domain": list(_SERIES[: 3 + has_limit]), "range": list(_COLOURS[: 3 + has_limit])}
    colour = {name: {"datum": name, "type": "nominal", "scale": scale, "legend": KEY} for name in _SERIES}
    trigger = {"x": across, "y": {**up, "field": "t"}}
    shape = [{"x": x, "y": y} for x, y in zip(curve.time_s.tolist(), curve.heap_mib.tolist(), strict=True)]
    layers: list[Spec] = [
        {"mark": {"type": "rect", "color": "var(--band)", "clip": True},
         "encoding": {"x": across, "x2": {"field": "e"}}},
        {"mark": {"type": "area", "color": "var(--area)", "interpolate": "step-before", "clip": True},
         "encoding": {"x": {**across, "field": "e"}, "y": {**up, "field": "l"}}},
        {"mark": {"type": "line", "interpolate": "step-before", "strokeWidth": 1.3, "clip": True},
         "encoding": {"x": {**across, "field": "e"}, "y": {**up, "field": "g"}, "color": colour["heap goal"]}},
        {"data": {"values": shape}, "mark": {"type": "line", "strokeWidth": 1.7, "clip": True},
         "encoding": {"x": {**across, "field": "x"}, "y": {**up, "field": "y"}, "order": {"value": None},
                      "color": colour["heap"]}},
        {"mark": {"type": "point", "filled": True, "size": 34, "clip": True, "opacity": 1},
         "encoding": {**trigger, "color": colour["trigger"]}},
    ]  # fmt: skip
    if has_limit:
        mark = {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.4}
        encoding = {"y": {"datum": limit}, "color": colour["GOMEMLIMIT"]}
        layers.append({"data": {"values": [{}]}, "mark": mark, "encoding": encoding})
    return chart_spec(layers, height=_HEIGHT, data=data, place=trigger)


def _cycle_text(cycle: Datum) -> str:
    goal = "none in reach" if cycle["g"] is None or cycle["g"] != cycle["g"] else format_mib(cycle["g"] * MIB)
    return (
        f"Cycle at {_time(cycle)}: trigger {format_mib(cycle['t'] * MIB)}, heap goal {goal}, heap peak"
        f" {format_mib(cycle['p'] * MIB)}, live heap {format_mib(cycle['l'] * MIB)}, marking"
        f" {format_seconds(cycle['e'] - cycle['s'])}"
    )


def _cycle_row(cycle: Datum) -> tuple[str, ...]:
    goal = "—" if cycle["g"] is None or cycle["g"] != cycle["g"] else format_mib(cycle["g"] * MIB)
    sizes = (format_mib(cycle[name] * MIB) for name in ("p", "l"))
    marking = format_seconds(cycle["e"] - cycle["s"])
    return (_time(cycle), marking, format_mib(cycle["t"] * MIB), goal, *sizes)


def _time(cycle: Datum) -> str:
    return f"{cycle['s']:.2f} s"


def pauses_chart(curves: Sequence[PauseCurve], names: Sequence[str]) -> Chart | None:
    """The share of pauses that are longer than a given time, one curve per setting; None without pauses."""
    values: list[Datum] = []
    for curve, name in zip(curves, names, strict=True):
        count = len(curve.seconds)
        ranks = np.unique(np.geomspace(1, count, min(_MOST_PAUSES, count)).round().astype(int))
        picked = np.unique(np.concatenate([count - ranks, ranks - 1]))
        values += [
            {"x": 1e3 * max(seconds, 1e-7), "y": 100.0 * share, "k": name}
            for seconds, share in zip(
                curve.seconds[picked].tolist(), curve.share_longer[picked].tolist(), strict=True
            )
        ]
    if not values:
        return None
    for one in values:
        last = f"{format_percent(one['y'] / 100.0)} of the pauses last {format_seconds(one['x'] / 1e3)} or longer"
        one["text"] = f"{one['k']}: {last}"
    return Chart(
        stem="pauses",
        title="Stop-the-world pauses",
        about="Share of the pauses that last at least so long: both pauses of every cycle of one recorded run per"
        " setting. The table of the recommendation has the intervals.",
        spec=_pause_spec(values, list(dict.fromkeys(names))),
        table=Table(
            caption="Stop-the-world pauses",
            columns=("setting", "pause", "share of pauses at least so long"),
            rows=tuple(
                (str(one["k"]), format_seconds(one["x"] / 1e3), format_percent(one["y"] / 100.0))
                for one in values
            ),
        ),
    )


def _pause_spec(values: list[Datum], names: list[str]) -> Spec:
    across = log_axis("x", "pause, ms (logarithmic)", [float(one["x"]) for one in values])
    up = log_axis("y", "share of pauses, % (logarithmic)", [float(one["y"]) for one in values])
    scale = {"domain": names, "range": list(_PAUSE_COLOURS[: len(names)])}
    colour: Spec = {"field": "k", "type": "nominal", "legend": KEY, "scale": scale}
    dash: Spec = {**colour, "scale": {"domain": names, "range": [[1, 0], [6, 3], [2, 2]][: len(names)]}}
    place = {"x": across, "y": up}
    layers: list[Spec] = [
        {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.9},
         "encoding": {**place, "color": colour, "strokeDash": dash}},
        {"mark": {"type": "point", "filled": True, "size": 26, "opacity": 1},
         "encoding": {**place, "color": colour}},
    ]  # fmt: skip
    return chart_spec(layers, height=_PAUSE_HEIGHT, data=rows(values), place=place)
