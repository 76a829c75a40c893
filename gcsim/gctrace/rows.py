"""The rows of a log by template, and their tables in the order of the file."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.cycles import NOT_LOGGED
from gcsim.gctrace.formats import Template
from gcsim.gctrace.lines import Entry
from gcsim.gctrace.numbers import saturate_size
from gcsim.gctrace.shapes import Column, EntryShape, LineShape, Numbers, decode_numbers

Raw = dict[str, NDArray[Any]]

ORDER = "order"  # line number * LINE + position among the line's trace lines
PREFIX_START, PREFIX_END = "prefix_start", "prefix_end"
"""Offsets in the log of the text before a trace line, from the end of the one before or the line's start."""

LINE = 1 << 26
"""A power of two above the number of trace lines that one line of a log can hold (``source.MAX_BYTES``)."""


class RowStore:
    """Collects rows, single or in columns. Offsets are those in the whole log."""

    def __init__(self) -> None:
        self._single: dict[Template, list[tuple[float, ...]]] = {}
        self._columns: dict[Template, list[Raw]] = {}
        self._forced: list[int] = []  # places of gc lines whose "(forced)" is in a later line

    def add_entries(self, entries: Iterable[Entry], line_number: int, line_start: int) -> None:
        """Adds the trace lines that the careful path found in one line of the log."""
        previous = 0
        for i, entry in enumerate(entries):
            place = (line_number * LINE + i, line_start + previous, line_start + entry.match.start())
            previous = entry.match.end()
            self._single.setdefault(entry.template, []).append((*place, *entry.values.values()))

    def add_joined(self, entry: Entry, line_number: int, prefix: tuple[int, int]) -> None:
        """Adds a joined gc line, as the last trace line of the line in which it begins."""
        place = (line_number * LINE + LINE - 1, *prefix)
        self._single.setdefault(entry.template, []).append((*place, *entry.values.values()))

    def mark_forced(self, places: Iterable[int]) -> None:
        """Marks gc lines as forced, by their place in the log."""
        self._forced.extend(places)

    def add_lines(
        self, shape: LineShape, numbers: Numbers, lines: Int64Array, first_line_number: int, shift: int
    ) -> Int64Array:
        """Adds lines of one shape, by index in their block; returns the lines that need the careful path.

        An offset in the padded block plus ``shift`` is an offset in the log.
        """
        fits, starts, ends = numbers.of_shape(shape, lines)
        decoded = [_decode_entry(entry, numbers.block, starts, ends) for entry in shape.entries]
        good = np.logical_and.reduce([valid for _, valid in decoded])
        chosen = lines[fits][good]
        previous = numbers.line_starts[chosen] + shift
        for i, (entry, (columns, _)) in enumerate(zip(shape.entries, decoded, strict=True)):
            raw = {name: column[good] for name, column in columns.items()}
            raw[ORDER] = (first_line_number + chosen) * LINE + i
            raw[PREFIX_START] = raw[PREFIX_END] = previous
            if entry.anchor >= 0:
                raw[PREFIX_END] = starts[good, entry.anchor] - entry.lead + shift
                previous = ends[good, entry.last] + entry.tail + shift
            self._columns.setdefault(entry.template, []).append(raw)
        careful = ~fits
        careful[fits] = ~good
        return lines[careful]

    def table(self, templates: Iterable[Template]) -> Raw:
        """The rows of some templates, in the order of the log; NOT_LOGGED for fields that a line lacks."""
        templates = list(templates)
        names = {ORDER: None, PREFIX_START: None, PREFIX_END: None}
        names |= {token.name: None for template in templates for token in template.fields}
        parts = [part for template in templates for part in self._parts(template)]
        table = {name: np.concatenate([_column(part, name) for part in parts] or [_EMPTY]) for name in names}
        if self._forced and "forced" in table:
            table["forced"] = table["forced"] | np.isin(table[ORDER], self._forced)
        rising = np.argsort(table[ORDER], kind="stable")
        return {name: column[rising] for name, column in table.items()}

    def _parts(self, template: Template) -> list[Raw]:
        parts = list(self._columns.get(template, ()))
        if rows := self._single.get(template):
            names = [ORDER, PREFIX_START, PREFIX_END, *(token.name for token in template.fields)]
            parts.append(
                {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
            )
        return parts


_POINT = ord(".")
_EMPTY = np.empty(0, np.int64)


def _column(part: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    column = part.get(name)
    return np.full(len(part[ORDER]), NOT_LOGGED, np.int64) if column is None else column


def _decode_entry(
    entry: EntryShape, block: bytes, starts: Int64Array, ends: Int64Array
) -> tuple[Raw, BoolArray]:
    """(the entry's columns, whether each row is valid); numbers are at ``starts``..``ends`` (lines, numbers)."""
    values: Raw = {}
    points = list(entry.points)
    characters = np.frombuffer(block, np.uint8)[starts[:, points]]
    valid = np.all((characters == _POINT) & (ends[:, points] - starts[:, points] == 1), axis=1)
    integers = [
        c for c in entry.columns if c.first >= 0 and c.token.number and c.token.number.kind != "float"
    ]
    index = [c.first for c in integers]
    digits, decimals, well_formed = decode_numbers(block, starts[:, index], ends[:, index])
    for i, column in enumerate(integers):
        value, fits = _scaled(column, digits[:, i], decimals[:, i], ends[:, index[i]] - starts[:, index[i]])
        values[column.token.name] = value
        valid &= fits & well_formed[:, i]
    for column in entry.columns:
        if column.first < 0:
            values[column.token.name] = np.full(len(starts), column.constant)
        elif column.token.name not in values:
            values[column.token.name], fits = _floats(column, block, starts, ends)
            valid &= fits
    return {column.token.name: values[column.token.name] for column in entry.columns}, valid


def _scaled(
    column: Column, digits: Int64Array, decimals: Int64Array, lengths: Int64Array
) -> tuple[Int64Array, BoolArray]:
    number = column.token.number
    assert number is not None
    fits = (decimals <= number.decimals) & (lengths <= number.max_digits)
    if number.kind == "seconds":
        fits &= decimals == number.decimals
    steps = np.array([number.scale // 10**i if i <= number.decimals else 0 for i in range(9)], np.int64)
    value = np.where(fits, digits, 0) * steps[np.minimum(decimals, 8)]
    if number.kind == "mib":
        huge = digits >= 1 << 40
        value = np.where(huge, saturate_size(1 << 62), value)
    return (-value if column.negative else value), fits


def _floats(
    column: Column, block: bytes, starts: Int64Array, ends: Int64Array
) -> tuple[FloatArray, BoolArray]:
    values = np.zeros(len(starts))
    fits = np.ones(len(starts), np.bool_)
    begins, stops = (starts[:, column.first] - column.lead).tolist(), ends[:, column.last].tolist()
    for i, (begin, stop) in enumerate(zip(begins, stops, strict=True)):
        text = block[begin:stop]
        try:
            values[i] = float(text)
        except ValueError:  # "1.2.3": the careful path reports the error
            fits[i] = False
        else:
            fits[i] = text[-1:] != b"." and b".e" not in text and text.lstrip(b"+-")[:1] != b"."
    return values, fits
