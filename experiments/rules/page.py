"""The table of predicted and observed rules in docs/explanation/rules-of-thumb.md."""

from collections.abc import Sequence
from pathlib import Path

from experiments.rules.study import CASES, Observed, Predicted, read_predictions, read_results
from experiments.tables import replace_table
from gcsim.units import format_percent

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "rules-of-thumb.md"


def write_page(*, check: bool) -> bool:
    """Whether the page differs from today's predictions and the committed runs; without ``check`` it is replaced."""
    return replace_table(PAGE, "rules", page_text(read_results()), check=check)


def page_text(results: Sequence[Observed]) -> str:
    """The counts of agreement, and the tables of all cases."""
    runs = {(one.program, one.memory_mib, one.rule): one for one in results}
    pairs = [
        (rule, runs[key])
        for rule in (read_predictions() if results else [])
        if (key := (rule.program, rule.memory_mib, rule.rule)) in runs
    ]
    if not pairs:
        return ""
    tables = [
        _table(case.program, memory, own)
        for case in CASES
        for memory in case.memory_mib
        if (own := [p for p in pairs if (p[0].program, p[0].memory_mib) == (case.program, memory)])
    ]
    return _summary(pairs) + "\n\n" + "\n".join(tables)


def _summary(pairs: Sequence[tuple[Predicted, Observed]]) -> str:
    right = sum(rule.end == one.end for rule, one in pairs)
    fitting = sum((rule.end == "kept") == (one.end == "kept") for rule, one in pairs)
    first = f"Of {len(pairs)} runs, {right} ended as the larger chance says; of {fitting} it is right whether they fit."
    collecting = [(rule.gc_cpu, one) for rule, one in pairs if rule.gc_cpu[0] > 0.0]
    kept = [(gc_cpu, one.gc_cpu_fraction) for gc_cpu, one in collecting if one.gc_cpu_fraction]
    if not kept:
        return f"{first} The machine was busy, so that GC CPU was not measured."
    inside = sum(low <= found <= high for (_, low, high), found in kept)
    errors = sorted(abs(value / found - 1.0) for (value, _, _), found in kept)
    middle, last = errors[len(errors) // 2], errors[int(0.9 * len(errors))]
    return (
        f"{first} In {len(kept)} runs GC CPU was measured. It was off by {100 * middle:.0f} % (median; 90th\n"
        f"percentile {100 * last:.0f} %), and inside its 90 % interval in {inside}."
    )


def _table(program: str, memory: int, pairs: Sequence[tuple[Predicted, Observed]]) -> str:
    lines = [
        f"**{program}** in {memory} MiB:\n",
        "| rule | GOGC | GOMEMLIMIT | fits | observed | GC CPU | observed |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule, one in pairs:
        value, low, high = rule.gc_cpu
        knobs = [rule.environment[name] for name in ("GOGC", "GOMEMLIMIT")]
        found = "" if one.gc_cpu_fraction is None else format_percent(one.gc_cpu_fraction, 2)
        interval = f"{format_percent(value, 2)} ({100 * low:.2g} to {100 * high:.2g})"
        cells = [rule.rule, *knobs, format_percent(rule.fits, 2), one.end, interval, found]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
