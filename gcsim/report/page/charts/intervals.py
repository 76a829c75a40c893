"""Figures with one row per name: a median, its interval, and a line to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.calibration.validation import Validation
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.page.charts.axes import log_axis, rule_at
from gcsim.report.page.charts.chart import (
    BLUE,
    INK,
    KEY,
    QUIET,
    VERMILION,
    Chart,
    Spec,
    chart_spec,
    rows,
)
from gcsim.report.page.charts.trade_off import parted
from gcsim.report.page.elements import Cell, Table
from gcsim.report.text import format_estimate
from gcsim.tuning.compare import NEAREST_MISS, RECOMMENDED, TODAY, Compared, Comparison
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.reason import short
from gcsim.units import MIB, format_error, format_number, format_percent

_ROW_HEIGHT = 25
_LABEL_SHARE = 170  # pixels that names take at most
_WIDEST = 4.0  # ratio: longer bars are cut at the edge of the figure
_LEAST_PERCENT = 0.01  # smaller shares are drawn there


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row: name, median, interval, and its group, which sets the colour."""

    name: str
    low: float
    value: float
    high: float
    group: str
    text: str


def bars_spec(
    bars: Sequence[Bar], axis: str, groups: dict[str, str], *, at: float | None, widest: float | None
) -> Spec:
    """The specification: bars on a logarithmic axis, and a dashed line."""
    ends = None if widest is None else _ends(bars, widest)
    inside = [
        (max(one.low, ends[0]), min(one.high, ends[1])) if ends else (one.low, one.high) for one in bars
    ]
    values = [
        {"n": one.name, "v": one.value, "lo": low, "hi": high, "k": one.group, "text": one.text}
        for one, (low, high) in zip(bars, inside, strict=True)
    ]
    known = [end for pair in inside for end in pair] + ([] if at is None else [at])
    across = log_axis("v", axis, known, ends=ends)
    down: Spec = {
        "field": "n", "type": "nominal", "sort": None, "title": None,
        "axis": {"labelLimit": _LABEL_SHARE, "domain": False, "ticks": False, "grid": True},
    }  # fmt: skip
    used = {group: colour for group, colour in groups.items() if any(one.group == group for one in bars)}
    colour: Spec = {"field": "k", "type": "nominal", "legend": KEY,
                    "scale": {"domain": list(used), "range": list(used.values())}}  # fmt: skip
    place = {"x": across, "y": down}
    layers: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 4, "opacity": 0.45},
         "encoding": {"x": {**across, "field": "lo"}, "x2": {"field": "hi"}, "y": down, "color": colour}},
        {"mark": {"type": "point", "filled": True, "size": 75, "opacity": 1}, "encoding": {**place, "color": colour}},
    ]  # fmt: skip
    if at is not None:
        layers.append(rule_at(at, axis="x"))
    return chart_spec(layers, height=_ROW_HEIGHT * len(bars), data=rows(values), place=place)


def _ends(bars: Sequence[Bar], widest: float) -> tuple[float, float]:
    reach = max((max(one.high, 1.0 / max(one.low, 1e-6)) for one in bars), default=1.1)
    reach = min(max(1.06 * reach, 1.15), widest)
    return 1.0 / reach, reach


def fit_chart(check: Validation, log: str, stem: str) -> Chart | None:
    """Predicted over observed, of each metric of a log; None if nothing can be compared."""
    shown = [one for one in check.comparisons if one.observed > 0 and one.predicted.value > 0]
    if not shown:
        return None
    bars = [
        Bar(
            name=METRIC_LABELS[one.name],
            low=max(one.predicted.low, 1e-12) / one.observed,
            value=one.predicted.value / one.observed,
            high=one.predicted.high / one.observed,
            group="log inside the interval" if one.inside else "log outside",
            text=f"{METRIC_LABELS[one.name]}: predicted {format_estimate(one.name, one.predicted)}, observed"
            f" {format_metric(one.name, one.observed)}; {'inside' if one.inside else 'outside'} the interval",
        )
        for one in shown
    ]
    groups = {"log inside the interval": BLUE, "log outside": VERMILION}
    return Chart(
        stem=stem,
        title=f"Predicted and observed: {log}",
        about=f"At {short(check.settings)}. Predictions over the log's own values. Bars: 90 % of runs.",
        spec=bars_spec(bars, "predicted over observed (logarithmic)", groups, at=1.0, widest=_WIDEST),
        table=Table(
            caption=f"Predicted and observed: {log}",
            columns=("metric", "predicted", "observed", "error", "interval"),
            rows=tuple(
                (
                    METRIC_LABELS[one.name],
                    parted(one.name, one.predicted),
                    format_metric(one.name, one.observed),
                    format_error(one.error),
                    "inside" if one.inside else "outside",
                )
                for one in shown
            ),
        ),
    )


def rule_charts(found: Comparison) -> list[Chart]:
    """Container memory and GC CPU of each rule, in the order of the comparison."""
    groups = {
        RECOMMENDED: VERMILION,
        NEAREST_MISS: VERMILION,
        TODAY: INK,
        "fits": BLUE,
        "does not fit": QUIET,
    }
    memory = [_memory_bar(row) for row in found.rows]
    cpu = [_cpu_bar(row) for row in found.rows]
    names = tuple(row.rule.name for row in found.rows)
    given = found.memory_bytes / MIB
    return [
        Chart(
            stem="rules-memory",
            title="Container memory of each rule",
            about="Medians at the peak. Bars: 90 % of runs. The dashed line is the memory given.",
            spec=bars_spec(memory, "MiB (logarithmic)", groups, at=given, widest=None),
            table=_table("Container memory of each rule", names, [
                parted("container_peak_bytes", container_peak(row.run)) for row in found.rows]),
        ),
        Chart(
            stem="rules-gc-cpu",
            title="GC CPU of each rule",
            about="Medians, percent of all CPU. Bars: 90 % of runs.",
            spec=bars_spec(cpu, "% of all CPU (logarithmic)", groups, at=None, widest=None),
            table=_table("GC CPU of each rule", names, [
                parted("gc_cpu_fraction", row.run.metrics["gc_cpu_fraction"]) for row in found.rows]),
        ),
    ]  # fmt: skip


def rules_table(found: Comparison) -> Table:
    """Every rule with its setting, costs and verdict."""
    return Table(
        caption="Every rule, with its verdict",
        columns=("rule", "container memory, peak", "fits", "GC CPU", "cores saved", "verdict"),
        rows=tuple(
            (
                row.rule.name,
                parted("container_peak_bytes", container_peak(row.run)),
                f"{format_percent(row.chances.fits, 2)} of runs",
                parted("gc_cpu_fraction", row.run.metrics["gc_cpu_fraction"]),
                format_number(round(row.cores_saved, 3) + 0.0, 2),
                row.verdict,
            )
            for row in found.rows
        ),
        texts=(5,),
    )


def _table(caption: str, names: Sequence[str], cells: Sequence[Cell]) -> Table:
    body = tuple((name, cell) for name, cell in zip(names, cells, strict=True))
    return Table(caption=caption, columns=("rule", "prediction"), rows=body)


def _group(row: Compared) -> str:
    if row.rule.name in (RECOMMENDED, NEAREST_MISS, TODAY):
        return row.rule.name
    return "fits" if row.feasible else "does not fit"


def _memory_bar(row: Compared) -> Bar:
    peak = container_peak(row.run)
    text = f"{row.rule.name}: container memory {format_estimate('container_peak_bytes', peak)}, fits in"
    return Bar(
        name=row.rule.name,
        low=peak.low / MIB,
        value=peak.value / MIB,
        high=peak.high / MIB,
        group=_group(row),
        text=f"{text} {format_percent(row.chances.fits, 2)} of runs; {row.verdict}",
    )


def _cpu_bar(row: Compared) -> Bar:
    cpu = row.run.metrics["gc_cpu_fraction"]
    low, value, high = (max(100.0 * share, _LEAST_PERCENT) for share in (cpu.low, cpu.value, cpu.high))
    text = f"{row.rule.name}: GC CPU {format_estimate('gc_cpu_fraction', cpu)}"
    return Bar(name=row.rule.name, low=low, value=value, high=high, group=_group(row), text=text)
