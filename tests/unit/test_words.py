"""Pages and messages keep to plain technical English: docs/contributing/style.md lists words to avoid."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STYLE = "docs/contributing/style.md"  # quotes the words
WORDS = (
    "told",
    "tells",
    "seen",
    "mend(?:s|ed|ing)?",
    "beside",
    "meanwhile",
    "at ease",
    "dearer",
    "hardly",
    "whoever",
    "amid",
    "brim",
    "elsewhere",
    "by and by",
    "is design now",
)
FORBIDDEN = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md")
MESSAGES = ("gcsim/**/*.py",)  # every string but docstrings
SHOWN_DOCSTRINGS = ("gcsim/cli/", "gcsim/report/")  # the help of a command is a docstring
NOT_YET: tuple[
    str, ...
] = ()  # have such words: a file leaves this list when it is rewritten, and none is added


def _files(patterns: tuple[str, ...]) -> list[str]:
    found = {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(found - {STYLE})


def _words_in_page(text: str) -> set[str]:
    """Of its prose: what a block shows is the output of a program."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {match[0].lower() for match in FORBIDDEN.finditer(prose)}


def _words_in_messages(source: str, *, docstrings: bool) -> set[str]:
    """Of the strings in a module."""
    tree = ast.parse(source)
    left_out = set() if docstrings else set(_docstrings(tree))
    return {
        match[0].lower()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out
        for match in FORBIDDEN.finditer(" ".join(node.value.split()))
    }


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """Every string that stands alone: docstrings are such."""
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))


def _words_in(name: str) -> set[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".md"):
        return _words_in_page(text)
    return _words_in_messages(text, docstrings=name.startswith(SHOWN_DOCSTRINGS))


@pytest.mark.parametrize("name", [name for name in _files(PAGES + MESSAGES) if name not in NOT_YET])
def test_no_word_to_avoid(name: str) -> None:
    """In the prose of a page, or in the messages of a module."""
    assert _words_in(name) == set()


def test_the_list_of_exceptions_shrinks() -> None:
    """A file that is clean leaves ``NOT_YET``."""
    assert [name for name in NOT_YET if not _words_in(name)] == []


def test_the_style_page_lists_the_words() -> None:
    """So that a writer finds out before the test does."""
    table = (ROOT / STYLE).read_text(encoding="utf-8").split("## Words to avoid")[1].split("\n## ")[0]
    listed = ", ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:])
    for word in WORDS:
        assert word.split("(")[0] in listed
