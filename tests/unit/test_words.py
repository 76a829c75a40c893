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
MESSAGES = ("gcsim/cli/*.py", "gcsim/report/*.py")
NOT_YET: tuple[
    str, ...
] = (  # have such words: a file leaves this list when it is rewritten, and none is added
    "docs/contributing/architecture.md",
    "docs/explanation/accuracy.md",
    "docs/explanation/calibration.md",
    "docs/explanation/latency.md",
    "docs/explanation/memory.md",
    "docs/explanation/model.md",
)


def _files(patterns: tuple[str, ...]) -> list[str]:
    found = {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(found - {STYLE})


def _words_in_page(text: str) -> set[str]:
    """Of its prose: what a block shows is the output of a program."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {match[0].lower() for match in FORBIDDEN.finditer(prose)}


def _words_in_messages(source: str) -> set[str]:
    """Of every string in a module; the help of a command is a docstring."""
    return {match[0].lower() for text in _strings(source) for match in FORBIDDEN.finditer(text)}


def _strings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield " ".join(node.value.split())


def _words_in(name: str) -> set[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return _words_in_page(text) if name.endswith(".md") else _words_in_messages(text)


@pytest.mark.parametrize("name", [name for name in _files(PAGES + MESSAGES) if name not in NOT_YET])
def test_no_word_to_avoid(name: str) -> None:
    """In the prose of a page, or in the strings of a module that prints."""
    assert _words_in(name) == set()


@pytest.mark.parametrize("name", NOT_YET)
def test_the_list_of_exceptions_shrinks(name: str) -> None:
    """A file that is clean leaves the list."""
    assert (ROOT / name).exists()
    assert _words_in(name), f"remove {name} from NOT_YET"


def test_the_style_page_lists_the_words() -> None:
    """So that a writer finds out before the test does."""
    table = (ROOT / STYLE).read_text(encoding="utf-8").split("## Words to avoid")[1].split("\n## ")[0]
    listed = ", ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:])
    for word in WORDS:
        assert word.split("(")[0] in listed
