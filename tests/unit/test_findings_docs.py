"""docs/how-to/read-a-fit-report.md lists every kind of finding."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_kind_of_finding_is_explained() -> None:
    """No kind in the code is missing on the page, and none is invented."""
    page = (ROOT / "docs" / "how-to" / "read-a-fit-report.md").read_text(encoding="utf-8")
    table = page.split("## The findings")[1].split("\n## ")[0]
    cells = "".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE))
    assert set(re.findall(r"`([^`]+)`", cells)) == set(_kinds())


def _kinds() -> list[str]:
    """The first argument of every ``Finding(...)`` in the package."""
    return [
        node.args[0].value
        for path in (ROOT / "gcsim").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Finding"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
