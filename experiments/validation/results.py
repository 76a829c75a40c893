"""The study's results as files: a row for each metric of each run, and ``study.json``.

``results.csv`` holds what the page is made of, ``early.csv`` the short runs at settings that a long one stands for.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from experiments.validation.study import Row, Study
from gcsim.atomic import write_text_atomically

_Record = TypeVar("_Record")
_DIGITS = 6
_TABLE, _EARLY, _STUDY = "results.csv", "early.csv", "study.json"
_ROWS = ("rows", "early_rows")


def save_study(study: Study, folder: Path) -> None:
    """Write the files."""
    write_text_atomically(folder / _TABLE, rows_to_csv(study.rows, Row))
    write_text_atomically(folder / _EARLY, rows_to_csv(study.early_rows, Row))
    rest = {f.name: getattr(study, f.name) for f in fields(Study) if f.name not in _ROWS}
    write_text_atomically(folder / _STUDY, json.dumps(rest, indent=1) + "\n")


def load_study(folder: Path) -> Study:
    """Read the files."""
    rest = json.loads((folder / _STUDY).read_text())
    left_out = tuple((name, reason) for name, reason in rest.pop("left_out"))
    rows, early_rows = (rows_from_csv((folder / file).read_text(), Row) for file in (_TABLE, _EARLY))
    return Study(rows=rows, early_rows=early_rows, left_out=left_out, **rest)


def rows_to_csv(rows: Iterable[Any], record: type[Any]) -> str:
    """The table of instances of the dataclass ``record``, whose fields are text and numbers."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(record)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in asdict(row).items()})
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return "off"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{_DIGITS}g}"
    return str(value)


def rows_from_csv(text: str, record: Callable[..., _Record]) -> tuple[_Record, ...]:
    """The rows of ``rows_to_csv``, to the digits kept there."""
    kinds = {f.name: f.type for f in fields(cast("Any", record))}
    return tuple(
        record(**{name: _value(cell, str(kinds[name])) for name, cell in line.items()})
        for line in csv.DictReader(io.StringIO(text))
    )


def _value(cell: str, kind: str) -> Any:
    if "int" in kind:
        return None if cell == "off" else int(cell)
    if "float" in kind:
        return float(cell) if cell else math.nan
    return cell == "True" if "bool" in kind else cell
