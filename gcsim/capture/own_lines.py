"""Separates what a program writes to standard error itself from the trace lines of its runtime."""

import re

_NUMBER = re.compile(rb"[+-]*(?:[0-9][0-9.]*(?:e[+-][0-9]+)?|Inf|NaN)")
# What Go 1.18 to 1.27 prints under gctrace=1, gcpacertrace=1 and scavtrace=1, with # for each number and its signs.
# The reader's templates (formats.py) are not used here: they need NumPy, see gctrace/__init__.py.
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
    """Takes standard error piece by piece and gives back all but whole trace lines.

    A line that is not finished is given back at once, unless it may become a trace line.
    """

    def __init__(self) -> None:
        self._held = b""
        self._in_line = False  # the beginning of the current line has been given back

    def add(self, piece: bytes) -> bytes:
        """What of the text so far is the program's own."""
        text = self._held + piece
        self._held = b""
        # a program may write gigabytes: a text without any beginning of a trace line is not cut into lines
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
        """What was held back, when nothing follows; the runtime's line may be cut where a signal ended the program."""
        held, self._held = self._held, b""
        return b"" if _is_trace(held) or _begins_trace(held) else held

    def _may_begin(self, text: bytes) -> bool:
        last = text[text.rfind(b"\n") + 1 :]
        if not last or len(last) > _LONGEST_LINE or (self._in_line and last == text):
            return False
        return any(last.startswith(beginning) or beginning.startswith(last) for beginning in _BEGINNINGS)


def _lines(text: bytes) -> list[bytes]:
    """Lines that end in a line feed; a carriage return is part of a line."""
    lines = text.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _begins_trace(text: bytes) -> bool:
    """Whether a text without a line end is the beginning of a trace line."""
    begun = _NUMBER.sub(b"#", text)
    return text.startswith(_BEGINNINGS) and any(line.startswith(begun) for line in _TRACE_LINES)


def _is_trace(line: bytes) -> bool:
    """Whether a line is one trace line and nothing else."""
    text = line.rstrip(b"\r\n ")
    return text.startswith(_BEGINNINGS) and _NUMBER.sub(b"#", text) in _TRACE_LINES
