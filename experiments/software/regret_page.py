"""The part of the page of real software that compares recommended settings with a grid of real ones."""

import math
from collections.abc import Sequence

import numpy as np

from experiments.software.regret import BUDGETS, SPEED_KEPT, Row
from experiments.validation.tables import Lines, percent_cell, setting_cell, table

_EVIDENCE = ("capture", "bare log")


def regret_section(rows: Sequence[Row]) -> Lines:
    """The section; empty without rows."""
    if not rows:
        return []
    budgets = ", ".join(f"{name} {factor:g}" for name, factor in BUDGETS.items())
    return [
        "## Recommended settings, run for real",
        "",
        f"`gcsim recommend --memory` chose a setting for {len({row.label for row in rows})} programs and three "
        f"budgets: the peak of RSS at GOGC=100 times a factor ({budgets}). GOMAXPROCS is 2. Each program ran at its "
        "setting in a memory cgroup of the budget, with its page cache dropped first, so that its text counts.",
        "",
        f"- **kept**: no OOM kill, no stall, and {SPEED_KEPT:.0%} or more of the speed outside a cgroup. An answer "
        "that no setting fits keeps the budget.",
        "- **regret**: GC CPU at the recommended setting less the lowest GC CPU of 12 real settings that fit. A "
        "setting fits if its anonymous memory, hot file pages and kernel memory, measured outside a cgroup, are "
        "within the budget.",
        "- GC CPU of jobs is over the whole job.",
        "- **near the best**: the regret is at most 10 % of the best GC CPU, or half a point.",
        "- One rule of `recommend` was changed after a first look at these runs: of several limits for `GOGC=off` it "
        "takes one that is cheap at the upper end of GC CPU, too. Before, `tsgo-check` from a bare log got 772 and 744 "
        "MiB in the medium and the generous budget and took 12 and 10 % of GC CPU, and 10 of 17 answers from bare logs "
        "were near the best.",
        "",
        *_totals(rows),
        "",
        *_each(rows),
        "",
    ]


def _totals(rows: Sequence[Row]) -> Lines:
    body = []
    for evidence in _EVIDENCE:
        mine = [row for row in rows if row.evidence == evidence]
        if not mine:
            continue
        ran = [row for row in mine if row.answered and not math.isnan(row.regret)]
        regrets = [row.regret / max(row.best_gc_cpu_fraction, 1e-6) for row in ran]
        points = [100 * row.regret for row in ran]
        body.append([
            evidence, str(len(mine)), f"{sum(row.answered for row in mine)}", f"{sum(row.kept for row in mine)}",
            f"{np.median(regrets):+.0%}, {np.median(points):+.1f} points",
            f"{sum(row.is_near_best for row in ran)} of {len(ran)}",
        ])  # fmt: skip
    head = ["from", "answers", "with a setting", "kept", "median regret", "near the best"]
    return table(head, body)


def _each(rows: Sequence[Row]) -> Lines:
    body = [
        [f"`{r.label}`", r.evidence, f"{r.budget}, {r.budget_mib} MiB",
         setting_cell(r.gogc, r.limit_mib) if r.answered else "none", r.verdict,
         "yes" if r.kept else f"no: {r.reason}", percent_cell(r.gc_cpu_fraction),
         "none fits" if math.isnan(r.best_gc_cpu_fraction) else
         f"{percent_cell(r.best_gc_cpu_fraction)} at {setting_cell(r.best_gogc, r.best_limit_mib)}"]
        for r in rows
    ]  # fmt: skip
    head = [
        "case",
        "from",
        "budget",
        "recommended",
        "verdict on memory",
        "kept",
        "GC CPU",
        "best of the grid that fits",
    ]
    return table(head, body)
