"""The page's single cases: three programs in full, the worst misses, and where not to trust."""

from collections.abc import Sequence

from experiments.validation.diagnosis import worst
from experiments.validation.matrix import LOAD
from experiments.validation.study import Row
from experiments.validation.summary import (
    TARGETS,
    coverage,
    elsewhere,
    first_run,
    groups,
    of_metric,
    program_name,
    summary,
)
from experiments.validation.tables import (
    NAMES,
    SHORT_NAMES,
    Lines,
    amount_cell,
    pair_cell,
    percent_cell,
    setting_cell,
    table,
)

#: A closed loop, an open loop, and a heap of pointers that is expensive to mark under a memory limit.
THREE_PROGRAMS = ("orders", "orders-open", "ptrcache")


def three_programs(rows: Sequence[Row]) -> Lines:
    """Real, predicted, the GC guide's and a repeated real run, setting by setting."""
    lines = ["## Three programs in full"]
    for label in THREE_PROGRAMS:
        load = LOAD[label]
        settings = [load.settings[i] for i in (1, 3, 2, 4, 8)]
        body = [line for gogc, limit_mib in settings for line in _setting_lines(rows, label, gogc, limit_mib)]
        lines += ["", f"### {_THREE[label]}", "", *table(["setting", "", *SHORT_NAMES.values()], body)]
    return lines


_THREE = {
    "orders": "orders: closed loop",
    "orders-open": "orders-open: 10,000 Poisson arrivals a second",
    "ptrcache": "ptrcache: closed loop, expensive to mark under a memory limit",
}


def _setting_lines(
    rows: Sequence[Row], label: str, gogc: int | None, limit_mib: int | None
) -> list[list[str]]:
    run = first_run(rows, label, gogc, limit_mib)
    if not run:
        return []
    name = setting_cell(gogc, limit_mib)
    return [
        [name, "real", *(amount_cell(m, run[m].observed) for m in TARGETS)],
        ["", "**predicted**", *(_interval_cell(run[m]) for m in TARGETS)],
        ["", "GC guide", *(amount_cell(m, run[m].gc_guide) for m in TARGETS)],
        ["", "real, repeated", *(amount_cell(m, run[m].again) for m in TARGETS)],
    ]


def _interval_cell(row: Row) -> str:
    value, low, high = (amount_cell(row.metric, x) for x in (row.predicted, row.low, row.high))
    return f"**{value}** ({low} to {high})"


def worst_ten(rows: Sequence[Row]) -> Lines:
    """The ten worst misses and the factor that was off in each."""
    body = [
        [
            program_name(row),
            f"{setting_cell(row.gogc, row.limit_mib)}, Go {row.go}, {row.procs} Ps",
            row.regime,
            _miss_cell(row),
            cause or "–",
        ]
        for row, cause in worst(elsewhere(rows), 10)
    ]
    return [
        "## The worst ten",
        "",
        "The table shows each run's worst metric, as a multiple of its 90th-percentile target. The last column is "
        "the factor of that metric that was predicted too high or too low: rate = allocated per second / allocated "
        "per cycle; GC CPU = rate × GC CPU per cycle.",
        "",
        *table(["program", "setting", "regime", "predicted for real", "factor that was off"], body),
    ]


def _miss_cell(row: Row) -> str:
    ours, real = (amount_cell(row.metric, value) for value in (row.predicted, row.observed))
    return f"{NAMES[row.metric]}: {ours} for {real} ({row.predicted / row.observed - 1:+.0%})"


def not_to_trust(rows: Sequence[Row]) -> Lines:
    """Groups whose 90th percentile is beyond target, or whose intervals hold less than 85 %, worst first."""
    found = []
    for name, chosen in groups(elsewhere(rows), lambda row: f"{row.label}, {row.regime}").items():
        for metric, (_, target) in TARGETS.items():
            part = of_metric(chosen, metric)
            got, inside = summary(part), coverage(part)
            if got.count >= 4 and got.median > target:
                found.append((got.median / target, name, metric, got, inside))
    lines = [
        "## Where not to trust it",
        "",
        "These programs and regimes (four runs or more) have a *median* error beyond the 90th-percentile target:",
        "",
    ]
    if not found:
        return [*lines, "none."]
    body = [
        [name, NAMES[metric], str(got.count), pair_cell(got.median, got.p90), percent_cell(inside)]
        for _, name, metric, got, inside in sorted(found, key=lambda item: -item[0])
    ]
    return [*lines, *table(["program, regime", "metric", "runs", "median (90th)", "inside"], body)]
