"""Growth: a leaking heap, leaking goroutines, warm-up."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gcsim.calibration.checks.growth import growing_parts
from gcsim.calibration.estimate.live_growth import find_growth
from gcsim.calibration.evidence import Evidence
from gcsim.diagnosis.records import Cause, Confidence, Severity, Sign, Step
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    FALLS_BACK,
    FEW_CYCLES,
    LEAK_SECONDS,
    LEVELLED_OFF,
    MANY_CYCLES,
    STACKS_LEAD,
    SURE_LEAK_SECONDS,
)
from gcsim.metrics import Estimate
from gcsim.service.assessment import Growth
from gcsim.service.growth import LiveGrowth
from gcsim.streams import stream
from gcsim.submodels.live_growth import central_course, growth_courses
from gcsim.units import MIB, format_mib, format_seconds

_DRAWS, _TIMES = 200, 300
_SEED = 1
_LONG = 1e6  # log lengths
_BUSY_JOB = 0.6  # share of GOMAXPROCS that a job uses at least
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rise:
    """The growth of one part of memory, and the cycles that show it."""

    part: Growth
    evidence: Evidence
    first_row: int  # of the trace
    fitted: LiveGrowth


def growth_causes(subject: Subject) -> Iterator[Cause]:
    """The causes of growing memory."""
    if not subject.has_times:
        return
    rises = {one.part.what: one for one in _rises(subject)}
    stacks, heap = rises.get("stacks"), rises.get("live heap")
    if stacks is not None and stacks.part.continues:
        yield _goroutines(subject, stacks, heap)
        if heap is not None and stacks.part.bytes_per_second >= STACKS_LEAD * heap.part.bytes_per_second:
            return  # the goroutines hold the heap
    if heap is not None:
        yield _heap(subject, heap)


def _rises(subject: Subject) -> Iterator[Rise]:
    """The growing parts in the working window; in the whole log if the window is short or has few cycles."""
    evidence, first = subject.window, subject.case.window.start or 0
    if subject.seconds < 0.5 * subject.whole_seconds or len(evidence) < 2 * FEW_CYCLES:
        evidence, first = subject.case.printed, 0
    for part in growing_parts(evidence):
        values = evidence.live_bytes if part.what == "live heap" else evidence.stack_bytes
        fitted = find_growth(values, evidence.start_seconds, "time")
        yield Rise(part=part, evidence=evidence, first_row=first, fitted=fitted)


def _goroutines(subject: Subject, rise: Rise, heap: Rise | None) -> Cause:
    part = rise.part
    long_enough = float(rise.evidence.start_seconds[-1] - rise.evidence.start_seconds[0]) >= LEAK_SECONDS
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
    moved = f"The live heap grows {_rate(rise.part)}, from {format_mib(max(rise.part.first_bytes, MIB))} to"
    moved += f" {format_mib(rise.part.last_bytes)} in {format_seconds(_lasted(rise))}"
    if severity == "serious":
        reached = list(_reached(subject, rise))
        sentence = f"{moved}, and does not level off: {what}." + "".join(f" {one}" for one in reached)
        return Cause(
            name="heap-leak",
            severity=severity,
            confidence=confidence,
            sentence=f"{sentence} No GC setting stops a leak.",
            signs=_ends(subject, rise, "live heap"),
            steps=_heap_steps(subject),
            log=subject.name,
        )
    return Cause(
        name="heap-warm-up",
        severity=severity,
        confidence=confidence,
        sentence=f"{moved}: {what}.",
        signs=_ends(subject, rise, "live heap"),
        steps=(Step(text="Log for longer under the same load: a leak goes on, a warm-up ends."),),
        log=subject.name,
    )


def _judged(subject: Subject, rise: Rise) -> tuple[Severity, Confidence, str]:
    """(severity, confidence, meaning) of a rise of the live heap."""
    if _is_job(subject):
        return (
            "worth knowing",
            "medium",
            "the program kept the CPU busy and ended by itself, as a job does that loads data",
        )
    if _lasted(rise) < LEAK_SECONDS:
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
    if _lasted(rise) >= SURE_LEAK_SECONDS and len(rise.evidence) >= MANY_CYCLES:
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


def _lasted(rise: Rise) -> float:
    return float(rise.evidence.start_seconds[-1] - rise.evidence.start_seconds[0])


def _reached(subject: Subject, rise: Rise) -> Iterator[str]:
    """Sentences: the time from the end of the log until growth reaches the container and GOMEMLIMIT."""
    ratio = max(float(rise.evidence.heap_end_bytes.mean() / max(rise.evidence.live_bytes.mean(), 1.0)), 1.0)
    outside = _outside_bytes(subject)
    memory, limit = subject.memory_bytes, subject.settings.gomemlimit_bytes
    if limit is not None:
        when = seconds_until(rise, limit - outside)
        yield (
            f"The live heap reaches GOMEMLIMIT of {format_mib(limit)} {_when(when)}; from then on GC takes up"
            " to half of the CPU."
        )
    if memory is not None:
        held = memory - outside
        when = seconds_until(rise, held if limit is not None else held / ratio)
        yield f"Memory reaches the {format_mib(memory)} of the container {_when(when)}."


def _outside_bytes(subject: Subject) -> float:
    """Memory of the process outside heap objects, as far as it is known."""
    info = subject.info
    if info is not None and info.anonymous_peak_bytes:
        return max(info.anonymous_peak_bytes - subject.heap_peak_bytes, subject.stack_bytes)
    return subject.stack_bytes


def seconds_until(rise: Rise, target_bytes: float) -> Estimate:
    """The time from the end of the log until the part reaches a size: median, 5th and 95th percentile.

    The draws follow the uncertainty of the form of growth and of its slope. Times that no course reaches are infinite.
    """
    fitted, part = rise.fitted, rise.part
    if fitted.is_none:
        seconds = part.seconds_until(target_bytes)
        return Estimate(seconds, seconds, seconds)
    draw = stream(_SEED, "diagnosis growth")
    courses = growth_courses(
        fitted,
        levels=draw.uniform(size=_DRAWS),
        pace=draw.standard_normal(_DRAWS),
        first=draw.standard_normal(_DRAWS),
        second=draw.standard_normal(_DRAWS),
        bytes_per_second=np.ones(_DRAWS),
    )
    values = rise.evidence.live_bytes if part.what == "live heap" else rise.evidence.stack_bytes
    ahead = np.concatenate([[0.0], np.geomspace(1.0, 1e8, _TIMES)])
    replica = np.arange(_DRAWS)
    sizes = np.stack(
        [courses.factor(np.full(_DRAWS, fitted.log_seconds + t), replica) for t in ahead]
    ) * float(values.mean())
    over = sizes >= target_bytes
    first = np.where(over.any(axis=0), ahead[np.argmax(over, axis=0)], np.inf)
    low, value, high = (float(q) for q in np.quantile(first, (0.05, 0.5, 0.95), method="inverted_cdf"))
    return Estimate(value, low, high)


def _when(seconds: Estimate) -> str:
    """A time from now with its interval, in words."""
    if seconds.value == 0:
        return "within the log"
    if math.isinf(seconds.value):
        return "never at this form of growth"
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
