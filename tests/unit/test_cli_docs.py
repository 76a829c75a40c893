"""docs/reference/commands.md is kept true: it names the commands and options that ``--help`` names, and no others."""

import re
from pathlib import Path

import pytest

from gcsim.cli.main import app, run

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## gcsim (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
COMMANDS = [str(command.callback.__name__) for command in app.registered_commands if command.callback]


def test_every_command_has_its_section() -> None:
    """In the order of the help."""
    assert list(SECTIONS) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented_and_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The option column of the page against the option column of the help."""
    assert run([command, "--help"]) == 0
    options_part = capsys.readouterr().out.split("Options:")[1]
    shown = {
        name
        for line in options_part.splitlines()
        for name in re.findall(
            r"--[\w-]+", "".join(re.findall(r"^\s{2,4}((?:-{1,2}[\w-]+(?:,| /)? ?)+)", line))
        )
    }
    rows = [line.split("|")[1] for line in SECTIONS[command].splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"--[\w-]+", row)}
    assert documented == shown - {"--help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_use_known_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to copy that would be refused."""
    run([command, "--help"])
    shown = capsys.readouterr().out
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", SECTIONS[command], re.M | re.S))
    examples = re.findall(rf"^.*gcsim {command} (.*)$", blocks, re.M)
    assert examples
    for example in examples:
        for option in re.findall(r"(?<!\S)(--?[a-z][\w-]*)", example.split(" -- ")[0]):
            assert option in shown, example
