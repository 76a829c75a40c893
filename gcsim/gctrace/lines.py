"""Parses single lines. This is the careful path of the reader; the fast path learns line shapes from it."""

import re
from dataclasses import dataclass
from typing import Literal

from gcsim.gctrace.formats import CYCLES, OTHERS, Template

Verdict = Literal["read", "foreign", "forced", "broken gc line", "broken pacer line", "broken scavenger line"]

KEYWORDS = re.compile(rb"gc|\(forced\)|scvg|scav|pacer|GC forced|ms ?clock|ms ?cpu|MB goal|->->|goal, *MB")
"""Keywords of trace lines, searched in a line without digits and points; a line without any is foreign."""

_START = re.compile(rb"gc[ \t]*#?\d|(?:forced )?scvg|scav |pacer: |GC forced")
_BROKEN_GC = re.compile(
    rb"gc[ \t]*#?\d+[ \t]*@|gc\d+\(\d+\)|\d[ \t]*ms[ \t]clock,|\d[ \t]*ms[ \t]cpu,|MB goal,|\d->\d+->\d+ MB"
)
_GC_START = re.compile(rb"gc[ \t]*#?\d+[ \t]*@|gc\d+\(\d+\):")
_WORD = re.compile(rb"[\w%]")
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
    """A trace line in a line of the file."""

    template: Template
    match: re.Match[bytes]

    @property
    def values(self) -> dict[str, int | float | bool]:
        """The value of each field, in bytes, nanoseconds and plain units."""
        values: dict[str, int | float | bool] = {}
        for token in self.template.fields:
            text = self.match[token.name]
            values[token.name] = token.number.read(text) if token.number is not None else text is not None
        return values


def parse_line(line: bytes) -> tuple[list[Entry], Verdict]:
    """(trace lines in one line of a file, verdict on the line).

    A trace line may begin anywhere in the line. The verdict is ``read`` if no other part of the line looks like a
    trace.
    """
    entries: list[Entry] = []
    leftover: list[bytes] = []
    position = searched = 0  # the end of the last trace line, and of the searched part
    while start := _START.search(line, searched):
        entry = _match_at(line, start.start())
        if entry is None:
            searched = start.end()
            continue
        leftover.append(line[position : start.start()])
        entries.append(entry)
        position = searched = entry.match.end()
    if not entries:
        return [], _verdict(line)
    if _cut_mark(entries[-1], line):
        entries.pop()
        return entries, "broken gc line"
    leftover.append(line[position:])
    return entries, "broken gc line" if any(map(_GC_START.search, leftover)) else "read"


def _cut_mark(entry: Entry, line: bytes) -> bool:
    return entry.template.table == "cycles" and ends_within_mark(line[entry.match.end() :])


def ends_within_mark(rest: bytes) -> bool:
    """Whether the text after a gc line is a part of its "(forced)", cut at the end of the line."""
    rest = rest.strip()
    return rest.startswith(b"(f") and rest != b"(forced)" and b"(forced)".startswith(rest)


def _ends_in_mark(line: bytes) -> bool:
    """Whether the line holds only "(forced)" and possibly a wrapper, as the torn end of a gc line does."""
    before, mark, after = line.rpartition(b"(forced)")
    return bool(mark) and _WORD.search(after) is None and _WORD.search(before.rstrip()[-1:]) is None


def _match_at(line: bytes, position: int) -> Entry | None:
    for template in _TEMPLATES[line[position : position + 2]]:
        match = template.regex.match(line, position)
        if match is not None:
            return Entry(template, match)
    return None


def _verdict(line: bytes) -> Verdict:
    if _ends_in_mark(line):
        return "forced"
    if _BROKEN_GC.search(line):
        return "broken gc line"
    if _BROKEN_PACER.search(line):
        return "broken pacer line"
    if _BROKEN_SCAVENGER.search(line):
        return "broken scavenger line"
    return "foreign"
