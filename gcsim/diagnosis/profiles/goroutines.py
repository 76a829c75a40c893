"""Goroutines by stack: text of /debug/pprof/goroutine?debug=1, dumps (debug=2, a crash), and protobuf profiles."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gcsim.diagnosis.profiles.dumps import HEADER, read_dump
from gcsim.diagnosis.profiles.profile import MOST_FRAMES, Frame, Profile, Stack, frame_of, user_part
from gcsim.errors import InputError

MOST_GROUPS = 100_000

_TOTAL = re.compile(r"^goroutine(leak)? profile: total (\d+)", re.MULTILINE)
_LEAKS = "goroutineleak"  # the profile of Go 1.27: goroutines that nothing reachable can wake
_LEAKED = " (leaked)"  # the end of their states in a dump
_GROUP = re.compile(r"^(\d+) @")
_FRAME_1 = re.compile(r"^#\t0x[0-9a-f]+\t(.+?)(?:\+0x[0-9a-f]+)?\t+(.+):(\d+)$")

#: Functions at which goroutines wait, with the words of the runtime's own wait reasons.
_WAITS = {
    "runtime.chansend1": "chan send",
    "runtime.chansend": "chan send",
    "runtime.chanrecv1": "chan receive",
    "runtime.chanrecv2": "chan receive",
    "runtime.chanrecv": "chan receive",
    "runtime.selectgo": "select",
    "runtime.block": "select (no cases)",
    "time.Sleep": "sleep",
    "sync.runtime_SemacquireMutex": "sync.Mutex.Lock",
    "sync.(*Mutex).Lock": "sync.Mutex.Lock",
    "internal/sync.runtime_SemacquireMutex": "sync.Mutex.Lock",
    "sync.runtime_SemacquireRWMutexR": "sync.RWMutex.RLock",
    "sync.runtime_SemacquireRWMutex": "sync.RWMutex.Lock",
    "sync.runtime_SemacquireWaitGroup": "sync.WaitGroup.Wait",
    "sync.runtime_Semacquire": "semacquire",
    "sync.(*Cond).Wait": "sync.Cond.Wait",
    "internal/poll.runtime_pollWait": "IO wait",
}
_FINALIZERS = frozenset(
    ("runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups", "runtime.(*cleanupQueue).runCleanups")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Goroutines with one stack."""

    stack: Stack  # without the runtime's frames at the leaf
    count: int
    state: str  # as the runtime names it; empty if it is not known
    minutes: int  # for which the longest of them waits, as dumps print it
    line: int  # of the file, from 1; 0 for protobuf
    runs_finalizers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Goroutines:
    """All goroutines of a process at one moment, by stack."""

    source: str
    groups: tuple[Group, ...]  # the largest first
    time_nanos: int  # since 1970; 0 if it is not known
    are_leaks: bool = False  # a profile of leaked goroutines alone

    @property
    def total(self) -> int:
        """The number of goroutines."""
        return sum(group.count for group in self.groups)

    @property
    def leaked(self) -> tuple[Group, ...]:
        """The groups of goroutines that can never go on, as the collector found."""
        return tuple(group for group in self.groups if self.are_leaks or group.state.endswith(_LEAKED))


def is_goroutine_text(head: str) -> bool:
    """Whether a text is a goroutine profile of debug=1, or a dump."""
    return is_counted_text(head) or HEADER.search(head) is not None


def is_counted_text(head: str) -> bool:
    """Whether a text is a goroutine profile of debug=1."""
    return _TOTAL.search(head) is not None


def goroutines_of_text(text: str, source: str) -> Goroutines:
    """The goroutines in a text profile of debug=1. Raises InputError that names the file."""
    total = _TOTAL.search(text)
    if total is not None and total[1] and int(total[2][:12]) == 0:
        return Goroutines(source=source, groups=(), time_nanos=0, are_leaks=True)
    return replace(_of_groups(_counted(text), source), are_leaks=total is not None and bool(total[1]))


def goroutines_of_dump(pieces: Iterable[bytes], source: str) -> Goroutines:
    """The goroutines in a dump, given in pieces. Raises InputError that names the file."""
    return _of_groups(_dumped(pieces, source), source)


def _of_groups(found: Iterable[Group], source: str) -> Goroutines:
    groups = _merged(found, source)
    if not groups:
        raise InputError(f"{source}: is a goroutine profile without goroutines; save it again")
    return Goroutines(source=source, groups=groups, time_nanos=0)


def goroutines_of_profile(profile: Profile) -> Goroutines:
    """The goroutines in a protobuf profile."""
    are_leaks = _LEAKS in profile.types
    counts = profile.column(_LEAKS if are_leaks else "goroutine").tolist()
    found = (
        _group(stack, count=int(count), state="", minutes=0, line=0)
        for stack, count in zip(profile.stacks, counts, strict=True)
    )
    return Goroutines(
        source=profile.source,
        groups=_merged(found, profile.source),
        time_nanos=profile.time_nanos,
        are_leaks=are_leaks,
    )


def _group(stack: Stack, *, count: int, state: str, minutes: int, line: int) -> Group:
    waits = (_WAITS[frame.function] for frame in stack[:6] if frame.function in _WAITS)
    is_finalizer = any(frame.function in _FINALIZERS for frame in stack)
    own = user_part(stack)
    return Group(
        stack=own,
        count=count,
        state=state or next(waits, ""),
        minutes=minutes,
        line=line,
        runs_finalizers=is_finalizer and bool(stack) and not own[0].is_runtime,
    )


def _merged(found: Iterable[Group], source: str) -> tuple[Group, ...]:
    """One group per stack and state, the largest first. Raises InputError for too many."""
    first: dict[tuple[Stack, str], Group] = {}
    sums: dict[tuple[Stack, str], list[int]] = {}  # count, minutes, whether one runs finalizers
    for one in found:
        key = one.stack, one.state
        known = sums.get(key)
        if known is not None:
            known[0] += one.count
            known[1] = max(known[1], one.minutes)
            known[2] |= one.runs_finalizers
            continue
        first[key], sums[key] = one, [one.count, one.minutes, one.runs_finalizers]
        if len(first) > MOST_GROUPS:
            raise InputError(
                f"{source}: holds more than {MOST_GROUPS:,} different stacks, the most that is read; save"
                " /debug/pprof/goroutine?debug=1"
            )
    merged = (
        replace(one, count=sums[key][0], minutes=sums[key][1], runs_finalizers=bool(sums[key][2]))
        for key, one in first.items()
    )
    return tuple(sorted(merged, key=lambda group: (-group.count, group.line)))


def _counted(text: str) -> Iterator[Group]:
    """The groups of debug=1: a line ``COUNT @ PC PC``, then a line per frame."""
    count, line = 0, 0
    frames: list[Frame] = []
    for number, each in enumerate(io.StringIO(text), start=1):
        row = each.rstrip("\r\n")
        begun = _GROUP.match(row)
        if begun is not None:
            if count:
                yield _group(tuple(frames), count=count, state="", minutes=0, line=line)
            count, line, frames = int(begun[1][:12]), number, []
            continue
        frame = _FRAME_1.match(row) if row.startswith("#\t0x") else None
        if frame is not None and len(frames) < MOST_FRAMES:
            frames.append(frame_of(frame[1], frame[2], int(frame[3][:9])))
    if count:
        yield _group(tuple(frames), count=count, state="", minutes=0, line=line)


def _dumped(pieces: Iterable[bytes], source: str) -> Iterator[Group]:
    """The goroutines of a dump: ``goroutine N [STATE]:``, then two lines per frame."""
    for one in read_dump(pieces, source):
        group = _group(one.stack, count=one.count, state=one.state, minutes=one.minutes, line=one.line)
        yield replace(group, runs_finalizers=True) if one.is_finalizers else group
