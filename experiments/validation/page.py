"""``docs/explanation/accuracy.md``, written from a study: every number on it comes from the rows."""

import math
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
    by_regime,
    equal_speed,
    log_alone,
    three_logs,
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
from experiments.validation.versions import by_program, versions


def accuracy_page(study: Study, machine: str) -> str:
    """The whole page."""
    rows = study.rows
    parts = [
        _opening(study, machine), _headline(rows), _first_results(), equal_speed(rows), three_logs(rows),
        log_alone(rows), by_metric(rows), baselines_table(rows), by_regime(rows), by_loop(rows), long_run(study),
        by_program(rows), versions(rows), latency_section(), three_programs(rows), worst_ten(rows),
        not_to_trust(rows), _method(study),
    ]  # fmt: skip
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


# Held-out programs before any choice was made on them, by the code of a commit; errors are medians (90th percentiles)
# in %
_FIRST_RESULTS = (
    ("gateway, rules, arena, tiles", "fe100f7", "121", "6.1 (27)", "14.0 (58)", "8.5 (47)", "3.5 (31)",
     "78, 84, 99, 84"),
    ("suggest, mailer, importer; tiles on other versions", "838a03b", "97", "1.2 (6)", "6.3 (20)", "9.7 (31)",
     "2.0 (7)", "99, 92, 95, 91"),
    ("spans, fleet, resolver, forge, crawler", "3f8aac4", "143", "1.5 (8)", "7.3 (25)", "12.6 (43)", "3.2 (9)",
     "93, 92, 90, 92"),
    ("bidder, jobs, btree", "b4c4329", "70", "3.4 (12)", "7.3 (29)", "19.2 (51)", "3.7 (12)",
     "96, 93, 83, 89"),
)  # fmt: skip
_CHANGES_SINCE = (
    ("first and second", "All their programs moved to the development set.",
     "The widths of intervals were derived again with them."),
    ("third", "Resident memory where a limit sets the goals: it was too low on old and new programs.",
     "Chosen on development programs; widths followed."),
    ("third", "The recount of span ends in heapLive: cycle rates of development programs showed it.",
     "Chosen on development programs; widths followed."),
    ("fourth", "The second half of a short log may have five cycles. Of the twenty cycles of jobs at GOGC=800 fifteen "
     "are start-up, and calibration took them for the load.", "jobs moved to the development set."),
    ("fourth", "The CPU limiter lets more assists through, as in the runtime: rules, orders and deepstacks (all "
     "development) showed it.", "Intervals are narrower there."),
)  # fmt: skip


def headline_sentence(rows: Sequence[Row]) -> str:
    """The headline: held-out programs alone."""
    held_out = elsewhere(rows, held_out=True)
    errors = [
        f"{SHORT_NAMES[m]} {100 * found.median:.1f} % ({100 * found.p90:.0f} %)"
        for m in TARGETS
        if (found := summary(of_metric(held_out, m))).count
    ]
    inside = [coverage(of_metric(held_out, m)) for m in TARGETS]
    again = [summary(of_metric(held_out, m), "again").median for m in TARGETS]
    return (
        f"On {len(by_run(held_out))} runs of held-out programs of this project, each predicted from one"
        f" log at GOGC=100, the median error (90th percentile) was: {', '.join(errors)};"
        f" the 90 % intervals held {100 * min(inside):.0f} to {100 * max(inside):.0f} % of outcomes."
        f" The same settings run again differed by {', '.join(f'{100 * one:.1f} %' for one in again)} (medians)."
    )


def _opening(study: Study, machine: str) -> Lines:
    days = study.first_day if study.first_day == study.last_day else f"{study.first_day} to {study.last_day}"
    held_out = ", ".join(load.label for load in LOAD.values() if not load.design)
    design = ", ".join(load.label for load in LOAD.values() if load.design)
    predicted = len(by_run(elsewhere(study.rows)))
    return [
        "# Accuracy: predicted against real Go",
        "",
        "This page holds all data. [The summary](accuracy-summary.md) is half a page.",
        "",
        "Each program was calibrated on one gctrace log at GOGC=100 without a memory limit. The log was 10 s long, "
        "or 30 s where collections are rare. gcsim then predicted every other setting, and the program ran on real "
        f"Go at that setting: for 10 to 30 s, and held-out programs under a limit for {LONG_SECONDS:.0f} s. Of the "
        "long runs the first half is left out ([why](#under-limits-the-first-seconds-and-later)).",
        "",
        "The loop of each program is stated, as a user can state it with `--open-loop` or `--closed-loop`. A "
        "program that leaves processors idle may wait for arrivals or for itself, and one log does not show which.",
        "",
        "This page is generated by `python -m experiments.validation report`.",
        "",
        f"- **Runs**: {study.runs - study.long_runs} of the matrix's {len(plans())} short runs are captured, and "
        f"{study.long_runs} long ones. {predicted} runs are at another setting than the calibrated one; the tables "
        f"show these. Go 1.19 to {MAIN_GO}, mostly {MAIN_PROCS} Ps.",
        f"- **Machine**: {machine}. Captured {days}.",
        f"- **Held out**: {held_out}. These programs were written after forms and priors were chosen, by people who "
        "had not read the model. No constant, form or interval width was chosen on their runs.",
        f"- **Development**: {design}. Priors, forms and the width of intervals may be chosen on these. All but the "
        "last eight were captured before `gcsim capture` read the runtime's counters of memory, so memory outside "
        "their heaps is a prior.",
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
        "floor", "gcsim, same runs", "development programs",
    ]  # fmt: skip
    return [
        "## Headline",
        "",
        *table(head, body),
        "",
        "*Floor* is the distance of a second real run at the same setting from the first (median, 90th "
        "percentile), over the runs that were repeated. *gcsim, same runs* is gcsim's error on those runs. Request "
        "latency has [a table of its own](#request-latency).",
    ]


def _first_results() -> Lines:
    head = ["programs", "commit", "runs", *SHORT_NAMES.values(), "inside the 90 % intervals"]
    return [
        "## Results before any tuning on these programs",
        "",
        "Each set of held-out programs was predicted first by the code of one commit, before any change was made "
        "on its account. Errors are medians (90th percentiles) in %; the last column is in %, in the order of the "
        "four metrics:",
        "",
        *table(head, _FIRST_RESULTS),
        "",
        "Programs that exposed a model error were moved from the held-out set to the development set. The other tables "
        "of this page use the present code. It has these changes since the first result of a set, so the other "
        "tables are no first results for that set:",
        "",
        *table(["since the first result of set", "change", "effect"], _CHANGES_SINCE),
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
        "- The matrix is `experiments/validation/matrix.py`. The captures are in `captures/` and `long/` in the "
        "same folder, with the share of CPU that other processes took.",
        "- The same code computes observed and predicted metrics from the same kind of cycles. Warm-up and a "
        "shutdown's forced cycle are left out. The simulation lasts as long as the observed window.",
        "- Resident memory is the process's peak over its whole life, and the simulation lasts as long.",
        "- Error is |predicted / real − 1|.",
        "- A run is left out where other processes took more than 5 % of the CPUs, or where the window has fewer "
        "than 5 cycles.",
        "- Runs of query, graph, kvstore and ledger that the machine disturbed were repeated where there was time, "
        "and the least disturbed attempt counts. A probe of the machine's speed alone decides this "
        "(`experiments/capture.py`). Of the newest fifteen programs the first attempt counts, except for four "
        "runs, and one of a minute, that other processes had disturbed.",
        "",
        "Left out:",
        "",
        *(left_out or ["- none."]),
        "",
        "On every change `python -m experiments.validation report --check` predicts the held-out programs again. "
        "It fails where the headline is worse than the committed table.",
    ]
