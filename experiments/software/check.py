"""Compares what is committed on real software with what the code gives now."""

import math
from collections.abc import Iterator

from experiments.software.matrix import CAPTURES, plans
from experiments.software.page import PAGE, software_page
from experiments.software.results import FOLDER, load, load_constrained, load_regret
from experiments.software.study import SOURCES, Row, study

LABELS = {"nats-stream-long", "rclone-serve", "go-compile"}  # a small part of each kind
_MARGIN = 0.02  # relative: the rounding of another NumPy, and no more


def page_faults() -> list[str]:
    """A sentence if the page is not the one that the committed tables give."""
    if PAGE.read_text(encoding="utf-8") == software_page(
        load(FOLDER), load_regret(FOLDER), *load_constrained(FOLDER)
    ):
        return []
    return [f"{PAGE.name} is not what `python -m experiments.software report --from-table` writes"]


def prediction_faults() -> Iterator[str]:
    """A sentence for each prediction of a small part that is not the committed one; first runs, from captures."""
    committed = {_key(row): row for row in load(FOLDER).rows}
    chosen = [one for one in plans(LABELS) if one[1].repeat == 1]
    for row in study(chosen, CAPTURES, sources=SOURCES[:1]).rows:
        known = committed.get(_key(row))
        if known is None:
            yield f"{_key(row)} is not in the committed table"
        elif row.predicted > 0 and abs(math.log(row.predicted / max(known.predicted, 1e-12))) > _MARGIN:
            yield f"{_key(row)}: {row.predicted:.6g} predicted, {known.predicted:.6g} committed"


def _key(row: Row) -> tuple[object, ...]:
    return row.label, row.procs, row.gogc, row.limit_mib, row.repeat, row.source, row.metric
