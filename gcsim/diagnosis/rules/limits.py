"""The memory limit: below or near the live heap, missing, or too near to the container."""

import math
from collections.abc import Iterator

import numpy as np

from gcsim.calibration.checks.diagnosis import regimes
from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    CONTAINER_FULL,
    CONTAINER_ROOMY,
    FEW_CYCLES,
    FEW_LIMITED_CYCLES,
    GOAL_BELOW_LIVE_SHARE,
    LIMITER_CPU,
    LITTLE_ROOM,
    NEAR_CONTAINER,
    NEAR_LIMIT_SERIOUS_CPU,
    NEAR_LIMIT_WORTH_CPU,
    SPIRAL_CPU,
    SPIRAL_SHARE,
)
from gcsim.units import MIB, format_go_bytes, format_mib, format_percent

_ROOM_ABOVE_LIVE = 1.6  # a limit that leaves GOGC=50 room
_ADVISED = 0.9  # of the container


def limit_causes(subject: Subject) -> Iterator[Cause]:
    """The causes in GOMEMLIMIT."""
    yield from _against_live(subject)
    yield from _against_container(subject)


def _against_live(subject: Subject) -> Iterator[Cause]:
    if len(subject.window) < FEW_LIMITED_CYCLES or subject.trace.generation != "1.18":
        return
    late = subject.late
    below = float(subject.goal_below_live[late].mean())
    cpu = subject.late_gc_cpu
    if below >= SPIRAL_SHARE or (below >= GOAL_BELOW_LIVE_SHARE and cpu >= SPIRAL_CPU):
        yield _spiral(subject, below)
        return
    if len(subject.window) < FEW_CYCLES:
        return
    bound = {regime.name for regime in regimes(subject.case)}
    room = float(np.median(subject.room[late[1:]])) if late[1:].any() else math.inf
    if "limit-bound" in bound and room < LITTLE_ROOM and cpu >= NEAR_LIMIT_WORTH_CPU:
        yield _near(subject, room)


def _spiral(subject: Subject, below: float) -> Cause:
    limit, cpu = subject.settings.gomemlimit_bytes, subject.late_gc_cpu
    row = subject.row(int(np.flatnonzero(subject.goal_below_live)[-1]))
    cycles = subject.trace.cycles
    limiter = (
        " The runtime's GC CPU limiter holds GC near 50 % of CPU and lets the heap pass the limit."
        if cpu >= LIMITER_CPU
        else ""
    )
    named = "A memory limit" if limit is None else f"GOMEMLIMIT={format_go_bytes(limit)}"
    return Cause(
        name="memory-limit-below-live-heap",
        severity="serious",
        confidence="high" if limit is not None else "medium",
        sentence=(
            f"{named} is below what the service needs: the live heap of {format_mib(subject.live_bytes)}"
            f" fills the heap goal in {format_percent(below, 2)} of late cycles, so a cycle starts as soon as"
            f" one ends. GC takes {format_percent(cpu, 2)} of all CPU (death spiral).{limiter}"
        ),
        signs=_signs(
            subject,
            row,
            f" at {format_mib(float(cycles.heap_marked_bytes[row - 1]))} marked by the cycle before",
        ),
        steps=_raise(subject),
        log=subject.name,
    )


def _near(subject: Subject, room: float) -> Cause:
    limit, cpu = subject.settings.gomemlimit_bytes, subject.late_gc_cpu
    row = subject.row(len(subject.window) - 1)
    return Cause(
        name="memory-limit-near-live-heap",
        severity="serious" if cpu >= NEAR_LIMIT_SERIOUS_CPU else "worth knowing",
        confidence="high" if limit is not None else "medium",
        sentence=(
            f"GOMEMLIMIT={format_go_bytes(limit)} leaves room for {format_percent(max(room, 0.0), 2)} of the"
            f" live heap of {format_mib(subject.live_bytes)} between two cycles, so GC runs"
            f" {subject.metric('gc_rate_hz'):.2g} times a second and takes {format_percent(cpu, 2)} of all"
            " CPU. A little more load or live heap makes a death spiral."
        ),
        signs=_signs(subject, row, f", live heap {format_mib(float(subject.window.live_bytes[-1]))}"),
        steps=_raise(subject),
        log=subject.name,
    )


def _signs(subject: Subject, row: int, compared: str) -> tuple[Sign, ...]:
    """The heap goal of one cycle with ``compared``, the late GC CPU, and the limit if it is known."""
    goal = float(subject.trace.cycles.heap_goal_bytes[row])
    return (
        subject.sign(f"heap goal {format_mib(goal)}{compared}", row=row, value=goal, unit="bytes"),
        subject.sign("GC CPU in the second half of the log", value=subject.late_gc_cpu, unit="fraction"),
        *_limit_sign(subject),
    )


def _limit_sign(subject: Subject) -> Iterator[Sign]:
    limit = subject.settings.gomemlimit_bytes
    if limit is None:
        return
    text = f"GOMEMLIMIT={format_go_bytes(limit)}"
    if subject.case.log.origins.gomemlimit == "captured":
        yield subject.side_sign(text, value=float(limit), unit="bytes")
    else:
        yield Sign(text=text, source="--gomemlimit", value=float(limit), unit="bytes")


def _raise(subject: Subject) -> tuple[Step, ...]:
    needed = _ROOM_ABOVE_LIVE * subject.live_bytes + subject.stack_bytes
    memory = subject.memory_bytes
    if memory is not None and needed > _ADVISED * memory:
        text = (
            f"Give the container more memory than {format_mib(memory)}, or shrink the live heap: at least"
            f" {format_mib(needed)} of Go memory are needed to leave GC some room."
        )
    else:
        text = f"Raise GOMEMLIMIT to {format_mib(needed)} or more, or shrink the live heap."
    return (Step(text=text), _recommend(subject))


def _recommend(subject: Subject) -> Step:
    memory = "SIZE" if subject.memory_bytes is None else format_go_bytes(subject.memory_bytes)
    return Step(
        text="Let gcsim choose the settings from a log of normal work.",
        command=f"gcsim calibrate {subject.name} -o app.toml; gcsim recommend app.toml --memory {memory}",
    )


def go_peak_bytes(subject: Subject) -> float:
    """The most memory that the container held, as far as the evidence shows."""
    info = subject.info
    known = [subject.heap_peak_bytes + subject.stack_bytes]
    if info is not None and info.anonymous_peak_bytes:
        known.append(float(info.anonymous_peak_bytes))
    if info is not None and info.cgroup is not None and info.cgroup.working_set_peak_bytes:
        known.append(float(info.cgroup.working_set_peak_bytes))
    for one in subject.readings:
        known += [float(x) for x in (one.highest_rss_bytes, one.working_set_bytes) if x is not None]
    return max(known)


def _against_container(subject: Subject) -> Iterator[Cause]:
    memory, limit = subject.memory_bytes, subject.settings.gomemlimit_bytes
    if memory is None:
        return
    peak = go_peak_bytes(subject)
    where = "--memory" if subject.stated_memory_bytes is not None else f"{subject.name}.meta.json"
    signs = (
        Sign(text=f"container memory {format_mib(memory)}", source=where, value=float(memory), unit="bytes"),
        subject.sign(f"memory peak, at least {format_mib(peak)}", value=peak, unit="bytes"),
        *_limit_sign(subject),
    )
    if limit is None:
        yield _missing(subject, memory, peak, signs)
    elif limit > NEAR_CONTAINER * memory:
        over = limit >= memory
        full = peak >= CONTAINER_FULL * memory
        yield Cause(
            name="memory-limit-too-near-container",
            severity="serious" if over or full else "worth knowing",
            confidence="high",
            sentence=(
                f"GOMEMLIMIT={format_go_bytes(limit)} is {format_percent(limit / memory, 3)} of the"
                f" container's {format_mib(memory)}. The limit does not count the binary's pages, C memory"
                " and kernel memory; when the heap reaches the limit, the container is full and the kernel"
                " kills the process."
            ),
            signs=signs,
            steps=(
                Step(
                    text=f"Set GOMEMLIMIT to about {format_percent(_ADVISED, 2)} of the container, such as"
                    f" {format_go_bytes(int(_ADVISED * memory / MIB) * MIB)}, or let gcsim measure the distance.",
                ),
                _recommend(subject),
            ),
            log=subject.name,
        )


def _safety_net(subject: Subject, memory: int) -> Step:
    """The advice for a container without GOMEMLIMIT; more memory if the live heap does not fit."""
    advised = int(_ADVISED * memory / MIB) * MIB
    needed = _ROOM_ABOVE_LIVE * subject.live_bytes + subject.stack_bytes
    if needed > advised:
        text = f"Give the container more memory: the live heap needs about {format_mib(needed)} of Go memory."
    else:
        text = (
            "Set GOMEMLIMIT as a safety net below the container's memory, such as"
            f" GOMEMLIMIT={format_go_bytes(advised)}."
        )
    return Step(text=text)


def _missing(subject: Subject, memory: int, peak: float, signs: tuple[Sign, ...]) -> Cause:
    share = peak / memory
    known = subject.limit_is_known
    fits = "" if share < CONTAINER_FULL else ", so a small rise of load or live heap gets the process killed"
    if share > 1.0:
        fits = ", more than it may have"
    unsure = "" if known else " (assumed, because the log does not show it; pass --gomemlimit if it is set)"
    return Cause(
        name="memory-limit-missing",
        severity="serious" if share >= CONTAINER_FULL else "worth knowing",
        confidence="high" if known and share >= CONTAINER_ROOMY else "medium" if known else "low",
        sentence=(
            f"GOMEMLIMIT is off{unsure}, and the container has {format_mib(memory)}: the heap follows GOGC"
            f" alone, and memory peaks at {format_mib(peak)} or more, {format_percent(share, 2)} of the"
            f" container{fits}."
        ),
        signs=signs,
        steps=(_safety_net(subject, memory), _recommend(subject)),
        log=subject.name,
    )
