"""A diagnosis: all rules on all evidence, ranked, with excluded causes and open questions."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import get_args

from gcsim.diagnosis.delays import latency_split
from gcsim.diagnosis.records import Cause, Severity, Unknown, Verdicts, ranked
from gcsim.diagnosis.rules.cpu import cpu_causes
from gcsim.diagnosis.rules.growth import growth_causes
from gcsim.diagnosis.rules.limits import limit_causes
from gcsim.diagnosis.rules.memory import memory_causes
from gcsim.diagnosis.rules.pacing import general_cpu_causes, pacing_causes
from gcsim.diagnosis.rules.pauses import pause_causes
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    FEW_CYCLES,
    HEALTHY_GC_CPU,
    LEAK_SECONDS,
    LONG_PAUSE_SECONDS,
    STEADY,
)
from gcsim.units import MIB, format_mib, format_number, format_percent, format_seconds

_OF_COST = {
    "gc-cpu-high",
    "gogc-too-low",
    "assists-slow-program",
    "heap-minimum",
    "memory-limit-near-live-heap",
}
_OF_SINGLE_CYCLES = {"cpu-starved", "large-allocations"}  # which metrics do not show
_RULES = (growth_causes, limit_causes, pacing_causes, cpu_causes, pause_causes, memory_causes)


def diagnose_log(subject: Subject) -> tuple[Cause, ...]:
    """The causes that one log shows, ranked."""
    found = [cause for rule in _RULES for cause in rule(subject)]
    found += general_cpu_causes(subject, {cause.name for cause in found})
    if subject.trace.metrics is not None:
        found = [_of_metrics(cause) for cause in found if cause.name not in _OF_SINGLE_CYCLES]
    return ranked(found)


def _of_metrics(cause: Cause) -> Cause:
    """A cause in metrics: they show means, so it is less sure, and no line."""
    return replace(
        cause,
        confidence="medium" if cause.confidence == "high" else cause.confidence,
        signs=tuple(replace(sign, line=None) for sign in cause.signs),
    )


def diagnosis(subjects: Sequence[Subject], others: Sequence[Cause] = ()) -> Verdicts:
    """The diagnosis of all logs together, with the causes that other evidence shows."""
    by_log = {subject.name: diagnose_log(subject) for subject in subjects}
    causes = joined([cause for found in by_log.values() for cause in found], others)
    for subject in subjects:
        if not any(cause.severity == "serious" for cause in (*others, *by_log[subject.name])):
            causes += _healthy(subject, {cause.name for cause in by_log[subject.name]})
    return Verdicts(
        causes=ranked(causes),
        excluded=tuple(
            text
            for subject in subjects
            for text in _excluded(subject, by_log[subject.name], is_alone=len(subjects) == 1)
        ),
        unknown=tuple(_unknown(subjects)),
        latency=tuple(one for one in map(latency_split, subjects) if one is not None),
    )


def joined(of_logs: Sequence[Cause], others: Sequence[Cause]) -> list[Cause]:
    """The causes, with those that other evidence confirms joined into one.

    A cause that a log and other evidence show has the sentence and signs of both, the graver severity, and high
    confidence. Causes of several logs stay apart.
    """
    left = list(of_logs)
    found: list[Cause] = []
    for other in others:
        same = next((one for one in (*left, *found) if one.name == other.name), None)
        if same is None:
            found.append(other)
            continue
        severities = get_args(Severity)
        both = replace(
            same,
            severity=min(same.severity, other.severity, key=severities.index),
            confidence="high",
            sentence=f"{same.sentence} {other.sentence}",
            signs=(*same.signs, *other.signs),
            steps=other.steps,
        )
        for group in (left, found):
            if same in group:
                group[group.index(same)] = both
    return [_pointing(cause, {one.name for one in others}) for cause in (*left, *found)]


def _pointing(cause: Cause, others: set[str]) -> Cause:
    """A heap leak with a hint at the goroutines or finalizers that may hold the heap."""
    if cause.name != "heap-leak" or not others & {
        "goroutine-leak",
        "finalizer-blocked",
        "finalizer-backlog",
    }:
        return cause
    return replace(cause, sentence=f"{cause.sentence} The finding before this one may be the reason.")


def _healthy(subject: Subject, names: set[str]) -> Iterator[Cause]:
    """The positive finding, with its figures, if GC is cheap and no finding in ``names`` says the contrary."""
    if len(subject.window) < FEW_CYCLES or not subject.gc_cpu < HEALTHY_GC_CPU or names & _OF_COST:
        return
    pause, worst = subject.metric("stw_p99_seconds"), subject.metric("stw_max_seconds")
    coarse = subject.clock_is_coarse
    if pause >= LONG_PAUSE_SECONDS and not coarse:
        return
    pauses = (
        "pauses are not known, because the clock of the log is too coarse"
        if coarse
        else f"99 of 100 pauses are shorter than {format_seconds(pause)}, the longest is {format_seconds(worst)}"
    )
    yield Cause(
        name="gc-not-the-problem",
        severity="healthy",
        confidence="high" if len(subject.window) >= FEW_CYCLES * 2 and not coarse else "medium",
        sentence=(
            f"GC takes {format_percent(subject.gc_cpu, 2)} of all CPU in"
            f" {format_number(subject.metric('gc_rate_hz'))} cycles a second; {pauses}. If the service is"
            " slow, the reason is probably not GC."
        ),
        signs=(
            subject.sign("GC CPU over all CPU", value=subject.gc_cpu, unit="fraction"),
            subject.sign("pause, p99", value=pause, unit="seconds"),
        ),
        log=subject.name,
    )


def _excluded(subject: Subject, causes: Sequence[Cause], *, is_alone: bool) -> Iterator[str]:
    """The usual suspects that the log clears, each with its figure."""
    names = {cause.name for cause in causes}
    where = "" if is_alone else f"{subject.name}: "
    if len(subject.window) < FEW_CYCLES:
        return
    growing = {"heap-leak", "heap-warm-up", "goroutine-leak"}
    first, last = float(subject.window.live_bytes[: FEW_CYCLES // 2].mean()), subject.live_bytes
    steady = last <= STEADY * first and subject.whole_seconds >= LEAK_SECONDS
    if not names & growing and subject.has_times and steady:
        yield f"{where}heap leak: the live heap is {format_mib(first)} at first and {format_mib(last)} later"
    if "goroutine-leak" not in names and (subject.trace.cycles.stack_bytes >= 0).any():
        most = format_mib(max(subject.stack_bytes, MIB))
        yield f"{where}goroutine leak: scanned stacks are at most {most} and do not grow"
    if subject.gc_cpu < 0.5 * HEALTHY_GC_CPU:
        yield f"{where}GC CPU: {format_percent(subject.gc_cpu, 2)} of all CPU"
    worst = subject.metric("stw_max_seconds")
    if worst < LONG_PAUSE_SECONDS and not subject.clock_is_coarse:
        yield f"{where}pauses: the longest is {format_seconds(worst)}"
    assists = subject.metric("gc_assist_cpu_fraction")
    if subject.has_cpu and assists < 0.005:
        yield f"{where}assists: {format_percent(assists, 2)} of all CPU"


def _unknown(subjects: Sequence[Subject]) -> Iterator[Unknown]:
    """The questions that the evidence leaves open."""
    if not subjects:
        yield Unknown(
            question="what GC costs, and whether its settings fit",
            shown_by="a GC log: GODEBUG=gctrace=1, or gcsim capture -o app.log -- ./app",
        )
        return
    for subject in subjects:
        yield from _unknown_of(subject, "" if len(subjects) == 1 else f"{subject.name}: ")


def _unknown_of(subject: Subject, where: str) -> Iterator[Unknown]:
    cycles = subject.trace.cycles
    if len(subject.window) < FEW_CYCLES:
        yield Unknown(
            question=f"{where}trends and rates, because only {len(subject.window)} cycles are usable",
            shown_by="a longer log under normal load",
        )
    elif not subject.has_times:
        yield Unknown(
            question=f"{where}whether memory grows, because the log prints no times",
            shown_by="a log of Go 1.5 or later",
        )
    elif subject.whole_seconds < LEAK_SECONDS:
        yield Unknown(
            question=f"{where}whether memory grows, because the log spans only"
            f" {format_seconds(subject.whole_seconds)}",
            shown_by="a log of a minute or more",
        )
    if subject.memory_bytes is None:
        yield Unknown(
            question="whether memory fits its container", shown_by="--memory SIZE, such as --memory 512Mi"
        )
    if not subject.limit_is_known:
        yield Unknown(
            question=f"{where}GOMEMLIMIT, which a log does not print",
            shown_by="--gomemlimit SIZE or off, or gcsim capture",
        )
    if subject.info is None and not subject.readings:
        yield Unknown(
            question="memory outside the Go heap (binary, C, free pages)",
            shown_by="--rss SIZE, /proc/PID/status, /debug/vars or gcsim capture",
        )
    if not (cycles.stack_bytes >= 0).any():
        yield Unknown(
            question=f"{where}whether goroutines leak, because the log prints no stacks (Go 1.17 or older)",
            shown_by="two pages of /debug/pprof/goroutine?debug=1",
        )
    if not subject.has_cpu:
        yield Unknown(
            question=f"{where}GC CPU, which this Go version does not print",
            shown_by="a log of Go 1.5 or later",
        )
    if subject.clock_is_coarse:
        yield Unknown(
            question=f"{where}pauses, because most phases print 0 on this clock", shown_by="a log from Linux"
        )
    if math.isnan(subject.gc_of_used_cpu):
        yield Unknown(
            question="CPU that the whole process uses, and its CPU quota",
            shown_by="gcsim capture, or --cpus and cpu.stat",
        )
