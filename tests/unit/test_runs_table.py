"""Runs as a table in a file, CSV or Parquet."""

import csv
from pathlib import Path

import pytest

from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.runs_table import check_table, write_table

ROWS = [
    ("today", Run(settings=Settings(gogc=100), metrics={"gc_cpu_fraction": Estimate(0.2, 0.1, 0.3)})),
    (
        "=1+1",
        Run(
            settings=Settings(gogc=None, gomemlimit_bytes=64 << 20),
            metrics={
                "gc_cpu_fraction": Estimate(0.05, 0.04, 0.06),
                "rss_peak_bytes": Estimate(9e7, 8e7, 1e8),
            },
        ),
    ),
]


def test_csv_has_a_row_per_run_with_the_setting_as_go_spells_it(tmp_path: Path) -> None:
    """A metric that a run lacks is empty, and a label is no formula of a spreadsheet."""
    path = tmp_path / "runs.csv"
    check_table(path)
    write_table(path, "part", ROWS)
    today, other = csv.DictReader(path.read_text().splitlines())
    assert (today["part"], today["gogc"], today["gomemlimit"], today["rss_peak_bytes"]) == (
        "today",
        "100",
        "off",
        "",
    )
    assert (other["part"], other["gogc"], other["gomemlimit"]) == ("'=1+1", "off", "64MiB")
    assert (float(other["gc_cpu_fraction_low"]), float(other["rss_peak_bytes_high"])) == (0.04, 1e8)


def test_further_numbers_stand_between_setting_and_metrics(tmp_path: Path) -> None:
    """One for each run."""
    path = tmp_path / "runs.csv"
    write_table(path, "service", ROWS, more={"replicas": [3, 1]})
    head, *lines = csv.reader(path.read_text().splitlines())
    assert head[:7] == ["service", "gogc", "gomemlimit", "gomaxprocs", "go", "replicas", "gc_cpu_fraction"]
    assert [line[5] for line in lines] == ["3", "1"]


def test_parquet_has_the_same_rows_with_null_for_off(tmp_path: Path) -> None:
    """Values are exact."""
    reader = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "runs.parquet"
    check_table(path)
    write_table(path, "part", ROWS)
    today, other = reader.read_table(path).to_pylist()
    assert (today["gogc"], today["gomemlimit_bytes"], today["rss_peak_bytes"]) == (100, None, None)
    assert (other["gogc"], other["gomemlimit_bytes"], other["rss_peak_bytes_high"]) == (None, 64 << 20, 1e8)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """Before any work, and so is a folder that does not exist."""
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        check_table(tmp_path / "runs.xlsx")
    with pytest.raises(InputError, match="nowhere"):
        check_table(tmp_path / "nowhere" / "runs.csv")
