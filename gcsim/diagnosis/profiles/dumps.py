"""Reads dumps of goroutines (``debug=2``, a crash) piece by piece.

Most goroutines of a large dump have the same text, except for numbers. The reader leaves out arguments and the number
of the creator, and parses each text once.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gcsim.diagnosis.profiles.profile import MOST_FRAMES, Frame, Stack, frame_of
from gcsim.errors import InputError
from gcsim.units import MIB

_LABELS = r"(?: \{[^\n]*\})?"  # of the profiler: Go 1.27 prints them
HEADER = re.compile(rf"^goroutine (\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[([^\]\n]*)\]{_LABELS}:", re.MULTILINE)
MOST_TEXTS, MOST_TEXT_BYTES = 100_000, 16 * MIB  # of different stacks
MOST_GOROUTINES = 3_000_000
_LONGEST_ROW = 4000
_LONGEST_TEXT = 256 << 10  # bytes of one goroutine; the runtime prints 100 frames
_CALL = re.compile(r"^(created by )?(\S.*?)(?:\([^()]*\))?(?: in goroutine \d+)?$")
_FILE = re.compile(r"^\s+(\S.*):(\d+)(?: \+0x[0-9a-f]+)?$")
_MINUTES = re.compile(r"(\d+) minutes")
_ARGUMENTS = re.compile(rb"\([^()\n]*\)\r?\n")
_CREATOR = re.compile(rb" in goroutine \d+")
_START = b"\ngoroutine "
_MOST_STATES = 10_000  # that are kept; labels of the profiler may make one of each goroutine

_Key = tuple[str, bytes, bool]  # state, calls, whether it is the main goroutine


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumped:
    """Goroutines of a dump with one state and one text."""

    stack: Stack  # the leaf first
    count: int
    state: str
    minutes: int  # for which they wait
    line: int  # of the first one, from 1
    is_finalizers: bool  # the goroutine of finalizers, in a dump without the runtime's frames


def read_dump(pieces: Iterable[bytes], source: str) -> Iterator[Dumped]:
    """The goroutines of a dump. Raises InputError, naming the file, for one with too many different stacks."""
    found: dict[_Key, list[int]] = {}  # number of goroutines, line of the first, most minutes
    stacks: dict[bytes, tuple[Stack, bool]] = {}
    text_bytes = 0
    for count, (key, line, minutes) in enumerate(_goroutines(pieces)):
        known = found.get(key)
        if known is not None:
            known[0] += 1
            if minutes > known[2]:
                known[2] = minutes
        else:
            found[key] = [1, line, minutes]
            if key[1] not in stacks:
                stacks[key[1]] = _parsed(key[1])
                text_bytes += len(key[1])
        if len(found) > MOST_TEXTS or text_bytes > MOST_TEXT_BYTES or count >= MOST_GOROUTINES:
            raise InputError(
                f"{source}: holds more than {MOST_TEXTS:,} different stacks, {MOST_TEXT_BYTES // MIB} MiB of them, or"
                f" {MOST_GOROUTINES:,} goroutines, the most that is read; save /debug/pprof/goroutine?debug=1"
            )
    for (state, calls, is_main), (count, line, minutes) in found.items():
        stack, is_of_runtime = stacks[calls]
        yield Dumped(
            stack=stack,
            count=count,
            state=state,
            minutes=minutes,
            line=line,
            is_finalizers=is_of_runtime and not is_main and count == 1,
        )


def _goroutines(pieces: Iterable[bytes]) -> Iterator[tuple[_Key, int, int]]:
    """(key, line, minutes of waiting) of each goroutine, in order."""
    line = 0
    states: dict[bytes, tuple[str, int]] = {}  # by the header behind the number
    for text in _whole_goroutines(pieces):
        before, *goroutines = _CREATOR.sub(b"", _ARGUMENTS.sub(b"\n", text)).split(_START)
        line += before.count(b"\n")
        for one in goroutines:
            line += 1
            header, _, calls = one.partition(b"\n")
            number, _, rest = header.partition(b" ")
            state = states.get(rest)
            if state is None:
                state = _state(rest)
                if len(states) < _MOST_STATES:
                    states[rest] = state
            if state[0] and number.isdigit():
                yield (state[0], calls[:_LONGEST_TEXT].rstrip(), number == b"1"), line, state[1]
            line += one.count(b"\n")


def _state(header: bytes) -> tuple[str, int]:
    """(the state, the minutes of waiting) in a header behind its number; an empty state for other text."""
    found = HEADER.match(f"goroutine 1 {header[:_LONGEST_ROW].decode('utf-8', errors='replace')}")
    if found is None:
        return "", 0
    waited = _MINUTES.search(found[2])
    return found[2].split(", ")[0], int(waited[1][:9]) if waited else 0


def _whole_goroutines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Texts that end before the start of a goroutine, with a line break before the first line."""
    rest = b"\n"
    for piece in pieces:
        text = rest + piece
        end = text.rfind(_START)
        if end < 0 or (end == 0 and len(text) > _LONGEST_TEXT):
            end = len(text) - len(_START)  # other text, such as a log behind a dump
        if end > 0:
            yield text[:end]
            text = text[end:]
        rest = text
    yield rest


def _parsed(calls: bytes) -> tuple[Stack, bool]:
    """(the stack, whether it is the goroutine of finalizers unless it is the main goroutine).

    Up to Go 1.22 a dump hides the runtime's frames. There the goroutine of finalizers is the one that no go statement
    has created and that is not the main goroutine.
    """
    frames: list[Frame] = []
    call, has_creator = "", False
    for row in calls.decode("utf-8", errors="replace").split("\n"):
        row = row.rstrip("\r")
        if len(row) > _LONGEST_ROW:
            continue
        is_indented = row[:1].isspace()
        place = _FILE.match(row) if is_indented else None
        if place is not None:
            if call and len(frames) < MOST_FRAMES:
                frames.append(frame_of(call, place[1], int(place[2][:9])))
            call = ""
            continue
        named = None if is_indented else _CALL.match(row)
        has_creator = has_creator or (named is not None and bool(named[1]))
        call = named[2] if named is not None and not named[1] else ""
    is_own = bool(frames) and not frames[-1].function.startswith(
        ("main.main", "runtime.", "_cgoexp", "crosscall")
    )
    return tuple(frames), is_own and not has_creator
