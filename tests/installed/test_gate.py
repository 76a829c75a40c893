"""The gate of a pipeline: the script that the GitHub Action and the container image run, with the installed gcsim."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from installed_script import CHECKOUT, Installed

GATE = CHECKOUT / "gate" / "gate.sh"
ACTION = (CHECKOUT / "action.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def logs(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and with the log of another run."""
    made = tmp_path_factory.mktemp("gate")
    how = ("--duration", "60s", "--replicas", "1", "--trace-out")
    assert installed.run("simulate", "order-service-open", *how, "base.log", cwd=made).returncode == 0
    assert installed.run("calibrate", "base.log", "-o", "app.toml", "--go", "1.27", cwd=made).returncode == 0
    assert (
        installed.run("simulate", "order-service-open", "--seed", "5", *how, "test.log", cwd=made).returncode
        == 0
    )
    return made


def gate(installed: Installed, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """A run of the script, with gcsim on PATH."""
    path = f"{installed.script.parent}{os.pathsep}{os.environ['PATH']}"
    files = {"GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_OUTPUT": "output.txt"}
    for name in files.values():
        (folder / name).unlink(missing_ok=True)
    return subprocess.run(
        ["bash", GATE],
        cwd=folder,
        env={**os.environ, **files, "PATH": path, **given},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_log_that_the_model_describes_passes(installed: Installed, logs: Path) -> None:
    """Status 0, the words of both checks in the output of the step, their text in its summary."""
    found = gate(
        installed, logs, GATE_LOG="test.log", GATE_MODEL="app.toml", GATE_GO="1.27", GATE_MAX_ERROR="40%"
    )
    assert found.returncode == 0, found.stdout
    assert (logs / "output.txt").read_text(encoding="utf-8") == "validate=passed\ndiagnose=passed\n"
    summary = (logs / "summary.md").read_text(encoding="utf-8")
    assert "### gcsim validate: passed\n\n    app" in summary
    assert all(line == "" or line.startswith(("###", "    ")) for line in summary.splitlines())


def test_an_error_above_the_bound_fails(installed: Installed, logs: Path) -> None:
    """Status 1; the other check still runs."""
    found = gate(
        installed, logs, GATE_LOG="test.log", GATE_MODEL="app.toml", GATE_GO="1.27", GATE_MAX_ERROR="0.01%"
    )
    assert found.returncode == 1
    assert (logs / "output.txt").read_text(encoding="utf-8") == "validate=failed\ndiagnose=passed\n"


def test_bad_input_is_status_2(installed: Installed, logs: Path) -> None:
    """A missing log, a missing variable, a report without a model: each with a sentence."""
    found = gate(installed, logs, GATE_LOG="none.log")
    assert found.returncode == 2
    assert "none.log" in found.stdout
    nothing = gate(installed, logs, GATE_LOG="")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "GATE_LOG is missing" in nothing.stderr
    report = gate(installed, logs, GATE_LOG="test.log", GATE_REPORT="a.html")
    assert report.returncode == 2
    assert "GATE_REPORT needs GATE_MODEL" in report.stderr


def test_the_action_passes_on_every_input() -> None:
    """Each input is declared and used, and each variable of the action is read by the script."""
    declared = re.findall(r"^  ([\w-]+):$", ACTION.split("inputs:\n")[1].split("\noutputs:")[0], re.MULTILINE)
    used = re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", ACTION)
    assert sorted(used) == sorted(declared)
    passed = set(re.findall(r"^        (GATE_\w+):", ACTION, re.MULTILINE)) - {
        "GATE_PYTHON",
        "GATE_SOURCE",
        "GATE_HOME",
    }
    read = set(re.findall(r"\$\{(GATE_\w+)", GATE.read_text(encoding="utf-8")))
    assert passed == read
    assert not re.search(r"run:.*\$\{\{", ACTION)  # an input in a command could run as one


def test_the_image_copies_what_there_is() -> None:
    """Each path that the recipe copies from the project exists, and so does all that the wheel is made of."""
    text = (CHECKOUT / "Containerfile").read_text(encoding="utf-8")
    copied = [
        path
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for path in line.split()[:-1]
    ]
    assert all((CHECKOUT / path).exists() for path in copied)
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    included = re.findall(r'^"([^"]+)" = "gcsim/', project, re.MULTILINE)
    assert {*included, "gcsim", "README.md", "pyproject.toml"} <= set(copied)
