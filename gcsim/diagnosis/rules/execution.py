"""Execution traces: pauses with their exact times and reasons, and the time of assists."""

from collections import Counter
from collections.abc import Iterator

from gcsim.diagnosis.profiles.execution_trace import ExecutionTrace
from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.thresholds import (
    ASSIST_CPU_SERIOUS,
    ASSIST_CPU_WORTH,
    LONG_PAUSE_SECONDS,
    LONG_PAUSES_SERIOUS_COUNT,
    LONG_PAUSES_SERIOUS_SHARE,
)
from gcsim.units import format_percent, format_seconds

_OF_TRACING = ("start trace", "stop trace", "GOMAXPROCS", "StartTheWorld")
_SHOWN = 3


def execution_causes(trace: ExecutionTrace) -> Iterator[Cause]:
    """Long pauses and assists in a trace. Pauses that only the recording causes do not count."""
    yield from _pauses(trace)
    yield from _assists(trace)


def _pauses(trace: ExecutionTrace) -> Iterator[Cause]:
    pauses = [span for span in trace.pauses if span.name not in _OF_TRACING]
    long = sorted(
        (span for span in pauses if span.seconds >= LONG_PAUSE_SECONDS), key=lambda span: -span.seconds
    )
    if not long:
        return
    reasons = ", ".join(
        f"{count} in {name}" for name, count in Counter(span.name for span in long).most_common(3)
    )
    is_serious = len(long) >= LONG_PAUSES_SERIOUS_COUNT and len(long) >= LONG_PAUSES_SERIOUS_SHARE * len(
        pauses
    )
    yield Cause(
        name="long-pauses",
        severity="serious" if is_serious else "worth knowing",
        confidence="high",
        sentence=(
            f"{len(long)} of {len(pauses)} pauses in the execution trace take 10 ms or more ({reasons}); the longest is"
            f" {format_seconds(long[0].seconds)}."
        ),
        signs=tuple(
            Sign(
                text=f"{span.name} at {format_seconds(span.begin_seconds)} takes {format_seconds(span.seconds)}",
                source=trace.source,
            )
            for span in long[:_SHOWN]
        ),
        steps=(
            Step(
                text="Look at the thread that stopped last: go tool trace shows which goroutine ran in the pause.",
                command=f"go tool trace {trace.source}",
            ),
        ),
    )


def _assists(trace: ExecutionTrace) -> Iterator[Cause]:
    whole = trace.seconds * max(trace.procs, 1)
    share = trace.assist_seconds / whole if whole > 0 else 0.0
    if share < ASSIST_CPU_WORTH:
        return
    longest = max(span.seconds for span in trace.assists)
    yield Cause(
        name="assists-slow-program",
        severity="serious" if share >= ASSIST_CPU_SERIOUS else "worth knowing",
        confidence="medium",  # the time of a span includes time without a P
        sentence=(
            f"Assists take {format_percent(share, 2)} of the time of all Ps in the execution trace:"
            f" {len(trace.assists)} assists, the longest {format_seconds(longest)}."
        ),
        signs=(
            Sign(text="time in assists", source=trace.source, value=trace.assist_seconds, unit="seconds"),
        ),
        steps=(
            Step(text="A higher GOGC makes mark phases rarer; fewer allocated bytes make assists shorter."),
        ),
    )
