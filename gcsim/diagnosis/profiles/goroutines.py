"""Goroutines by stack: text of /debug/pprof/goroutine?debug=1, dumps (debug=2, a crash), and protobuf profiles."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from gcsim.diagnosis.profiles.profile import MOST_FRAMES, Frame, Profile, Stack, frame_of, user_part
from gcsim.errors import InputError

MOST_GROUPS = 100_000
_LONGEST_ROW = 4000

_TOTAL = re.compile(r"^goroutine profile: total (\d+)", re.MULTILINE)
_GROUP = re.compile(r"^(\d+) @")
_FRAME_1 = re.compile(r"^#\t0x[0-9a-f]+\t(.+?)(?:\+0x[0-9a-f]+)?\t+(.+):(\d+)$")
_HEADER_2 = re.compile(r"^goroutine (\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[([^\]]*)\]:")
_CALL_2 = re.compile(r"^(created by )?(\S.*?)(?:\([^()]*\))?(?: in goroutine \d+)?$")
_FILE_2 = re.compile(r"^\s+(\S.*):(\d+)(?: \+0x[0-9a-f]+)?$")
_MINUTES = re.compile(r"(\d+) minutes")

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

    @property
    def total(self) -> int:
        """The number of goroutines."""
        return sum(group.count for group in self.groups)


def is_goroutine_text(head: str) -> bool:
    """Whether a text is a goroutine profile of debug=1, or a dump."""
    return _TOTAL.search(head) is not None or re.search(_HEADER_2.pattern, head, re.MULTILINE) is not None


def goroutines_of_text(text: str, source: str) -> Goroutines:
    """The goroutines in a text profile or dump. Raises InputError that names the file."""
    is_counted = _TOTAL.search(text) is not None
    groups = _merged(_counted(text) if is_counted else _dumped(text), source)
    if not groups:
        raise InputError(f"{source}: is a goroutine profile without goroutines; save it again")
    return Goroutines(source=source, groups=groups, time_nanos=0)


def goroutines_of_profile(profile: Profile) -> Goroutines:
    """The goroutines in a protobuf profile."""
    found = (
        _group(stack, count=int(count), state="", minutes=0, line=0)
        for stack, count in zip(profile.stacks, profile.column("goroutine").tolist(), strict=True)
    )
    return Goroutines(
        source=profile.source, groups=_merged(found, profile.source), time_nanos=profile.time_nanos
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


def _dumped(text: str) -> Iterator[Group]:
    """The goroutines of a dump: ``goroutine N [STATE]:``, then two lines per frame."""
    one: _Dumped | None = None
    for number, each in enumerate(io.StringIO(text), start=1):
        row = each.rstrip("\r\n")
        header = _HEADER_2.match(row) if row.startswith("goroutine ") else None
        if header is not None:
            if one is not None:
                yield one.group
            waited = _MINUTES.search(header[2])
            minutes = int(waited[1][:9]) if waited else 0
            one = _Dumped(header[1], header[2].split(", ")[0], minutes, number)
        elif one is not None and len(row) <= _LONGEST_ROW:
            one.add(row)
    if one is not None:
        yield one.group


@dataclass(slots=True)
class _Dumped:
    """One goroutine of a dump while its lines are read."""

    name: str  # its number
    state: str
    minutes: int
    line: int
    frames: list[Frame] = field(default_factory=list)
    call: str = ""
    has_creator: bool = False

    def add(self, row: str) -> None:
        """Reads a line: a call, or the place of the call before."""
        is_indented = row[:1].isspace()
        place = _FILE_2.match(row) if is_indented else None
        if place is not None:
            if self.call and len(self.frames) < MOST_FRAMES:
                self.frames.append(frame_of(self.call, place[1], int(place[2][:9])))
            self.call = ""
            return
        named = None if is_indented else _CALL_2.match(row)
        self.has_creator = self.has_creator or (named is not None and bool(named[1]))
        self.call = named[2] if named is not None and not named[1] else ""

    @property
    def group(self) -> Group:
        """The goroutine, as a group of one.

        Up to Go 1.22 a dump hides the runtime's frames. There the goroutine of finalizers is the one that no go
        statement has created and that is not the main goroutine.
        """
        group = _group(tuple(self.frames), count=1, state=self.state, minutes=self.minutes, line=self.line)
        if self.has_creator or self.name == "1" or not self.frames:
            return group
        root = self.frames[-1].function
        is_own = not root.startswith(("main.main", "runtime.", "_cgoexp", "crosscall"))
        return replace(group, runs_finalizers=True) if is_own and not group.runs_finalizers else group
