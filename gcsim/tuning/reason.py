"""The reason for a recommendation, in sentences."""

from collections.abc import Callable, Sequence

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import Constraint, Margin
from gcsim.tuning.feasible import container_peak, keeps_limit
from gcsim.tuning.memory_budget import MemoryBudget, describe_gap, describe_split
from gcsim.tuning.needed import Needed
from gcsim.tuning.predictive import format_chance, format_share
from gcsim.tuning.recommendation import Neighbour, Unused
from gcsim.tuning.stress import MORE_LIVE, StressTest
from gcsim.tuning.stress_text import stress_sentences
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
_MORE_LIVE = f"{100 * (MORE_LIVE - 1):.0f} %"
_NEAR_LIMIT = 0.95  # median peak of anonymous memory over the limit: above it the limit sets some heap goals


def explain(
    chosen: Run,
    found: Sequence[Margin],
    *,
    cheapest: Run,
    test: StressTest,
    near: Sequence[Neighbour],
    budget: MemoryBudget,
    unused: Unused | None = None,
    otherwise: Run | None = None,
) -> tuple[str, ...]:
    """Sentences on the prediction, the margins, the choice and the effect of stress.

    ``otherwise`` is the setting that today's one, ``chosen``, is kept instead of.
    """
    memory = found[0].constraint.bound
    sentences = [_prediction(chosen), _margin_sentence(found), *describe_split(budget, chosen, memory)]
    sentences += describe_gap(budget, memory)
    if chosen.metrics["gc_cpu_fraction"].value > _RUNTIME_CPU_GOAL:
        sentences.append(
            "More than a quarter of all CPU would go to GC: this memory is tight for the live heap."
        )
    if otherwise is None:
        sentences += _why(chosen, cheapest if unused is None else None, found)
        sentences += [] if unused is None else [_unused_sentence(unused, chosen, memory)]
        sentences += _neighbour_sentences(near)
    else:
        sentences += _why_not(chosen, otherwise)
    return (*sentences, *stress_sentences(test))


def explain_miss(miss: Run, found: Sequence[Margin], needed: Needed, budget: MemoryBudget) -> tuple[str, ...]:
    """Sentences on the constraints that cannot be met, the requirements, and the nearest miss.

    Without a measurement of memory, a memory that would do for a usual program is not called impossible.
    """
    memory, *others = [margin.constraint for margin in found]
    wanted = _join([_bound(constraint) for constraint in others])
    enough = needed.with_more_memory
    unknown = not budget.is_known and enough is not None and container_peak(enough).value <= memory.bound
    if not _misses_now(miss, found):
        first = (
            f"Not safe: in {format_mib(memory.bound)} every setting that fits falls into a death spiral of GC with"
            f" {_MORE_LIVE} more live heap, or with half as much more load."
        )
        return (
            first,
            *describe_gap(budget, memory.bound),
            f"Without growth {_in_words(miss.settings)} would spend {_gc_cpu(miss)} of CPU on GC.",
            *_with_more_memory(needed, f"{_MORE_LIVE} more live heap", memory),
        )
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


def _misses_now(miss: Run, found: Sequence[Margin]) -> bool:
    """Whether the nearest miss breaks a constraint; otherwise it fails under stress only."""
    return not (keeps_limit(miss) and all(m.margin >= 0 and m.constraint.leaves_room(miss) for m in found))


def short(settings: Settings) -> str:
    """GOGC and GOMEMLIMIT as environment variables, in one line."""
    return f"GOGC={format_gogc(settings.gogc)} GOMEMLIMIT={format_go_bytes(settings.gomemlimit_bytes)}"


def _in_words(settings: Settings) -> str:
    """GOGC and GOMEMLIMIT in words, so that a setting that misses its bounds is not pasted."""
    limit = settings.gomemlimit_bytes
    under = "no memory limit" if limit is None else f"a limit of {format_go_bytes(limit)}"
    return f"GOGC {format_gogc(settings.gogc)} and {under}"


def _unused_sentence(unused: Unused, chosen: Run, memory: float) -> str:
    """The memory that the knee leaves free, and what it would buy."""
    free = max(memory - container_peak(chosen).value, 0.0)
    return (
        f"{format_mib(free)} stay unused, because twice the memory would save less than 1 % of CPU:"
        f" {short(unused.run.settings)} would take {format_mib(unused.memory_bytes)} more and save"
        f" {format_number(100 * unused.gc_cpu_fraction, 2)} percentage points"
        f" ({format_number(unused.cores, 2)} cores); --spend-memory chooses it."
    )


def _neighbour_sentences(near: Sequence[Neighbour]) -> list[str]:
    """A warning if a neighbour breaks a constraint."""
    broken = [short(one.run.settings) for one in near if not one.held]
    if not broken:
        return []
    return [f"The setting is at an edge: {_join(broken)} next to it breaks a constraint."]


def _prediction(run: Run) -> str:
    return (
        f"{short(run.settings)} is predicted to peak at {_memory(run)} of container memory and to spend {_gc_cpu(run)}"
        " of CPU on GC."
    )


def _margin_sentence(found: Sequence[Margin]) -> str:
    parts = [
        f"{m.constraint.label} {m.constraint.format(m.judged)} of {m.constraint.format(m.constraint.bound)}"
        f" in {format_share(m.constraint.confidence)} of runs ({100 * m.margin:.0f} % to spare; it holds in"
        f" {format_chance(m.chance)})"
        for m in found
    ]
    return f"Constraints: {_join(parts)}."


def _bound(constraint: Constraint) -> str:
    bound = constraint.format(constraint.bound)
    if constraint.metric == "gc_cpu_fraction":
        return f"at most {bound} GC CPU"
    return f"a {constraint.label} of at {'least' if constraint.is_lower else 'most'} {bound}"


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
        f"{m.constraint.label} {m.constraint.format(m.judged)} in {format_share(m.constraint.confidence)} of runs for"
        f" {m.constraint.format(m.constraint.bound)} allowed"
        for m in found
        if not m.margin >= 0
    ]
    if not keeps_limit(miss):
        parts.append("live memory does not fit under its own limit")
    parts += [
        "its limit leaves too little of the memory for what it does not count and for error"
        for m in found
        if not m.constraint.leaves_room(miss)
    ]
    return parts or [f"a death spiral with {_MORE_LIVE} more live heap or with more load"]


def _why(chosen: Run, cheapest: Run | None, found: Sequence[Margin]) -> list[str]:
    limit, memory = chosen.settings.gomemlimit_bytes, found[0].constraint.bound
    sentences = []
    extra = 0.0
    if cheapest is not None:
        extra = chosen.metrics["gc_cpu_fraction"].value - cheapest.metrics["gc_cpu_fraction"].value
    if cheapest is not None and extra > _MENTIONED_CPU:
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
