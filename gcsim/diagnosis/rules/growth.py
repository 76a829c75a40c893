"""Growth: a leaking heap, leaking goroutines, warm-up."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gcsim.diagnosis.forecast import Ahead
from gcsim.diagnosis.records import Cause, Confidence, Forecast, Severity, Sign, Step
from gcsim.diagnosis.rises import Rise, observed, rises
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    FALLS_BACK,
    LEAK_SECONDS,
    LEVELLED_OFF,
    MANY_CYCLES,
    SOON_LOG_LENGTHS,
    STACKS_LEAD,
    STEADY,
    SURE_LEAK_SECONDS,
)
from gcsim.metrics import Estimate
from gcsim.service.assessment import Growth
from gcsim.service.growth import LiveGrowth
from gcsim.submodels.live_growth import central_course
from gcsim.units import MIB, format_mib, format_seconds

_LONG = 1e6  # log lengths
_BUSY_JOB = 0.6  # share of GOMAXPROCS that a job uses at least
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def growth_causes(subject: Subject) -> Iterator[Cause]:
    """The causes of growing memory."""
    if not subject.has_times:
        return
    found = {one.part.what: one for one in rises(subject)}
    stacks, heap = found.get("stacks"), found.get("live heap")
    if stacks is not None and stacks.part.continues:
        yield _with_forecast(subject, _goroutines(subject, stacks, heap), heap, stacks)
        if heap is not None and stacks.part.bytes_per_second >= STACKS_LEAD * heap.part.bytes_per_second:
            return  # the goroutines hold the heap
    if heap is not None:
        yield _with_forecast(subject, _heap(subject, heap), heap, stacks)


def _with_forecast(subject: Subject, cause: Cause, heap: Rise | None, stacks: Rise | None) -> Cause:
    """A serious cause with the times at which growth reaches the limits, and the band of its forecast."""
    if cause.severity != "serious":
        return cause
    ahead = Ahead.of(subject, observed(subject)[0], heap, stacks)
    forecasts = tuple(ahead.forecasts())
    if heap is not None and cause.name == "heap-leak" and _is_small(heap, forecasts):
        return _warm_up(
            subject,
            heap,
            "worth knowing",
            "low",
            "the rise is small for so short a log: start-up, or a slow leak",
        )
    sentence = " ".join([cause.sentence, *(_reached(one) for one in forecasts)])
    part = ahead.stacks
    if cause.name == "heap-leak":
        part = ahead.heap
        sentence += " No GC setting stops a leak."
    return replace(cause, sentence=sentence, forecasts=forecasts, band=ahead.band(part))


def _goroutines(subject: Subject, rise: Rise, heap: Rise | None) -> Cause:
    part = rise.part
    long_enough = rise.lasted_seconds >= LEAK_SECONDS
    also = f", and the live heap grows {_rate(heap.part)} with them" if heap is not None else ""
    return Cause(
        name="goroutine-leak",
        severity="serious" if long_enough else "worth knowing",
        confidence="medium" if long_enough else "low",
        sentence=(
            f"Scanned stacks grow {_rate(part)}, from {format_mib(max(part.first_bytes, MIB))} to"
            f" {format_mib(part.last_bytes)}{also}: goroutines accumulate, or goroutines recurse deeper and"
            " deeper."
        ),
        signs=_ends(subject, rise, "scanned stacks"),
        steps=(
            Step(
                text="Save two goroutine profiles a minute apart; they show the place where the goroutines wait.",
                command=f"curl -s localhost:6060/debug/pprof/goroutine?debug=1 > g1.txt; sleep 60; curl -s"
                f" localhost:6060/debug/pprof/goroutine?debug=1 > g2.txt; gcsim diagnose {subject.name}"
                " g1.txt g2.txt",
            ),
        ),
        log=subject.name,
    )


def _heap(subject: Subject, rise: Rise) -> Cause:
    severity, confidence, what = _judged(subject, rise)
    if severity == "serious":
        return Cause(
            name="heap-leak",
            severity=severity,
            confidence=confidence,
            sentence=f"{_moved(rise)}, and has not levelled off: {what}.",
            signs=_ends(subject, rise, "live heap"),
            steps=_heap_steps(subject),
            log=subject.name,
        )
    return _warm_up(subject, rise, severity, confidence, what)


def _moved(rise: Rise) -> str:
    return (
        f"The live heap grows {_rate(rise.part)}, from {format_mib(max(rise.part.first_bytes, MIB))} to"
        f" {format_mib(rise.part.last_bytes)} in {format_seconds(rise.lasted_seconds)}"
    )


def _warm_up(subject: Subject, rise: Rise, severity: Severity, confidence: Confidence, what: str) -> Cause:
    return Cause(
        name="heap-warm-up",
        severity=severity,
        confidence=confidence,
        sentence=f"{_moved(rise)}: {what}.",
        signs=_ends(subject, rise, "live heap"),
        steps=(Step(text="Log for longer under the same load: a leak goes on, a warm-up ends."),),
        log=subject.name,
    )


def _is_small(rise: Rise, forecasts: tuple[Forecast, ...]) -> bool:
    """Whether a short log shows a small rise that reaches no known limit for a long time."""
    soon = any(one.seconds.value < SOON_LOG_LENGTHS * rise.lasted_seconds for one in forecasts)
    small = rise.part.last_bytes < STEADY * rise.part.first_bytes
    return small and rise.lasted_seconds < SURE_LEAK_SECONDS and not soon


def _judged(subject: Subject, rise: Rise) -> tuple[Severity, Confidence, str]:
    """(severity, confidence, meaning) of a rise of the live heap."""
    if _is_job(subject):
        return (
            "worth knowing",
            "medium",
            "the program kept the CPU busy and ended by itself, as a job does that loads data",
        )
    if rise.lasted_seconds < LEAK_SECONDS:
        return "worth knowing", "low", "start-up or a leak; the log is too short to tell them apart"
    if _share_reached(rise.fitted) >= LEVELLED_OFF:
        return "worth knowing", "medium", "the rise levels off within the log, as a cache does that fills"
    if _falls_back(rise):
        return (
            "worth knowing",
            "low",
            "it rises and falls by more than that in between, as with changing work",
        )
    if not rise.part.continues:
        return "worth knowing", "low", "the rise slows down towards the end of the log, as in a warm-up"
    keeps = "something keeps objects that nothing drops"
    if rise.lasted_seconds >= SURE_LEAK_SECONDS and len(rise.evidence) >= MANY_CYCLES:
        return "serious", "high", keeps
    return "serious", "medium", f"{keeps}, or the program still loads data (the log is short)"


def _falls_back(rise: Rise) -> bool:
    """Whether the live heap falls from its highest value so far by a large part of its rise."""
    live = rise.evidence.live_bytes
    fall = float((np.maximum.accumulate(live) - live).max())
    return fall > FALLS_BACK * (rise.part.last_bytes - rise.part.first_bytes)


def _is_job(subject: Subject) -> bool:
    """Whether the capture shows a whole run of a busy program that ended by itself."""
    info = subject.info
    if info is None or info.was_stopped is not False or not info.cpu_seconds or not info.wall_seconds:
        return False
    return info.cpu_seconds / info.wall_seconds >= _BUSY_JOB * subject.settings.gomaxprocs


def _share_reached(fitted: LiveGrowth) -> float:
    """The share of the whole rise that lies within the log; 0 for a rise without an end."""
    if fitted.form == "steps" and fitted.step_seconds == 0:
        return 1.0
    if fitted.form != "levels off":
        return 0.0
    one = np.zeros(1, dtype=np.int64)
    course = central_course(fitted)
    first, last, ceiling = (
        float(course.factor(np.array([t]), one)[0])
        for t in (0.0, fitted.log_seconds, _LONG * fitted.log_seconds)
    )
    return (last - first) / max(ceiling - first, 1e-9)


def _reached(forecast: Forecast) -> str:
    """The time from the end of the log until growth reaches a limit, in words."""
    size = format_mib(forecast.limit_bytes)
    if math.isinf(forecast.seconds.low):
        what = "GOMEMLIMIT of" if forecast.limit == "GOMEMLIMIT" else "the container's"
        return f"By its form, the rise levels off below {what} {size}."
    when = _when(forecast.seconds)
    if forecast.limit == "GOMEMLIMIT":
        return (
            f"The live heap fills GOMEMLIMIT of {size} {when}; from then on GC takes up to half of the CPU."
        )
    return f"Memory reaches the {size} of the container {when}."


def _when(seconds: Estimate) -> str:
    """A time from now with its interval, in words."""
    if seconds.value == 0:
        return "within the log"
    if math.isinf(seconds.value):
        earliest = format_seconds(seconds.low)
        return f"{earliest} after the end of the log at the earliest, or never: the rise may level off before"
    unit, length = next(((u, size) for u, size in _UNITS if seconds.value >= size), _UNITS[-1])
    value, low, high = (s / length for s in (seconds.value, seconds.low, seconds.high))
    end = "perhaps never" if math.isinf(high) else f"{high:.2g}"
    return f"{value:.2g} {unit} ({low:.2g} to {end}) after the end of the log"


def _rate(part: Growth) -> str:
    return f"{format_mib(part.bytes_per_second)}/s"


def _ends(subject: Subject, rise: Rise, what: str) -> tuple[Sign, ...]:
    """The first and last cycle, and the number of thirds in order."""
    values = rise.evidence.stack_bytes if what == "scanned stacks" else rise.evidence.live_bytes
    blocks = [float(part.mean()) for part in np.array_split(values, min(8, len(values)))]
    higher = sum(b > a for a, b in itertools.pairwise(blocks))
    signs = [
        subject.sign(
            f"{what} {format_mib(max(float(values[place]), MIB))}{' or less' if values[place] < MIB else ''}",
            row=rise.first_row + place,
            value=float(values[place]),
            unit="bytes",
        )
        for place in (0, len(values) - 1)
    ]
    rate = subject.sign(
        f"{what}: higher in {higher} of {len(blocks) - 1} parts of the log than in the part before",
        value=rise.part.bytes_per_second,
        unit="bytes per second",
    )
    return (*signs, rate)


def _heap_steps(subject: Subject) -> tuple[Step, ...]:
    page = "curl -s localhost:6060/debug/pprof/heap >"
    fetch = f"{page} heap1.pb.gz; sleep 60; {page} heap2.pb.gz"
    return (
        Step(
            text="Save two heap profiles a minute apart; they show the code that keeps the objects.",
            command=f"{fetch}; gcsim diagnose {subject.name} heap1.pb.gz heap2.pb.gz",
        ),
    )
