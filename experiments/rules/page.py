"""The table of predicted and observed rules in docs/explanation/rules-of-thumb.md."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.rules.predict import RuleCase
from experiments.rules.real import REAL_CASES
from experiments.rules.study import CASES, Observed, Predicted, read_predictions, read_results
from experiments.tables import replace_table
from gcsim.units import format_percent

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "rules-of-thumb.md"


_WIDTH = 140
_DEFAULTS = "Go's defaults"
Pair = tuple[Predicted, Observed]
_APART = 0.1  # of the larger GC CPU: predictions of two rules that differ by more have an order


def write_page(*, check: bool) -> bool:
    """Whether the page differs from the committed predictions and runs; without ``check`` it is replaced."""
    own, real = page_text(CASES), page_text(REAL_CASES)
    differs = replace_table(PAGE, "rules", own, check=check)
    return replace_table(PAGE, "real rules", real, check=check) or differs


def page_text(cases: Sequence[RuleCase]) -> str:
    """The counts of agreement, and the tables of the cases; empty without runs."""
    runs = {(one.program, one.memory_mib, one.rule): one for one in read_results()}
    found: dict[tuple[str, int], list[Pair]] = {}
    programs = {case.program for case in cases}
    for rule in read_predictions():
        one = runs.get((rule.program, rule.memory_mib, rule.rule))
        if rule.program in programs and one is not None:
            found.setdefault((rule.program, rule.memory_mib), []).append((rule, one))
    if not found:
        return ""
    tables = [
        _table(program, memory, pairs, _home_of(program, found)) for (program, memory), pairs in found.items()
    ]
    return _summary(list(found.values())) + "\n\n" + "\n".join(tables)


def _home_of(program: str, found: Mapping[tuple[str, int], Sequence[Pair]]) -> Pair | None:
    """The pair of Go's defaults in the first container of a program that the run kept."""
    own = (pair for key, pairs in found.items() if key[0] == program for pair in pairs)
    return next((pair for pair in own if pair[0].rule == _DEFAULTS and pair[1].end == "kept"), None)


def _summary(containers: Sequence[Sequence[Pair]]) -> str:
    pairs = [pair for own in containers for pair in own]
    right = sum(rule.end == one.end for rule, one in pairs)
    fitting = sum((rule.end == "kept") == (one.end == "kept") for rule, one in pairs)
    parts = [
        f"Of {len(pairs)} runs, {right} ended as the larger chance says; of {fitting} it is right whether they fit."
    ]
    kept = [(rule.gc_cpu, one.gc_cpu_fraction) for rule, one in pairs if one.gc_cpu_fraction]
    kept = [(gc_cpu, found) for gc_cpu, found in kept if gc_cpu[0] > 0.0]
    if not kept:
        return f"{parts[0]} The machine was busy, so that GC CPU was not measured."
    parts.append(f"In {len(kept)} runs GC CPU was measured. It was {_errors(kept)}.")
    held = [
        (rule.anonymous_mib, one.anonymous_mib)
        for rule, one in pairs
        if rule.anonymous_mib and one.end == "kept"
    ]
    if held:
        ordered = [is_right for own in containers for is_right in _order(own)]
        parts.append(f"The highest anonymous memory of {len(held)} runs was {_errors(held)}.")
        parts.append(
            f"Of {len(ordered)} pairs of rules of one program, whose predicted GC CPU differs by more than"
            f" {100 * _APART:.0f} %, {sum(ordered)} have the predicted order."
        )
    return textwrap.fill(" ".join(parts), _WIDTH)


def _errors(found: Sequence[tuple[tuple[float, float, float], float]]) -> str:
    """Median and 90th percentile of the error, and how often the interval holds the value."""
    inside = sum(low <= value <= high for (_, low, high), value in found)
    errors = sorted(abs(median / value - 1.0) for (median, _, _), value in found)
    middle, last = errors[len(errors) // 2], errors[int(0.9 * len(errors))]
    return (
        f"off by {100 * middle:.0f} % (median; 90th percentile {100 * last:.0f} %), and inside its 90 % interval in"
        f" {inside}"
    )


def _order(pairs: Sequence[Pair]) -> list[bool]:
    """For each two rules of one container with clearly different predictions, whether the run has the same order."""
    kept = [(rule.gc_cpu[0], one.gc_cpu_fraction) for rule, one in pairs if one.gc_cpu_fraction is not None]
    return [
        (a[0] < b[0]) == (a[1] < b[1])
        for a, b in itertools.combinations(kept, 2)
        if abs(a[0] - b[0]) > _APART * max(a[0], b[0])
    ]


def _table(program: str, memory: int, pairs: Sequence[Pair], home: Pair | None) -> str:
    has_memory = any(rule.anonymous_mib for rule, _ in pairs)
    head = ["rule", "GOGC", "GOMEMLIMIT", "fits", "observed", "GC CPU", "observed"]
    head += ["inside", "anonymous memory", "observed", "speed", "observed"] if has_memory else []
    lines = [f"**{program}** in {memory} MiB:\n", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for rule, one in pairs:
        value, low, high = rule.gc_cpu
        knobs = [rule.environment[name] for name in ("GOGC", "GOMEMLIMIT")]
        found = "" if one.gc_cpu_fraction is None else format_percent(one.gc_cpu_fraction, 2)
        interval = f"{format_percent(value, 2)} ({100 * low:.2g} to {100 * high:.2g})"
        cells = [rule.rule, *knobs, format_percent(rule.fits, 2), one.end, interval, found]
        lines.append(f"| {' | '.join([*cells, *_more(rule, one, home)])} |")
    return "\n".join(lines) + "\n"


def _more(rule: Predicted, one: Observed, home: Pair | None) -> list[str]:
    """The cells of a row whose prediction has memory and speed; ``home`` is the pair of Go's defaults."""
    if rule.anonymous_mib is None or rule.speed is None:
        return []
    value, low, high = rule.anonymous_mib
    found = one.gc_cpu_fraction
    inside = "" if found is None else "yes" if rule.gc_cpu[1] <= found <= rule.gc_cpu[2] else "no"
    memory = f"{value:.0f} ({low:.0f} to {high:.0f}) MiB"
    speeds = ["", ""]
    if home is not None:
        speeds = [_over(rule.speed, home[0].speed), _over(one.speed, home[1].speed)]
    return [inside, memory, f"{one.anonymous_mib:.0f} MiB", *speeds]


def _over(speed: float | None, usual: float | None) -> str:
    """A speed over the usual one."""
    return f"{speed / usual:.2f} ×" if speed and usual else ""
