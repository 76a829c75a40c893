"""Under limits for a minute: what start-up leaves scattered goes, and what is predicted is what is left."""

from collections.abc import Sequence

from experiments.validation.diagnosis import by_run
from experiments.validation.matrix import LONG_SECONDS, MAIN_GO, MAIN_PROCS
from experiments.validation.observations import SETTLED_SECONDS
from experiments.validation.study import Row, Study
from experiments.validation.summary import TARGETS, coverage, elsewhere, groups, of_metric, summary
from experiments.validation.tables import (
    SHORT_NAMES,
    Lines,
    amount_cell,
    pair_cell,
    percent_cell,
    setting_cell,
    table,
)

_LISTED = ("heap_peak_mean_bytes", "gc_rate_hz")


def long_run(study: Study) -> Lines:
    """Errors under limits in the first seconds and after half a minute, at the settings that were run for a minute."""
    early = list(study.early_rows)
    settings = {_setting(row) for row in early}
    long = [row for row in study.rows if _setting(row) in settings]
    programs = ", ".join(groups(long, lambda row: row.label))
    return [
        "## Under limits: the first seconds, and later",
        "",
        "A run of ten seconds under a limit still shows its start-up. While the program built its live heap, no "
        "collection came before the limit, and live objects are spread over spans that are not full. In the course "
        "of seconds to minutes these spans fill, or their objects die.",
        "",
        f"Therefore {study.long_runs} runs under limits, of {programs}, last {LONG_SECONDS:.0f} s, and this page "
        f"compares predictions with the part after their first {SETTLED_SECONDS:.0f} s. Every other run under a "
        "limit is a short one. This table also keeps short runs at the same settings, of 10 to 30 s and judged "
        f"after warm-up. They exist for {len(by_run(elsewhere(long)))} of the long runs:",
        "",
        *table(["programs", "loop", "metric", "runs", "short", "long", "inside, short", "inside, long", "repeat, long"],
               _by_loop(long, early)),
        "",
        "With the short runs in place of the long ones the headline would be: " + _headline_then(study, settings) + ".",
        "",
        f"First runs on Go {MAIN_GO} with {MAIN_PROCS} Ps; *short* and *long* are the errors of the prediction:",
        "",
        *_listing(long, early),
    ]  # fmt: skip


def _setting(row: Row) -> tuple[object, ...]:
    return row.run[:-1]  # but for the repeat


def _by_loop(long: Sequence[Row], early: Sequence[Row]) -> list[list[str]]:
    body = []
    for held_out, who in ((True, "held out"), (False, "development")):
        then = groups(elsewhere(early, held_out), lambda row: row.course)
        for loop, later in sorted(groups(elsewhere(long, held_out), lambda row: row.course).items()):
            for metric, name in SHORT_NAMES.items():
                short, part = of_metric(then.get(loop, []), metric), of_metric(later, metric)
                first, now, again = summary(short), summary(part), summary(part, "again")
                body.append([
                    who, loop, name, str(now.count), pair_cell(first.median, first.p90), pair_cell(now.median, now.p90),
                    percent_cell(coverage(short)), percent_cell(coverage(part)), pair_cell(again.median, again.p90),
                ])  # fmt: skip
    return body


def _headline_then(study: Study, settings: set[tuple[object, ...]]) -> str:
    """The headline's errors with the short runs where long ones stand."""
    kept = [row for row in study.rows if _setting(row) not in settings]
    rows = elsewhere([*kept, *study.early_rows], held_out=True)
    found = {metric: summary(of_metric(rows, metric)) for metric in TARGETS}
    return ", ".join(
        f"{SHORT_NAMES[m]} {100 * one.median:.1f} % ({100 * one.p90:.1f} %)" for m, one in found.items()
    )


def _listing(long: Sequence[Row], early: Sequence[Row]) -> Lines:
    short = {(row.run, row.metric): row for row in early}
    main = (MAIN_GO.rsplit(".", 1)[0], MAIN_PROCS, 1)
    body = []
    for run in by_run(row for row in long if (row.go, row.procs, row.repeat) == main):
        here = [run[metric] for metric in _LISTED]
        cells = [here[0].label, here[0].course, setting_cell(here[0].gogc, here[0].limit_mib)]
        for row in here:
            cells += [
                amount_cell(row.metric, row.predicted),
                _off(short.get((row.run, row.metric))),
                _off(row),
            ]
        body.append(cells)
    heads = [head for metric in _LISTED for head in (SHORT_NAMES[metric], "short", "long")]
    return table(["program", "loop", "setting", *heads], body)


def _off(row: Row | None) -> str:
    return "–" if row is None else f"{100 * (row.predicted / row.observed - 1.0):+.0f} %"
