"""Runs as a table in a file: CSV, or Parquet if the name ends so."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from gcsim.atomic import check_output, replacing, write_text_atomically
from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.tuning.csv_cells import as_text, figure_cells, knob_cells

_KNOBS = ("gogc", "gomemlimit", "gomaxprocs", "go")
_PARQUET = ".parquet"


def check_table(path: Path) -> None:
    """Raises InputError for a file of another kind, for Parquet without its library, and for a bad place."""
    if path.suffix not in (".csv", _PARQUET):
        raise InputError(f"--table: {path} must end in .csv or .parquet")
    if path.suffix == _PARQUET:
        from gcsim.tuning.parquet_file import check_parquet

        check_parquet(path)
    check_output(path)


def write_table(
    path: Path,
    label: str,
    rows: Sequence[tuple[str, Run]],
    *,
    more: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Writes one row per run, whole or not at all: its label, its setting, and value, low and high of each metric.

    ``more`` has further columns of numbers by their names, between setting and metrics.
    """
    names = list(dict.fromkeys(name for _, run in rows for name in run.metrics))
    more = more or {}
    if path.suffix == _PARQUET:
        _write_parquet(path, label, rows, names, more)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ends = (f"{name}{end}" for name in names for end in ("", "_low", "_high"))
    writer.writerow([label, *_KNOBS, *more, *ends])
    for place, (what, run) in enumerate(rows):
        numbers = (_number(column[place]) for column in more.values())
        writer.writerow([as_text(what), *knob_cells(run.settings), *numbers, *figure_cells(run, names)])
    write_text_atomically(path, text.getvalue())


def _number(value: float) -> str:
    """A whole number exactly, another one with the digits of the metrics."""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _write_parquet(
    path: Path,
    label: str,
    rows: Sequence[tuple[str, Run]],
    names: Sequence[str],
    more: Mapping[str, Sequence[float]],
) -> None:
    """The same columns; limits in bytes, and null where GOGC or the limit is off or a metric is missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    settings = [run.settings for _, run in rows]
    columns = {
        label: pa.array([what for what, _ in rows], pa.string()),
        "gogc": pa.array([one.gogc for one in settings], pa.int64()),
        "gomemlimit_bytes": pa.array([one.gomemlimit_bytes for one in settings], pa.int64()),
        "gomaxprocs": pa.array([one.gomaxprocs for one in settings], pa.int32()),
        "go": pa.array([one.go for one in settings], pa.string()),
        **{name: pa.array([float(one) for one in column], pa.float64()) for name, column in more.items()},
    }
    for name in names:
        found = [run.metrics.get(name) for _, run in rows]
        for end, part in (("", "value"), ("_low", "low"), ("_high", "high")):
            values = [None if one is None else float(getattr(one, part)) for one in found]
            columns[f"{name}{end}"] = pa.array(values, pa.float64())
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary)
