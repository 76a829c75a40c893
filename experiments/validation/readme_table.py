"""The README's table of accuracy, from the rows of both studies."""

from collections.abc import Sequence

from experiments.software import summary as software
from experiments.software.cases import CASES
from experiments.software.regret import Row as RegretRow
from experiments.software.study import Row as SoftwareRow
from experiments.validation.diagnosis import by_run
from experiments.validation.study import Row
from experiments.validation.summary import coverage, elsewhere, of_metric, summary
from experiments.validation.tables import SHORT_NAMES, Lines, pair_cell, table

NAME = "accuracy"  # of the table in README.md
_METRICS = SHORT_NAMES | {"anonymous_peak_bytes": "anonymous"}


def readme_accuracy(
    rows: Sequence[Row], software_rows: Sequence[SoftwareRow], regret: Sequence[RegretRow]
) -> str:
    """The table, and a sentence on the recommended settings that ran for real."""
    held_out = software.chosen(software_rows, split="held out")
    bare = software.chosen(software_rows, split="held out", source="bare log")
    programs = ", ".join(sorted({case.program for case in CASES if case.split == "held out"}))
    count = len(software.of_metric(held_out, "rss_peak_bytes"))
    own = elsewhere(rows, held_out=True)
    head = ["", *_METRICS.values()]
    body = [
        [f"real programs ({programs}), {count} runs, from a capture", *_software_cells(held_out)],
        ["the same, from the log alone", *_software_cells(bare)],
        ["the same settings run again", *_floor_cells(held_out)],
        [f"programs of this project, {len(by_run(own))} runs, from a capture", *_own_cells(own)],
    ]
    return "\n".join([*table(head, body), "", _recommended(regret)]) + "\n"


def _software_cells(rows: Sequence[SoftwareRow]) -> Lines:
    found = [software.figures(software.of_metric(rows, metric)) for metric in _METRICS]
    return [f"{pair_cell(one.median, one.p90)}, {software.percent(one.coverage)}" for one in found]


def _floor_cells(rows: Sequence[SoftwareRow]) -> Lines:
    found = [software.figures(software.of_metric(rows, metric)) for metric in _METRICS]
    return [pair_cell(one.floor_median, one.floor_p90) for one in found]


def _own_cells(rows: Sequence[Row]) -> Lines:
    cells = []
    for metric in _METRICS:
        mine = of_metric(rows, metric)
        found = summary(mine)
        inside = software.percent(coverage(mine))
        cells.append(f"{pair_cell(found.median, found.p90)}, {inside}" if found.count else "–")
    return cells


def _recommended(rows: Sequence[RegretRow]) -> str:
    ran = [row for row in rows if row.answered]
    kept, near = sum(row.kept for row in ran), sum(row.is_near_best for row in ran)
    return (
        f"{len(ran)} recommended settings of six real programs ran in containers of the given size.\n{kept} of them"
        f" ran without an OOM kill or a stall, and {near} had GC CPU within 10 % or half a point of the best of 12"
        " real\nsettings that fit."
    )
