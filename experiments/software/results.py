"""The studies' results as files.

``results.csv`` has a row for each metric of each run, ``regret.csv`` a row for each recommendation,
``constrained.csv`` a row for each recommendation with a bound on latency or time, ``times.csv`` a row for each
predicted latency or time, ``study.json`` the runs that were left out.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from experiments.software.constrained_rows import Row as ConstrainedRow
from experiments.software.regret import Row as RegretRow
from experiments.software.study import Row, Study
from experiments.validation.results import rows_from_csv, rows_to_csv
from gcsim.atomic import write_text_atomically

FOLDER = Path(__file__).parent
_TABLE, _STUDY, _REGRET = "results.csv", "study.json", "regret.csv"
_CONSTRAINED, _TIMES = "constrained.csv", "times.csv"


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


def save_constrained(rows: Iterable[ConstrainedRow], times: Iterable[Row], folder: Path) -> None:
    """Writes the rows of the recommendations with a bound, and of latencies and times."""
    write_text_atomically(folder / _CONSTRAINED, rows_to_csv(rows, ConstrainedRow))
    write_text_atomically(folder / _TIMES, rows_to_csv(times, Row))


def load_constrained(folder: Path) -> tuple[tuple[ConstrainedRow, ...], tuple[Row, ...]]:
    """Reads the rows of the recommendations with a bound, and of latencies and times; none without the files."""
    if not (folder / _CONSTRAINED).exists():
        return (), ()
    rows, times = ((folder / name).read_text(encoding="utf-8") for name in (_CONSTRAINED, _TIMES))
    return rows_from_csv(rows, ConstrainedRow), rows_from_csv(times, Row)


def load(folder: Path) -> Study:
    """Reads the files."""
    rest = json.loads((folder / _STUDY).read_text(encoding="utf-8"))
    left_out = tuple((name, reason) for name, reason in rest["left_out"])
    rows = rows_from_csv((folder / _TABLE).read_text(encoding="utf-8"), Row)
    return Study(rows=rows, left_out=left_out)
