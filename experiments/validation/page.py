"""``docs/explanation/accuracy.md``, written from a study: every number on it comes from the rows."""

import math
import textwrap
from collections.abc import Sequence

from experiments.latency.report import latency_section
from experiments.validation.cases import not_to_trust, three_programs, worst_ten
from experiments.validation.diagnosis import by_run
from experiments.validation.long_run import long_run
from experiments.validation.matrix import LOAD, LONG_SECONDS, MAIN_GO, MAIN_PROCS, plans
from experiments.validation.sections import (
    baselines_table,
    by_loop,
    by_metric,
    by_program,
    by_regime,
    equal_speed,
    log_alone,
    three_logs,
    versions,
)
from experiments.validation.study import Row, Study
from experiments.validation.summary import (
    TARGETS,
    coverage,
    elsewhere,
    of_metric,
    summary,
)
from experiments.validation.tables import (
    NAMES,
    SHORT_NAMES,
    Lines,
    pair_cell,
    percent_cell,
    table,
)
from gcsim.errors import InputError

HEADLINE_MARKER = "<!-- accuracy -->\n"


def accuracy_page(study: Study, machine: str) -> str:
    """The whole page."""
    rows = study.rows
    parts = [
        _opening(study, machine), _headline(rows), _first_looks(), equal_speed(rows), three_logs(rows), log_alone(rows),
        by_metric(rows), baselines_table(rows), by_regime(rows), by_loop(rows), long_run(study), by_program(rows),
        versions(rows), latency_section(), three_programs(rows), worst_ten(rows), not_to_trust(rows), _method(study),
    ]  # fmt: skip
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


# Strangers' programs as first seen, with the code of a commit; errors are medians (90th percentiles) in %
_FIRST_LOOKS = (
    ("gateway, rules, arena, tiles", "fe100f7", "121", "6.1 (27)", "14.0 (58)", "8.5 (47)", "3.5 (31)",
     "78, 84, 99, 84"),
    ("suggest, mailer, importer; tiles elsewhere", "838a03b", "97", "1.2 (6)", "6.3 (20)", "9.7 (31)", "2.0 (7)",
     "99, 92, 95, 91"),
    ("spans, fleet, resolver, forge, crawler", "3f8aac4", "143", "1.5 (8)", "7.3 (25)", "12.6 (43)", "3.2 (9)",
     "93, 92, 90, 92"),
    ("bidder, jobs, btree", "b4c4329", "70", "3.4 (12)", "7.3 (29)", "19.2 (51)", "3.7 (12)",
     "96, 93, 83, 89"),
)  # fmt: skip
_SINCE = (
    "Programs whose misses led to a mended form are design since, and so are all of the first two sets now: widths of "
    "intervals were derived again on them. Since the look at the third two forms were changed: resident memory where "
    "a limit sets the goals, which came out low on programs old and new, and ends of spans that heapLive counts again, "
    "which design programs' cycle rates had shown. Both were chosen on the design programs, and widths followed from "
    "them: what this page says of the third set is not its first look. Since the look at the fourth, a short log's "
    "second half may be of five cycles: jobs at GOGC=800, fifteen of whose twenty cycles are start-up, had that taken "
    "for its load, and is design now. Since then, too, the CPU limiter lets more of assists through, as in "
    "the runtime, which rules, orders and deepstacks (all design) had shown; intervals are narrower there since."
)


def headline_sentence(rows: Sequence[Row]) -> str:
    """The headline in one sentence, for the README: held-out programs alone."""
    held_out = elsewhere(rows, held_out=True)
    errors = [
        f"{SHORT_NAMES[m]} {100 * found.median:.1f} % ({100 * found.p90:.0f} %)"
        for m in TARGETS
        if (found := summary(of_metric(held_out, m))).count
    ]
    inside = [coverage(of_metric(held_out, m)) for m in TARGETS]
    again = [summary(of_metric(held_out, m), "again").median for m in TARGETS]
    return (
        f"On {len(by_run(held_out))} real runs of held-out programs, each predicted from one"
        f" log at GOGC=100, the median error (90th percentile) was: {', '.join(errors)};"
        f" the 90 % intervals held {100 * min(inside):.0f} to {100 * max(inside):.0f} % of outcomes."
        f" The same settings run again differed by {', '.join(f'{100 * one:.1f} %' for one in again)} (medians)."
    )


def with_headline(readme: str, rows: Sequence[Row]) -> str:
    """The README with the headline in the paragraph behind its marker. Raises InputError where that is missing."""
    before, marker, after = readme.partition(HEADLINE_MARKER)
    if not marker:
        raise InputError(f"README.md has no line {HEADLINE_MARKER.strip()}; put it before the headline")
    _, blank, rest = after.partition("\n\n")
    return before + marker + textwrap.fill(headline_sentence(rows), 118) + blank + rest


def _opening(study: Study, machine: str) -> Lines:
    days = study.first_day if study.first_day == study.last_day else f"{study.first_day} to {study.last_day}"
    held_out = ", ".join(load.label for load in LOAD.values() if not load.design)
    design = ", ".join(load.label for load in LOAD.values() if load.design)
    predicted = len(by_run(elsewhere(study.rows)))
    return [
        "# Accuracy: predicted against real Go",
        "",
        "Each program was calibrated on one gctrace log at GOGC=100 without a memory limit, 10 s long (30 s where "
        "collections are rare); every other setting was then predicted and run on real Go: for 10 to 30 s, and "
        f"held-out programs under a limit for {LONG_SECONDS:.0f} s, of which the first half is left out "
        "([why](#under-limits-the-first-seconds-and-later)). The loop of each program is stated, as its user can with "
        "`--open-loop` or `--closed-loop`: a program that leaves processors idle may wait for arrivals or for itself, "
        "and one log does not tell which. This page is generated by `python -m experiments.validation report`.",
        "",
        f"- {study.runs - study.long_runs} of the matrix's {len(plans())} short runs are captured, and"
        f" {study.long_runs} long ones; {predicted} runs are of another setting than the calibrated one, and stand in"
        f" the tables; Go 1.19 to {MAIN_GO}, mostly {MAIN_PROCS} Ps.",
        f"- Machine: {machine}. Captured {days}.",
        f"- **Held out**: {held_out}. Programs written when forms and priors stood, by someone who had not seen the "
        "model: no constant, form or interval width was chosen on their runs.",
        f"- **Design**: {design}. Priors, forms and the width of intervals may be chosen on these. All but the "
        "last eight were captured before `gcsim capture` read the runtime's counts of memory: what lies outside their "
        "heaps is a prior.",
        "",
        headline_sentence(study.rows),
        "",
        "![Predicted over observed](../images/accuracy.png)",
    ]


def _headline(rows: Sequence[Row]) -> Lines:
    held_out = elsewhere(rows, held_out=True)
    design = elsewhere(rows, held_out=False)
    body = []
    for metric, (median, p90) in TARGETS.items():
        ours, theirs = summary(of_metric(held_out, metric)), summary(of_metric(design, metric))
        again = [row for row in of_metric(held_out, metric) if not math.isnan(row.again)]
        floor, same = summary(again, "again"), summary(again)
        body.append([
            NAMES[metric], str(ours.count), f"**{percent_cell(ours.median)}**", percent_cell(ours.p90),
            f"{percent_cell(median)}, {percent_cell(p90)}", percent_cell(coverage(of_metric(held_out, metric))),
            pair_cell(floor.median, floor.p90), pair_cell(same.median, same.p90), pair_cell(theirs.median, theirs.p90),
        ])  # fmt: skip
    head = [
        "held-out programs", "runs", "median error", "90th percentile", "target", "inside the 90 % interval",
        "floor", "ours, same runs", "design programs",
    ]  # fmt: skip
    return [
        "## Headline",
        "",
        *table(head, body),
        "",
        "Floor: how far a second real run at the same setting was from the first (median, 90th percentile), "
        "over the runs that were repeated; beside it our error on those same runs. What requests feel, predicted by "
        "the event engine against real runs, is in a table of its own below.",
    ]


def _first_looks() -> Lines:
    head = ["programs", "commit", "runs", *SHORT_NAMES.values(), "inside the 90 % intervals"]
    return [
        "## First looks",
        "",
        "What programs got that nobody here had seen, before anything was mended on them:",
        "",
        *table(head, _FIRST_LOOKS),
        "",
        _SINCE,
    ]


def _method(study: Study) -> Lines:
    hours = sum(plan.duration_seconds for plan in plans()) / 3600
    left_out = [f"- `{name}`: {reason}" for name, reason in study.left_out]
    return [
        "## How it is made",
        "",
        f"    python -m experiments.validation capture   # short runs that are missing: over {hours:.1f} hours for all",
        "    python -m experiments.validation capture --long --only spans   # those of a minute, of some programs",
        "    python -m experiments.validation report    # predicts; writes this page, its figure and its table",
        "",
        "The matrix is `experiments/validation/matrix.py`; the captures, with what other processes took of "
        "the CPU, are in `captures/` and `long/` beside it. Observed and predicted metrics are computed by "
        "the same code over the same cycles: warm-up and a shutdown's forced cycle are left out, and the "
        "simulation lasts as long as the window observed. Resident memory is the process's peak over its "
        "whole life, simulated for as long. Error is |predicted / real − 1|. A run is left out where other "
        "processes took more than 5 % of the CPUs or fewer than 5 cycles are in the window. Runs of query, "
        "graph, kvstore and ledger that the "
        "machine disturbed, by a probe of its speed alone (`experiments/capture.py`), were made again where there was "
        "time, and the least disturbed attempt stands; of the newest fifteen programs the first attempt does, but for "
        "four runs, and one of a minute, that other processes had disturbed. Left out:",
        "",
        *(left_out or ["- none."]),
        "",
        "`python -m experiments.validation report --check` predicts the held-out programs again on every change and "
        "fails where the headline has become worse than the table committed here.",
    ]
