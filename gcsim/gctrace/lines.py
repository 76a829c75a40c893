"""One line at a time: what traces stand in it. The careful path, which also teaches the fast one."""

import re
from dataclasses import dataclass
from typing import Literal

from gcsim.gctrace.formats import CYCLES, OTHERS, Template

Verdict = Literal["read", "foreign", "broken gc line", "broken pacer line", "broken scavenger line"]

KEYWORDS = re.compile(rb"gc|scvg|scav|pacer|GC forced|ms ?clock|ms ?cpu|MB goal|->->|goal, *MB")
"""Searched in a line without its digits and points: where none occurs, no trace line can stand."""

_START = re.compile(rb"gc[ \t]*#?\d|(?:forced )?scvg|scav |pacer: |GC forced")
_BROKEN_GC = re.compile(
    rb"gc[ \t]*#?\d+[ \t]*@|gc\d+\(\d+\)|\d[ \t]*ms[ \t]clock,|\d[ \t]*ms[ \t]cpu,|MB goal,|\d->\d+->\d+ MB"
)
_GC_START = re.compile(rb"gc[ \t]*#?\d+[ \t]*@|gc\d+\(\d+\):")
_BROKEN_PACER = re.compile(rb"pacer: ")
_BROKEN_SCAVENGER = re.compile(rb"scvg-?\d*: |scav \d")

_TEMPLATES: dict[bytes, tuple[Template, ...]] = {
    b"gc": tuple(CYCLES[name] for name in ("1.18", "1.6", "1.5", "1.5beta", "1.4", "1.3", "1.2")),
    b"GC": OTHERS["periodic_next"],
    b"pa": OTHERS["pacer_starts"] + OTHERS["pacer_ends"] + OTHERS["sweeps"] + OTHERS["pacer_ends_before_118"],
    b"sc": OTHERS["scavenges"] + OTHERS["periodic_last"] + OTHERS["heap_summaries"],
    b"fo": OTHERS["heap_summaries"],
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A trace line found in a line of the file."""

    template: Template
    match: re.Match[bytes]

    @property
    def values(self) -> dict[str, int | float | bool]:
        """Field by field, in bytes, nanoseconds and plain units."""
        values: dict[str, int | float | bool] = {}
        for token in self.template.fields:
            text = self.match[token.name]
            values[token.name] = token.number.read(text) if token.number is not None else text is not None
        return values


def parse_line(line: bytes) -> tuple[list[Entry], Verdict]:
    """The trace lines in one line of a file, wherever they begin, and what became of the line.

    ``read`` means that nothing in it was left over that looks like a trace.
    """
    entries: list[Entry] = []
    position, leftover = 0, b""
    while start := _START.search(line, position):
        match = _match_at(line, start.start())
        if match is None:
            leftover += line[position : start.end()]
            position = start.end()
            continue
        leftover += line[position : start.start()] + b"\n"
        entries.append(match)
        position = match.match.end()
    leftover += line[position:]
    if entries:
        return entries, "broken gc line" if _GC_START.search(leftover) else "read"
    return [], _verdict(line)


def _match_at(line: bytes, position: int) -> Entry | None:
    for template in _TEMPLATES[line[position : position + 2]]:
        match = template.regex.match(line, position)
        if match is not None:
            return Entry(template, match)
    return None


def _verdict(line: bytes) -> Verdict:
    if _BROKEN_GC.search(line):
        return "broken gc line"
    if _BROKEN_PACER.search(line):
        return "broken pacer line"
    if _BROKEN_SCAVENGER.search(line):
        return "broken scavenger line"
    return "foreign"
