"""Escapes for text from outside, such as file names, model names, log lines and arguments."""

import re

_LONGEST = 60  # characters of a quoted value

# Control characters except the tab; marks that change the direction of text; line and paragraph separators;
# surrogates, which stand for bytes that are not UTF-8.
_IN_A_LINE = r"\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_IN_A_LINE}]")
_UNPRINTABLE_IN_LINES = re.compile(f"(?!\n)[{_IN_A_LINE}]")


def printable(text: str) -> str:
    """The text as one line, with an escape such as ``\\x1b`` for each character that can change the display.

    These are control characters except the tab, line ends, marks of writing direction, and bytes that are not UTF-8.
    """
    return _UNPRINTABLE.sub(_escape, text)


def printable_lines(text: str) -> str:
    """The result of ``printable`` with line ends kept."""
    return _UNPRINTABLE_IN_LINES.sub(_escape, text)


def printable_json(text: str) -> str:
    """A JSON text with the same values, and those characters as JSON escapes."""
    return _UNPRINTABLE_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def quoted(text: str) -> str:
    """The value for an error message: in quotes, printable, and cut to 60 characters."""
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as PEP 383 keeps it
        code -= 0xDC00
    short = {0x0A: "\\n", 0x0D: "\\r"}.get(code)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
