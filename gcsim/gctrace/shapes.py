"""The fast path of the reader: it reads lines of one shape together, in columns.

The shape of a line is its text without digits and points, and the places of its numbers. ``parse_line`` parses the
first line of a shape and determines the field of each number. The numbers of all later lines of that shape are then
converted to arrays together. A log with time stamps, a container's wrapper or a log level before each line is
therefore read as fast as a plain log, in every format of gc lines.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import BoolArray, Int64Array
from gcsim.gctrace.formats import Template, Token
from gcsim.gctrace.lines import Entry

UInt64Array = NDArray[np.uint64]

NUMERIC = b"0123456789."
_TOKEN = re.compile(rb"[0-9.]+")
PADDING = 16  # bytes before a block, so that a 16-byte word can end at its first number


@dataclass(frozen=True, slots=True)
class Column:
    """The place of one field in a trace line: one number, a text (floats), or a constant."""

    token: Token
    first: int = -1  # index of the number in the line; -1 for a constant
    last: int = -1  # float: index of the last number of its text
    lead: int = 0  # float: bytes of its text before the first number (a sign)
    negative: bool = False
    constant: int | float | bool = 0


@dataclass(frozen=True, slots=True)
class EntryShape:
    """One trace line in the lines of a shape."""

    template: Template
    columns: tuple[Column, ...]
    anchor: int  # index of its first number; -1 without numbers
    lead: int  # bytes from its beginning to that number
    last: int  # index of its last number; -1 without numbers
    tail: int  # bytes from that number's end to the line's end
    points: tuple[int, ...]  # indices of points of the format that look like numbers ("25 exp.")


@dataclass(frozen=True, slots=True)
class LineShape:
    """The result of ``parse_line`` for one line, valid for all lines of the same shape."""

    offsets: Int64Array  # of each number, in the text without digits and points
    entries: tuple[EntryShape, ...]


def learn_shape(line: bytes, entries: list[Entry]) -> LineShape | None:
    """The shape of a parsed line; None if its numbers are not determined by their positions."""
    spans = [match.span() for match in _TOKEN.finditer(line)]
    shapes = []
    for entry in entries:
        columns = []
        for token in entry.template.fields:
            column = _learn_column(line, entry, token, spans)
            if column is None:
                return None
            columns.append(column)
        begin, end = entry.match.span()
        inside = [i for i, span in enumerate(spans) if span[0] >= begin and span[1] <= end]
        anchor, last = (inside[0], inside[-1]) if inside else (-1, -1)
        lead = spans[anchor][0] - begin if inside else 0
        tail = end - spans[last][1] if inside else 0
        read = {i for column in columns for i in range(column.first, column.last + 1)}
        points = tuple(i for i in inside if i not in read)
        if any(line[slice(*spans[i])] != b"." for i in points):
            return None
        shapes.append(EntryShape(entry.template, tuple(columns), anchor, lead, last, tail, points))
    lengths = np.array([end - start for start, end in spans], np.int64)
    starts = np.array([start for start, _ in spans], np.int64)
    return LineShape(starts - np.cumsum(lengths) + lengths, tuple(shapes))


def _learn_column(line: bytes, entry: Entry, token: Token, spans: list[tuple[int, int]]) -> Column | None:
    begin, end = entry.match.span(token.name)
    inside = [i for i, span in enumerate(spans) if span[0] < end and span[1] > begin]
    if token.number is None or not inside:
        return Column(token, constant=entry.values[token.name])
    first, last = inside[0], inside[-1]
    if spans[first][0] < begin or spans[last][1] != end:
        return None
    lead = spans[first][0] - begin
    if token.number.kind == "float":
        return Column(token, first, last, lead)
    if first != last or line[begin : begin + lead] not in (b"", b"-"):
        return None
    if token.number.kind == "number_or_none" and lead:
        return None  # -1 is a fixed text; no other number may replace it
    return Column(token, first, last, negative=lead == 1)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers (runs of digits and points) of a block of lines."""

    block: bytes  # with PADDING before it
    starts: Int64Array
    ends: Int64Array
    line_starts: Int64Array
    first: Int64Array  # index of the first number of each line; one more element than lines

    @classmethod
    def find(cls, block: bytes) -> "Numbers":
        """All numbers of a padded block that ends with a newline."""
        text = np.frombuffer(block, np.uint8)
        numeric = (text - 46 < 12) & (text != 47)  # unsigned: '.', '/' and the digits
        edges = np.flatnonzero(numeric[1:] != numeric[:-1]) + 1
        line_starts = np.concatenate(([PADDING], np.flatnonzero(text == 10) + 1))
        starts, ends = edges[::2], edges[1::2]
        return cls(block, starts, ends, line_starts, np.searchsorted(starts, line_starts))

    def of_shape(self, shape: LineShape, lines: Int64Array) -> tuple[BoolArray, Int64Array, Int64Array]:
        """Which of the lines have the shape's numbers in its places, and those numbers' starts and ends."""
        count = len(shape.offsets)
        fits = self.first[lines + 1] - self.first[lines] == count
        index = self.first[lines[fits]][:, None] + np.arange(count)
        starts, ends = self.starts[index], self.ends[index]
        lengths = ends - starts
        offsets = starts - self.line_starts[lines[fits]][:, None] - np.cumsum(lengths, axis=1) + lengths
        placed = np.all(offsets == shape.offsets, axis=1)
        fits[fits] = placed
        return fits, starts[placed], ends[placed]


_ZEROS = np.uint64(0x3030303030303030)
_POINTS = np.uint64(0x1E1E1E1E1E1E1E1E)  # '.' after the xor with '0'
_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_KEEP = np.array([(0xFFFFFFFFFFFFFFFF << 8 * (8 - n)) & 0xFFFFFFFFFFFFFFFF for n in range(9)], np.uint64)


def _eight_characters(words: UInt64Array, lengths: Int64Array) -> tuple[Int64Array, Int64Array, BoolArray]:
    """(digits, number of decimals, whether well formed) of numbers of up to eight characters.

    A word holds the eight bytes that end with the number, the first of them lowest. The xor with '0' turns characters
    into digits. Three multiplications then join pairs, fours and eights of digits.
    """
    digits = (words ^ _ZEROS) & _KEEP[lengths]
    marked = digits ^ _POINTS
    marked = (marked - _ONES) & ~marked & _HIGH_BITS  # the high bit of each byte that is a point
    has_point = marked != 0
    point = marked >> np.uint64(7)  # 1 in the point's byte
    below = np.where(has_point, point - np.uint64(1), np.uint64(0))
    above = np.where(has_point, ~(below | (point * np.uint64(0xFF))), ~np.uint64(0))
    digits = ((digits & below) << np.uint64(8)) | (digits & above)
    byte = (np.frexp(point.astype(np.float64))[1] - 1) >> 3  # the point's byte; -1 without one
    decimals = np.where(has_point, 7 - byte, 0)
    well_formed = (~has_point) | ((marked & (marked - np.uint64(1))) == 0) & (decimals > 0) & (
        decimals < lengths - 1
    )
    digits = (digits * np.uint64(10) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    digits = (digits * np.uint64(100) + (digits >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    digits = (digits * np.uint64(10_000) + (digits >> np.uint64(32))) & np.uint64(0x00000000FFFFFFFF)
    return digits.astype(np.int64), decimals.astype(np.int64), well_formed


def decode_numbers(
    block: bytes, starts: Int64Array, ends: Int64Array
) -> tuple[Int64Array, Int64Array, BoolArray]:
    """(digits, number of decimals, validity) of the numbers at ``starts``..``ends``, of any shape, in a padded block.

    A number is valid with up to 16 characters and at most one point, inside the last eight and between digits.
    """
    words = np.ndarray((len(block) - 7,), "<u8", block, strides=(1,))
    lengths = ends - starts
    digits, decimals, valid = _eight_characters(words[ends - 8], np.minimum(lengths, 8))
    long = lengths > 8
    if np.any(long):
        ends_high, lengths_high = ends[long] - 8, np.minimum(lengths[long] - 8, 8)
        high, decimals_high, valid_high = _eight_characters(words[ends_high - 8], lengths_high)
        scale = np.where(decimals[long] > 0, 10_000_000, 100_000_000)
        digits[long] += high * scale
        valid[long] &= valid_high & (decimals_high == 0) & (lengths[long] <= 16) & (decimals[long] < 7)
    return digits, decimals, valid
