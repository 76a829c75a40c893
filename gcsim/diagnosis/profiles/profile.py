"""Reads a pprof profile into stacks with values."""

import gzip
import io
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.diagnosis.profiles.bounds import MOST_BYTES, check_bounds
from gcsim.diagnosis.profiles.schema import parsed
from gcsim.errors import InputError

MOST_FRAMES = 128  # of a stack, from the leaf; Go records up to 128

ProfileKind = Literal["heap", "goroutine", "CPU", "contention", "other"]

_KINDS: dict[str, ProfileKind] = {
    "inuse_space": "heap",
    "goroutine": "goroutine",
    "goroutineleak": "goroutine",
    "cpu": "CPU",
    "delay": "contention",
}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a stack; the line is 0 if it is not known.

    Equal frames are one object (``frame_of``), so that stacks of many frames are compared quickly.
    """

    function: str
    file: str
    line: int

    @property
    def place(self) -> str:
        """The function and the last part of its file, such as ``main.leak (main.go:120)``."""
        if not self.file:
            return self.function
        return f"{self.function} ({self.file.rsplit('/', 1)[-1]}:{self.line})"

    @property
    def is_runtime(self) -> bool:
        """Whether the frame is of the Go runtime."""
        return self.function.startswith(("runtime.", "internal/runtime/"))


@cache
def frame_of(function: str, file: str, line: int) -> Frame:
    """The frame of a function and a place."""
    return Frame(function, file, line)


Stack = tuple[Frame, ...]  # the leaf first


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """One profile: a stack per sample, and a value per sample and type."""

    source: str
    types: tuple[str, ...]
    stacks: tuple[Stack, ...]
    values: Int64Array  # shape (samples, types)
    time_nanos: int  # since 1970; 0 if it is not known
    duration_seconds: float  # 0 for a momentary profile
    period: int = 0  # between samples, in the unit of the profile; 0 if it is not known

    @property
    def kind(self) -> ProfileKind:
        """The kind of profile, by its sample types."""
        return next((kind for name, kind in _KINDS.items() if name in self.types), "other")

    def column(self, name: str) -> Int64Array:
        """The values of one type, shape (samples,); zeros if the profile lacks it."""
        if name not in self.types:
            return np.zeros(len(self.stacks), np.int64)
        return self.values[:, self.types.index(name)]

    def total(self, name: str) -> float:
        """The sum of one type."""
        return float(self.column(name).sum())

    @cached_property
    def sites(self) -> tuple["Stack", ...]:
        """The stack of each sample without the runtime's frames at its leaf."""
        return tuple(user_part(stack) for stack in self.stacks)

    def by_site(self, name: str) -> dict["Stack", float]:
        """The sum of one type for each stack, the largest first."""
        found: dict[Stack, float] = {}
        for stack, value in zip(self.sites, self.column(name).tolist(), strict=True):
            found[stack] = found.get(stack, 0.0) + value
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def share_below(self, name: str, *functions: str) -> float:
        """The share of one type in stacks that hold one of the functions."""
        values = self.column(name)
        whole = float(values.sum())
        wanted = set(functions)
        inside = [any(frame.function in wanted for frame in stack) for stack in self.stacks]
        return float(values[np.array(inside, dtype=bool)].sum()) / whole if whole > 0 and inside else 0.0


def user_part(stack: Stack) -> Stack:
    """The stack from its first frame outside the runtime on; the whole stack if it has none."""
    for place, frame in enumerate(stack):
        if not frame.is_runtime:
            return stack[place:]
    return stack


def site_of(stack: Stack) -> str:
    """The leaf of a stack and its caller, in words."""
    if not stack:
        return "an unknown site"
    callers = [frame for frame in stack[1:] if not frame.is_runtime][:1]
    return stack[0].place + "".join(f", called by {frame.place}" for frame in callers)


def read_profile(data: bytes, source: str) -> Profile:
    """The profile in a file's bytes, packed with gzip or not. Raises InputError that names the file."""
    unpacked = _unpacked(data, source)
    try:
        check_bounds(unpacked, source)
        message = parsed(unpacked)
    except InputError:
        raise
    except ValueError:
        raise InputError(
            f"{source}: is not a pprof profile, or is cut short; save it again, such as with curl -s"
            " …/debug/pprof/heap"
        ) from None
    if not message.sample_type or not message.string_table:
        raise InputError(f"{source}: is not a pprof profile: it names no sample types; save it again")
    names = _Strings(message)
    types = tuple(names[one.type] for one in message.sample_type)
    frames = _frames(message, names)
    stacks, values = _samples(message, frames, len(types))
    return Profile(
        source=source,
        types=types,
        stacks=stacks,
        values=values,
        time_nanos=int(message.time_nanos),
        duration_seconds=max(message.duration_nanos, 0) / 1e9,
        period=max(int(message.period), 0),
    )


class _Strings:
    """The string table; an index outside it is an empty text."""

    def __init__(self, message: Any) -> None:
        self._table = message.string_table
        self._size = len(message.string_table)

    def __getitem__(self, index: int) -> str:
        return str(self._table[index])[:1000] if 0 <= index < self._size else ""


def _frames(message: Any, names: _Strings) -> dict[int, Stack]:
    """The frames of each location, inlined functions first."""
    functions = {one.id: (names[one.name], names[one.filename]) for one in message.function}
    return {
        location.id: tuple(
            frame_of(*functions.get(line.function_id, ("", "")), int(line.line))
            for line in location.line[:MOST_FRAMES]
        )
        for location in message.location
    }


def _samples(message: Any, frames: dict[int, Stack], width: int) -> tuple[tuple[Stack, ...], Int64Array]:
    stacks: list[Stack] = []
    values = np.zeros((len(message.sample), width), np.int64)
    known: dict[tuple[int, ...], Stack] = {}
    for row, sample in enumerate(message.sample):
        ids = tuple(sample.location_id[:MOST_FRAMES])
        stack = known.get(ids)
        if stack is None:
            whole = [frame for one in ids for frame in frames.get(one, ())]
            stack = known[ids] = tuple(whole[:MOST_FRAMES])
        stacks.append(stack)
        found = sample.value[:width]
        values[row, : len(found)] = found
    return tuple(stacks), values


def _unpacked(data: bytes, source: str) -> bytes:
    """The bytes without gzip. Raises InputError beyond MOST_BYTES and for damaged data."""
    for _ in range(2):
        if not data.startswith(b"\x1f\x8b"):
            break
        try:
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read(MOST_BYTES + 1)
        except (EOFError, OSError, zlib.error):
            raise InputError(
                f"{source}: its gzip data are damaged or cut short; save the profile again"
            ) from None
    if len(data) > MOST_BYTES:
        raise InputError(
            f"{source}: holds more than {MOST_BYTES >> 20} MiB, the most that is read of a profile; take a"
            " shorter profile, or reduce it with go tool pprof -proto -focus=…"
        )
    return data
