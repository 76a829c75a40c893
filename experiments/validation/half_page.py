"""``docs/explanation/accuracy-summary.md``: the accuracy on half a page, from the same rows as the whole page."""

from collections.abc import Sequence

from experiments.software import summary as software
from experiments.software.cases import CASES
from experiments.software.study import Row as SoftwareRow
from experiments.validation.diagnosis import by_run
from experiments.validation.matrix import LOAD
from experiments.validation.study import Row, Study
from experiments.validation.summary import TARGETS, coverage, elsewhere, groups, of_metric, summary
from experiments.validation.tables import NAMES, Lines, table

_WORST_UNDER_LIMITS = 3
_FEWEST_RUNS = 4
_MOVING = "bursty"  # the program whose load moves most


def half_page(study: Study, software: Sequence[SoftwareRow]) -> str:
    """The page."""
    held_out = elsewhere(study.rows, held_out=True)
    parts = [*_real_software(software), *_own_programs(held_out), *_measured(held_out)]
    return "\n".join([*parts, *_not_to_trust(study.rows, held_out, software)]) + "\n"


def _real_software(rows: Sequence[SoftwareRow]) -> Lines:
    programs = sorted({case.program for case in CASES if case.split == "held out"})
    runs = {
        (r.label, r.procs, r.gogc, r.limit_mib, r.repeat) for r in software.chosen(rows, split="held out")
    }
    return [
        "# How accurate is gcsim?",
        "",
        "`python -m experiments.validation report` generates this page.",
        "",
        f"gcsim predicted {len(runs)} runs of real programs that it was not tuned on ({', '.join(programs)}), at other "
        "settings than the calibrated one. Median error (90th percentile), and the share of runs inside the 90 % "
        "interval:",
        "",
        *software.errors_table(rows, "held out"),
        "",
        "*capture*: calibrated on one run of `gcsim capture` at GOGC=100. *bare log*: on its log alone. *log and "
        "--rss*: with one reading of resident memory. *repeated run*: the distance between two real runs at the same "
        "setting. No prediction can be expected to come closer. [All data on real software](accuracy-software.md) has "
        "each program and the recommended settings, run for real, also with a bound on latency or on the time of a "
        "job.",
        "",
    ]


def _whole(share: float) -> str:
    return f"{100 * share:.0f} %"


def _own_programs(held_out: Sequence[Row]) -> Lines:
    body = []
    for metric in TARGETS:
        part = of_metric(held_out, metric)
        found, again = summary(part), summary(part, "again")
        body.append([
            NAMES[metric], f"{100 * found.median:.1f} %", _whole(found.p90), _whole(coverage(part)),
            f"{100 * again.median:.1f} %",
        ])  # fmt: skip
    head = ["metric", "median error", "nine in ten within", "inside the 90 % interval", "a repeated real run"]
    return [
        "## Programs written for this project",
        "",
        "They cover more Go versions, settings and regimes than the real software, and their binaries are small:",
        "",
        *table(head, body),
        "",
    ]


def _measured(held_out: Sequence[Row]) -> Lines:
    programs = len({load.label for load in LOAD.values() if not load.design})
    alone = [summary(row.from_log_alone for row in of_metric(held_out, metric)).median for metric in TARGETS]
    return [
        "## What was measured with them",
        "",
        f"- **Programs**: {programs} held-out Go programs, {len(by_run(held_out))} runs. No constant of gcsim was "
        "chosen on them.",
        "- **Calibration**: one log of `gcsim capture` at GOGC=100, 10 s long (30 s where collections are rare). The "
        "kind of loop was stated.",
        "- **Prediction**: GOGC from 25 to 800 and off, and memory limits. Each was compared with a real run of 10 to "
        "60 s.",
        "- **Machine**: two virtual CPUs of a shared host whose speed changes by up to a third. Go 1.19 to 1.27, "
        "mostly 1.27.",
        "",
        "With a log alone, without the side file of `gcsim capture`, the median errors were "
        f"{', '.join(f'{100 * one:.1f} %' for one in alone)}, in the order of the table.",
        "",
    ]


def _not_to_trust(rows: Sequence[Row], held_out: Sequence[Row], real: Sequence[SoftwareRow]) -> Lines:
    short = software.chosen(real, split="short")
    few_cpu, few_rate = (
        software.figures(software.of_metric(short, metric)) for metric in ("gc_cpu_fraction", "gc_rate_hz")
    )
    pauses = of_metric(held_out, "stw_p99_seconds")
    cpu = summary(of_metric(held_out, "gc_cpu_fraction"))
    moving = [row for row in of_metric(elsewhere(rows), "heap_peak_mean_bytes") if row.label == _MOVING]
    return [
        "## Where not to trust it",
        "",
        f"- **GC CPU.** One prediction in ten was off by more than {_whole(cpu.p90)}.",
        f"- **The 99th percentile of pauses.** Its median error was {_whole(summary(pauses).median)}, and "
        f"{_whole(coverage(pauses))} of outcomes were inside the 90 % interval.",
        f"- **A log with few collections.** For servers that collected two to four times, one prediction in ten of the "
        f"cycle rate was off by more than {_whole(few_rate.p90)}, and the median error of GC CPU was "
        f"{_whole(few_cpu.median)} ([short programs](accuracy-software.md#short-programs)).",
        "- **The cycle rate under a limit near the live heap.** The largest median errors were "
        f"{worst_under_limits(rows)}.",
        "- **The first half minute under a limit**, for a program that builds its heap in that time. The heap was "
        "up to 40 % too high there.",
        "- **Programs that wait for themselves**, such as for a lock, when gcsim takes them for an open loop. State "
        "`--closed-loop`.",
        f"- **Loads that move.** For {_MOVING} the median error of the mean heap peak was "
        f"{_whole(summary(moving).median)}, and {_whole(coverage(moving))} of outcomes were inside the interval.",
        "- **More Ps than CPUs**, and request latency near saturation ([latency](latency.md)).",
        '- **A model with the verdict "do not trust".**',
        "",
        "[All data](accuracy.md) has every program, regime and version, the worst ten cases, and the command that "
        "computes them again. [The model's known limits](model.md#known-limits) gives causes.",
    ]


def worst_under_limits(rows: Sequence[Row]) -> str:
    """The programs with the largest median error of the cycle rate where a limit set the goals."""
    limited = [row for row in of_metric(elsewhere(rows), "gc_rate_hz") if row.regime == "limit-bound"]
    found = {label: summary(part) for label, part in groups(limited, lambda row: row.label).items()}
    errors = {label: one.median for label, one in found.items() if one.count >= _FEWEST_RUNS}
    worst = sorted(errors, key=lambda label: -errors[label])[:_WORST_UNDER_LIMITS]
    return ", ".join(f"{_whole(errors[label])} ({label})" for label in worst)
