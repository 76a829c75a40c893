"""The page's tables of groups: by metric, against baselines, by regime, program, version."""

import math
from collections.abc import Iterable, Sequence

from experiments.validation.diagnosis import by_run
from experiments.validation.study import Row
from experiments.validation.summary import (
    IN_POINTS,
    REGIMES,
    SHOWN,
    TARGETS,
    Source,
    at_equal_speed,
    coverage,
    elsewhere,
    groups,
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


def by_metric(rows: Sequence[Row]) -> Lines:
    """Errors by metric, of held-out and of development programs."""
    body = []
    for metric in SHOWN:
        line = [NAMES[metric]]
        for held_out in (True, False):
            chosen = of_metric(elsewhere(rows, held_out), metric)
            found = summary(chosen)
            line += [
                str(found.count),
                percent_cell(found.median),
                percent_cell(found.p90),
                percent_cell(coverage(chosen)),
            ]
        body.append([*line, pair_cell(*_floor(of_metric(elsewhere(rows), metric)))])
    head = [
        "metric", "held-out runs", "median", "90th", "inside", "development runs", "median", "90th", "inside",
        "floor",
    ]  # fmt: skip
    return [
        "## By metric",
        "",
        *table(head, body),
        "",
        f"Definitions: [metrics.md](../reference/metrics.md). {' and '.join(NAMES[m] for m in IN_POINTS)}: the "
        "error is a difference in percentage points of all CPU. Throughput: requests per second relative to the "
        "calibrated run.",
    ]


def _floor(rows: Iterable[Row]) -> tuple[float, float]:
    found = summary(rows, "again")
    return found.median, found.p90


def baselines_table(rows: Sequence[Row]) -> Lines:
    """Errors of gcsim and of each baseline."""
    body = []
    for metric in (*TARGETS, "heap_peak_bytes"):
        for held_out, who in ((True, "held out"), (None, "all")):
            chosen = of_metric(elsewhere(rows, held_out), metric)
            body.append([NAMES[metric], who, *(_error_pair(chosen, source) for source in _SOURCES)])
    return [
        "## Against simple baselines",
        "",
        "Median error (90th percentile) of gcsim and of three rules of thumb:",
        "",
        "- *keep*: every metric stays as calibrated;",
        "- *GC guide*: target = live + (live + roots) × GOGC/100, at most the limit; cost per cycle and allocation per "
        "second are constant;",
        "- *odds*: g/(1 − g) ∝ 1/GOGC, with g the share of GC CPU;",
        "- *repeat*: the same setting run again on real Go, where it was.",
        "",
        *table(["metric", "programs", "gcsim", "keep", "GC guide", "odds", "repeat"], body),
    ]


_SOURCES: tuple[Source, ...] = ("predicted", "keep", "gc_guide", "odds", "again")


def _error_pair(rows: Sequence[Row], source: Source) -> str:
    found = summary(rows, source)
    return "–" if found.count == 0 else pair_cell(found.median, found.p90)


def equal_speed(rows: Sequence[Row]) -> Lines:
    """Errors of gcsim and of repeated runs, corrected for the machine's drift of speed."""
    body = []
    for held_out, who in ((True, "held out"), (False, "development")):
        known = [row for row in elsewhere(rows, held_out) if not math.isnan(row.speed_effect)]
        for metric in ("gc_rate_hz", "gc_cpu_fraction", "throughput_ratio"):
            as_seen = of_metric(known, metric)
            equal = at_equal_speed(as_seen)
            body.append([
                who, NAMES[metric], str(len(as_seen)), _error_pair(as_seen, "predicted"),
                *(_error_pair(equal, source) for source in ("predicted", "gc_guide", "again")),
            ])  # fmt: skip
    head = ["programs", "metric", "runs", "gcsim, uncorrected", "gcsim", "GC guide", "repeat"]
    return [
        "## At equal machine speed",
        "",
        "The machine's two virtual CPUs run up to a third slower while other guests of the host are busy. The speed "
        "changes from one run to the next, and the CPU time of other processes does not show it. A probe timed a small "
        "fixed piece of work ten times a second during each capture.",
        "",
        "This table corrects for the probe's speed relative to the calibrated run: the cycle rate and throughput of a "
        "closed loop are divided by it, the GC CPU of an open loop is multiplied by it. Runs captured before the probe "
        "existed are left out.",
        "",
        *table(head, body),
    ]


def three_logs(rows: Sequence[Row]) -> Lines:
    """Errors from one log and from three."""
    body = []
    for held_out, who in ((True, "held out"), (False, "development")):
        both = [row for row in elsewhere(rows, held_out) if not math.isnan(row.three_logs)]
        for metric in TARGETS:
            chosen = of_metric(both, metric)
            body.append([
                who, NAMES[metric], str(len(chosen)), _error_pair(chosen, "predicted"),
                _error_pair(chosen, "three_logs"), _error_pair(at_equal_speed(chosen), "three_logs"),
            ])  # fmt: skip
    head = ["programs", "metric", "runs", "one log", "three logs", "three logs, equal speed"]
    return [
        "## With three logs",
        "",
        "`gcsim calibrate` takes several logs of one service. Here it had the first runs at GOGC=50, 100 and 400 "
        "together. The errors are those at every other setting, compared with the errors from GOGC=100 alone on "
        "the same runs:",
        "",
        *table(head, body),
    ]


def log_alone(rows: Sequence[Row]) -> Lines:
    """Errors with and without the side file of ``gcsim capture``."""
    body = []
    for held_out, who in ((True, "held out"), (False, "development")):
        chosen = elsewhere(rows, held_out)
        for metric in TARGETS:
            full = of_metric(chosen, metric)
            lone = [row.from_log_alone for row in full]
            body.append([
                who, NAMES[metric], str(len(full)), _error_pair(full, "predicted"), _error_pair(lone, "predicted"),
                percent_cell(coverage(full)), percent_cell(coverage(lone)),
            ])  # fmt: skip
    head = ["programs", "metric", "runs", "captured", "log alone", "inside, captured", "inside, log alone"]
    return [
        "## With the log alone",
        "",
        "`gcsim capture` writes a side file with the process's CPU time and memory, and the runtime's own "
        "counters. A log that a service wrote by itself has no side file. These errors are from the same logs with "
        "only the Go version and the loop stated:",
        "",
        *table(head, body),
    ]


def by_regime(rows: Sequence[Row]) -> Lines:
    """Errors of gcsim and of the GC guide by the mechanism that set the heap."""
    body = []
    for regime in REGIMES:
        chosen = [row for row in elsewhere(rows) if row.regime == regime]
        for metric in TARGETS:
            part = of_metric(chosen, metric)
            held_out = [row for row in part if row.held_out]
            ours, guide = summary(part), summary(part, "gc_guide")
            body.append([
                regime if metric == next(iter(TARGETS)) else "", NAMES[metric], str(ours.count),
                pair_cell(ours.median, ours.p90), _error_pair(held_out, "predicted"), percent_cell(coverage(part)),
                pair_cell(guide.median, guide.p90), _times(part, "predicted"),
                _error_pair(part, "again"),
            ])  # fmt: skip
    head = [
        "regime", "metric", "runs", "gcsim", "gcsim, held out", "inside", "GC guide", "guide's error over gcsim's",
        "repeat",
    ]  # fmt: skip
    return [
        "## By regime",
        "",
        "The real run decides the regime:",
        "",
        "- *assist-bound*: marking begins at the pacer's lower bound, 0.7 of the way to the goal, and the heap "
        "still reaches the goal;",
        "- *limit-bound*: the memory limit sets the goal;",
        "- *small heap*: under 8 MiB live, stacks included;",
        "- *idle*: under a quarter of the CPU used;",
        "- *other*: none of these.",
        "",
        "*repeat* is the same setting run again, where it was. No prediction can be expected to come closer.",
        "",
        *table(head, body),
    ]


def by_loop(rows: Sequence[Row]) -> Lines:
    """Errors by kind of load, with those of repeated runs."""
    body = []
    for held_out, who in ((True, "held out"), (False, "development")):
        for loop, chosen in sorted(groups(elsewhere(rows, held_out), lambda row: row.course).items()):
            cells = []
            for metric in TARGETS:
                part = of_metric(chosen, metric)
                cells += [group_cell(part), _error_pair(part, "again")]
            body.append([who, loop, str(len(by_run(chosen))), *cells])
    heads = [head for name in SHORT_NAMES.values() for head in (name, "repeat")]
    return [
        "## By loop",
        "",
        "The loop is the stated one; calibration decides from the log whether the load moves. A closed loop runs "
        "at the machine's speed, which changes from run to run. An open loop follows its arrivals. A load that "
        "moves has steps, bursts or ramps of its own. *repeat* is the same setting run again.",
        "",
        *table(["programs", "loop", "runs", *heads], body),
        "",
        "The next table compares the cycle rate with the GC guide's, by regime. *guide over repeat* is the guide's "
        "error over that of a repeated run. It bounds the factor that any prediction can reach:",
        "",
        *_rate_against_guide(rows),
    ]


def _rate_against_guide(rows: Sequence[Row]) -> Lines:
    body = []
    for regime in ("assist-bound", "limit-bound", "small heap"):
        of_regime = [row for row in of_metric(elsewhere(rows), "gc_rate_hz") if row.regime == regime]
        for loop, part in sorted(groups(of_regime, lambda row: row.course).items()):
            repeated = [row for row in part if not math.isnan(row.again)]
            held_out = [row for row in part if row.held_out]
            body.append([
                regime, loop, str(len(part)), _error_pair(part, "predicted"), _error_pair(held_out, "predicted"),
                _error_pair(part, "gc_guide"), _times(part, "predicted"), _times(repeated, "again"),
            ])  # fmt: skip
    head = [
        "regime",
        "loop",
        "runs",
        "gcsim",
        "gcsim, held out",
        "GC guide",
        "guide over gcsim",
        "guide over repeat",
    ]
    return table(head, body)


def _times(rows: Sequence[Row], source: Source) -> str:
    """How many times as large the guide's median error is."""
    ours = summary(rows, source).median
    return f"{summary(rows, 'gc_guide').median / ours:.1f}×" if ours > 0 else "–"


def group_cell(rows: Sequence[Row]) -> str:
    """Median error (90th percentile), and the share inside the 90 % interval."""
    found = summary(rows)
    return "–" if found.count == 0 else f"{pair_cell(found.median, found.p90)}, {100 * coverage(rows):.0f} %"
