"""Putting torn gc lines back together.

The runtime prints a gc line with many small writes, and a program's own output can land between two of
them; a terminal or a mail program can also break the line at any character. Both are undone only where
one reading is possible: a number is never glued to digits that another writer may have printed, and two
different results mean none.
"""

import re
from collections.abc import Iterator
from functools import cache

from gcsim.gctrace.formats import CYCLES, Template
from gcsim.gctrace.numbers import Number

LINES_BACK = 8  # how far above a broken line its beginning is looked for
LINES_AHEAD = 3  # and its end below

_HEAD = re.compile(rb"gc[ \t]*#?\d*")
_HEADLESS = re.compile(rb"(?<![\w.#])#?\d+[ \t]*@")
_MAY_BE_A_DATE = re.compile(rb"[-0-9/:.,T ]")  # what follows the first digits of a log's time stamp
_PRINTED_MS = re.compile(rb"0|0\.0\d\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+")  # fmtNSAsMS prints nothing else
_END = re.compile(rb"P(?![A-Za-z])|yields")
_WHOLE = re.compile(rb"gc[ \t]*#?\d+[ \t]*@.* P|gc\d+\(\d+\):.* yields")


def reassemble(lines: list[bytes], *, with_head: bool = False) -> list[tuple[int, bytes]]:
    """The gc lines that may end in the last of ``lines``, each with how many lines above it begins.

    One result is certain; none or several mean that the line cannot be read. ``with_head`` asks for lines
    whose very beginning is there; otherwise one that lost only "gc" is taken too.
    """
    tail = lines[-1]
    if _END.search(tail) is None or (with_head and _WHOLE.search(tail)):
        return []
    results: dict[bytes, int] = {}
    for back in range(1, len(lines)):
        head = lines[-1 - back]
        if _WHOLE.search(head):
            break
        for start in _HEAD.finditer(head):
            prefix = head[: start.start()]
            pieces = [
                head[start.start() :],
                *(_without_prefix(line, prefix) for line in lines[len(lines) - back :]),
            ]
            for template in _fitting(pieces[0]):
                for text in _join(template, pieces):
                    results.setdefault(text, back)
        if results:
            break
    headless = None if with_head else _HEADLESS.search(tail)
    if headless is not None and not results:
        for template in CYCLES.values():
            if match := template.regex.match(b"gc " + tail[headless.start() :]):
                results.setdefault(match[0], 0)
    return [(back, text) for text, back in results.items()]


def _fitting(head: bytes) -> list[Template]:
    """The formats that explain the most of a line's beginning."""
    reach = {
        template: len(_tokens(template, head)) and _tokens(template, head)[-1][1]
        for template in CYCLES.values()
    }
    return [template for template, position in reach.items() if position == max(reach.values())]


def _without_prefix(line: bytes, prefix: bytes) -> bytes:
    """The line without a log's prefix of the same make (time stamps differ in their digits only)."""
    if not prefix:
        return line
    make = re.sub(rb"\d+", rb"\\d+", re.escape(prefix))
    return re.sub(rb"\A" + make, b"", line)


def _join(template: Template, pieces: list[bytes]) -> Iterator[bytes]:
    """Whole lines made of a beginning of the first piece, beginnings of some others, and the last piece."""
    partial = set(_beginnings(template, b"", pieces[0]))
    for piece in pieces[1:-1]:
        partial |= {
            longer
            for text, open_ended in partial
            for longer in _beginnings(template, text, piece, open_ended)
        }
    for text, open_ended in partial:
        if open_ended or not pieces[-1][:1].isdigit():
            match = template.regex.match(text + pieces[-1])
            if match is not None and match.end() > len(text):
                yield match[0]


def _beginnings(
    template: Template, before: bytes, piece: bytes, open_ended: bool = True
) -> Iterator[tuple[bytes, bool]]:
    """``before`` continued by as much of a piece as the format allows, and whether digits may follow.

    When the format uses up the whole piece, the line was broken there; else something else was printed
    into it, which the runtime's writes allow only between two tokens. What was printed may have begun
    with digits, so that the last number is uncertain: it ends at one of its digits, or was never there.
    """
    if not open_ended and piece[:1].isdigit():
        return
    text = before + piece.rstrip()
    spans = _tokens(template, text)
    position = spans[-1][1] if spans else 0
    rest = text[position:].lstrip()
    following = template.tokens[len(spans)] if len(spans) < len(template.tokens) else None
    if not rest or (following is not None and following.text.lstrip().encode().startswith(rest)):
        if len(text) > len(before):
            yield text, True
        return
    if not spans:
        return
    start, end, number = spans[-1]
    cuts = [end] if number is None else [start, *_ends(number, text, start, end)]
    yield from ((text[:cut], not text[cut - 1 : cut].isdigit()) for cut in cuts if cut > len(before))


def _tokens(template: Template, text: bytes) -> list[tuple[int, int, Number | None]]:
    """The tokens that a text begins with: start, end and kind of number."""
    spans: list[tuple[int, int, Number | None]] = []
    position = 0
    for token, pattern in zip(template.tokens, _patterns(template), strict=True):
        match = pattern.match(text, position)
        if match is None:
            break
        spans.append((position, match.end(), token.number))
        position = match.end()
    return spans


def _ends(number: Number, text: bytes, start: int, end: int) -> list[int]:
    """Where a number may end: at its last digit, or before, when the digits after may be a date's."""
    possible = [end]
    if _MAY_BE_A_DATE.match(text, end):
        possible = [stop for stop in range(start + 1, end + 1) if text[stop : stop + 1] != b"."]
    if number.kind == "seconds":
        return [end]
    if number.kind == "ms":
        return [stop for stop in possible if _PRINTED_MS.fullmatch(text, start, stop)]
    return possible


@cache
def _patterns(template: Template) -> list[re.Pattern[bytes]]:
    """One expression per token; "gc " may end its line, and an optional text may be missing."""
    patterns = []
    for token in template.tokens:
        pattern = token.pattern if token.text != "gc " else r"gc[ \t]*#?"
        patterns.append(f"(?:{pattern})?" if token.name and token.number is None else pattern)
    return [re.compile(pattern.encode()) for pattern in patterns]
