"""The reason for a recommendation, in plain sentences."""

from collections.abc import Sequence

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import Margin
from gcsim.tuning.sweep import keeps_limit
from gcsim.units import (
    format_go_bytes,
    format_gogc,
    format_interval,
    format_mib,
    format_number,
    format_percent,
)

_RUNTIME_CPU_GOAL = 0.25  # what the pacer itself plans for while marking: Go gcBackgroundUtilization
_WORTH_A_WORD = 0.0005  # of all CPU

Growth = tuple[str, float, Run, bool]  # what grew, by which factor, the run, whether everything still held


def explain(
    chosen: Run,
    found: Sequence[Margin],
    *,
    cheapest: Run | None,
    growth: Sequence[Growth],
) -> str:
    """Sentences that state what is predicted, why this setting, and what growth would do."""
    sentences = [_prediction(chosen)]
    if cheapest is None:
        sentences.insert(0, "No setting holds every constraint; this is the nearest miss.")
        sentences.extend(_broken(chosen, found))
        return " ".join(sentences)
    sentences.append(_margin_sentence(found))
    if chosen.metrics["gc_cpu_fraction"].value > _RUNTIME_CPU_GOAL:
        sentences.append(
            "More than a quarter of all CPU would go to GC: this memory is tight for the live heap."
        )
    sentences.extend(_why(chosen, cheapest, found))
    sentences.extend(_growth_sentence(*item) for item in growth)
    return " ".join(sentences)


def _prediction(run: Run) -> str:
    peak, cpu = run.metrics["rss_peak_bytes"], run.metrics["gc_cpu_fraction"]
    return (
        f"{short(run.settings)} is predicted to peak at {_memory(peak)} resident"
        f" and to spend {_percent(cpu)} of CPU on GC."
    )


def _margin_sentence(found: Sequence[Margin]) -> str:
    parts = [
        f"{m.constraint.label} {m.constraint.format(m.high)} of {m.constraint.format(m.constraint.bound)}"
        f" ({100 * m.margin:.0f} % to spare)"
        for m in found
    ]
    return f"At the pessimistic end of the intervals that is {_join(parts)}."


def _broken(chosen: Run, found: Sequence[Margin]) -> list[str]:
    sentences = [
        f"It misses {m.constraint.label}: {m.constraint.format(m.high)} at the pessimistic end against"
        f" {m.constraint.format(m.constraint.bound)} allowed."
        for m in found
        if not m.margin >= 0
    ]
    if not keeps_limit(chosen):
        sentences.append("It does not keep its own memory limit: live memory does not fit under it.")
    return sentences


def _why(chosen: Run, cheapest: Run, found: Sequence[Margin]) -> list[str]:
    limit = chosen.settings.gomemlimit_bytes
    memory = found[0].constraint.bound
    sentences = []
    dearer = chosen.metrics["gc_cpu_fraction"].value - cheapest.metrics["gc_cpu_fraction"].value
    if dearer > _WORTH_A_WORD:
        peak = format_mib(cheapest.metrics["rss_peak_bytes"].value)
        sentences.append(
            f"The cheapest feasible setting simulated, {short(cheapest.settings)}, would save"
            f" {format_number(100 * dearer, 2)} percentage points of CPU and peak at {peak}."
        )
    if limit is not None and chosen.settings.gogc is not None:
        sentences.append(
            f"GOGC sets the pace; the limit of {format_mib(limit)} is the safety net below the"
            f" {format_mib(memory)} given, and the {format_mib(memory - limit)} between them is room for"
            " what Go does not count (the binary's pages, C memory, thread stacks) and for error."
        )
    elif limit is not None:
        sentences.append(
            "The limit alone sets the pace: no finite GOGC came within reach of its cost, so memory use will"
            " stay near the limit at any load."
        )
    else:
        sentences.append(
            "A memory limit to catch growth would hold this memory only at a much higher cost: watch resident memory."
        )
    return sentences


def _growth_sentence(what: str, factor: float, run: Run, held: bool) -> str:
    peak, cpu = run.metrics["rss_peak_bytes"], run.metrics["gc_cpu_fraction"]
    verdict = "everything still holds" if held else "it no longer holds"
    return (
        f"With {100 * (factor - 1):.0f} % more {what}, {verdict}: peak {format_mib(peak.value)},"
        f" GC CPU {format_percent(cpu.value, 2)}."
    )


def short(settings: Settings) -> str:
    """The two knobs, as environment variables."""
    return f"GOGC={format_gogc(settings.gogc)} GOMEMLIMIT={format_go_bytes(settings.gomemlimit_bytes)}"


def _memory(estimate: Estimate) -> str:
    return format_interval(*(format_mib(x) for x in (estimate.value, estimate.low, estimate.high)))


def _percent(estimate: Estimate) -> str:
    return format_interval(*(format_percent(x, 2) for x in (estimate.value, estimate.low, estimate.high)))


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
