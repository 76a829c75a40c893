"""docs/reference/api.md is kept true: its examples run, and it names every public name."""

import contextlib
import io
import re
from pathlib import Path

from docs_commands import DOCS, run_page

import gcsim

PAGE = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")


def test_the_table_names_every_public_name() -> None:
    """No name of ``gcsim.__all__`` is missing, and none is invented."""
    table = PAGE.split("## Names")[1].split("##")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.M)) == sorted(gcsim.__all__)


def test_the_examples_run(tmp_path: Path) -> None:
    """In the page's order, each with the names of those before it."""
    assert list(run_page(PAGE, tmp_path)) == []  # the page shows no output, but its set-up writes the log
    names: dict[str, object] = {}
    out = io.StringIO()
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(out):
        for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S):
            exec(block, names)
    assert (tmp_path / "app.toml").exists()
    assert "GOMEMLIMIT" in out.getvalue()
