"""Bad input, each kind through the real command line: one clear sentence on standard error, exit status 2."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from example_service import example_log, example_service

from gcsim.cli.main import run

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "example.toml"
    example_service().save(path)
    return path


@pytest.fixture(scope="module")
def log_text() -> str:
    return example_log()


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command line that must fail as bad input; its one sentence."""

    def check(*arguments: object) -> str:
        status = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert status == 2, captured
        assert captured.out == ""
        lines = captured.err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("gcsim: ")
        assert "Traceback" not in lines[0]
        return lines[0]

    return check


LOG_COMMANDS = ("inspect", "calibrate", "validate")


def arguments_for(command: str, log: Path, model: Path, tmp_path: Path) -> list[object]:
    return {
        "inspect": ["inspect", log],
        "calibrate": ["calibrate", log, "-o", tmp_path / "new.toml"],
        "validate": ["validate", model, log],
    }[command]


@pytest.mark.parametrize("command", LOG_COMMANDS)
def test_an_empty_log(command: str, refused: Refused, model: Path, tmp_path: Path) -> None:
    """Names the file and how to get a trace."""
    log = tmp_path / "empty.log"
    log.write_text("")
    assert "empty.log" in refused(*arguments_for(command, log, model, tmp_path))
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.parametrize("command", LOG_COMMANDS)
def test_a_binary_file(command: str, refused: Refused, model: Path, tmp_path: Path) -> None:
    """A program instead of its log, say."""
    log = tmp_path / "app"
    log.write_bytes(b"\x7fELF" + bytes(range(256)) * 400)
    assert "app" in refused(*arguments_for(command, log, model, tmp_path))


@pytest.mark.parametrize("command", LOG_COMMANDS)
def test_a_missing_log(command: str, refused: Refused, model: Path, tmp_path: Path) -> None:
    """Names the file."""
    assert "nowhere.log" in refused(*arguments_for(command, tmp_path / "nowhere.log", model, tmp_path))


def test_a_log_with_two_cycles_is_too_little_to_calibrate(
    refused: Refused, log_text: str, tmp_path: Path
) -> None:
    """Says how many cycles there are and to capture for longer."""
    log = tmp_path / "short.log"
    log.write_text("\n".join(log_text.splitlines()[:2]) + "\n")
    sentence = refused("calibrate", log, "-o", tmp_path / "new.toml")
    assert "2 GC cycles" in sentence
    assert "longer" in sentence


def test_a_log_with_two_cycles_can_be_inspected(
    log_text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two cycles are enough for every metric."""
    log = tmp_path / "short.log"
    log.write_text("\n".join(log_text.splitlines()[:2]) + "\n")
    assert run(["inspect", str(log)]) == 0
    assert "2 cycles" in capsys.readouterr().out


def test_one_cycle_has_no_rate(refused: Refused, log_text: str, tmp_path: Path) -> None:
    """So inspect refuses it."""
    log = tmp_path / "one.log"
    log.write_text(log_text.splitlines()[0] + "\n")
    assert "at least two" in refused("inspect", log)


def test_a_log_of_a_program_with_gogc_off(refused: Refused, log_text: str, tmp_path: Path) -> None:
    """Only forced cycles, each with a goal beyond any heap: nothing the pacer decided, nothing to learn."""
    log = tmp_path / "off.log"
    forced = [
        line.replace(line.split(", ")[3], "8796093022207 MB goal") + " (forced)"
        for line in log_text.splitlines()
    ]
    assert all("8796093022207 MB goal, 0 MB stacks" in line for line in forced)
    log.write_text("\n".join(forced) + "\n")
    assert "off.log" in refused("calibrate", log, "-o", tmp_path / "new.toml")


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--gomemlimit", "512Mi"], "write 512MiB"),
        (["--gomemlimit", "1.5GiB"], "write 1536MiB"),
        (["--gogc", "-5"], "negative"),
        (["--gogc", "lots"], "whole number"),
        (["--go", "1.99"], "1.27"),
        (["--gomaxprocs", "0"], "from 1"),
        (["--gomaxprocs", "two"], "--gomaxprocs"),
        (["--replicas", "0"], "from 1"),
        (["--duration", "soon"], "10m"),
        (["--duration", "0s"], "more than zero"),
        (["--seed", "-1"], "0 or more"),
        (["--engine", "warp"], "lanes"),
        (["--gcgo", "100"], "--gcgo"),
        (["extra"], "extra"),
    ],
)
def test_a_malformed_option(arguments: list[str], remedy: str, refused: Refused, model: Path) -> None:
    """Names the option and what to write; Typer's own complaints read the same."""
    assert remedy in refused("simulate", model, *arguments)


@pytest.mark.parametrize("command", ["sweep", "simulate"])
def test_kubernetes_spelling_gets_gos(command: str, refused: Refused, model: Path) -> None:
    """The most frequent slip of all."""
    assert "512MiB" in refused(command, model, "--gomemlimit", "512Mi")


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--memory", "512"], "512MiB or 512Mi"),
        (["--memory", "0"], "512MiB"),
        (["--memory", "2GiB", "--max-gc-cpu", "10 percent"], "10%"),
        (["--memory", "2GiB", "--max-stw-p99", "fast"], "--max-stw-p99"),
        ([], "--memory"),
    ],
)
def test_malformed_constraints(arguments: list[str], remedy: str, refused: Refused, model: Path) -> None:
    """Each names its option."""
    assert remedy in refused("recommend", model, *arguments)


def test_an_unknown_model_lists_what_ships(refused: Refused) -> None:
    """By name or by path."""
    assert "no-such-service" in refused("simulate", "no-such-service")


def test_a_truncated_model(refused: Refused, model: Path, tmp_path: Path) -> None:
    """Cut at any line, it is refused, not half believed."""
    lines = model.read_text().splitlines()
    for kept in range(len(lines)):
        broken = tmp_path / "cut.toml"
        broken.write_text("\n".join(lines[:kept]))
        assert "cut.toml" in refused("simulate", broken)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('loop = "closed"', 'loop = "spiral"'),
        ('loop = "closed"', "loop = closed"),
        ("live_bytes", "life_bytes"),
        ('gogc = "100"', 'gogc = "plenty"'),
        ("gomaxprocs = 2", "gomaxprocs = -2"),
        ("duration_seconds = ", "duration_seconds = -"),
        ("rel_sd = 0.0", "rel_sd = -0.1"),
    ],
)
def test_a_hand_broken_model(old: str, new: str, refused: Refused, model: Path, tmp_path: Path) -> None:
    """Names the file; the mistake is not simulated."""
    text = model.read_text()
    assert old in text
    broken = tmp_path / "broken.toml"
    broken.write_text(text.replace(old, new))
    assert "broken.toml" in refused("simulate", broken)


def test_a_model_from_a_newer_version(refused: Refused, model: Path, tmp_path: Path) -> None:
    """Says to upgrade."""
    newer = tmp_path / "newer.toml"
    newer.write_text(model.read_text().replace("format_version = 1", "format_version = 999"))
    assert "newer" in refused("sweep", newer)


def test_a_binary_model(refused: Refused, tmp_path: Path) -> None:
    """Not TOML, not text."""
    broken = tmp_path / "model.toml"
    broken.write_bytes(b"\xff\xfe\x00binary")
    assert "model.toml" in refused("recommend", broken, "--memory", "1GiB")


@pytest.mark.parametrize("name", ["in-a-file/new", "no/such/folder/new.toml"])
def test_an_unwritable_model_output(name: str, refused: Refused, log_text: str, tmp_path: Path) -> None:
    """Below a file, and below a folder that does not exist."""
    log = tmp_path / "ok.log"
    log.write_text(log_text)
    (tmp_path / "in-a-file").write_text("")
    assert "cannot be written" in refused("calibrate", log, "-o", tmp_path / name)


@pytest.mark.parametrize("command", ["sweep", "plot", "recommend"])
def test_an_unwritable_output_folder(command: str, refused: Refused, model: Path, tmp_path: Path) -> None:
    """A file stands where the folder should be: said before anything is simulated."""
    (tmp_path / "taken").write_text("")
    more = ["--memory", "1GiB"] if command == "recommend" else []
    assert "taken" in refused(command, model, "-o", tmp_path / "taken", *more)


def test_a_read_only_folder(refused: Refused, model: Path, tmp_path: Path) -> None:
    """Refused before the sweep runs."""
    if os.geteuid() == 0:
        pytest.skip("root may write into a read-only folder")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "locked" in refused("sweep", model, "-o", tmp_path / "locked")


@pytest.mark.parametrize(
    "content", ["", "{}", '{"runs": []}', '{"runs": [{"settings": {}}]}', "[1]", "not json"]
)
def test_a_broken_sweep_file(content: str, refused: Refused, tmp_path: Path) -> None:
    """plot reads sweep.json back, and says so when it cannot."""
    sweep = tmp_path / "sweep.json"
    sweep.write_text(content)
    assert "sweep.json" in refused("plot", sweep, "-o", tmp_path / "out")


def test_standard_input_is_read_once(refused: Refused) -> None:
    """Naming it twice is a slip."""
    assert "once" in refused("inspect", "-", "-")


def test_the_console_script_exits_with_2_and_without_a_traceback(tmp_path: Path) -> None:
    """The same through a real process."""
    found = subprocess.run(
        [sys.executable, "-m", "gcsim", "simulate", str(tmp_path / "nothing.toml"), "--json"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert found.returncode == 2
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 1
