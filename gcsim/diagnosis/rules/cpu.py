"""CPU: assists, idle marking, CPU quotas and starvation."""

import math
from collections.abc import Iterator

import numpy as np

from gcsim.diagnosis.records import Cause, Confidence, Sign, Step
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    ASSIST_CPU_ALWAYS_WORTH,
    ASSIST_CPU_SERIOUS,
    ASSIST_CPU_WORTH,
    ASSIST_PHASE_SHARE,
    FEW_CYCLES,
    IDLE_MARKING_WORTH,
    MANY_CYCLES,
    SLOW_MARK_COUNT,
    SLOW_MARK_LEAST_BYTES,
    SLOW_MARK_SECONDS_PER_MIB,
    SLOW_MARK_SHARE,
    THROTTLED_PERIODS,
)
from gcsim.units import MIB, format_number, format_percent, format_seconds


def cpu_causes(subject: Subject) -> Iterator[Cause]:
    """The causes in the use of CPU."""
    yield from _quota(subject)
    yield from _assists(subject)
    yield from _idle_marking(subject)


def _quota(subject: Subject) -> Iterator[Cause]:
    procs = subject.settings.gomaxprocs
    quota, where = _known_quota(subject)
    throttled = _throttled_share(subject)
    stalls = subject.stalls
    is_throttled = stalls.throttled if throttled is None else throttled >= THROTTLED_PERIODS
    if quota is not None and procs > math.ceil(quota):
        signs = [
            Sign(text=f"CPU quota {format_number(quota)} CPUs", source=where, value=quota, unit="count"),
            subject.sign(
                f"GOMAXPROCS={procs}", row=len(subject.trace.cycles) - 1, value=float(procs), unit="count"
            ),
            *_throttle_signs(subject),
        ]
        yield Cause(
            name="gomaxprocs-above-quota",
            severity="serious" if is_throttled or procs >= 2.0 * math.ceil(quota) else "worth knowing",
            confidence="high",
            sentence=(
                f"GOMAXPROCS={procs}, but the CPU quota is {format_number(quota)} CPUs: marking and the"
                " program use up the quota early in each period of 100 ms, and the kernel stops all threads"
                " until the period ends, in pauses too."
            ),
            signs=tuple(signs),
            steps=(
                Step(
                    text=f"Set GOMAXPROCS={math.ceil(quota)} (Go 1.25 and later do so by themselves if"
                    " GOMAXPROCS is not set), or raise the quota.",
                ),
                Step(text="Watch the throttled periods.", command="cat /sys/fs/cgroup/cpu.stat"),
            ),
            log=subject.name,
        )
        return
    if is_throttled:
        confidence: Confidence = "high" if throttled is not None else "medium"
        yield Cause(
            name="cpu-throttled",
            severity="serious",
            confidence=confidence,
            sentence=(
                "A CPU quota stops the process: cycles start and end in step with the quota's period of 100"
                " ms, and marking across the end of a period takes longer. GC times and pauses include the"
                " time that the process was stopped."
                if throttled is None
                else f"The kernel stopped the process at its CPU quota in {format_percent(throttled, 2)} of periods."
            ),
            signs=tuple(_throttle_signs(subject)),
            steps=(
                Step(
                    text=f"Set GOMAXPROCS (now {procs}) to the quota, or raise the quota; then log again."
                    " nr_throttled counts the throttled periods.",
                    command="cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu.max",
                ),
            ),
            log=subject.name,
        )
        return
    yield from _starved(subject)


def _known_quota(subject: Subject) -> tuple[float | None, str]:
    """(CPUs of the quota or None, the source)."""
    if subject.stated_cpus is not None:
        return subject.stated_cpus, "--cpus"
    cpu = None if subject.info is None else subject.info.cpu_quota
    return (None, "") if cpu is None else (cpu.cpus, f"{subject.name}.meta.json")


def _throttled_share(subject: Subject) -> float | None:
    """The share of quota periods in which the kernel stopped the process; None if it is not known."""
    cpu = subject.throttling or (None if subject.info is None else subject.info.cpu_quota)
    return None if cpu is None or not cpu.periods else cpu.throttled_periods / cpu.periods


def _throttle_signs(subject: Subject) -> Iterator[Sign]:
    share, stalls = _throttled_share(subject), subject.stalls
    if share is not None:
        yield subject.side_sign(
            f"throttled in {format_percent(share, 2)} of the periods", value=share, unit="fraction"
        )
    if stalls.in_step:
        yield subject.sign(
            "starts and ends of cycles are concentrated at one instant of the 100 ms period (0 to 1)",
            value=stalls.concentration,
            unit="fraction",
        )
    if not math.isnan(stalls.stretch) and stalls.throttled:
        yield subject.sign(
            f"marking across the end of a period takes {format_number(stalls.stretch)} times as long",
            value=stalls.stretch,
            unit="count",
        )


def _starved(subject: Subject) -> Iterator[Cause]:
    evidence = subject.case.printed
    marked = np.maximum(evidence.heap_marked_bytes - evidence.allocated_bytes, SLOW_MARK_LEAST_BYTES)
    concurrent = evidence.concurrent_seconds
    slow = (concurrent / (marked / MIB) >= SLOW_MARK_SECONDS_PER_MIB) & (concurrent >= 0.1)
    if (
        int(slow.sum()) < SLOW_MARK_COUNT
        or float(slow.mean()) < SLOW_MARK_SHARE
        or subject.trace.generation not in ("1.6", "1.18")
    ):
        return
    place = int(np.argmax(np.where(slow, concurrent, 0.0)))
    yield Cause(
        name="cpu-starved",
        severity="worth knowing" if subject.is_crowded else "serious",
        confidence="low" if subject.is_crowded else "medium",
        sentence=(
            f"Marking {format_number(float(marked[place]) / MIB)} MiB takes up to"
            f" {format_seconds(float(concurrent[place]))}, a hundred times as long as usual: the process does"
            " not get the CPU. A CPU quota, a CPU request that is too low on a full node, or swapping does"
            " that."
            + (" Other processes used much of the CPU during this capture." if subject.is_crowded else "")
        ),
        signs=(
            subject.sign(
                f"concurrent marking of {format_seconds(float(concurrent[place]))}",
                row=place,
                value=float(concurrent[place]),
                unit="seconds",
            ),
            subject.sign(
                f"{int(slow.sum())} of {len(slow)} cycles mark that slowly",
                value=float(slow.mean()),
                unit="fraction",
            ),
        ),
        steps=(
            Step(
                text="Look at throttled periods and at the pressure on the CPU and memory of the container.",
                command="cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu.pressure /sys/fs/cgroup/memory.pressure",
            ),
        ),
        log=subject.name,
    )


def assist_phase_share(subject: Subject) -> float:
    """CPU of assists over all CPU while marking."""
    evidence = subject.window
    marking = float((evidence.concurrent_seconds * evidence.gomaxprocs).sum())
    return float(evidence.assist_cpu_seconds.sum()) / max(marking, 1e-9)


def _assists(subject: Subject) -> Iterator[Cause]:
    cpu, phase = subject.metric("gc_assist_cpu_fraction"), assist_phase_share(subject)
    if len(subject.window) < FEW_CYCLES or not subject.has_cpu or not cpu >= ASSIST_CPU_WORTH:
        return
    if cpu < ASSIST_CPU_ALWAYS_WORTH and phase < ASSIST_PHASE_SHARE:
        return
    assists = subject.window.assist_cpu_seconds
    place = int(assists.argmax())
    yield Cause(
        name="assists-slow-program",
        severity=(
            "serious"
            if cpu >= ASSIST_CPU_SERIOUS and len(assists) >= MANY_CYCLES and not subject.gc_waits_for_cpu
            else "worth knowing"
        ),
        confidence="high" if len(assists) >= MANY_CYCLES else "medium",
        sentence=(
            f"Assists take {format_percent(cpu, 2)} of all CPU, and {format_percent(phase, 2)} of the CPU"
            " while GC marks: the program allocates faster than background workers mark, so goroutines that"
            " allocate must mark first. Requests in a mark phase are slower by that. GC takes"
            f" {format_percent(subject.gc_cpu, 2)} of all CPU in total."
        ),
        signs=(
            subject.sign(
                f"assists of {format_seconds(float(assists[place]))} CPU in a mark phase of"
                f" {format_seconds(float(subject.window.concurrent_seconds[place]))}",
                row=subject.row(place),
                value=float(assists[place]),
                unit="seconds",
            ),
            subject.sign("assist CPU over all CPU", value=cpu, unit="fraction"),
            subject.sign("assist CPU over the CPU of mark phases", value=phase, unit="fraction"),
        ),
        steps=(
            Step(
                text="Give GC a longer runway with a higher GOGC, or allocate less; gcsim predicts both.",
                command=f"gcsim calibrate {subject.name} -o app.toml; gcsim sweep app.toml --gogc 50:800:8",
            ),
        ),
        log=subject.name,
    )


def _idle_marking(subject: Subject) -> Iterator[Cause]:
    idle = subject.metric("gc_idle_cpu_fraction")
    if not subject.has_cpu or not idle >= IDLE_MARKING_WORTH or len(subject.window) < FEW_CYCLES:
        return
    yield Cause(
        name="idle-marking",
        severity="worth knowing",
        confidence="high",
        sentence=(
            f"Idle Ps spend {format_percent(idle, 2)} of all CPU on marking. They stop when the program needs"
            " them, so this does not slow it. It counts as CPU usage on dashboards and against a CPU quota."
        ),
        signs=(subject.sign("CPU of idle mark workers over all CPU", value=idle, unit="fraction"),),
        steps=(Step(text="Fewer cycles (a higher GOGC) or a lower GOMAXPROCS reduce it."),),
        log=subject.name,
    )
