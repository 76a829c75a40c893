"""Every shell command in docs/ runs as it stands there, and prints what the page shows."""

import contextlib
import io
import re
import shutil
from functools import cache
from pathlib import Path

import pytest
from docs_commands import DOCS, blocks, commands, pages, run_page, without_numbers

from gcsim.cli.main import run

ALL = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in pages()}
IN_SUITE = ("tutorial/first-recommendation.md",)
TO_RUN = [name for name, text in ALL.items() if any(block.kind == "run" for block in blocks(text))]


@pytest.mark.parametrize("page", TO_RUN)
def test_the_commands_of_a_page_run(page: str, tmp_path: Path, large: bool) -> None:
    """In order, in an empty folder; output is compared word by word, with numbers left open."""
    if not large and page not in IN_SUITE:
        pytest.skip("runs with --large")
    if "| jq" in ALL[page] and shutil.which("jq") is None:
        pytest.skip("the page uses jq, which is not installed")
    for shown, printed in run_page(ALL[page], tmp_path):
        update = f"run python tests/helpers/docs_commands.py to update docs/{page}"
        assert without_numbers(shown.body) == without_numbers(printed), update


def test_the_manifest_has_the_recommended_setting() -> None:
    """The Deployment in the tutorial has the setting that the command above it prints."""
    page = ALL["tutorial/kubernetes.md"]
    for name in ("GOGC", "GOMEMLIMIT"):
        printed = re.findall(rf"^  {name}=(\w+)$", page, re.MULTILINE)
        assert len(printed) == 1
        in_manifest = re.findall(rf'name: {name}\n +value: "?(\w+)', page)
        in_command = re.findall(rf"kubectl set env .*{name}=(\w+)", page)
        assert [*in_manifest, *in_command] == printed * 2


@pytest.mark.parametrize("page", sorted(ALL))
def test_a_block_that_is_not_run_says_why(page: str) -> None:
    """A block of commands is run, or its comment gives a reason."""
    for block in blocks(ALL[page]):
        if block.kind == "not run":
            assert len(block.reason.split()) > 2, block.body
        if block.kind == "run":
            assert commands(block.body), "an empty block"


@pytest.mark.parametrize("page", sorted(ALL))
def test_commands_stand_in_blocks_that_are_run(page: str) -> None:
    """No command hides in an indented block or in a block without a language."""
    for block in blocks(ALL[page]):
        if block.kind == "other":
            assert not re.search(r"^\$? ?gcsim (?!COMMAND)\w+ ", block.body, re.MULTILINE), block.body
    assert not re.search(r"\n\n {4}gcsim \w+ ", ALL[page])


SHOWN = [
    line
    for text in [*ALL.values(), (DOCS.parent / "README.md").read_text(encoding="utf-8")]
    for body in re.findall(r"^```(?:sh|console|yaml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for line in commands(body)
    if re.search(r"\bgcsim [a-z]+ ", line)
]


@cache
def known_options(command: str) -> set[str]:
    """The options that the help of a command names."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert run([command, "--help"]) == 0, command
    return set(re.findall(r"(?<!\S)--?[a-z][\w-]*", printed.getvalue().replace(",", " ")))


@pytest.mark.parametrize("line", SHOWN)
def test_commands_use_known_options(line: str) -> None:
    """Also in blocks that are not run, and in the README."""
    for name, arguments in re.findall(r"\bgcsim ([a-z]+) ([^|#>]*)", line.split(" -- ")[0]):
        assert set(re.findall(r"(?<!\S)--?[a-z][\w-]*", arguments)) <= known_options(name) | {"-o", "-q"}
