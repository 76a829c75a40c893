"""The reason for a recommendation, in sentences."""

from collections.abc import Callable, Sequence

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import Constraint, Margin
from gcsim.tuning.feasible import container_peak, keeps_limit
from gcsim.tuning.memory_budget import MemoryBudget, describe_gap, describe_split
from gcsim.tuning.needed import Needed
from gcsim.units import (
    format_go_bytes,
    format_gogc,
    format_interval,
    format_mib,
    format_number,
    format_percent,
)

_RUNTIME_CPU_GOAL = 0.25  # the pacer's own target while marking: Go gcBackgroundUtilization
_MENTIONED_CPU = 0.0005  # of all CPU: smallest difference that a sentence mentions
_NEAR_LIMIT = 0.95  # median peak of anonymous memory over the limit: above it the limit sets some heap goals

Growth = tuple[
    str, float, Run, bool
]  # the grown quantity, its factor, the run, whether all constraints are met


def explain(
    chosen: Run,
    found: Sequence[Margin],
    *,
    cheapest: Run,
    growth: Sequence[Growth],
    budget: MemoryBudget,
    otherwise: Run | None = None,
) -> tuple[str, ...]:
    """Sentences on the prediction, the margins, the choice and the effect of growth.

    ``otherwise`` is the setting that today's one, ``chosen``, is kept instead of.
    """
    memory = found[0].constraint.bound
    sentences = [_prediction(chosen), _margin_sentence(found), *describe_split(budget, chosen, memory)]
    sentences += describe_gap(budget, memory)
    if chosen.metrics["gc_cpu_fraction"].value > _RUNTIME_CPU_GOAL:
        sentences.append(
            "More than a quarter of all CPU would go to GC: this memory is tight for the live heap."
        )
    sentences.extend(_why(chosen, cheapest, found) if otherwise is None else _why_not(chosen, otherwise))
    sentences.extend(_growth_sentence(*item) for item in growth)
    return tuple(sentences)


def explain_miss(miss: Run, found: Sequence[Margin], needed: Needed, budget: MemoryBudget) -> tuple[str, ...]:
    """Sentences on the constraints that cannot be met, the requirements, and the nearest miss.

    Without a measurement of memory, a memory that would do for a usual program is not called impossible.
    """
    memory, *others = [margin.constraint for margin in found]
    wanted = _join([_bound(constraint) for constraint in others])
    enough = needed.with_more_memory
    unknown = not budget.is_known and enough is not None and container_peak(enough).value <= memory.bound
    first = (
        f"gcsim cannot know whether a setting fits {format_mib(memory.bound)}: the log does not show the memory"
        " outside the Go heap."
        if unknown
        else f"Not possible: {wanted} in {format_mib(memory.bound)}."
    )
    return (
        first,
        *describe_gap(budget, memory.bound),
        _in_this_memory(needed, memory),
        *_with_more_memory(needed, wanted, memory),
        f"The nearest miss is {_in_words(miss.settings)}: {_join(_misses(miss, found))}.",
    )


def short(settings: Settings) -> str:
    """GOGC and GOMEMLIMIT as environment variables, in one line."""
    return f"GOGC={format_gogc(settings.gogc)} GOMEMLIMIT={format_go_bytes(settings.gomemlimit_bytes)}"


def _in_words(settings: Settings) -> str:
    """GOGC and GOMEMLIMIT in words, so that a setting that misses its bounds is not pasted."""
    limit = settings.gomemlimit_bytes
    under = "no memory limit" if limit is None else f"a limit of {format_go_bytes(limit)}"
    return f"GOGC {format_gogc(settings.gogc)} and {under}"


def _prediction(run: Run) -> str:
    return (
        f"{short(run.settings)} is predicted to peak at {_memory(run)} of container memory and to spend {_gc_cpu(run)}"
        " of CPU on GC."
    )


def _margin_sentence(found: Sequence[Margin]) -> str:
    parts = [
        f"{m.constraint.label} {m.constraint.format(m.high)} of {m.constraint.format(m.constraint.bound)}"
        f" ({100 * m.margin:.0f} % to spare)"
        for m in found
    ]
    return f"At the pessimistic end of the intervals that is {_join(parts)}."


def _bound(constraint: Constraint) -> str:
    bound = constraint.format(constraint.bound)
    if constraint.metric == "gc_cpu_fraction":
        return f"at most {bound} GC CPU"
    return f"a {constraint.label} of at most {bound}"


def _in_this_memory(needed: Needed, memory: Constraint) -> str:
    given, best, least = format_mib(memory.bound), needed.in_this_memory, needed.least_memory
    if best is not None:
        return f"In {given} the least GC CPU is {_gc_cpu(best)}, at {_in_words(best.settings)}."
    if not keeps_limit(least):
        return f"No setting stays within {given} and under its own limit: live memory does not fit."
    return f"No setting stays within {given}: the least peak is {_memory(least)}, at {_in_words(least.settings)}."


def _with_more_memory(needed: Needed, wanted: str, memory: Constraint) -> list[str]:
    best, size = needed.with_more_memory, needed.memory_bytes
    if best is None or size is None:
        return [f"With more memory no simulated setting reaches {wanted} either."]
    if size <= memory.bound:  # only the margin is missing
        return []
    return [
        f"For {wanted} it takes about {format_mib(size)}: {_in_words(best.settings)} peak at {_memory(best)}."
    ]


def _misses(miss: Run, found: Sequence[Margin]) -> list[str]:
    parts = [
        f"{m.constraint.label} {m.constraint.format(m.high)} at the pessimistic end for"
        f" {m.constraint.format(m.constraint.bound)} allowed"
        for m in found
        if not m.margin >= 0
    ]
    if not keeps_limit(miss):
        parts.append("live memory does not fit under its own limit")
    parts += [
        f"its limit leaves no room for the {format_mib(m.constraint.not_counted_bytes)} that it does not count"
        for m in found
        if not m.constraint.leaves_room(miss)
    ]
    return parts


def _why(chosen: Run, cheapest: Run, found: Sequence[Margin]) -> list[str]:
    limit, memory = chosen.settings.gomemlimit_bytes, found[0].constraint.bound
    sentences = []
    extra = chosen.metrics["gc_cpu_fraction"].value - cheapest.metrics["gc_cpu_fraction"].value
    if extra > _MENTIONED_CPU:
        peak = format_mib(container_peak(cheapest).value)
        sentences.append(
            f"The cheapest feasible setting, {short(cheapest.settings)}, would save"
            f" {format_number(100 * extra, 2)} percentage points of CPU and peak at {peak}."
        )
    if limit is not None and chosen.settings.gogc is not None:
        near = _anonymous(chosen) > _NEAR_LIMIT * limit
        pace = (
            f"GOGC sets the pace until the heap comes near the limit of {format_mib(limit)}, which then lowers the"
            f" heap goal."
            if near
            else f"GOGC sets the pace; the limit of {format_mib(limit)} is the safety net below the"
            f" {format_mib(memory)} given."
        )
        sentences.append(
            f"{pace} The {format_mib(memory - limit)} between the limit and the {format_mib(memory)} given is room for"
            " memory that GOMEMLIMIT does not count (hot file pages, C memory, kernel memory) and for error."
        )
    elif limit is not None:
        sentences.append(
            "The limit alone sets the pace: no finite GOGC costs nearly as little, so memory use will stay near"
            " the limit at any load."
        )
    else:
        sentences.append(
            "A memory limit to catch growth would hold this memory only at a much higher cost: watch the memory of the"
            " container."
        )
    return sentences


def _why_not(today: Run, other: Run) -> list[str]:
    """Why today's setting stays."""
    saved = today.metrics["gc_cpu_fraction"].value - other.metrics["gc_cpu_fraction"].value
    saving = (
        f"would save {format_number(100 * saved, 2)} percentage points of CPU"
        if saved > 0
        else "saves no CPU"
    )
    sentences = [
        f"No change is worth it: today's setting fits, and {short(other.settings)} {saving}, in"
        f" {format_mib(container_peak(other).value)}."
    ]
    if today.settings.gomemlimit_bytes is None and other.settings.gomemlimit_bytes is not None:
        sentences.append(
            f"GOMEMLIMIT={format_go_bytes(other.settings.gomemlimit_bytes)} alone would add a safety net against"
            " growth."
        )
    return sentences


def _growth_sentence(what: str, factor: float, run: Run, held: bool) -> str:
    peak, cpu = container_peak(run), run.metrics["gc_cpu_fraction"]
    verdict = "everything still holds" if held else "it no longer holds"
    return (
        f"With {100 * (factor - 1):.0f} % more {what}, {verdict}: peak {format_mib(peak.value)},"
        f" GC CPU {format_percent(cpu.value, 2)}."
    )


def _memory(run: Run) -> str:
    return _interval(container_peak(run), format_mib)


def _anonymous(run: Run) -> float:
    return run.metrics.get("anonymous_peak_bytes", run.metrics["rss_peak_bytes"]).value


def _gc_cpu(run: Run) -> str:
    return _interval(run.metrics["gc_cpu_fraction"], lambda share: format_percent(share, 2))


def _interval(found: Estimate, text: Callable[[float], str]) -> str:
    return format_interval(text(found.value), text(found.low), text(found.high))


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
