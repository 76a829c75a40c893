"""Putting torn gc lines back together.

The runtime prints a gc line with many small writes, and a program's own output can land between two of
them; a terminal or a mail program can also break the line at any character. Both are undone only where
one reading is possible: a number is never glued to digits that another writer may have printed, and two
different results mean none.
"""

import re
from collections.abc import Iterator

from gcsim.gctrace.formats import CYCLES, Template, Token
from gcsim.gctrace.numbers import Number

LINES_BACK = 8  # how far above a broken line its beginning is looked for
LINES_AHEAD = 3  # and its end below

_HEAD = re.compile(rb"gc[ \t]*#?\d*")
_HEADLESS = re.compile(rb"(?<![\w.#])#?\d+[ \t]*@")
_MAY_BE_A_DATE = re.compile(rb"[-0-9/:.,T ]")  # what follows the first digits of a log's time stamp
_PRINTED_MS = re.compile(rb"0|0\.\d{2,3}|[1-9]\.\d|[1-9]\d+")  # fmtNSAsMS prints nothing else
_WHOLE = re.compile(rb"gc[ \t]*#?\d+[ \t]*@.* P|gc\d+\(\d+\):.* yields")


def reassemble(lines: list[bytes], *, with_head: bool = False) -> list[tuple[int, bytes]]:
    """The gc lines that may end in the last of ``lines``, each with how many lines above it begins.

    One result is certain; none or several mean that the line cannot be read. ``with_head`` asks for lines
    whose very beginning is there; otherwise one that lost only "gc" is taken too.
    """
    tail = lines[-1]
    if with_head and _WHOLE.search(tail):
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
            for template in CYCLES.values():
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
    into it, which the runtime's writes allow only between two tokens.
    """
    if not open_ended and piece[:1].isdigit():
        return
    text = before + piece.rstrip()
    position = 0
    cuts: list[int] = []
    for token in template.tokens:
        match = re.compile(_pattern(token)).match(text, position)
        if match is None:
            rest = text[position:].lstrip()
            if (not rest or token.text.lstrip().encode().startswith(rest)) and len(text) > len(before):
                yield text, True
                return
            break
        cuts += [match.end()] if token.number is None else _ends(token.number, text, position, match.end())
        position = match.end()
    if position == len(text) and position > len(before):
        yield text, True
        return
    yield from ((text[:cut], not text[cut - 1 : cut].isdigit()) for cut in cuts if cut > len(before))


def _ends(number: Number, text: bytes, start: int, end: int) -> list[int]:
    """Where a number may end: at its last digit, or before, when the digits after may be a date's."""
    possible = range(start + 1, end + 1) if _MAY_BE_A_DATE.match(text, end) else [end]
    if number.kind == "seconds":
        return [end]
    if number.kind == "ms":
        return [stop for stop in possible if _PRINTED_MS.fullmatch(text, start, stop)]
    return list(possible)


def _pattern(token: Token) -> bytes:
    pattern = token.pattern.encode()
    if token.text == "gc ":
        return rb"gc[ \t]*#?"
    return b"(?:" + pattern + b")?" if token.name and token.number is None else pattern
