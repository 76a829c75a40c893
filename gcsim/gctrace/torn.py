"""Finds the possible readings of torn gc lines.

The runtime prints a gc line with many small writes, and a program's own output can come between two of them. A
terminal or a mail program can also break the line at any character. ``readings`` follows both from the beginning of a
gc line through the lines after it, and returns every gc line that the runtime could have printed. ``repair`` chooses
among them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from gcsim.gctrace.formats import CYCLES, Template
from gcsim.gctrace.lines import ends_within_mark
from gcsim.gctrace.numbers import Number
from gcsim.gctrace.printed import could_be_printed

LINES_AHEAD = 8  # lines below its beginning that are searched for a torn line's end
PIECE = 1024  # bytes of a line that can be part of a gc line

_HEAD = re.compile(rb'(?<![\w.])gc(?:[ \t]+#?\d|#?\d+[ \t]*[@(]|[ \t]*(?=\\[nr]|["\r]|$))')
_HEADS_PER_LINE = 3
FAR = 16 << 10  # bytes of foreign text that may follow the beginning of a gc line
_NEXT_GC_LINE = re.compile(rb"gc[ \t]*#?\d+[ \t]*@|gc\d+\(\d+\):")
_GC_LINE_PART = re.compile(
    rb"\d ?ms ?c(?:lock|pu),|MB (?:goal|stacks|globals),|\d ?P\b|\d->\d|\bP\s*\Z|\(forced\)"
)
_AFTER_A_NUMBER = re.compile(
    rb"""[A-SU-Za-z({\["'<=#$_]"""
)  # no text that begins with digits continues in this way
_PART_OF_SECONDS = re.compile(rb"\d{1,9}(?:\.\d{0,2})?")
_IN_NUMBER = re.compile(rb"\d\|[\d.]\Z|\.\|\d\Z")
_CHUNK = re.compile(rb"\d+|\D+")
_PREFIX = 4096  # bytes of a log's prefix that are compared
_STATES = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """One gc line that the pieces of a torn line may be."""

    begin: int  # column of its beginning in its first line
    text: bytes
    template: Template
    last: int  # index of its last line, counted from its first line
    end: int  # column of its end in that line
    unmixed: bool = False  # whether its lines hold only its pieces
    joints: tuple[int, ...] = ()  # places in the text where its pieces meet


@dataclass(frozen=True, slots=True)
class _State:
    """The first part of a gc line. An open one ends where its line was broken; the next line continues it."""

    text: bytes
    is_open: bool
    unmixed: bool = True
    broken_number: bool = False
    joints: tuple[int, ...] = ()


def heads(line: bytes) -> list[int]:
    """The columns at which gc lines begin in a line without ending in it."""
    found = [match.start() for match in _HEAD.finditer(line, max(len(line) - FAR, 0))]
    return [at for at in found[-_HEADS_PER_LINE:] if not any(_whole(t, line, at) for t in CYCLES.values())]


def _whole(template: Template, line: bytes, at: int) -> bool:
    match = template.regex.match(line, at)
    return match is not None and not ends_within_mark(line[match.end() :])


def readings(lines: list[bytes], at: int) -> list[Reading]:
    """The possible gc lines that begin at ``at`` in the first of ``lines`` and end in the earliest possible line."""
    prefix = lines[0][:at]
    pieces, offsets = [_unwrapped(lines[0][at:], prefix)], [0]
    for line in lines[1 : LINES_AHEAD + 1]:
        following = _NEXT_GC_LINE.search(line)
        piece = line[: following.start()] if following else line
        skipped = _prefix_end(piece, prefix)
        offsets.append(skipped)
        pieces.append(_unwrapped(piece[skipped:], piece[:skipped]))
        if following:
            break
    found: list[Reading] = []
    for template in _fitting(pieces[0]):
        found += _completions(template, pieces, offsets)
    earliest = min((reading.last for reading in found), default=0)
    return [replace(reading, begin=at) for reading in found if reading.last == earliest]


def _unwrapped(piece: bytes, prefix: bytes) -> bytes:
    """A piece of a gc line without a wrapper's text after it; a gc line has no quotation mark."""
    piece = piece[:PIECE].rstrip(b"\r")
    if b'"' in prefix and b'"' in piece:
        piece = piece[: piece.index(b'"')]
        while piece.endswith((b"\\n", b"\\r", b"\\")):
            piece = piece[:-1] if piece.endswith(b"\\") else piece[:-2]
    return piece


def _prefix_end(line: bytes, prefix: bytes) -> int:
    """The length of a prefix of the same form, in which only digits may differ; 0 without one."""
    if len(prefix) > _PREFIX:
        return 0
    position = 0
    for chunk in _CHUNK.findall(prefix):
        if not chunk.isdigit():
            if not line.startswith(chunk, position):
                return 0
            position += len(chunk)
            continue
        digits = _CHUNK.match(line, position)
        if digits is None or not digits[0].isdigit():
            return 0
        position = digits.end()
    return position


def _fitting(head: bytes) -> list[Template]:
    """The formats that match the longest part of a line's beginning."""
    reach: dict[Template, int] = {}
    for template in CYCLES.values():
        spans = _tokens(template, head)
        end = spans[-1][1] if spans else 0
        rest = head[end:].strip()
        following = (
            template.tokens[len(spans)].text.strip().encode() if len(spans) < len(template.tokens) else b""
        )
        reach[template] = end + (len(rest) if rest and following.startswith(rest) else 0)
    return [template for template, position in reach.items() if position == max(reach.values())]


def _completions(template: Template, pieces: list[bytes], offsets: list[int]) -> Iterator[Reading]:
    """Whole gc lines from a beginning of the first piece, of some others, and of the last one."""
    states = set(_beginnings(template, _State(b"", True), pieces[0]))
    for i, piece in enumerate(pieces[1:], 1):
        done = False
        for state in states:
            if reading := _completed(template, state, piece, i, offsets[i]):
                done = True
                yield reading
        if done:
            return
        longer = {new for state in states for new in _beginnings(template, state, piece)}
        skips = not _is_damaged(piece)  # no part of another gc line is between two parts of one
        waiting = {state for state in states if skips and not state.is_open}
        states = set(sorted(longer | waiting, key=lambda state: (-len(state.text), state.text))[:_STATES])


def _completed(template: Template, state: _State, piece: bytes, index: int, offset: int) -> Reading | None:
    if not _may_follow(state, piece):
        return None
    text = _glued(state, piece)
    match = template.regex.match(text)
    if match is None or match.end() <= len(state.text) or ends_within_mark(text[match.end() :]):
        return None
    joints = (*state.joints, len(state.text))
    broken_number = state.broken_number or _breaks_number(state, piece)
    if not could_be_printed(template, match, joints, broken_number=broken_number):
        return None
    end = offset + match.end() - (len(text) - len(piece))
    unmixed = state.is_open and state.unmixed
    return Reading(0, match[0], template, index, end, unmixed, joints)


def _may_follow(state: _State, piece: bytes) -> bool:
    """Whether a piece may follow; digits follow digits only in a broken number."""
    return state.is_open or not (piece[:1].isdigit() and state.text[-1:].isdigit())


def _glued(state: _State, piece: bytes) -> bytes:
    blank = b" " if state.text.endswith(b"gc") and piece[:1].isdigit() else b""
    return state.text + blank + piece


def _breaks_number(state: _State, piece: bytes) -> bool:
    return state.is_open and _IN_NUMBER.search(state.text[-1:] + b"|" + piece[:1]) is not None


def _beginnings(template: Template, state: _State, piece: bytes) -> Iterator[_State]:
    """The beginnings that continue ``state`` by as much of a piece as the format allows.

    If the format matches the whole piece, the line may be broken at its end. Otherwise another text was printed into
    the line, which can happen only between two tokens. That text may begin with digits. The last number is then
    uncertain: it ends at one of its digits, or is absent.
    """
    if not _may_follow(state, piece):
        return
    before, text = len(state.text), _glued(state, piece)
    broken_number = state.broken_number or _breaks_number(state, piece)
    joints = (*state.joints, before) if before else ()
    spans = _tokens(template, text)
    used_up = _used_up(template, spans, text)
    if (not spans or spans[-1][1] <= before) and not (used_up and state.is_open):
        return
    start, end, number = spans[-1] if spans else (0, 0, None)
    if not used_up and _is_damaged(text[end:]):
        return
    if used_up:
        yield _State(text, True, state.is_open and state.unmixed, broken_number, joints)
    cuts = [end] if number is None else [start, *_ends(number, text, start, end)]
    yield from (_State(text[:cut], False, False, broken_number, joints) for cut in cuts if cut > before)


def _is_damaged(rest: bytes) -> bool:
    """Whether the text after a beginning is the rest of a gc line and not the text of another writer."""
    following = _NEXT_GC_LINE.search(rest)
    return _GC_LINE_PART.search(rest, 0, following.start() if following else len(rest)) is not None


def _used_up(template: Template, spans: list[tuple[int, int, Number | None]], text: bytes) -> bool:
    """Whether only a part of the next token follows the matched tokens."""
    end, number = (spans[-1][1], spans[-1][2]) if spans else (0, None)
    rest = text[end:].strip()
    if not rest:
        return True
    if rest == b"." and number is not None and number.kind == "ms":
        return b"." not in text[spans[-1][0] : end]
    missing = template.tokens[len(spans) - 1 : len(spans) + 1]  # an optional text, and what must follow
    expected = [token.text.strip().encode() for token in missing if token.number is None]
    if spans and spans[-1][1] > spans[-1][0]:
        expected = expected[1:] if template.tokens[len(spans) - 1].number is None else expected
    if missing[-1].number is not None and missing[-1].number.kind == "seconds":
        return _PART_OF_SECONDS.fullmatch(rest) is not None
    return any(text.startswith(rest) for text in expected)


def _tokens(template: Template, text: bytes) -> list[tuple[int, int, Number | None]]:
    """The tokens at the beginning of a text: (start, end, kind of number)."""
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
    """The places where a number may end: at its last digit, or before if later digits may be another writer's."""
    if number.kind == "seconds" or _AFTER_A_NUMBER.match(text, end):
        return [end]
    return [stop for stop in range(start + 1, end + 1) if text[stop - 1 : stop] != b"."]


@cache
def _patterns(template: Template) -> list[re.Pattern[bytes]]:
    """One expression per token; "gc " may be at the end of its line, and an optional text may be missing."""
    patterns = []
    for token in template.tokens:
        pattern = token.pattern if token.text != "gc " else r"gc[ \t]*#?"
        patterns.append(f"(?:{pattern})?" if token.name and token.number is None else pattern)
    return [re.compile(pattern.encode()) for pattern in patterns]
