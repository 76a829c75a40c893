"""Runs the shell commands of a documentation page in order, and knows the output that the page shows for them.

    python tests/helpers/docs_commands.py [NAME...]    # puts the output of today into the pages, or into those named

The blocks of a page that count are marked ``sh``. A comment on the line before a block says more:

    <!-- not run: REASON -->       the block needs a cluster or the reader's own program
    <!-- exit status: 1 -->        the last command of the block ends with this status instead of 0
    <!-- set-up                    commands that run first and that the page does not show
    gcsim simulate ...
    -->
    <!-- output -->                the next block, marked ``text``, is what the last command printed on standard output
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>not run|exit status|output)(?:: (?P<said>.*?))? -->\n)?"
    r"^```(?P<kind>\w*)\n(?P<body>.*?)^```$|^<!-- set-up\n(?P<setup>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)
_PLAIN = re.compile(r"^gcsim (?P<arguments>[^|;&<>$`*]*)(?P<rest>[|>](?!\|)[^;&]*)?$")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page: commands to run, or output that is shown."""

    kind: str  # "run", "not run", "output" or "other"
    body: str
    status: int = 0  # of the last command
    reason: str = ""  # of a block that is not run
    start: int = 0  # of the body in the page


def pages() -> list[Path]:
    """Every page that has commands of gcsim, by path."""
    return [path for path in sorted(DOCS.rglob("*.md")) if "gcsim" in path.read_text(encoding="utf-8")]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks and set-up comments of a page, in order."""
    for match in _BLOCK.finditer(text):
        if match["setup"] is not None:
            yield Block("run", match["setup"])
        elif match["kind"] == "text" and match["note"] == "output":
            yield Block("output", match["body"], start=match.start("body"))
        elif match["kind"] != "sh":
            yield Block("other", match["body"])
        elif match["note"] == "not run":
            yield Block("not run", match["body"], reason=match["said"] or "")
        else:
            yield Block("run", match["body"], int(match["said"] or 0) if match["note"] else 0)


def commands(body: str) -> list[str]:
    """The commands of a block: comments left out, continued lines joined, a leading ``$ `` taken off."""
    lines = body.replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines if line.strip() and not line.startswith("#")]


def run_page(text: str, folder: Path) -> Iterator[tuple[Block, str]]:
    """Runs a page's commands in a folder; each block of output with what was printed instead of it.

    Raises AssertionError for a command that ends with another status than the page says.
    """
    printed = ""
    for block in blocks(text):
        if block.kind == "output":
            yield block, printed
        if block.kind != "run":
            continue
        lines = commands(block.body)
        for number, line in enumerate(lines, start=1):
            status, printed, errors = _run(line, folder)
            wanted = block.status if number == len(lines) else 0
            assert status == wanted, f"{line}\nends with {status}, not {wanted}:\n{errors}"


def without_numbers(text: str) -> str:
    """The text with each number as ``#`` and all white space as one blank.

    The last digits of predictions depend on NumPy's version and on the processor.
    """
    return " ".join(re.sub(r"\d+(?:\.\d+)?", "#", text).split())


def _run(line: str, folder: Path) -> tuple[int, str, str]:
    """Status, standard output and standard error of one command.

    A plain call of gcsim, with a pipe or a redirection behind it or without, runs in this process: it starts faster.
    """
    plain = _PLAIN.match(line)
    if plain is None:
        function = f'gcsim() {{ {shlex.quote(sys.executable)} -m gcsim "$@"; }}\n'
        return _shell(function + line, folder, "")
    from gcsim.cli.main import run

    out, errors = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = run(shlex.split(plain["arguments"]))
    if plain["rest"] is None:
        return status, out.getvalue(), errors.getvalue()
    after, printed, complaints = _shell(f"cat {plain['rest']}", folder, out.getvalue())
    return status or after, printed, errors.getvalue() + complaints


def _shell(script: str, folder: Path, piped: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of a script of Bash."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        input=piped,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout, done.stderr


def main() -> None:
    """Put the output of today into every page that shows output, or into the named ones."""
    for path in pages():
        if sys.argv[1:] and path.name not in sys.argv[1:]:
            continue
        text = path.read_text(encoding="utf-8")
        if "<!-- output -->" not in text:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            found = list(run_page(text, Path(scratch)))
        for block, printed in reversed(found):
            text = text[: block.start] + printed.strip("\n") + "\n" + text[block.start + len(block.body) :]
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
