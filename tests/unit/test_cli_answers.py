"""The commands' answers: tables of 80 columns, marks with a legend, and nothing unsafe to paste."""

import json
import re
from pathlib import Path

import pytest
from example_service import example_log, example_service

from gcsim.cli import progress
from gcsim.cli.main import run

QUICK = ["--duration", "30s", "--replicas", "4"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "example.toml"
    example_service().save(path)
    return str(path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """Standard output of a command; no line is wider than a terminal of 80 columns."""
    capsys.readouterr()
    assert run(list(arguments)) == status
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80, out
    return out


def test_a_recommendation_compares_today_with_the_setting_to_paste(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first five lines are the answer; then today's setting next to the recommended one, and the limits."""
    out = printed(capsys, "recommend", model, "--memory", "512MiB", *QUICK)
    answer = "\n".join(out.splitlines()[:5])
    assert re.search(
        r"^  GOGC=\d+\n  GOMEMLIMIT=\d+MiB\nSaves [\d.]+ \([\d.]+ to [\d.]+\) cores of GC", answer, re.M
    )
    assert re.search(r"Fits 512 MiB in +(>99.9|[\d.]+±[\d.]+) % of runs", answer.replace("\n", " "))
    assert re.search(r"^  GOGC=\d+\n  GOMEMLIMIT=\d+MiB$", out, re.M)
    head = next(line for line in out.splitlines() if "recommended" in line)
    assert head.split() == ["today", "recommended", "limit", "kept", "in"]
    assert re.search(r"^GOGC +100 +\d+$", out, re.M)
    assert re.search(
        r"^container, peak +2\d\d MiB +\d+ MiB \(.*\) +512 MiB +(>99.9|[\d.]+±[\d.]+) %$", out, re.M
    )
    assert re.search(r"^GC, cores +0\.\d+ +0\.\d+ \(0\.\d+ to 0\.\d+\)$", out, re.M)
    assert re.search(
        r"^live heap × 1.3 +\d+ MiB +[\d.]+ % +holds +\d+ MiB +[\d.]+ % +(holds|breaks)$", out, re.M
    )
    assert re.search(r"^recommended +\d+ +\d+MiB", out, re.M)


@pytest.mark.parametrize(
    ("options", "memory_kept"),
    [(["--memory", "64MiB"], False), (["--memory", "512MiB", "--max-gc-cpu", "1%"], True)],
)
def test_a_miss_prints_nothing_to_paste(
    options: list[str], memory_kept: bool, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, the ways out, and no line that could go into an environment."""
    out = printed(capsys, "recommend", model, *options, *QUICK, status=1)
    assert "Not possible:" in out
    assert not re.search(r"^\s*(GOGC|GOMEMLIMIT)=\S+\s*$", out, re.M)
    assert "chosen" not in out
    assert "recommended" not in out
    assert ("the least GC CPU is" in out) is memory_kept
    assert "it takes about" in " ".join(out.split())


def test_a_map_names_its_axes_and_marks_faults_and_the_best(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two maps with the tightest limit first; a mark for each fault, the best in brackets in both, a legend."""
    grid = ["--gogc", "50:800:9", "--gomemlimit", "off,90MiB,300MiB,480MiB", "--memory", "512MiB"]
    out = printed(capsys, "sweep", model, *grid, *QUICK)
    assert out.count("GOMEMLIMIT \\ GOGC") == 2
    rows = [line.split() for line in out.splitlines() if re.match(r"\d+MiB|off", line)]
    assert [row[0] for row in rows] == ["90MiB", "300MiB", "480MiB", "off"] * 2
    assert all(cell.endswith(("x", "#")) for cell in rows[0][1:])
    assert rows[3][-1].endswith("!")
    assert sum(cell.startswith("[") and cell.endswith("]") for row in rows for cell in row) == 2
    legend = out.split("\n\n")[-1]
    assert {line.split()[0] for line in legend.splitlines()} >= {"!", "x", "["}


def test_a_wide_map_is_cut_into_parts_that_fit(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each part repeats the limits."""
    grid = ["--gogc", "25:3200:20", "--gomemlimit", "off,200MiB"]
    out = printed(capsys, "sweep", model, *grid, *QUICK)
    assert out.count("GOMEMLIMIT \\ GOGC") >= 4
    columns = [line.split()[3:] for line in out.splitlines() if line.startswith("GOMEMLIMIT \\")]
    names = [name for part in columns for name in part]
    assert names[: len(names) // 2] == names[len(names) // 2 :]
    assert len(names) == 40


def test_rows_mark_what_does_not_fit_and_the_best(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One row per setting for a small grid."""
    out = printed(capsys, "sweep", model, "--gogc", "100,200,1600", "--memory", "400MiB", *QUICK)
    rows = [line.split() for line in out.splitlines() if re.match(r"\d+ ", line)]
    assert [row[0] for row in rows] == ["100", "200", "1600"]
    assert rows[-1][-1] == "!"
    assert [row[-1] for row in rows].count("best") == 1


def test_validation_names_the_log_and_metric_that_broke_the_bound(
    model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Log by log with a blank line between; the JSON document lists the same."""
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    for log in logs:
        log.write_text(example_log(), encoding="utf-8")
    asked = ["validate", model, *map(str, logs), "--gogc", "400", "--max-error", "10%", "--replicas", "4"]
    out = printed(capsys, *asked, status=1)
    flat = " ".join(out.split())
    for log in logs:
        assert re.search(rf"{log}: GC cycles per second has an error of -\d", flat)
    assert "errors above --max-error 10 %" in flat
    assert re.search(r"inside the 90 % interval, ! marks the others\n\n.*b.log", out, re.S)
    assert run([*asked, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["max_error"] == 0.1
    assert {item["log"] for item in document["broken"]} == set(map(str, logs))
    assert all(abs(item["error"]) > 0.1 for item in document["broken"])
    passing = [*asked[:-5], "100", "--max-error", "50%", "--replicas", "4"]
    assert "passed: every judged metric" in printed(capsys, *passing)


def test_another_go_version_is_noted_in_every_simulating_command(
    model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Once, on standard error; nothing for the calibrated version."""
    commands = {
        "simulate": ["--json"],
        "sweep": ["--gogc", "50,100", "--json"],
        "plot": ["--gogc", "100", "-o", str(tmp_path)],
    }
    for command, options in commands.items():
        for go, noted in (("1.25", 1), ("1.27", 0)):
            quick = ["--duration", "20s"] + ([] if command == "plot" else ["--replicas", "2"])
            assert run([command, model, "--go", go, *options, *quick]) == 0
            assert capsys.readouterr().err.count("marking costs are those measured on Go 1.27") == noted


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how much is done of how much, and none of it on standard output."""
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.02)
    assert run(["recommend", model, "--memory", "512MiB", "--json", *QUICK]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["feasible"] is True
    assert re.search(r"^gcsim: recommend: \d+ of \d+ settings, \d+ s$", found.err, re.M)


@pytest.mark.usefixtures("only_large")
def test_a_report_shows_today_and_pastes_only_what_fits(
    model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A setting that fits is ready to paste next to today's; a miss is not."""
    page = tmp_path / "page.html"
    asked = ["report", model, "--gogc", "50,200", "-o", str(page), *QUICK]
    assert run([*asked, "--memory", "512MiB"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "today (GOGC=100 GOMEMLIMIT=off)" in text
    assert "Roll back" in text
    assert "name: GOMEMLIMIT" in text
    assert run([*asked, "--memory", "64MiB"]) == 0
    miss = page.read_text(encoding="utf-8")
    assert "Not possible" in miss
    assert "name: GOMEMLIMIT" not in miss
    capsys.readouterr()
