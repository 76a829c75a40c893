"""``--table`` of the installed commands: a row for each simulated setting, in CSV or Parquet."""

import csv
import json
from pathlib import Path

import pytest
from installed_script import Installed

_QUICK = ("--duration", "5s", "--replicas", "2", "--json")
_COMMANDS = {
    "simulate": (("simulate", "order-service"), "model", ["order-service"]),
    "whatif": (
        ("whatif", "order-service", "--scale-live", "2", "--memory", "1GiB"),
        "part",
        ["before", "after", "recommended"],
    ),
    "fleet": (
        ("fleet", "order-service", "order-service-open*2", "--memory", "2GiB"),
        "service",
        ["order-service", "order-service-open"],
    ),
}


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_table_has_the_figures_of_the_document(
    command: str, installed: Installed, tmp_path: Path
) -> None:
    """The same labels in order, and the same GC CPU."""
    arguments, label, expected = _COMMANDS[command]
    done = installed.run(*arguments, *_QUICK, "--table", "runs.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote runs.csv" in done.stderr
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert [row[label] for row in rows] == expected
    document = json.loads(done.stdout)
    shown = {
        "simulate": lambda: [document["metrics"]["gc_cpu_fraction"]],
        "whatif": lambda: [
            document[part]["metrics"]["gc_cpu_fraction"] for part in ("before", "after", "recommended")
        ],
        "fleet": lambda: [one["gc_cpu_fraction"] for one in document["services"]],
    }[command]()
    for row, one in zip(rows, shown, strict=True):
        assert float(row["gc_cpu_fraction"]) == pytest.approx(one["value"], rel=1e-6)
        assert float(row["gc_cpu_fraction_high"]) == pytest.approx(one["high"], rel=1e-6)
    if command == "fleet":
        assert [(row["replicas"], row["memory_bytes"]) for row in rows] == [
            (str(one["replicas"]), str(one["memory_bytes"])) for one in document["services"]
        ]


def test_a_table_that_cannot_be_written_is_refused_before_the_work(
    installed: Installed, tmp_path: Path
) -> None:
    """One sentence, exit status 2, and no output."""
    for arguments, _, _ in _COMMANDS.values():
        done = installed.run(*arguments, "--table", "runs.xlsx", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "must end in .csv or .parquet" in done.stderr
