"""Times of goroutines in an execution trace, from ``go tool trace -d=parsed`` of Go 1.22 and later."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

_EVENT = re.compile(r"^M=\S+ P=\S+ G=(-?\d+) (\w+) Time=(\d+) (.*)$")
_MOVE = re.compile(r'GoID=(\d+) (\w+)->(\w+)\s+Reason="([^"]*)"')
_RANGE = re.compile(r'Name="([^"]+)" Scope=(\S+)')
_MARK, _ASSIST = "GC concurrent mark phase", "GC mark assist"
_ASSIST_WAIT, _SUSPENDED = "GC mark assist wait for work", "preempted"  # the latter: while GC scans its stack
_STOPS = ("stop-the-world (GC sweep termination)", "stop-the-world (GC mark termination)")


@dataclass(slots=True)
class GoroutineTimes:
    """Seconds of one group of goroutines by state; waiting for a request is left out."""

    running: float = 0.0
    assisting: float = 0.0
    ready_marking: float = 0.0  # runnable while GC marks, or suspended
    ready_else: float = 0.0
    stopped: float = 0.0  # runnable or running while the world is stopped
    locked: float = 0.0  # waiting for a mutex


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTimes:
    """Times in one execution trace, seconds."""

    workers: GoroutineTimes  # of all goroutines that serve requests
    count: int  # of these goroutines
    seconds: float  # from the first event to the last
    marking: float  # while GC marks
    stopped: float  # while the world is stopped


@dataclass(slots=True)
class _State:
    times: dict[int, GoroutineTimes] = field(default_factory=lambda: defaultdict(GoroutineTimes))
    state: dict[int, str] = field(default_factory=dict)
    assisting: set[int] = field(default_factory=set)
    is_marking: bool = False
    is_stopped: bool = False
    marking: float = 0.0
    stopped: float = 0.0
    now: int = 0
    first: int = 0

    def advance(self, time: int) -> None:
        """Adds the time since the last event to all goroutines that run or are runnable."""
        step = (time - self.now) / 1e9 if self.now else 0.0
        self.first = self.first or time
        self.now = time
        if step <= 0:
            return
        self.marking += step * self.is_marking
        self.stopped += step * self.is_stopped
        for goroutine, state in self.state.items():
            one = self.times[goroutine]
            if state == "locked":
                one.locked += step
            elif self.is_stopped:
                one.stopped += step
            elif state == _ASSIST_WAIT or (state == "Running" and goroutine in self.assisting):
                one.assisting += step
            elif state == "Running":
                one.running += step
            elif self.is_marking:
                one.ready_marking += step
            else:
                one.ready_else += step


def trace_times(lines: Iterable[str], function: str) -> TraceTimes:
    """The times in the lines of ``go tool trace -d=parsed``; workers have the function in their stack."""
    found = _State()
    workers: set[int] = set()
    moved: int | None = None  # the goroutine whose stack follows
    for line in lines:
        event = _EVENT.match(line)
        if event is not None:
            kind, rest = event[2], event[4]
            moved = None
            found.advance(int(event[3]))
            if kind == "StateTransition":
                moved = _moved(found, rest)
            elif kind in ("RangeBegin", "RangeEnd", "RangeActive"):
                _ranged(found, int(event[1]), rest, begins=kind != "RangeEnd")
        elif line == "Stack=":  # of the goroutine that causes the event
            moved = None
        elif moved is not None and function in line:
            workers.add(moved)
    total = GoroutineTimes()
    for goroutine in workers:
        one = found.times[goroutine]
        for name in GoroutineTimes.__slots__:
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return TraceTimes(
        workers=total,
        count=len(workers),
        seconds=(found.now - found.first) / 1e9,
        marking=found.marking,
        stopped=found.stopped,
    )


def _moved(found: _State, rest: str) -> int | None:
    """Takes a change of a goroutine's state; returns the goroutine."""
    match = _MOVE.search(rest)
    if match is None:
        return None
    goroutine, new, reason = int(match[1]), match[3], match[4]
    if new in ("Running", "Runnable"):
        found.state[goroutine] = new
    else:
        found.state.pop(goroutine, None)
        waits = {"sync": "locked", _ASSIST_WAIT: _ASSIST_WAIT, _SUSPENDED: _SUSPENDED}
        if new == "Waiting" and reason in waits:
            found.state[goroutine] = waits[reason]
    return goroutine


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
