"""The parts of the page of real software on latencies, times of jobs, and recommended settings with a bound on them."""

import math
from collections.abc import Sequence

import numpy as np

from experiments.software.constrained import FACTORS, P50, P99, WALL
from experiments.software.constrained_rows import Row
from experiments.software.study import Row as StudyRow
from experiments.software.summary import figures, of_metric, percent
from experiments.validation.tables import Lines, pair_cell, percent_cell, setting_cell, table
from gcsim.units import format_seconds

_NAMES = {P50: "median of requests", P99: "p99 of requests", WALL: "wall time of the job"}


def times_section(rows: Sequence[StudyRow]) -> Lines:
    """Predicted latencies and times against those of the grid's runs; empty without rows."""
    if not rows:
        return []
    away = [row for row in rows if not row.is_reference]
    body = []
    for metric, name in _NAMES.items():
        mine = of_metric(away, metric)
        labels = dict.fromkeys(row.label for row in mine)
        body += [
            [f"`{label}`", *_figures(name, [row for row in mine if row.label == label])] for label in labels
        ]
        body.append(["all", *_figures(name, mine)])
    return [
        "## Latency of requests and time of jobs",
        "",
        "`python -m experiments.software.constrained ask` predicts the settings of the grid that the recommended "
        "settings are compared with. The model has the run at GOGC=100 alone: its log, its side file, and of a server "
        "the result of its load, as `calibrate --requests` reads it. The runs were made before. The spread of request "
        "latencies far from saturation was chosen on `caddy-templates` and the order service; the other servers had no "
        "part in it.",
        "",
        *table(["case", "figure", "runs", "median error (90th percentile)", "inside", "repeated run"], body),
        "",
    ]


def _figures(name: str, rows: Sequence[StudyRow]) -> Lines:
    found = figures(rows)
    return [
        name,
        str(found.count),
        pair_cell(found.median, found.p90),
        percent(found.coverage),
        pair_cell(found.floor_median, found.floor_p90),
    ]


def constrained_section(rows: Sequence[Row]) -> Lines:
    """Recommended settings with a bound, and their runs; empty without rows."""
    if not rows:
        return []
    factors = ", ".join(
        f"of a {kind} {' and '.join(f'{factor:g}' for factor in found)} times"
        for kind, found in FACTORS.items()
    )
    return [
        "## Recommended settings with a bound, run for real",
        "",
        "`gcsim recommend --memory` chose a setting for the same programs and budgets, from the capture, with "
        f"`--max-request-p99` for servers and `--max-job-time` for jobs. The bound is today's figure {factors}, "
        "rounded up to two digits. The rule, the answers and the predictions were stored before any of these runs "
        "(`python -m experiments.software.constrained ask`, then `run`).",
        "",
        "- **bound kept**: p99 of the requests, or the wall time of the job, in the container of the budget.",
        "- **memory kept**, **regret** and **near the best**: as for the settings above; the best is that of the "
        "grid's settings that fit and keep the bound for real.",
        "- **no setting**: no setting keeps the bound in 95 % of runs and the memory in 99 %. The columns then show "
        "the nearest miss, which did not run.",
        "- **today**: GOGC=100 in the hour of the runs, without a limit of the container. The difference to the run at "
        "GOGC=100 that the bound comes from is the machine's.",
        "",
        *_totals(rows),
        "",
        *_each(rows),
        "",
    ]


def _totals(rows: Sequence[Row]) -> Lines:
    body = []
    groups = {f"{kind}s, {factor:g} ×": (kind, factor) for kind, found in FACTORS.items() for factor in found}
    for name, (kind, factor) in groups.items():
        mine = [row for row in rows if row.is_job == (kind == "job") and row.factor == factor]
        body.append([name, *_counts(mine)])
    body.append(["all", *_counts(rows)])
    head = [
        "bound", "answers", "with a setting", "bound kept", "expected", "memory kept", "median regret", "near the best",
        "no setting, though one of the grid's kept both",
    ]  # fmt: skip
    return table(head, body)


def _counts(rows: Sequence[Row]) -> Lines:
    ran = [row for row in rows if row.ran]
    judged = [row for row in ran if not math.isnan(row.regret)]
    missed = [row for row in rows if not row.answered]
    regrets = [row.regret / max(row.best_gc_cpu_fraction, 1e-6) for row in judged]
    points = [100 * row.regret for row in judged]
    return [
        str(len(rows)),
        str(sum(row.answered for row in rows)),
        f"{sum(row.is_kept for row in ran)} of {len(ran)}",
        f"{sum(row.probability for row in ran):.1f}",
        f"{sum(row.memory_kept for row in ran)} of {len(ran)}",
        f"{np.median(regrets):+.0%}, {np.median(points):+.1f} points" if judged else "–",
        f"{sum(row.is_near_best for row in judged)} of {len(judged)}",
        f"{sum(not math.isnan(row.best_gc_cpu_fraction) for row in missed)} of {len(missed)}",
    ]


def _each(rows: Sequence[Row]) -> Lines:
    body = []
    for row in rows:
        metric = "--max-job-time" if row.is_job else "--max-request-p99"
        body.append([
            f"`{row.label}`", f"{row.budget}, {row.budget_mib} MiB", f"`{metric} {_bound(row)}`",
            "" if row.answered else "no setting", setting_cell(row.gogc, row.limit_mib), percent_cell(row.probability),
            f"{format_seconds(row.predicted_seconds)} ({_seconds(row.low_seconds)} to {_seconds(row.high_seconds)})",
            _seconds(row.observed_seconds), _seconds(row.today_seconds), _kept(row), percent_cell(row.gc_cpu_fraction),
            "none" if math.isnan(row.best_gc_cpu_fraction) else
            f"{percent_cell(row.best_gc_cpu_fraction)} at {setting_cell(row.best_gogc, row.best_limit_mib)}",
        ])  # fmt: skip
    head = [
        "case", "budget", "asked", "", "setting", "kept in", "predicted", "observed", "today", "kept", "GC CPU",
        "best of the grid that fits and keeps the bound",
    ]  # fmt: skip
    return table(head, body)


def _bound(row: Row) -> str:
    return f"{row.bound_seconds:g}s" if row.is_job else f"{1e3 * row.bound_seconds:g}ms"


def _seconds(value: float) -> str:
    return "–" if not math.isfinite(value) else format_seconds(value)


def _kept(row: Row) -> str:
    if not row.ran:
        return "–"
    if not row.memory_kept:
        return f"no: {row.reason}"
    return "yes" if row.is_kept else "memory alone"
