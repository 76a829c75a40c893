"""Separates a program's own lines on standard error from the trace lines of its runtime."""

import re

_NUMBER = re.compile(rb"[+-]*(?:[0-9][0-9.]*(?:e[+-][0-9]+)?|Inf|NaN)")
# The lines of Go 1.18 to 1.27 under gctrace=1, gcpacertrace=1 and scavtrace=1, with # for each number and its signs.
# This module does not use the reader's templates (formats.py), because they need NumPy: see gctrace/__init__.py.
_TRACE_LINES = frozenset(
    line.encode()
    for line in (
        *(
            f"gc # @#s #%{leaks}: ### ms clock, ##/#/## ms cpu, #->#-># MB, # MB goal, # MB stacks, # MB globals,"
            f" # P{forced}"
            for leaks in ("", " (checking for goroutine leaks)")
            for forced in ("", " (forced)")
        ),
        "GC forced",
        "pacer: assist ratio=# (scan # MB in #-># MB) workers=##",
        "pacer: #% CPU (# exp.) for ### B work (# B exp.) in # B -> # B (∆goal #, cons/mark #)",
        "pacer: #% CPU (# exp.) for ### B work (# B exp.) in # B -> # B (∆goal #, cons/mark #)[controller reset]",
        "pacer: sweep done at heap size #MB; allocated #MB during sweep; swept # pages at # pages/byte",
        *(
            f"scav {work}, #% util{flags}"
            for work in (
                "# KiB work, # KiB total",
                "# # KiB work, # KiB total",
                "# KiB work (bg), # KiB work (eager), # KiB now",
            )
            for flags in ("", " (forced)", " [controller reset]")
        ),
    )
)  # fmt: skip

_BEGINNINGS = (b"gc ", b"pacer: ", b"scav ", b"GC forced")
_LONGEST_LINE = 4096


class OwnLines:
    """A filter of standard error that removes whole trace lines.

    The filter returns an unfinished line at once, unless it may become a trace line.
    """

    def __init__(self) -> None:
        self._held = b""
        self._in_line = False  # the beginning of the current line is returned already

    def add(self, piece: bytes) -> bytes:
        """The program's own text in ``piece`` and in the text held before it."""
        text = self._held + piece
        self._held = b""
        # fast path, because a program may write gigabytes: a text without a beginning of a trace line stays whole
        if not any(beginning in text for beginning in _BEGINNINGS) and not self._may_begin(text):
            self._in_line = not text.endswith(b"\n") if text else self._in_line
            return text
        kept = []
        for line in _lines(text):
            if not line.endswith(b"\n") and not self._in_line and self._may_begin(line):
                self._held = line
                break
            if self._in_line or not _is_trace(line):
                kept.append(line)
            self._in_line = not line.endswith(b"\n")
        return b"".join(kept)

    def end(self) -> bytes:
        """The held text at the end of the stream, without a trace line that the end of the program cut off."""
        held, self._held = self._held, b""
        return b"" if _is_trace(held) or _begins_trace(held) else held

    def _may_begin(self, text: bytes) -> bool:
        """Whether the last line of a text may become a trace line."""
        last = text[text.rfind(b"\n") + 1 :]
        if not last or len(last) > _LONGEST_LINE or (self._in_line and last == text):
            return False
        return any(last.startswith(beginning) or beginning.startswith(last) for beginning in _BEGINNINGS)


def _lines(text: bytes) -> list[bytes]:
    """The lines of a text, with their line feeds; a carriage return is part of a line."""
    lines = text.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _begins_trace(text: bytes) -> bool:
    """Whether a text without a line feed is the beginning of a trace line."""
    begun = _NUMBER.sub(b"#", text)
    return text.startswith(_BEGINNINGS) and any(line.startswith(begun) for line in _TRACE_LINES)


def _is_trace(line: bytes) -> bool:
    """Whether a line is exactly one trace line."""
    text = line.rstrip(b"\r\n ")
    return text.startswith(_BEGINNINGS) and _NUMBER.sub(b"#", text) in _TRACE_LINES
