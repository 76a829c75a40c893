"""The study's results as files: ``results.csv``, a row for each metric of each run, and ``study.json``."""

import json
from pathlib import Path

from experiments.software.study import Row, Study
from experiments.validation.results import rows_from_csv, rows_to_csv
from gcsim.atomic import write_text_atomically

FOLDER = Path(__file__).parent
_TABLE, _STUDY = "results.csv", "study.json"


def save(study: Study, folder: Path) -> None:
    """Writes the files."""
    write_text_atomically(folder / _TABLE, rows_to_csv(study.rows, Row))
    write_text_atomically(folder / _STUDY, json.dumps({"left_out": study.left_out}, indent=1) + "\n")


def load(folder: Path) -> Study:
    """Reads the files."""
    rest = json.loads((folder / _STUDY).read_text(encoding="utf-8"))
    left_out = tuple((name, reason) for name, reason in rest["left_out"])
    rows = rows_from_csv((folder / _TABLE).read_text(encoding="utf-8"), Row)
    return Study(rows=rows, left_out=left_out)
