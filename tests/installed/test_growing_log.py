"""A growing log through the installed script: predictions go on with the growth and say when a limit is reached."""

import json
from pathlib import Path

import pytest
from installed_script import Installed

MIB = 1 << 20


@pytest.fixture(scope="module")
def growing(installed: Installed) -> Path:
    """The folder of a log: 30 MiB live and 2 MiB more each second, 40 s of GOGC=100 at 100 MiB/s."""
    lines, now_s, marked = [], 0.1, 30.0
    for number in range(1, 200):
        goal = 2.0 * marked
        start = marked + 0.93 * (goal - marked)
        now_s += (start - marked) / 100.0
        live, mark_s = 30.0 + 2.0 * now_s, 0.01
        end = start + 1.0
        marked = live + 1.0
        lines.append(
            f"gc {number} @{now_s:.3f}s 1%: 0.020+{1e3 * mark_s:.1f}+0.020 ms clock, 0.040+0/5.0/2.0+0.040 ms cpu,"
            f" {int(start)}->{int(end)}->{int(marked)} MB, {int(goal)} MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
        )
        now_s += mark_s
        if now_s > 40.0:
            break
    (installed.folder / "grows.log").write_text("".join(lines))
    return installed.folder


def test_predictions_go_on_with_the_growth(installed: Installed, growing: Path) -> None:
    """Ten minutes: the heap peak of a live heap of 1.2 GiB, and the time at which the limit is reached."""
    fitted = installed.run("calibrate", "grows.log", "-o", "grows.toml", "--go", "1.27", cwd=growing)
    assert fitted.returncode == 1  # a leak is not to be trusted
    assert "predictions go on with this growth" in " ".join(fitted.stdout.split())
    found = installed.run("simulate", "grows.toml", "--json", "--replicas", "16", cwd=growing)
    peak = json.loads(found.stdout)["metrics"]["heap_peak_bytes"]
    assert peak["low"] <= 2.0 * 1240 * MIB <= peak["high"]
    assert "limits_reached" not in json.loads(found.stdout)
    limited = installed.run("simulate", "grows.toml", "--gomemlimit", "500MiB", cwd=growing)
    assert "the live heap reaches the limit of 500 MiB after" in " ".join(limited.stdout.split())


@pytest.mark.parametrize(
    "command", [("recommend",), ("sweep", "--gogc", "50,100", "--gomemlimit", "off,400MiB")]
)
def test_every_prediction_says_when_memory_is_reached(
    installed: Installed, growing: Path, command: tuple[str, ...]
) -> None:
    """As a sentence and in the document, with the time and its interval."""
    installed.run("calibrate", "grows.log", "-o", "grows.toml", "--go", "1.27", cwd=growing)
    how = (
        command[0],
        "grows.toml",
        *command[1:],
        "--memory",
        "512MiB",
        "--duration",
        "30s",
        "--replicas",
        "4",
    )
    assert "after" in installed.run(*how, cwd=growing).stdout.split("At this rate of growth")[1]
    reached = json.loads(installed.run(*how, "--json", cwd=growing).stdout)["limits_reached"]
    assert 50.0 < reached[0]["seconds"]["low"] < reached[0]["seconds"]["value"] < 400.0


def test_a_job_is_not_extrapolated(installed: Installed, growing: Path) -> None:
    """With --job a run of ten minutes peaks as the job does."""
    installed.run("calibrate", "grows.log", "-o", "job.toml", "--go", "1.27", "--job", cwd=growing)
    found = installed.run("simulate", "job.toml", "--json", "--replicas", "8", cwd=growing)
    assert json.loads(found.stdout)["metrics"]["heap_peak_bytes"]["value"] < 300 * MIB


@pytest.mark.parametrize(
    ("was_stopped", "option", "is_job"), [(False, (), True), (True, (), False), (False, ("--no-job",), False)]
)
def test_a_busy_program_that_ended_by_itself_is_a_job(
    installed: Installed, growing: Path, was_stopped: bool, option: tuple[str, ...], is_job: bool
) -> None:
    """The side file says how the program ended; an option overrides it."""
    side = {
        "go": "1.27", "gomaxprocs": 2, "wall_seconds": 41.0, "cpu_seconds": 70.0, "exit_status": 0,
        "was_stopped": was_stopped,
    }  # fmt: skip
    (growing / "ended.log").write_bytes((growing / "grows.log").read_bytes())
    (growing / "ended.log.meta.json").write_text(json.dumps(side))
    found = installed.run("calibrate", "ended.log", "-o", "ended.toml", "--json", *option, cwd=growing)
    growth = [one["text"] for one in json.loads(found.stdout)["findings"] if one["kind"] == "growth"]
    assert any("one whole run of a job" in text for text in growth) == is_job
