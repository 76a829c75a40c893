"""Profiles: sites that grow, goroutines that accumulate, pools that miss, finalizers that block, locks, GC CPU."""

import itertools
from collections.abc import Iterator, Sequence

from gcsim.diagnosis.profiles.escapes import EscapeReport
from gcsim.diagnosis.profiles.profile import Profile, Stack, site_of
from gcsim.diagnosis.records import Cause, Severity, Sign, Step
from gcsim.diagnosis.thresholds import (
    BALLAST_BYTES,
    BALLAST_OBJECTS,
    BALLAST_SITE_SHARE,
    CONTENTION_SHARE,
    GC_PROFILE_SHARE,
    POOL_SERIOUS_SHARE,
    POOL_SHARE,
    PROFILE_GROWTH_BYTES,
    PROFILE_GROWTH_SHARE,
    SITE_SHARE,
)
from gcsim.units import MIB, format_mib, format_percent, format_seconds

_NAMED_SITES = 3
_POOL = "sync.(*Pool).Get"
_LOCKS = ("sync.(*Mutex).Lock", "sync.(*RWMutex).Lock", "sync.(*RWMutex).RLock", "sync.(*Mutex).Unlock",
          "sync.(*RWMutex).Unlock", "sync.(*RWMutex).RUnlock", "internal/sync.(*Mutex).Lock",
          "internal/sync.(*Mutex).Unlock")  # fmt: skip
_COLLECTOR = ("runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.gcDrain",
              "runtime.deductAssistCredit")  # fmt: skip


def in_order(profiles: Sequence[Profile]) -> list[Profile]:
    """The profiles in order of time; in the given order if one has no time."""
    if all(profile.time_nanos > 0 for profile in profiles):
        return sorted(profiles, key=lambda profile: profile.time_nanos)
    return list(profiles)


def profile_causes(profiles: Sequence[Profile], escapes: Sequence[EscapeReport] = ()) -> Iterator[Cause]:
    """The causes in heap, allocation, CPU and contention profiles; ``escapes`` give reasons of allocations."""
    heaps = in_order([profile for profile in profiles if profile.kind == "heap"])
    if len(heaps) >= 2:
        yield from _growth(heaps[0], heaps[-1])
    if heaps:
        yield from _ballast(heaps[-1])
        yield from _allocation(heaps[-1], escapes)
    for profile in profiles:
        if profile.kind == "CPU":
            yield from _cpu(profile)
        elif profile.kind == "contention":
            yield from _contention(profile)


def _growth(first: Profile, last: Profile) -> Iterator[Cause]:
    before, after = first.total("inuse_space"), last.total("inuse_space")
    grown = after - before
    if grown < max(PROFILE_GROWTH_BYTES, PROFILE_GROWTH_SHARE * before):
        return
    old = first.by_site("inuse_space")
    rises = {site: size - old.get(site, 0.0) for site, size in last.by_site("inuse_space").items()}
    top = sorted(rises.items(), key=lambda pair: -pair[1])[:_NAMED_SITES]
    top = [(site, rise) for site, rise in top if rise >= 0.1 * grown]
    seconds = (last.time_nanos - first.time_nanos) / 1e9 if first.time_nanos and last.time_nanos else 0.0
    rate = f", {format_mib(grown / seconds)}/s" if seconds >= 1.0 else ""
    named = (
        f" {format_percent(top[0][1] / grown, 2)} of it was allocated at {site_of(top[0][0])}." if top else ""
    )
    sure = bool(top) and top[0][1] >= SITE_SHARE * grown
    yield Cause(
        name="heap-leak",
        severity="serious",
        confidence="medium" if sure else "low",
        sentence=(
            f"Live memory in the heap profiles grows from {format_mib(before)} to {format_mib(after)}{rate}.{named}"
        ),
        signs=tuple(
            Sign(
                text=f"grew by {format_mib(rise)}: {_chain(site)}",
                source=last.source,
                value=rise,
                unit="bytes",
            )
            for site, rise in top
        ),
        steps=(
            Step(
                text="Look at the code around that site: which map, slice, channel or global keeps the objects?",
                command=f"go tool pprof -top -base {first.source} {last.source}",
            ),
        ),
    )


def _chain(stack: Stack) -> str:
    """The leaf and its callers outside the runtime, in one line."""
    frames = [frame for frame in stack if not frame.is_runtime][:3] or list(stack[:1])
    return " <- ".join(frame.place for frame in frames) or "an unknown site"


def _ballast(profile: Profile) -> Iterator[Cause]:
    total, objects = profile.total("inuse_space"), profile.by_site("inuse_objects")
    for site, size in itertools.islice(profile.by_site("inuse_space").items(), 1):
        count = objects.get(site, 0.0)
        if size < BALLAST_BYTES or size < BALLAST_SITE_SHARE * total or not 0 < count <= BALLAST_OBJECTS:
            return
        yield Cause(
            name="heap-ballast",
            severity="worth knowing",
            confidence="high",
            sentence=(
                f"{count:.0f} {'object' if count == 1 else 'objects'} of {format_mib(size)} in all, allocated"
                f" at {site_of(site)}, {'is' if count == 1 else 'are'} {format_percent(size / total, 2)} of"
                " the live heap."
            ),
            signs=(Sign(text=_chain(site), source=profile.source, value=size, unit="bytes"),),
            steps=(Step(text="If it is a ballast, remove it and set GOMEMLIMIT and GOGC instead."),),
        )


def _allocation(profile: Profile, escapes: Sequence[EscapeReport]) -> Iterator[Cause]:
    total = profile.total("alloc_space")
    if total < 64.0 * MIB:
        return
    below = profile.share_below("alloc_space", _POOL)
    sites = profile.by_site("alloc_space")
    if below >= POOL_SHARE:
        in_pool = next(stack for stack in sites if any(frame.function == _POOL for frame in stack))
        users = [frame for frame in in_pool[_place(in_pool, _POOL) + 1 :] if not frame.is_runtime]
        user = users[0].place if users else "an unknown caller"
        severity: Severity = "serious" if below >= POOL_SERIOUS_SHARE else "worth knowing"
        yield Cause(
            name="pool-misses",
            severity=severity,
            confidence="high",
            sentence=(
                f"{format_percent(below, 2)} of all allocated bytes ({format_mib(below * total)}) are objects"
                f" that a sync.Pool makes anew, most of them for {user}: few of them are put back, or GC"
                " empties the pool before they are used again."
            ),
            signs=(
                Sign(text=_chain(in_pool), source=profile.source, value=sites[in_pool], unit="bytes"),
                Sign(text=f"allocated below {_POOL}", source=profile.source, value=below, unit="fraction"),
            ),
            steps=(
                Step(
                    text="Check that every path, errors included, calls Put, and that it puts the same object back."
                ),
                Step(
                    text="A pool is emptied by the second GC cycle after its last use; fewer cycles keep more of it."
                ),
            ),
        )
        return
    site, size = next(iter(sites.items()))
    if size >= SITE_SHARE * total:
        reasons = tuple(_reasons(site, escapes))
        yield Cause(
            name="allocation-site",
            severity="worth knowing",
            confidence="high",
            sentence=(
                f"{format_percent(size / total, 2)} of all allocated bytes ({format_mib(size)}) come from"
                f" {site_of(site)}. Fewer bytes there make GC cycles rarer by about that share."
                + "".join(f" The compiler reports that {reason.text}." for reason in reasons[:1])
            ),
            signs=(
                Sign(text=_chain(site), source=profile.source, value=size / total, unit="fraction"),
                *reasons,
            ),
        )


def _reasons(site: Stack, escapes: Sequence[EscapeReport]) -> Iterator[Sign]:
    """The compiler's reasons why values of the site's line are on the heap."""
    if not site:
        return
    for report in escapes:
        for one in itertools.islice(report.at(site[0].file, site[0].line), _NAMED_SITES):
            reason = f" because {one.reason}" if one.reason else "; -gcflags=-m=2 shows the reason"
            yield Sign(text=f"{one.what} is on the heap{reason}", source=report.source)


def _place(stack: Stack, function: str) -> int:
    return next(place for place, frame in enumerate(stack) if frame.function == function)


def _cpu(profile: Profile) -> Iterator[Cause]:
    share = profile.share_below("cpu", *_COLLECTOR)
    if share < GC_PROFILE_SHARE:
        return
    yield Cause(
        name="gc-cpu-high",
        severity="serious",
        confidence="high",
        sentence=f"{format_percent(share, 2)} of the CPU in the profile is spent in the collector.",
        signs=(
            Sign(
                text="CPU below runtime.gcBgMarkWorker, gcAssistAlloc and bgsweep",
                source=profile.source,
                value=share,
                unit="fraction",
            ),
        ),
        steps=(
            Step(
                text="Save a GC log of the same load, and let gcsim choose the settings.",
                command="gcsim diagnose app.log",
            ),
        ),
    )


def _contention(profile: Profile) -> Iterator[Cause]:
    """Waiting for mutexes; other waits of a block profile are the usual rest of goroutines."""
    share = profile.share_below("delay", *_LOCKS)
    waited = share * profile.total("delay") / 1e9
    if profile.duration_seconds <= 0 or waited < CONTENTION_SHARE * profile.duration_seconds:
        return
    locked = [
        (site, ns) for site, ns in profile.by_site("delay").items() if any(f.function in _LOCKS for f in site)
    ]
    site, ns = locked[0]
    outer = tuple(frame for frame in site if frame.function not in _LOCKS)
    yield Cause(
        name="lock-contention",
        severity="worth knowing",
        confidence="medium",
        sentence=(
            f"Goroutines waited {format_seconds(waited)} for mutexes in"
            f" {format_seconds(profile.duration_seconds)}, most of it at {site_of(outer)}. GC does not cause"
            " this, but stops the holder of a lock, too."
        ),
        signs=(Sign(text=_chain(outer), source=profile.source, value=ns / 1e9, unit="seconds"),),
    )
