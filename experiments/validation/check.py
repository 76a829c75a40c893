"""Compares what is committed with what the code gives now: accuracy, pages, the README's headline."""

import math
from collections.abc import Iterator
from pathlib import Path

from experiments.software.results import FOLDER as SOFTWARE
from experiments.software.results import load as load_software
from experiments.software.results import load_regret
from experiments.tables import replace_table
from experiments.validation import machine
from experiments.validation.counts import counts_page
from experiments.validation.half_page import half_page
from experiments.validation.matrix import CAPTURES, LOAD, LONG_CAPTURES, MAIN_GO, MAIN_PROCS, plans
from experiments.validation.page import accuracy_page
from experiments.validation.readme_table import NAME as README_TABLE
from experiments.validation.readme_table import readme_accuracy
from experiments.validation.results import load_study
from experiments.validation.study import Row, study
from experiments.validation.summary import TARGETS, coverage, elsewhere, of_metric, summary

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
MARGIN, MARGIN_POINTS = 1.10, 0.003  # the rounding of another NumPy, and no more
COVERAGE_MARGIN = 0.04
FEWEST_ROWS = 20


def accuracy_faults() -> list[str]:
    """Sentences on held-out programs that are predicted worse than the committed table says."""
    again = predicted_again()
    committed = held_out_rows(load_study(FOLDER).rows)
    faults = [fault for metric in TARGETS for fault in worse(metric, committed, again)]
    return faults + [fault for row in again for fault in unsound(row)]


def page_faults() -> list[str]:
    """Sentences on pages whose text is not the one that the committed table gives."""
    found = load_study(FOLDER)
    software = load_software(SOFTWARE).rows
    faults = _differs(
        "docs/explanation/accuracy.md", accuracy_page(found, machine.described(CAPTURES)), "report"
    )
    faults += _differs("docs/explanation/accuracy-summary.md", half_page(found, software), "report")
    accuracy = readme_accuracy(found.rows, software, load_regret(SOFTWARE))
    if replace_table(ROOT / "README.md", README_TABLE, accuracy, check=True):
        faults.append("README.md does not show the accuracy of the committed tables; run report --from-table")
    return faults


def counts_faults() -> list[str]:
    """A sentence if docs/explanation/memory.md is not the page that the captures give."""
    return _differs("docs/explanation/memory.md", counts_page(plans(), CAPTURES), "counts")


def held_out_rows(rows: tuple[Row, ...]) -> list[Row]:
    """First runs of the held-out programs on the main Go version and GOMAXPROCS, away from GOGC=100."""
    go = MAIN_GO.rsplit(".", 1)[0]
    return [
        row
        for row in elsewhere(rows, held_out=True)
        if (row.go, row.procs, row.repeat) == (go, MAIN_PROCS, 1)
    ]


def predicted_again() -> list[Row]:
    """The rows of ``held_out_rows``, predicted by the code as it is."""
    chosen = [
        plan
        for plan in plans()
        if not LOAD[plan.label].design
        and (plan.go_version, plan.gomaxprocs, plan.repeat) == (MAIN_GO, MAIN_PROCS, 1)
    ]
    return held_out_rows(study(chosen, CAPTURES, LONG_CAPTURES).rows)


def worse(metric: str, committed: list[Row], again: list[Row]) -> Iterator[str]:
    """Median, 90th percentile and coverage of one metric against the committed ones."""
    old, new = of_metric(committed, metric), of_metric(again, metric)
    if not len(new) >= len(old) > FEWEST_ROWS:
        yield f"{metric}: {len(new)} rows predicted, {len(old)} committed"
        return
    stated, found = summary(old), summary(new)
    for name in ("median", "p90"):
        was, now = getattr(stated, name), getattr(found, name)
        if not now <= was * MARGIN + MARGIN_POINTS:
            yield f"{metric}: {name} error {now:.4f}, committed {was:.4f}"
    if not coverage(new) >= coverage(old) - COVERAGE_MARGIN:
        yield f"{metric}: coverage {coverage(new):.3f}, committed {coverage(old):.3f}"


def unsound(row: Row) -> Iterator[str]:
    """A prediction that is not finite, or outside its own interval."""
    finite = all(math.isfinite(value) for value in (row.predicted, row.low, row.high))
    if not (finite and row.low <= row.predicted <= row.high):
        yield f"{row.label} GOGC={row.gogc}: {row.metric} {row.predicted} in [{row.low}, {row.high}]"


def _differs(name: str, page: str, command: str) -> list[str]:
    """A sentence if a committed page has another text."""
    if (ROOT / name).read_text(encoding="utf-8") == page:
        return []
    return [f"{name} is not what `python -m experiments.validation {command}` writes"]
