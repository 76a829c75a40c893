"""Goroutines: groups that grow between two profiles, groups that are large, and finalizers that block."""

from collections.abc import Iterator, Sequence

from gcsim.diagnosis.profiles.goroutines import Goroutines, Group
from gcsim.diagnosis.profiles.profile import Stack
from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.thresholds import (
    GOROUTINES_GROW,
    GOROUTINES_GROW_COUNT,
    GOROUTINES_GROW_WORTH,
    GROUP_GROWTH_SHARE,
    MANY_GOROUTINES,
)
from gcsim.units import format_percent

_NAMED_GROUPS = 3
_BLOCKED_STATES = ("chan send", "chan receive", "select", "semacquire", "IO wait", "sync.", "sleep", "sema")
_WAITING_PACKAGES = ("time.", "sync.", "internal/", "net.", "os.", "syscall.")
_ENDING_STATES = ("sleep", "IO wait")  # which end by themselves: such a finalizer is slow, and not blocked

#: (function in the stack, the usual reason); the first match counts.
_REASONS = (
    (
        "net/http.(*persistConn).readLoop",
        "bodies of HTTP responses are not closed, or clients are made per request",
    ),
    (
        "net/http.(*persistConn).writeLoop",
        "bodies of HTTP responses are not closed, or clients are made per request",
    ),
    ("net/http.(*conn).serve", "clients keep HTTP connections open, or handlers do not return"),
    ("database/sql.(*DB).connectionOpener", "a sql.DB is opened again and again instead of once"),
    ("database/sql.(*Tx).awaitDone", "transactions are neither committed nor rolled back"),
    (
        "google.golang.org/grpc/internal/transport.(*controlBuffer).get",
        "gRPC connections are opened and not closed",
    ),
    ("time.Sleep", "they sleep: a loop that starts goroutines faster than they end"),
    ("time.(*Ticker)", "tickers are not stopped"),
)
_STATES = {
    "chan send": "they send to a channel that nobody receives from; a buffer of one, or a select with"
    " ctx.Done(), lets them end",
    "chan send (nil chan)": "they send to a nil channel, which blocks forever",
    "chan receive": "they receive from a channel that nobody sends to or closes",
    "chan receive (nil chan)": "they receive from a nil channel, which blocks forever",
    "select": "none of the cases of their select comes; add ctx.Done() and cancel the context",
    "select (no cases)": "an empty select blocks forever",
    "sync.Mutex.Lock": "they wait for a mutex whose holder does not unlock it",
    "sync.RWMutex.Lock": "they wait for a lock whose holder does not unlock it",
    "sync.RWMutex.RLock": "they wait for a lock whose holder does not unlock it",
    "sync.WaitGroup.Wait": "they wait for a WaitGroup that never reaches zero",
    "semacquire": "they wait for a lock or a WaitGroup",
    "IO wait": "they wait for the network without a deadline",
    "sleep": "they sleep: a loop that starts goroutines faster than they end",
}


def goroutine_causes(profiles: Sequence[Goroutines]) -> Iterator[Cause]:
    """The causes in goroutine profiles, given in order of time."""
    if all(profile.time_nanos for profile in profiles):
        profiles = sorted(profiles, key=lambda profile: profile.time_nanos)
    if not profiles:
        return
    yield from _leaked(profiles)
    profiles = [profile for profile in profiles if not profile.are_leaks]
    if not profiles:
        return
    yield from _finalizers(profiles)
    if len(profiles) >= 2:
        yield from _growth(profiles[0], profiles[-1])
    else:
        yield from _large(profiles[0])


def _leaked(profiles: Sequence[Goroutines]) -> Iterator[Cause]:
    """Goroutines that the collector found to be leaked, in the last profile that has some."""
    last = next((profile for profile in reversed(profiles) if profile.leaked), None)
    if last is None:
        return
    total = sum(group.count for group in last.leaked)
    group = last.leaked[0]
    reason = _reason(group)
    yield Cause(
        name="goroutine-leak",
        severity="serious" if total >= GOROUTINES_GROW_COUNT else "worth knowing",
        confidence="high",
        sentence=(
            f"{total:,} goroutine{'s' * (total != 1)} can never go on, because nothing reachable can wake them;"
            f" {group.count:,} {_waits(group)}.{f' The reason: {reason}.' if reason else ''}"
        ),
        signs=tuple(
            _sign(last, one, f"{one.count:,} leaked goroutines") for one in last.leaked[:_NAMED_GROUPS]
        ),
        steps=(
            Step(
                text="Give each of these goroutines a way to end: a context, a deadline, or a closed channel."
            ),
        ),
    )


def _growth(first: Goroutines, last: Goroutines) -> Iterator[Cause]:
    grown = last.total - first.total
    if grown < GOROUTINES_GROW_COUNT or last.total < GOROUTINES_GROW_WORTH * first.total:
        return
    is_much = last.total >= GOROUTINES_GROW * first.total
    before: dict[Stack, int] = {}
    for group in first.groups:
        before[group.stack] = before.get(group.stack, 0) + group.count
    rises = [(group, group.count - before.get(group.stack, 0)) for group in last.groups]
    rises = sorted(rises, key=lambda pair: -pair[1])[:_NAMED_GROUPS]
    named = [(group, rise) for group, rise in rises if rise >= GROUP_GROWTH_SHARE * grown] or rises[:1]
    named.sort(key=lambda pair: _rank(pair[0]))
    group, rise = named[0]
    reason = _reason(group)
    because = f" The usual reason: {reason}." if reason else ""
    yield Cause(
        name="goroutine-leak",
        severity="serious" if is_much else "worth knowing",
        confidence="high" if is_much else "medium",
        sentence=(
            f"Goroutines grow from {first.total:,} to {last.total:,}; {format_percent(rise / grown, 2)} of"
            f" the new ones {_waits(group)}.{because}"
        ),
        signs=tuple(_sign(last, one, f"{more:,} more goroutines") for one, more in named),
        steps=(
            Step(
                text="Give each of these goroutines a way to end: a context, a deadline, or a closed channel."
            ),
        ),
    )


def _large(profile: Goroutines) -> Iterator[Cause]:
    group = profile.groups[0]
    if group.count < MANY_GOROUTINES:
        return
    reason = _reason(group)
    yield Cause(
        name="goroutine-leak",
        severity="worth knowing",
        confidence="low",
        sentence=(
            f"{group.count:,} of {profile.total:,} goroutines {_waits(group)}: a leak, or a service with that"
            f" many connections or tasks.{f' The usual reason of a leak: {reason}.' if reason else ''}"
        ),
        signs=(_sign(profile, group, f"{group.count:,} goroutines"),),
        steps=(Step(text="A second profile a minute later shows whether their number grows."),),
    )


def _finalizers(profiles: Sequence[Goroutines]) -> Iterator[Cause]:
    """A goroutine of the runtime that runs a finalizer or cleanup which waits."""
    last = profiles[-1]
    for group in last.groups:
        if not group.runs_finalizers:
            continue
        waits = not group.state or group.state.startswith(_BLOCKED_STATES)
        same = [
            one
            for profile in profiles[:-1]
            for one in profile.groups
            if one.runs_finalizers and one.stack == group.stack
        ]
        if not waits or not (same or group.minutes or group.state):
            continue
        waited = f" for {group.minutes} minutes" if group.minutes else " in every profile" if same else ""
        state = f" ({group.state})" if group.state else ""
        ends = group.state in _ENDING_STATES and not group.minutes
        sure = bool(same or group.minutes)
        yield Cause(
            name="finalizer-backlog" if ends else "finalizer-blocked",
            severity="serious" if sure or not ends else "worth knowing",
            confidence=("medium" if same else "low") if ends else "high" if sure else "medium",
            sentence=(
                f"A finalizer waits{waited} in {_own_place(group)}{state}. The runtime runs finalizers one after the"
                " other, so "
                + (
                    "slow ones delay all objects with finalizers."
                    if ends
                    else "no object with a finalizer is freed after it, and the heap grows."
                )
            ),
            signs=(_sign(last, group, "the goroutine that runs finalizers"),),
            steps=(
                Step(
                    text="Let finalizers never block: start a goroutine in them, or use Close methods instead."
                ),
                *(
                    ()
                    if sure
                    else (Step(text="A second dump a minute later shows whether it still waits there."),)
                ),
            ),
        )
        return


def _own_place(group: Group) -> str:
    """The place of a group's first frame outside the packages at which goroutines wait."""
    own = (frame for frame in group.stack if not frame.function.startswith(_WAITING_PACKAGES))
    return next(own, group.stack[0]).place


def _rank(group: Group) -> int:
    """The place of a group's reason in the table, so that the most specific reason comes first."""
    functions = [frame.function for frame in group.stack]
    for place, (function, _) in enumerate(_REASONS):
        if any(one.startswith(function) for one in functions):
            return place
    return len(_REASONS)


def _reason(group: Group) -> str:
    place = _rank(group)
    state = group.state.removesuffix(" (leaked)")
    return _REASONS[place][1] if place < len(_REASONS) else _STATES.get(state, "")


def _waits(group: Group) -> str:
    """The state and the place of a group, as a part of a sentence."""
    mine = next((frame for frame in group.stack if frame.function.startswith("main.")), None)
    others = [frame for frame in group.stack if not frame.is_runtime]
    frame = mine or (others[-1] if others else None)
    state = f" ({group.state})" if group.state else ""
    return f"wait{state} in {frame.place}" if frame is not None else f"wait{state} at an unknown place"


def _sign(profile: Goroutines, group: Group, text: str) -> Sign:
    chain = " <- ".join(frame.place for frame in group.stack[:3])
    return Sign(
        text=f"{text}: {chain}",
        source=profile.source,
        line=group.line or None,
        value=float(group.count),
        unit="count",
    )
