"""The table of predicted and observed rules in docs/explanation/rules-of-thumb.md."""

import re
from collections.abc import Sequence
from pathlib import Path

from experiments.rules.predict import predicted
from experiments.rules.study import CASES, Observed, read_results
from gcsim.atomic import write_text_atomically
from gcsim.tuning.compare import Compared
from gcsim.units import format_percent

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "rules-of-thumb.md"
_BEGIN, _END = "<!-- rules: begin -->\n", "<!-- rules: end -->"
_SURE = 0.5  # the chance from which an end is the predicted one


def write_page(*, check: bool) -> bool:
    """Whether the page differs from today's predictions and the committed runs; without ``check`` it is replaced."""
    text = PAGE.read_text(encoding="utf-8")
    body = _BEGIN + page_text(read_results()) + _END
    new = re.sub(f"{_BEGIN}.*?{_END}", lambda _: body, text, flags=re.DOTALL)
    if not check:
        write_text_atomically(PAGE, new)
    return new != text


def page_text(results: Sequence[Observed]) -> str:
    """The tables of all cases, and the counts of agreement."""
    parts, right, inside, errors = [], 0, 0, []
    for case in CASES:
        for memory in case.memory_mib:
            runs = {
                one.rule: one for one in results if (one.program, one.memory_mib) == (case.program, memory)
            }
            pairs = [
                (row, runs[row.rule.name]) for row in predicted(case, memory).rows if row.rule.name in runs
            ]
            if not pairs:
                continue
            right += sum(_end(row) == one.end for row, one in pairs)
            kept = [(row, one.gc_cpu_fraction) for row, one in pairs if one.gc_cpu_fraction is not None]
            inside += sum(row.run.metrics["gc_cpu_fraction"].contains(seen) for row, seen in kept)
            errors += [
                abs(row.run.metrics["gc_cpu_fraction"].value / seen - 1.0) for row, seen in kept if seen
            ]
            parts.append(_table(case.program, memory, pairs))
    if not parts:
        return ""
    ordered = sorted(errors)
    summary = (
        f"Of {len(results)} runs, {right} ended as the larger chance says. {len(ordered)} runs were kept to their"
        f" end: GC CPU was off by {100 * ordered[len(ordered) // 2]:.0f} % (median), and inside its 90 % interval in"
        f" {inside}."
    )
    return summary + "\n\n" + "\n".join(parts)


def _table(program: str, memory: int, pairs: Sequence[tuple[Compared, Observed]]) -> str:
    lines = [
        f"**{program}** in {memory} MiB:\n",
        "| rule | predicted fits | observed | GC CPU, predicted | GC CPU, observed |",
        "|---|---|---|---|---|",
    ]
    for row, one in pairs:
        cpu = row.run.metrics["gc_cpu_fraction"]
        interval = f"{format_percent(cpu.value, 2)} ({100 * cpu.low:.2g} to {100 * cpu.high:.2g})"
        seen = "" if one.gc_cpu_fraction is None else format_percent(one.gc_cpu_fraction, 2)
        lines.append(
            f"| {row.rule.name} | {format_percent(row.chances.fits, 2)} | {one.end} | {interval} | {seen} |"
        )
    return "\n".join(lines) + "\n"


def _end(row: Compared) -> str:
    """The end with a chance of more than a half; a stall counts as one where a program keeps neither."""
    odds = row.chances
    if odds.fits >= _SURE:
        return "kept"
    return "killed" if odds.killed >= odds.stalls else "stalls"
