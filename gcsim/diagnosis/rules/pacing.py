"""The pace of cycles: forced ones, the minimum heap, a low GOGC, large allocations, and much GC CPU."""

import math
from collections.abc import Iterator

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.calibration.checks.diagnosis import regimes
from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    FEW_CYCLES,
    FORCED_PER_MINUTE,
    FORCED_SERIOUS_CPU,
    FORCED_SERIOUS_PER_SECOND,
    FORCED_SERIOUS_SHARE,
    FORCED_SHARE,
    GC_CPU_SERIOUS,
    GC_CPU_WORTH,
    GC_OF_USED_LEAST_CPU,
    GC_OF_USED_SERIOUS,
    GOGC_LOW,
    LARGE_JUMP_BYTES,
    LARGE_JUMP_SERIOUS,
    LARGE_JUMP_SHARE,
    LOW_GOGC_CPU_WORTH,
    MANY_CYCLES,
    MINIMUM_HEAP_RATE,
    MINIMUM_HEAP_SERIOUS_CPU,
    MINIMUM_HEAP_SERIOUS_RATE,
    START_SECONDS,
)
from gcsim.goruntime.pacer import heap_minimum_bytes
from gcsim.units import MIB, format_mib, format_number, format_percent

_STEADY_HEAP_BYTES = 64.0 * MIB  # a heap goal that makes cycles of a tiny live heap rare


def pacing_causes(subject: Subject) -> Iterator[Cause]:
    """The causes in the pace of cycles."""
    yield from _forced(subject)
    yield from _minimum_heap(subject)
    yield from _large(subject)
    yield from _gogc_low(subject)


def _forced(subject: Subject) -> Iterator[Cause]:
    trace = subject.trace
    forced = trace.cycles.forced & ~trace.periodic & ~trace.leak_check
    count, seconds = int(forced.sum()), subject.whole_seconds
    if count < 3 or seconds <= 0 or float(forced.mean()) < FORCED_SHARE:
        return
    per_minute = 60.0 * count / seconds
    if per_minute < FORCED_PER_MINUTE:
        return
    often = per_minute >= 60.0 * FORCED_SERIOUS_PER_SECOND
    long_enough = seconds >= START_SECONDS
    most = float(forced.mean()) >= FORCED_SERIOUS_SHARE
    costly = most and not _cost(subject, forced) < FORCED_SERIOUS_CPU
    rows = np.flatnonzero(forced)
    yield Cause(
        name="forced-collections",
        severity="serious" if often and long_enough and costly else "worth knowing",
        confidence="high",
        sentence=(
            f"The program forces {format_number(per_minute)} collections a minute, {count} of"
            f" {len(trace.cycles)} cycles: it calls runtime.GC() or debug.FreeOSMemory(). Each call marks the"
            " whole live heap and makes its goroutine wait for that."
        ),
        signs=(
            subject.sign("(forced)", row=int(rows[0])),
            subject.sign("(forced)", row=int(rows[-1])),
            subject.sign("forced collections a minute", value=per_minute, unit="count"),
        ),
        steps=(
            Step(text="Find the calls and remove them.", command='grep -rn "runtime.GC()\\|FreeOSMemory" .'),
            Step(text="The testing package and pprof's heap page with gc=1 force collections, too."),
        ),
        log=subject.name,
    )


def _cost(subject: Subject, rows: BoolArray) -> float:
    """CPU of marking in some cycles over all CPU, idle workers included; NaN if the log does not show it."""
    if not subject.has_cpu:
        return math.nan
    evidence = subject.case.printed
    capacity = max(subject.whole_seconds * float(np.median(evidence.gomaxprocs)), 1e-9)
    return float(evidence.mark_cpu_seconds[rows].sum()) / capacity


def _minimum_heap(subject: Subject) -> Iterator[Cause]:
    gogc, rate = subject.settings.gogc, subject.metric("gc_rate_hz")
    if gogc is None or len(subject.window) < FEW_CYCLES or not rate >= MINIMUM_HEAP_RATE:
        return
    found = {regime.name: regime.text for regime in regimes(subject.case)}
    minimum = float(heap_minimum_bytes(gogc))
    near = float(np.median(subject.window.heap_goal_bytes)) <= 1.5 * minimum + MIB
    if "minimum-heap" not in found or not near:
        return
    serious = rate >= MINIMUM_HEAP_SERIOUS_RATE or subject.gc_cpu >= MINIMUM_HEAP_SERIOUS_CPU
    better = max(int(math.ceil(gogc * _STEADY_HEAP_BYTES / max(minimum, 1.0) / 100.0) * 100), gogc)
    last = subject.row(len(subject.window) - 1)
    yield Cause(
        name="heap-minimum",
        severity="serious" if serious and subject.seconds >= START_SECONDS else "worth knowing",
        confidence="high" if subject.seconds >= START_SECONDS else "low",
        sentence=(
            f"The live heap of {format_mib(subject.live_bytes)} is so small that the heap goal is the"
            f" minimum, {format_mib(minimum)} at {subject.gogc_text}; GC runs {format_number(rate)} times a"
            f" second and takes {format_percent(subject.gc_cpu, 2)} of all CPU. A larger heap costs a few"
            " tens of MiB and saves almost all of it."
        ),
        signs=(
            subject.sign(
                f"heap goal {format_mib(float(subject.trace.cycles.heap_goal_bytes[last]))}",
                row=last,
                value=float(subject.trace.cycles.heap_goal_bytes[last]),
                unit="bytes",
            ),
            subject.sign("GC cycles", value=rate, unit="per second"),
        ),
        steps=(
            Step(
                text=f"Set GOGC={better}, which makes the minimum {format_mib(minimum * better / gogc)},"
                " or GOGC=off with a GOMEMLIMIT that the container holds.",
            ),
        ),
        log=subject.name,
    )


def _large(subject: Subject) -> Iterator[Cause]:
    evidence = subject.window
    if len(evidence) < FEW_CYCLES or subject.trace.generation not in ("1.6", "1.18"):
        return
    goals = _goals_before_jump(subject)
    jump = np.maximum(evidence.heap_start_bytes - goals, 0.0)
    jumped = (jump >= LARGE_JUMP_BYTES) & evidence.natural & ~subject.goal_below_live
    share = float(jumped.mean())
    if share < LARGE_JUMP_SHARE or int(jumped.sum()) < 3:
        return
    over = float(np.median(jump[jumped] / goals[jumped]))
    origin = subject.case.log.origins.gogc
    place = int(np.argmax(np.where(jumped, jump, 0.0)))
    yield Cause(
        name="large-allocations",
        severity="serious" if over >= LARGE_JUMP_SERIOUS else "worth knowing",
        confidence="high" if int(jumped.sum()) >= 5 and origin != "assumed" else "medium",
        sentence=(
            f"In {format_percent(share, 2)} of cycles the heap is already"
            f" {format_mib(float(np.median(jump[jumped])))} past its goal when the cycle starts: single"
            f" allocations of that size carry it there. Peaks are {format_percent(over, 2)} above the goal"
            " that GOGC and GOMEMLIMIT set, and each such allocation starts a collection."
        ),
        signs=(
            subject.sign(
                f"starts at {format_mib(float(evidence.heap_start_bytes[place]))}, goal"
                f" {format_mib(float(goals[place]))}",
                row=subject.row(place),
                value=float(jump[place]),
                unit="bytes",
            ),
            subject.sign("cycles that start past their goal", value=share, unit="fraction"),
        ),
        steps=(
            Step(
                text="Find the site of the large buffers; read streams in pieces, or keep and reuse the buffers.",
                command=f"curl -s localhost:6060/debug/pprof/allocs > allocs.pb.gz; gcsim diagnose {subject.name}"
                " allocs.pb.gz",
            ),
        ),
        log=subject.name,
    )


def _goals_before_jump(subject: Subject) -> FloatArray:
    """The heap goal of each cycle before an allocation carried the heap past it, window rows, shape (n,).

    The runtime raises a goal to heapLive if heapLive is past it when the cycle starts, and prints the raised goal. GOGC
    and heapMarked of the cycle before give the goal without that; a lower printed goal, as of a memory limit, counts.
    """
    evidence, gogc = subject.window, subject.settings.gogc
    goals = np.where(np.isfinite(evidence.heap_goal_bytes), evidence.heap_goal_bytes, np.inf)
    if gogc is None:
        return goals
    roots = evidence.stack_bytes[:-1] + evidence.globals_bytes[:-1]
    marked = evidence.heap_marked_bytes[:-1]
    by_gogc = np.maximum(marked + (marked + roots) * gogc / 100.0, float(heap_minimum_bytes(gogc)))
    raised = evidence.follows
    if (
        subject.case.log.origins.gogc == "assumed"
    ):  # GOGC=100 counts only where the cycle starts at the printed goal
        raised = raised & (evidence.heap_start_bytes[1:] >= goals[1:] - 0.5 * MIB)
    goals[1:] = np.where(raised, np.minimum(goals[1:], by_gogc), goals[1:])
    return goals


def _is_costly(subject: Subject, cpu: float) -> bool:
    """Whether GC CPU is above a share of all CPU, or of the CPU that the process used."""
    all_of_it = subject.gc_cpu + subject.metric("gc_idle_cpu_fraction")
    of_used = subject.gc_of_used_cpu >= GC_OF_USED_SERIOUS and all_of_it >= GC_OF_USED_LEAST_CPU
    return subject.gc_cpu >= cpu or of_used


def _gogc_low(subject: Subject) -> Iterator[Cause]:
    gogc = subject.settings.gogc
    if gogc is None or gogc > GOGC_LOW or len(subject.window) < FEW_CYCLES:
        return
    with_idle = subject.gc_cpu + subject.metric("gc_idle_cpu_fraction")
    if not _is_costly(subject, GC_CPU_WORTH) and not with_idle >= LOW_GOGC_CPU_WORTH:
        return
    origin = subject.case.log.origins.gogc
    yield Cause(
        name="gogc-too-low",
        severity="serious" if _is_costly(subject, 0.75 * GC_CPU_SERIOUS) else "worth knowing",
        confidence="high" if origin in ("stated", "captured") else "medium",
        sentence=(
            f"GOGC={gogc} starts a cycle whenever the heap has grown by {gogc} %: GC runs"
            f" {format_number(subject.metric('gc_rate_hz'))} times a second and takes"
            f" {format_percent(subject.gc_cpu, 2)} of all CPU{_of_used(subject)}. GC CPU falls about as"
            " 1/GOGC."
        ),
        signs=(
            *_cpu_signs(subject),
            subject.sign(f"GOGC={gogc} ({origin})", value=float(gogc), unit="percent"),
        ),
        steps=_tune(subject),
        log=subject.name,
    )


def general_cpu_causes(subject: Subject, found: set[str]) -> Iterator[Cause]:
    """Much GC CPU that no finding in ``found`` explains."""
    explained = {
        "memory-limit-below-live-heap", "memory-limit-near-live-heap", "heap-minimum", "gogc-too-low",
        "forced-collections", "large-allocations", "assists-slow-program",
    }  # fmt: skip
    if found & explained or len(subject.window) < FEW_CYCLES or not _is_costly(subject, GC_CPU_WORTH):
        return
    serious = subject.gc_cpu >= GC_CPU_SERIOUS or subject.gc_of_used_cpu >= GC_OF_USED_SERIOUS
    sure = len(subject.window) >= MANY_CYCLES and subject.seconds >= START_SECONDS
    crowded = subject.is_crowded
    yield Cause(
        name="gc-cpu-high",
        severity="serious" if serious and sure and not crowded else "worth knowing",
        confidence="high" if sure and not crowded else "low",
        sentence=(
            f"GC takes {format_percent(subject.gc_cpu, 2)} of all CPU{_of_used(subject)}, at"
            f" {subject.gogc_text} with {format_mib(subject.live_bytes)} live and"
            f" {format_number(subject.metric('gc_rate_hz'))} cycles a second: the program allocates fast for"
            " its heap."
            + (
                " Other processes used much of the CPU during this capture: mark workers waited for it, and"
                " gctrace counts that as GC CPU."
                if crowded
                else ""
            )
        ),
        signs=tuple(_cpu_signs(subject)),
        steps=(
            *_tune(subject),
            Step(
                text="Find the sites that allocate most; fewer allocations save GC CPU at every setting.",
                command=f"curl -s localhost:6060/debug/pprof/allocs > allocs.pb.gz; gcsim diagnose {subject.name}"
                " allocs.pb.gz",
            ),
        ),
        log=subject.name,
    )


def _of_used(subject: Subject) -> str:
    used = subject.gc_of_used_cpu
    return "" if math.isnan(used) else f" and, with idle marking, {format_percent(used, 2)} of the CPU in use"


def _cpu_signs(subject: Subject) -> Iterator[Sign]:
    cycles = subject.trace.cycles
    row = subject.row(len(subject.window) - 1)
    percent = int(cycles.utilization_percent[row])
    if percent >= 0:
        yield subject.sign(
            f"gctrace prints {percent} % of CPU since the start",
            row=row,
            value=percent / 100.0,
            unit="fraction",
        )
    yield subject.sign("GC CPU of the working window", value=subject.gc_cpu, unit="fraction")


def _tune(subject: Subject) -> tuple[Step, ...]:
    memory = "SIZE" if subject.memory_bytes is None else format_mib(subject.memory_bytes).replace(" ", "")
    return (
        Step(
            text="Let gcsim predict higher settings in the memory of the container.",
            command=f"gcsim calibrate {subject.name} -o app.toml; gcsim recommend app.toml --memory {memory}",
        ),
    )
