"""The reader of the compiler's escape analysis, on the output of real compilers (tests/data/escapes)."""

import gzip
import re
from pathlib import Path

import pytest

from gcsim.diagnosis.profiles.escapes import Escape, EscapeReport, is_escape_text, read_escapes
from gcsim.errors import InputError

DATA = Path(__file__).parents[1] / "data/escapes"
VERSIONS = ("1.21.13", "1.27.3")


def text_of(version: str, level: int) -> str:
    """The output of ``go build -gcflags=-m=LEVEL``."""
    return gzip.decompress((DATA / f"go{version}-m{level}.txt.gz").read_bytes()).decode()


def report(version: str, level: int = 2) -> EscapeReport:
    """The report of one output."""
    return read_escapes(text_of(version, level), "escapes.txt")


def one_at(found: EscapeReport, line: int, what: str) -> Escape:
    """The escape of an expression in a line."""
    (one,) = (each for each in found.at("main.go", line) if each.what == what)
    return one


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("level", [1, 2])
def test_every_place_is_read_once(version: str, level: int) -> None:
    """The places are those that a search in the text finds, each once, whatever the version and the level."""
    text = text_of(version, level)
    rows = set(re.findall(r"^(\S+): (?:(.*) escapes to heap|moved to heap: (.*))$", text, re.MULTILINE))
    found = read_escapes(text)
    assert {(f"{one.file}:{one.line}:{one.column}", one.what) for one in found.escapes} == {
        (place, what or moved) for place, what, moved in rows
    }
    assert len(found.escapes) == len(rows) > 20
    assert found.has_reasons == (level == 2)
    assert {one.package for one in found.escapes} == {"example.com/esc"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("line", "what", "words"),
    [
        (23, "&order{...}", "the function returns it"),
        (23, "id", "passed to a call"),
        (43, "count", "closure"),
        (79, "string(b)", "interface"),
        (80, "func literal", "go statement"),
        (86, "&order{}", "channel"),
    ],
)
def test_the_reason_is_in_words(version: str, line: int, what: str, words: str) -> None:
    """Each kind of escape in the program has its reason."""
    assert words in one_at(report(version), line, what).reason


def test_sizes_are_reasons() -> None:
    """A slice of unknown length, and one that is too large."""
    old = report("1.21.13")
    assert "size is not known" in one_at(old, 28, "make([]int, n)").reason
    assert "too large" in one_at(old, 61, "make([]byte, 1 << 20)").reason
    assert one_at(report("1.27.3"), 28, "make([]int, n)").function == "grow"


@pytest.mark.parametrize("version", VERSIONS)
def test_parameters_and_values_on_the_stack(version: str) -> None:
    """Leaking parameters have their names; values that stay on the stack are counted."""
    found = report(version)
    assert {(one.line, one.name) for one in found.parameters} == {(48, "s"), (52, "p")}
    assert found.on_stack == 12


def test_a_file_matches_by_the_end_of_its_path() -> None:
    """A profile names /src/app/main.go, the compiler ./main.go."""
    found = report("1.27.3")
    assert found.at("/src/app/main.go", 28) == found.at("./main.go", 28) != ()
    assert found.at("/src/app/xmain.go", 28) == ()


def test_without_reasons() -> None:
    """-m alone gives the places only."""
    assert {one.reason for one in report("1.27.3", 1).escapes} == {""}


def test_a_text_without_the_analysis_is_refused() -> None:
    """The sentence names the source and the command that writes it."""
    assert not is_escape_text("main.go:3:1: syntax error\n")
    with pytest.raises(InputError, match=r"^esc\.txt: .*gcflags=-m=2"):
        read_escapes("main.go:3:1: syntax error\n", "esc.txt")


def test_too_many_places_are_refused() -> None:
    """A text with millions of places ends in a sentence."""
    text = "".join(f"a.go:{line}:1: x escapes to heap\n" for line in range(300_002))
    with pytest.raises(InputError, match="300,000"):
        read_escapes(text)


def test_odd_rows_are_skipped() -> None:
    """Long rows, Windows paths, missing columns and rows without a head."""
    text = (
        "x" * 100_000 + "\n"
        "C:\\app\\main.go:7: y escapes to heap\r\n"
        "main.go:8:2:     from nothing (assign) at main.go:9:1\n"
        "main.go:99999999999:2: z escapes to heap\n"
    )
    (one,) = read_escapes(text).escapes
    assert (one.line, one.column, one.what) == (7, 0, "y")
