"""Lines of the scheduler and of package initialization: goroutines that wait for a P, GOMAXPROCS, a slow start."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gcsim.diagnosis.profiles.runtime_logs import PackageInit, SchedTrace
from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.thresholds import (
    QUEUED_PER_PROC,
    QUEUED_SAMPLES,
    QUEUED_SHARE,
    SLOW_INIT_SECONDS,
)
from gcsim.units import MIB, format_mib, format_number, format_percent, format_seconds

_NAMED_PACKAGES = 3


def schedule_causes(trace: SchedTrace, cpus: float | None) -> Iterator[Cause]:
    """The causes in the lines of GODEBUG=schedtrace; ``cpus`` is the quota, if it is known."""
    yield from _quota(trace, cpus)
    yield from _run_queue(trace)


def _quota(trace: SchedTrace, cpus: float | None) -> Iterator[Cause]:
    procs = int(trace.gomaxprocs[-1])
    if cpus is None or procs <= math.ceil(cpus):
        return
    busy = float(np.mean(trace.gomaxprocs - trace.idle_procs))
    yield Cause(
        name="gomaxprocs-above-quota",
        severity="serious" if busy > math.ceil(cpus) else "worth knowing",
        confidence="high",
        sentence=(
            f"GOMAXPROCS={procs}, but the CPU quota is {format_number(cpus)} CPUs; {format_number(busy)} Ps run on"
            " average. Ps beyond the quota use it up early in each period, and the kernel then stops all threads."
        ),
        signs=(
            Sign(
                text="Ps that run, mean", source=trace.source, line=trace.first_line, value=busy, unit="count"
            ),
        ),
        steps=(
            Step(
                text=f"Set GOMAXPROCS={math.ceil(cpus)} (Go 1.25 and later do so by themselves if GOMAXPROCS is not"
                " set), or raise the quota."
            ),
        ),
    )


def _run_queue(trace: SchedTrace) -> Iterator[Cause]:
    queued = (trace.idle_procs == 0) & (trace.run_queue >= QUEUED_PER_PROC * trace.gomaxprocs)
    share = float(queued.mean())
    if len(queued) < QUEUED_SAMPLES or share < QUEUED_SHARE:
        return
    waiting = float(np.median(trace.run_queue))
    yield Cause(
        name="run-queue",
        severity="worth knowing",
        confidence="high",
        sentence=(
            f"In {format_percent(share, 2)} of the {len(queued)} lines of schedtrace all {int(trace.gomaxprocs[-1])} Ps"
            f" are busy, and goroutines wait for one: {format_number(waiting)} in the median. Requests wait for CPU."
        ),
        signs=(
            Sign(
                text="goroutines in run queues, median",
                source=trace.source,
                line=trace.first_line,
                value=waiting,
                unit="count",
            ),
        ),
        steps=(
            Step(text="Give the service more CPU, or less work at a time; a CPU profile shows the work."),
            Step(
                text="The log of the same time shows the share of the collector.",
                command="gcsim diagnose app.log",
            ),
        ),
    )


def init_causes(inits: Sequence[PackageInit], source: str) -> Iterator[Cause]:
    """The cause in the lines of GODEBUG=inittrace: packages that delay the start."""
    whole = sum(one.seconds for one in inits)
    if whole < SLOW_INIT_SECONDS:
        return
    slowest = sorted(inits, key=lambda one: -one.seconds)[:_NAMED_PACKAGES]
    named = [one for one in slowest if one.seconds >= 0.1 * whole]
    yield Cause(
        name="slow-start",
        severity="worth knowing",
        confidence="high",
        sentence=(
            f"The program initializes packages for {format_seconds(whole)} before main starts, most of it in"
            f" {named[0].package}. GC is not the reason of a slow start."
        ),
        signs=tuple(
            Sign(
                text=f"{one.package} takes {format_seconds(one.seconds)} and allocates {format_mib(one.bytes)}"
                if one.bytes >= MIB
                else f"{one.package} takes {format_seconds(one.seconds)}",
                source=source,
                value=one.seconds,
                unit="seconds",
            )
            for one in named
        ),
        steps=(Step(text="Do this work on first use (sync.OnceValue), or in main next to other work."),),
    )
