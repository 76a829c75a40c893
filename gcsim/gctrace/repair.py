"""Joins torn gc lines that have exactly one reading which agrees with the whole gc lines near it.

With two readings a line stays broken, unless lines near it decide: the log's lines are all broken at one width, or only
one reading has a cycle number and a time between those of the gc lines above and below.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from gcsim.gctrace.formats import CYCLES
from gcsim.gctrace.lines import Entry
from gcsim.gctrace.printed import could_be_printed, pauses_agree
from gcsim.gctrace.rows import LINE, ORDER, RowStore
from gcsim.gctrace.torn import FAR, LINES_AHEAD, Reading, heads, readings

_LINES_BACK = 8
_LOST = 4  # up to so many missing numbers after a line count as lost lines
_NEAR = 64  # largest difference of the cycle numbers of two neighbouring gc lines
_HEADLESS = re.compile(rb"""(?<![^\s"'(\[>])#?\d+[ \t]*@""")


@dataclass(frozen=True, slots=True)
class Whole:
    """The fields of a whole gc line that decide about torn ones."""

    order: int
    number: int
    start_ns: int
    gomaxprocs: int
    generation: str
    forced: bool = False
    pauses_agree: bool = True


@dataclass(frozen=True, slots=True)
class Joined:
    """A joined gc line."""

    entry: Entry
    first: int  # number of the line in which it begins
    last: int  # number of the line in which it ends
    prefix: tuple[int, int]  # offsets in the log of the text before it in its first line

    @property
    def whole(self) -> Whole:
        """The joined line as a whole line."""
        values = self.entry.values
        return Whole(
            self.first * LINE + LINE - 1,
            int(values["cycle_number"]),
            int(values.get("start_ns", -1)),
            int(values["gomaxprocs"]),
            self.entry.template.generation,
        )


class WholeLines:
    """The whole gc lines of a log, in its order."""

    def __init__(self, rows: RowStore) -> None:
        tables = [(name, rows.table([template])) for name, template in CYCLES.items()]
        tables = [(name, table) for name, table in tables if len(table[ORDER])]
        clocks = [table.get("start_ns", np.full(len(table[ORDER]), -1)) for _, table in tables]
        names = [np.full(len(table[ORDER]), i) for i, (_, table) in enumerate(tables)]
        agree = [pauses_agree(table) for _, table in tables]
        columns = [
            [table[name] for _, table in tables] for name in (ORDER, "cycle_number", "gomaxprocs", "forced")
        ]
        self._generations = [name for name, _ in tables]
        self._columns = [np.concatenate([*parts, _NONE]) for parts in (*columns, clocks, names, agree)]
        rising = np.argsort(self._columns[0], kind="stable")
        self._columns = [column[rising] for column in self._columns]

    def around(self, order: int) -> tuple[Whole | None, Whole | None]:
        """(last gc line before a place in the log, first gc line from it on)."""
        index = int(np.searchsorted(self._columns[0], order))
        return self._at(index - 1), self._at(index)

    def _at(self, index: int) -> Whole | None:
        if not 0 <= index < len(self._columns[0]):
            return None
        order, number, procs, forced, start_ns, name, agrees = (
            int(column[index]) for column in self._columns
        )
        return Whole(order, number, start_ns, procs, self._generations[name], bool(forced), bool(agrees))


_NONE = np.empty(0, np.int64)


@dataclass
class Repair:
    """The repair of one log. ``broken`` are line numbers and offsets of its broken gc lines, in rising order."""

    data: bytes
    broken: list[tuple[int, int]]
    whole: WholeLines
    _lines: dict[int, tuple[int, int]] = field(
        default_factory=dict
    )  # start and end of the lines near a broken one

    def joined(self) -> list[Joined]:
        """The joined lines, in the order of the log."""
        found: list[Joined] = []
        tried = 0  # the last line that was searched for a beginning
        done = (0, 0)  # line and column of the last joined line's end; no text before it is used again
        for number, offset in self.broken:
            self._index_lines_near(number, offset)
            for first in range(max(number - _LINES_BACK, tried + 1), number + 1):
                tried = first
                if first >= done[0] and first in self._lines:
                    joined, end = self._from(first, done)
                    if joined is not None:
                        found.append(joined)
                        done = (joined.last, end)
            if number > done[0] and (headless := self._headless(number)):
                found.append(headless)
                done = (number, FAR)
        return self._without_merged(found)

    def _index_lines_near(self, number: int, offset: int) -> None:
        """Records the offsets of the lines near a broken one."""
        if len(self._lines) > 1_000:
            self._lines = {n: span for n, span in self._lines.items() if n >= number - _LINES_BACK}
        start = offset
        for above in range(number - 1, max(number - 1 - _LINES_BACK, 0), -1):
            if start == 0:
                break
            end, start = start - 1, self.data.rfind(b"\n", 0, start - 1) + 1
            self._lines[above] = (start, end)
        start = offset
        for below in range(number, number + LINES_AHEAD + 1):
            if start >= len(self.data):
                break
            end = self.data.find(b"\n", start)
            end = len(self.data) if end < 0 else end
            self._lines[below] = (start, end)
            start = end + 1

    def _from(self, first: int, done: tuple[int, int]) -> tuple[Joined | None, int]:
        """(gc line that begins in a line and ends in one below it, column of its end); None if it is uncertain."""
        start, end = self._lines[first]
        base = max(start, end - FAR)
        head = self.data[base:end]
        starts = [at for at in heads(head) if first > done[0] or base - start + at >= done[1]]
        if not starts:
            return None, 0
        below = [self._beginning(n) for n in range(first + 1, first + 1 + LINES_AHEAD) if n in self._lines]
        found = [reading for at in starts for reading in readings([head, *below], at)]
        last = min((reading.last for reading in found), default=0)
        if not found or _begins_nearer(below[: last - 1]):
            return None, 0
        chosen = self._choice([reading for reading in found if reading.last == last], first)
        if chosen is None:
            return None, 0
        prefix = (start, base + chosen.begin)
        return Joined(_entry(chosen), first, first + last, prefix), chosen.end

    def _beginning(self, number: int) -> bytes:
        start, end = self._lines[number]
        return self.data[start : min(end, start + FAR)]

    def _choice(self, found: list[Reading], first: int) -> Reading | None:
        """The only reading that agrees with the gc lines near it; None if there is none or several."""
        above, below = self.whole.around(first * LINE + LINE - 1)
        near = [whole for whole in (above, below) if whole is not None]
        if near:
            found = [r for r in found if r.template.generation in {whole.generation for whole in near}]
            procs = {whole.gomaxprocs for whole in near}
            found = [r for r in found if int(_entry(r).match["gomaxprocs"]) in procs]
        if not near or any(whole.pauses_agree for whole in near):
            found = [r for r in found if bool(pauses_agree(_entry(r).values))]
        unique = {
            _entry(reading).match.groups(): reading for reading in sorted(found, key=lambda r: r.unmixed)
        }
        candidates = [r for r in unique.values() if _fits(r, above, below)]
        if len(candidates) > 1 and self._broken_at_a_width(first):
            candidates = [r for r in candidates if r.unmixed]
        if len(candidates) > 1:
            candidates = [r for r in candidates if _between(r, above, below)]
        return candidates[0] if len(candidates) == 1 else None

    def _broken_at_a_width(self, first: int) -> bool:
        """Whether the line has the length of the longest lines near it, and several lines have this length."""
        near = range(first - _LINES_BACK, first + LINES_AHEAD + 1)
        lengths = [end - start for start, end in (self._lines[n] for n in near if n in self._lines)]
        start, end = self._lines[first]
        return lengths.count(end - start) >= min(3, len(lengths) // 2) and max(lengths) == end - start

    def _headless(self, number: int) -> Joined | None:
        """A gc line without its "gc", if the gc lines near it confirm its number."""
        start, _ = self._lines[number]
        line = self._beginning(number)
        begin = _HEADLESS.search(line)
        above, below = self.whole.around(number * LINE)
        if begin is None:
            return None
        for template in CYCLES.values():
            match = template.regex.match(b"gc " + line[begin.start() :])
            if match is None or not could_be_printed(template, match, (3,)):
                continue
            entry = Entry(template, match)
            cycle, clock = int(match["cycle_number"]), int(entry.values.get("start_ns", -1))
            follows = above is not None and cycle == above.number + 1 and clock >= above.start_ns
            precedes = below is not None and cycle == below.number - 1 and clock <= below.start_ns
            if follows or precedes:
                return Joined(entry, number, number, (start, start + begin.start()))
        return None

    def _without_merged(self, found: list[Joined]) -> list[Joined]:
        """The joined lines without those that join the lines of two cycles.

        A line without its end and a line without its beginning look like one torn line. In that case a cycle number is
        missing, and no other broken line can have held it.
        """
        kept = [joined for joined in found if not self._repeats(joined)]
        used = line_numbers(kept)
        left = [number for number, _ in self.broken if number not in used]
        return [
            joined for i, joined in enumerate(kept) if not self._is_merged(joined, kept[i + 1 : i + 2], left)
        ]

    def _is_merged(self, joined: Joined, after: list[Joined], left: list[int]) -> bool:
        """Whether a joined line consists of the lines of two cycles."""
        mine = joined.whole
        _, below = self.whole.around(mine.order)
        below = min((w for w in (below, *(j.whole for j in after)) if w), key=lambda w: w.order, default=None)
        if below is None or not mine.number + 1 < below.number <= mine.number + _LOST:
            return False
        start = bisect_right(left, joined.last)
        return start == len(left) or left[start] >= below.order // LINE

    def _repeats(self, joined: Joined) -> bool:
        """Whether a joined line equals a whole line near it."""
        mine = joined.whole
        return any(
            near is not None
            and mine.start_ns >= 0
            and (near.number, near.start_ns) == (mine.number, mine.start_ns)
            for near in self.whole.around(mine.order)
        )


def _begins_nearer(between: list[bytes]) -> bool:
    """Whether a gc line begins in one of the lines between."""
    return any(line.lstrip().startswith(b"gc") and heads(line) for line in between)


def _entry(reading: Reading) -> Entry:
    match = reading.template.regex.match(reading.text)
    assert match is not None
    return Entry(reading.template, match)


def _place(reading: Reading) -> tuple[int, int]:
    values = _entry(reading).values
    return int(values["cycle_number"]), int(values.get("start_ns", -1))


def _between(reading: Reading, above: Whole | None, below: Whole | None) -> bool:
    """Whether number and time lie between those of the gc lines above and below, if these are neighbours."""
    if above is None or below is None or not above.number < below.number <= above.number + _NEAR:
        return False
    number, start_ns = _place(reading)
    return above.number < number < below.number and above.start_ns <= start_ns <= below.start_ns


def _fits(reading: Reading, above: Whole | None, below: Whole | None) -> bool:
    """Whether number and time are consistent: both or neither lie between those of the gc lines around."""
    if above is None or below is None or not above.number < below.number <= above.number + _NEAR:
        return True
    number, start_ns = _place(reading)
    return (above.number < number < below.number) == (above.start_ns <= start_ns <= below.start_ns)


def line_numbers(joined: Iterable[Joined]) -> set[int]:
    """The numbers of all lines of joined gc lines."""
    return {number for line in joined for number in range(line.first, line.last + 1)}


def torn_marks(lines: list[int], whole: WholeLines) -> dict[int, int]:
    """A map from lines with only "(forced)" to the place of the gc line above that they end."""
    found: dict[int, int] = {}
    for line in lines:
        above, below = whole.around(line * LINE)
        if below is not None and above is not None and below.number != above.number + 1:
            continue  # the mark's gc line may be lost
        if above is not None and not above.forced and line - above.order // LINE <= LINES_AHEAD:
            found[line] = above.order
    return found
