"""Stop-the-world pauses, by kind."""

from collections.abc import Iterator, Mapping

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.diagnosis.records import Cause, Step
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    COARSE_CLOCK_PAUSE_SECONDS,
    LATE_STOP_COUNT,
    LATE_STOP_SHARE,
    LONG_PAUSE_SECONDS,
    LONG_PAUSES_SERIOUS_COUNT,
    LONG_PAUSES_SERIOUS_SHARE,
    LONG_PAUSES_SERIOUS_TIME,
)
from gcsim.units import format_percent, format_seconds

_CONCURRENT = ("1.5beta", "1.5", "1.6", "1.18")


def pause_causes(subject: Subject) -> Iterator[Cause]:
    """Long pauses; none if the clock is too coarse to show them."""
    evidence = subject.case.printed
    least = COARSE_CLOCK_PAUSE_SECONDS if subject.clock_is_coarse else LONG_PAUSE_SECONDS
    concurrent = subject.trace.generation in _CONCURRENT
    # a forced collection up to Go 1.7 stops the world for all its work
    whole = (
        concurrent & evidence.natural
        if subject.trace.generation == "1.6"
        else np.full(len(evidence), concurrent)
    )
    kinds = {
        "sweep termination": np.where(whole, evidence.sweep_term_seconds, 0.0),
        "mark termination": np.where(whole, evidence.mark_term_seconds, 0.0),
    }
    if not concurrent:
        kinds = {"collection": evidence.mark_term_seconds}
    counts = {kind: int((pauses >= least).sum()) for kind, pauses in kinds.items()}
    count = sum(counts.values())
    if count == 0:
        return
    kind = max(kinds, key=lambda one: float(kinds[one].max()))
    place, worst = int(kinds[kind].argmax()), float(kinds[kind].max())
    share = count / max(sum(int((pauses > 0).sum()) for pauses in kinds.values()), 1)
    stopped = sum(float(pauses[pauses >= least].sum()) for pauses in kinds.values())
    serious = (
        count >= LONG_PAUSES_SERIOUS_COUNT
        and share >= LONG_PAUSES_SERIOUS_SHARE
        and stopped >= LONG_PAUSES_SERIOUS_TIME * subject.whole_seconds
    )
    crowded = subject.is_crowded
    of_program = crowded and _stops_late(counts, kinds)
    most = max(counts, key=lambda one: counts[one])
    spread = ", ".join(f"{number} in {one}" for one, number in counts.items() if number)
    yield Cause(
        name="long-pauses",
        severity="serious" if serious and not crowded else "worth knowing",
        confidence="medium"
        if of_program
        else "low"
        if crowded
        else "high"
        if count >= LONG_PAUSES_SERIOUS_COUNT
        else "medium",
        sentence=(
            f"{count} {'pause' if count == 1 else 'pauses'} of {format_seconds(least)} or more ({spread}),"
            f" {format_percent(share, 2)} of all pauses; the longest is {format_seconds(worst)}."
            f" {_meaning(most)}"
            + (
                " Other processes used much of the CPU during this capture, which stretches pauses."
                if crowded
                else ""
            )
        ),
        signs=(
            subject.sign(
                f"{kind} of {format_seconds(worst)}"
                + (f" at {evidence.start_seconds[place]:.3f} s" if subject.has_times else ""),
                row=place,
                value=worst,
                unit="seconds",
            ),
            subject.sign("share of pauses that are long", value=share, unit="fraction"),
        ),
        steps=(
            Step(
                text="Record an execution trace over one of these pauses; it shows which goroutine or"
                " thread was late.",
                command="curl -s 'localhost:6060/debug/pprof/trace?seconds=5' > trace.out; go tool trace trace.out",
            ),
        ),
        log=subject.name,
    )


def _stops_late(counts: Mapping[str, int], kinds: Mapping[str, FloatArray]) -> bool:
    """Whether so many sweep terminations are long that a busy machine does not explain them."""
    kind = "sweep termination"
    count = counts.get(kind, 0)
    return count >= LATE_STOP_COUNT and count >= LATE_STOP_SHARE * len(kinds.get(kind, ()))


def _meaning(kind: str) -> str:
    if kind == "sweep termination":
        return (
            "Before marking, the runtime waits until every goroutine has stopped: a goroutine in a loop that"
            " it cannot preempt, a long system call in C, or a thread without CPU makes all others wait."
        )
    if kind == "mark termination":
        return (
            "After marking, the runtime stops the world and flushes the caches of all Ps: threads without"
            " CPU (a quota, a busy machine, swapping) are the usual reason."
        )
    return (
        "Up to Go 1.4 a collection stops the world for all its work; a newer Go marks while the program runs."
    )
