"""What a user meets first: help, version, and that it is the installed package which runs."""

import subprocess

import pytest
from installed_script import CHECKOUT, Installed

COMMANDS = (
    "capture", "inspect", "calibrate", "simulate", "sweep", "recommend", "validate", "plot", "report", "versions",
)  # fmt: skip


def test_the_installed_package_runs_not_the_checkout(installed: Installed) -> None:
    """Both the code and the models that ship with it."""
    python = installed.script.parent / "python"
    code = "import gcsim; from gcsim.service.model import shipped_models; print(gcsim.__file__, shipped_models())"
    found = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, timeout=300, cwd=installed.folder, check=True
    )
    assert str(installed.script.parent.parent) in found.stdout
    assert str(CHECKOUT) not in found.stdout.replace(str(installed.script.parent.parent), "")
    assert "order-service" in found.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, installed: Installed) -> None:
    """On standard output, with status 0, within 80 columns; ``gcsim help COMMAND`` prints the same."""
    found = installed.run(command, "--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"Usage: gcsim {command} ")
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert installed.run("help", command).stdout == found.stdout


def test_gcsim_alone_prints_the_help(installed: Installed) -> None:
    """The same as --help: every command is listed."""
    alone = installed.run()
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout == installed.run("--help").stdout == installed.run("help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in alone.stdout


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(option: str, installed: Installed) -> None:
    """Name and number."""
    found = installed.run(option)
    assert (found.returncode, found.stderr) == (0, "")
    name, number = found.stdout.split()
    assert name == "gcsim"
    assert number[0].isdigit()
