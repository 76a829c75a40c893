"""Times of goroutines in an execution trace, from ``go tool trace -d=parsed`` of Go 1.22 and later."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_EVENT = re.compile(r"^M=\S+ P=\S+ G=(-?\d+) (\w+) Time=(\d+) (.*)$")
_MOVE = re.compile(r'GoID=(\d+) (\w+)->(\w+)\s+Reason="([^"]*)"')
_RANGE = re.compile(r'Name="([^"]+)" Scope=(\S+)')
_MARK, _ASSIST = "GC concurrent mark phase", "GC mark assist"
_OF_WORKERS = {"chan receive", "sync", "GC mark assist wait for work", "wait for GC cycle"}
_STOPS = ("stop-the-world (GC sweep termination)", "stop-the-world (GC mark termination)")


@dataclass(slots=True)
class GoroutineTimes:
    """Seconds of one group of goroutines by state; waiting for a request is left out."""

    running: float = 0.0
    assisting: float = 0.0
    ready_marking: float = 0.0  # runnable while GC marks
    ready_else: float = 0.0
    stopped: float = 0.0  # runnable or running while the world is stopped
    locked: float = 0.0  # waiting for a mutex


@dataclass(slots=True)
class _State:
    times: dict[int, GoroutineTimes] = field(default_factory=lambda: defaultdict(GoroutineTimes))
    state: dict[int, str] = field(default_factory=dict)
    assisting: set[int] = field(default_factory=set)
    reasons: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    is_marking: bool = False
    is_stopped: bool = False
    now: int = 0
    first: int = 0

    def advance(self, time: int) -> None:
        """Adds the time since the last event to all goroutines that run or are runnable."""
        step = (time - self.now) / 1e9 if self.now else 0.0
        self.first = self.first or time
        self.now = time
        if step <= 0:
            return
        for goroutine, state in self.state.items():
            one = self.times[goroutine]
            if state == "locked":
                one.locked += step
            elif self.is_stopped:
                one.stopped += step
            elif state == "Running" and goroutine in self.assisting:
                one.assisting += step
            elif state == "Running":
                one.running += step
            elif self.is_marking:
                one.ready_marking += step
            else:
                one.ready_else += step


def worker_times(lines: Iterable[str]) -> tuple[GoroutineTimes, float]:
    """(the times of all goroutines that only receive from channels and lock, the length of the trace in seconds)."""
    found = _State()
    for goroutine, kind, time, rest in _events(lines):
        found.advance(time)
        if kind == "StateTransition":
            _moved(found, rest)
        elif kind in ("RangeBegin", "RangeEnd", "RangeActive"):
            _ranged(found, goroutine, rest, begins=kind != "RangeEnd")
    total = GoroutineTimes()
    for goroutine, reasons in found.reasons.items():
        if not reasons <= _OF_WORKERS:
            continue
        one = found.times[goroutine]
        for name in GoroutineTimes.__slots__:
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return total, (found.now - found.first) / 1e9


def _events(lines: Iterable[str]) -> Iterator[tuple[int, str, int, str]]:
    for line in lines:
        match = _EVENT.match(line)
        if match is not None:
            yield int(match[1]), match[2], int(match[3]), match[4]


def _moved(found: _State, rest: str) -> None:
    match = _MOVE.search(rest)
    if match is None:
        return
    goroutine, new, reason = int(match[1]), match[3], match[4]
    if new in ("Running", "Runnable"):
        found.state[goroutine] = new
    else:
        found.state.pop(goroutine, None)
        if reason == "sync":
            found.state[goroutine] = "locked"
    if new == "Waiting" and reason:
        found.reasons[goroutine].add(reason)
    if reason == "runtime.Gosched":  # the background sweeper
        found.reasons[goroutine].add(reason)


def _ranged(found: _State, goroutine: int, rest: str, *, begins: bool) -> None:
    match = _RANGE.search(rest)
    if match is None:
        return
    name = match[1]
    if name == _MARK:
        found.is_marking = begins
    elif name in _STOPS:
        found.is_stopped = begins
    elif name == _ASSIST:
        scoped = re.search(r"Goroutine\((\d+)\)", match[2])
        (found.assisting.add if begins else found.assisting.discard)(int(scoped[1]) if scoped else goroutine)
