"""The tables of stress, leak and constraints in docs/explanation/recommended-settings.md."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from experiments.recommended import constraints, leak, stress
from experiments.recommended.constraints import Answer, Ran
from experiments.rules.study import Observed, Predicted, read_predictions, read_results
from experiments.tables import replace_table
from experiments.validation.tables import table
from gcsim.tuning.feasible import MOST_GC_CPU
from gcsim.units import format_number, format_percent, format_seconds

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "recommended-settings.md"
Interval = tuple[float, float, float]


def write_page(*, check: bool) -> bool:
    """Whether the page differs from the committed predictions and runs; without ``check`` it is replaced."""
    texts = {"stress": stress_text(), "leak": leak_text(), "constraints": constraints_text()}
    return any([replace_table(PAGE, name, text, check=check) for name, text in texts.items()])  # noqa: C419  # all


def stress_text() -> str:
    """The counts of agreement and a table for each service; empty without runs."""
    runs = {(one.program, one.rule): one for one in read_results(stress.RESULTS)}
    pairs = [
        (rule, runs[rule.program, rule.rule])
        for rule in read_predictions(stress.PREDICTIONS)
        if (rule.program, rule.rule) in runs
    ]
    if not pairs:
        return ""
    right = sum(
        (rule.end == "kept" and rule.verdict != "spirals") == (_verdict(one) == "holds")
        for rule, one in pairs
    )
    strict = sum(rule.verdict == "breaks" and rule.end == "kept" for rule, _ in pairs)
    cpu = [(rule.gc_cpu, one.gc_cpu_fraction) for rule, one in pairs if one.gc_cpu_fraction is not None]
    memory = [(rule.anonymous_mib, one.anonymous_mib) for rule, one in pairs if rule.anonymous_mib]
    lines = [
        f"Of {len(pairs)} runs, {right} ended as the larger chance says. In {strict} rows the stress table says"
        " breaks, because fewer than 99 % of runs fit.",
        f"The 90 % interval holds GC CPU in {_inside(cpu)} of {len(cpu)} runs, and the highest anonymous memory in"
        f" {_inside(memory)} of {len(memory)}.",
        "",
    ]
    for program in dict.fromkeys(rule.program for rule, _ in pairs):
        own = [pair for pair in pairs if pair[0].program == program]
        first = own[0][0]
        knobs = " ".join(f"{name}={first.environment[name]}" for name in ("GOGC", "GOMEMLIMIT"))
        lines += [f"**{program}** in {first.memory_mib} MiB at {knobs}:", ""]
        head = [
            "stress",
            "predicted",
            "fits",
            "observed",
            "GC CPU",
            "observed",
            "anonymous memory",
            "observed",
            "requests/s",
        ]
        lines += [*table(head, [_stress_cells(*pair) for pair in own]), ""]
    return "\n".join(lines)


def _inside(found: Sequence[tuple[Interval, float]]) -> int:
    return sum(low <= value <= high for (_, low, high), value in found)


def _verdict(one: Observed) -> str:
    """The word of the stress table for a run."""
    if one.end != "kept":
        return "breaks"
    return "spirals" if (one.gc_cpu_fraction or 0.0) >= MOST_GC_CPU else "holds"


def _stress_cells(rule: Predicted, one: Observed) -> list[str]:
    assert rule.anonymous_mib is not None
    observed = "" if one.gc_cpu_fraction is None else format_percent(one.gc_cpu_fraction, 2)
    value, low, high = rule.anonymous_mib
    return [
        rule.rule,
        rule.verdict,
        format_percent(rule.fits, 3),
        _verdict(one) + ("" if one.end == "kept" else f" ({one.end})"),
        _cpu_cell(rule.gc_cpu),
        observed + _mark(rule.gc_cpu, one.gc_cpu_fraction),
        f"{value:.0f} ({low:.0f} to {high:.0f}) MiB",
        f"{one.anonymous_mib:.0f} MiB" + _mark(rule.anonymous_mib, one.anonymous_mib),
        "" if one.requests_hz is None else format_number(one.requests_hz, 3),
    ]


def _cpu_cell(interval: Interval) -> str:
    value, low, high = interval
    return f"{format_percent(value, 2)} ({100 * low:.2g} to {100 * high:.2g})"


def _mark(interval: Interval, value: float | None) -> str:
    """A note on a value outside its interval."""
    return "" if value is None or interval[1] <= value <= interval[2] else ", outside"


def leak_text() -> str:
    """The table of the leak; empty without runs."""
    rows = [row for row in leak.read_rows() if row.end]
    if not rows:
        return ""
    head = [
        "setting",
        "GOGC",
        "GOMEMLIMIT",
        "GC CPU above",
        "after",
        "observed",
        "container full after",
        "observed",
    ]
    body = [
        [
            row.setting, row.gogc, row.gomemlimit, format_percent(row.suffering_gc_cpu, 2),
            _seconds(row.predicted_suffering_seconds), _seconds(row.suffering_seconds),
            _seconds(row.predicted_end_seconds),
            _seconds(row.end_seconds) + ("" if row.end == "killed" else f" ({row.end})"),
        ]
        for row in rows
    ]  # fmt: skip
    return "\n".join([*table(head, body), ""])


def _seconds(value: float) -> str:
    return "never" if math.isnan(value) else f"{value:.0f} s"


def constraints_text() -> str:
    """A table of the answers with their runs; empty without runs."""
    runs = constraints.read_runs()
    answers = constraints.read_answers()
    if not runs:
        return ""
    lines = []
    for service in dict.fromkeys(one.service for one in answers):
        own = [one for one in answers if one.service == service]
        name = "p99 of requests" if own[0].metric == constraints.LATENCY else "throughput"
        head = ["asked", "GOGC", "GOMEMLIMIT", "probability", name, "observed", "kept", "GC CPU", "observed",
                "container", "anonymous memory observed"]  # fmt: skip
        lines += [f"**{service}** in {own[0].memory_mib} MiB:", ""]
        lines += [*table(head, [_answer_cells(one, runs) for one in own]), ""]
    return "\n".join(lines)


def _answer_cells(answer: Answer, runs: Sequence[Ran]) -> list[str]:
    mine = [one for one in runs if (one.service, one.asked) == (answer.service, answer.asked)]
    values = [_value(answer, one, runs) for one in mine]
    kept = "" if answer.bound is None else f"{sum(answer.is_kept(one) for one in values)} of {len(values)}"
    predicted = ""
    if answer.predicted is not None:
        value, low, high = answer.predicted
        predicted = f"{_amount(answer, value)} ({_amount(answer, low)} to {_amount(answer, high)})"
    value, low, high = answer.container_mib
    gc_cpu = [one.gc_cpu_fraction for one in mine if not math.isnan(one.gc_cpu_fraction)]
    return [
        answer.asked + ("" if answer.feasible else ", no setting"),
        answer.environment["GOGC"],
        answer.environment["GOMEMLIMIT"],
        "" if answer.probability is None else format_percent(answer.probability, 3),
        predicted,
        ", ".join(_amount(answer, one) for one in values),
        kept,
        _cpu_cell(answer.gc_cpu),
        ", ".join(format_percent(one, 2) for one in gc_cpu),
        f"{value:.0f} ({low:.0f} to {high:.0f}) MiB",
        ", ".join(f"{one.anonymous_mib:.0f}" for one in mine) + " MiB",
    ]


def _value(answer: Answer, one: Ran, runs: Sequence[Ran]) -> float:
    """The bounded metric of one run; throughput over the mean of the runs at today's setting."""
    if answer.metric == constraints.LATENCY:
        return one.request_p99_seconds
    today = [
        other.requests_hz
        for other in runs
        if (other.service, other.asked) == (answer.service, constraints.TODAY)
    ]
    return one.requests_hz / statistics.fmean(today)


def _amount(answer: Answer, value: float) -> str:
    return format_seconds(value) if answer.metric == constraints.LATENCY else format_percent(value, 3)
