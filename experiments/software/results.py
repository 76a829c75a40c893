"""The studies' results as files.

``results.csv`` has a row for each metric of each run, ``regret.csv`` a row for each recommendation, ``study.json`` the
runs that were left out.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from experiments.software.regret import Row as RegretRow
from experiments.software.study import Row, Study
from experiments.validation.results import rows_from_csv, rows_to_csv
from gcsim.atomic import write_text_atomically

FOLDER = Path(__file__).parent
_TABLE, _STUDY, _REGRET = "results.csv", "study.json", "regret.csv"


def save(study: Study, folder: Path) -> None:
    """Writes the files."""
    write_text_atomically(folder / _TABLE, rows_to_csv(study.rows, Row))
    write_text_atomically(folder / _STUDY, json.dumps({"left_out": study.left_out}, indent=1) + "\n")


def save_regret(rows: Iterable[RegretRow], folder: Path) -> None:
    """Writes the rows of the recommendations."""
    write_text_atomically(folder / _REGRET, rows_to_csv(rows, RegretRow))


def load_regret(folder: Path) -> tuple[RegretRow, ...]:
    """Reads the rows of the recommendations."""
    return rows_from_csv((folder / _REGRET).read_text(encoding="utf-8"), RegretRow)


def load(folder: Path) -> Study:
    """Reads the files."""
    rest = json.loads((folder / _STUDY).read_text(encoding="utf-8"))
    left_out = tuple((name, reason) for name, reason in rest["left_out"])
    rows = rows_from_csv((folder / _TABLE).read_text(encoding="utf-8"), Row)
    return Study(rows=rows, left_out=left_out)
