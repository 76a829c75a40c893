"""Text from outside: no character that a terminal obeys, the same values in JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gcsim.printable import printable, printable_json, printable_lines, quoted

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)


def obeyed(text: str) -> list[str]:
    """Characters of control, direction, line separation and half surrogates."""
    return [
        char for char in text
        if (ord(char) < 32 and char != "\t") or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000
        or char in "\u200e\u200f\u061c\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    ]  # fmt: skip


@given(ANY_TEXT)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    """One line in, one line out; or line ends kept."""
    assert obeyed(printable(text)) == []
    assert set(obeyed(printable_lines(text))) <= {"\n"}


@given(ANY_TEXT)
def test_json_keeps_its_value(text: str) -> None:
    """The escapes are JSON's own."""
    written = printable_json(json.dumps({"name": text}, ensure_ascii=False))
    assert obeyed(written) == []
    assert json.loads(written) == {"name": text}


def test_ordinary_text_is_left_alone() -> None:
    """Accents, other scripts, symbols and tabs."""
    text = "café\t服务 × 8 — µs $x$"
    assert printable(text) == text


def test_a_byte_that_is_not_utf8_is_shown_as_that_byte() -> None:
    """As a shell would write it."""
    assert printable(b"caf\xe9\n".decode(errors="surrogateescape")) == "caf\\xe9\\n"


def test_a_long_value_is_cut() -> None:
    """In quotes."""
    assert quoted("100") == "'100'"
    assert len(quoted("9" * 5000)) < 70
