"""``gcsim heap``: the plan of a program, and the command."""

import csv
from pathlib import Path

import pytest

from gcsim.cli.main import run
from gcsim.units import MIB

PLAN = """
[[kind]]
size_bytes = 128
[[kind]]
size_bytes = 65536
[[phase]]
duration = "4s"
kept_per_second = ["5MiB", "5MiB"]
[[phase]]
duration = "3s"
dropped = 0.9
collect = true
"""


def written(folder: Path, text: str) -> str:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_scattered_drops_leave_spans_in_use(tmp_path: Path) -> None:
    """HeapAlloc falls by 90 %; of the spans of small objects almost none becomes free."""
    assert run(["heap", written(tmp_path, PLAN), "-o", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "heap-course.csv").open(encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["seconds"] for row in rows] == [float(second) for second in range(1, 8)]
    grown, dropped = rows[3], rows[-1]
    assert grown["heap_alloc_bytes"] == pytest.approx(40 * MIB, rel=0.02)
    assert dropped["heap_alloc_bytes"] == pytest.approx(4 * MIB, rel=0.1)
    assert dropped["heap_in_use_bytes"] == pytest.approx(22 * MIB, rel=0.05)
    assert (tmp_path / "out" / "heap-course.svg").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "[[kind]]"),
        (PLAN.replace("size_bytes = 128", "size_bytes = 0"), "size_bytes"),
        (PLAN.replace("dropped = 0.9", "dropped = 9"), "dropped"),
        (PLAN.replace('["5MiB", "5MiB"]', '["5MiB"]'), "kept_per_second"),
        (PLAN.replace('"4s"', '"4h"'), "shorten"),
        (PLAN.replace('["5MiB", "5MiB"]', '["900MiB", "5MiB"]').replace('"4s"', '"50m"'), "lower the rates"),
        (PLAN + "speed = 1", "speed"),
        (PLAN.replace("collect = true", "collect = 1"), "collect"),
        ("[kind]", "two brackets"),
    ],
)
def test_a_bad_plan_is_one_sentence(
    tmp_path: Path, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the key, and the exit status is 2."""
    assert run(["heap", written(tmp_path, text)]) == 2
    message = capsys.readouterr().err
    assert named in message
    assert "plan.toml" in message


@pytest.mark.parametrize("options", [("--gogc", "off"), ("--gomaxprocs", "0"), ("--go", "2.0")])
def test_a_bad_setting_is_named(
    tmp_path: Path, options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As in other commands."""
    assert run(["heap", written(tmp_path, PLAN), *options]) == 2
    message = capsys.readouterr().err
    assert options[0] in message or options[1] in message
