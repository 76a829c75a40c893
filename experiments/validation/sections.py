"""The page's tables of groups: by metric, against baselines, by regime, program, version."""

import math
from collections.abc import Callable, Iterable, Sequence

from experiments.validation.diagnosis import by_run
from experiments.validation.matrix import LOAD, MAIN_GO, MAIN_PROCS, OTHER_PROCS
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
    program_name,
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
    """Every metric, held-out and design programs side by side."""
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
        "metric", "held-out runs", "median", "90th", "inside", "design runs", "median", "90th", "inside", "floor",
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
    """Our error beside each baseline's."""
    body = []
    for metric in (*TARGETS, "heap_peak_bytes"):
        for held_out, who in ((True, "held out"), (None, "all")):
            chosen = of_metric(elsewhere(rows, held_out), metric)
            body.append([NAMES[metric], who, *(_error_pair(chosen, source) for source in _SOURCES)])
    return [
        "## Beside the baselines",
        "",
        "Median error (90th percentile). *Keep*: nothing changes. *GC guide*: target = live + (live + roots) "
        "× GOGC/100, at most the limit; cost per cycle and allocation per second constant. *Odds*: g/(1 − g) "
        "∝ 1/GOGC. *Repeat*: the same setting run again, where it was.",
        "",
        *table(["metric", "programs", "gcsim", "keep", "GC guide", "odds", "repeat"], body),
    ]


_SOURCES: tuple[Source, ...] = ("predicted", "keep", "gc_guide", "odds", "again")


def _error_pair(rows: Sequence[Row], source: Source) -> str:
    found = summary(rows, source)
    return "–" if found.count == 0 else pair_cell(found.median, found.p90)


def equal_speed(rows: Sequence[Row]) -> Lines:
    """What is left of the errors, and of the floor, when the machine's drift of speed is set aside."""
    body = []
    for held_out, who in ((True, "held out"), (False, "design")):
        known = [row for row in elsewhere(rows, held_out) if not math.isnan(row.speed_effect)]
        for metric in ("gc_rate_hz", "gc_cpu_fraction", "throughput_ratio"):
            as_seen = of_metric(known, metric)
            equal = at_equal_speed(as_seen)
            body.append([
                who, NAMES[metric], str(len(as_seen)), _error_pair(as_seen, "predicted"),
                *(_error_pair(equal, source) for source in ("predicted", "gc_guide", "again")),
            ])  # fmt: skip
    head = ["programs", "metric", "runs", "gcsim, as seen", "gcsim", "GC guide", "repeat"]
    return [
        "## At equal machine speed",
        "",
        "The machine's two virtual CPUs run up to a third slower while neighbours on the host are busy, from one run "
        "to the next, and what other processes take does not show it. A probe timed a small fixed piece of work "
        "ten times a second during each capture. Here a closed loop's pace is divided by the probe's speed relative to "
        "the calibrated run's, and an open loop's GC CPU multiplied by it. Runs captured before the probe was "
        "there are left out.",
        "",
        *table(head, body),
    ]


def three_logs(rows: Sequence[Row]) -> Lines:
    """What two more logs, at other settings, do to the errors at all the rest."""
    body = []
    for held_out, who in ((True, "held out"), (False, "design")):
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
        "`gcsim calibrate` takes several logs of one service. Calibrated on the first runs at GOGC=50, 100 and 400 "
        "together, the errors at every other setting are these, beside those from GOGC=100 alone on the same runs:",
        "",
        *table(head, body),
    ]


def log_alone(rows: Sequence[Row]) -> Lines:
    """What is lost without what ``gcsim capture`` notes beside the log."""
    body = []
    for held_out, who in ((True, "held out"), (False, "design")):
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
        "`gcsim capture` notes beside the log what the process took of CPU and memory, and the runtime's own counts. "
        "A log that a service wrote by itself has none of that. Calibrated on the same logs with nothing but the Go "
        "version stated:",
        "",
        *table(head, body),
    ]


def by_regime(rows: Sequence[Row]) -> Lines:
    """Errors by the mechanism that set the heap, beside the GC guide's."""
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
        "regime", "metric", "runs", "gcsim", "gcsim, held out", "inside", "GC guide", "guide's error over ours",
        "repeat",
    ]  # fmt: skip
    return [
        "## By regime",
        "",
        "Told from the real run. *Assist-bound*: marking begins at the pacer's floor, 0.7 of the way to the "
        "goal, and the heap still reaches the goal. *Limit-bound*: the memory limit sets the goal. *Small "
        "heap*: under 8 MiB live, stacks included. *Idle*: under a quarter of the CPU used. *Repeat*: the same "
        "setting run again, where it was; no prediction can be expected to come closer.",
        "",
        *table(head, body),
    ]


def by_loop(rows: Sequence[Row]) -> Lines:
    """Errors of closed loops, open ones and loads that move, held out and not, beside the floor."""
    body = []
    for held_out, who in ((True, "held out"), (False, "design")):
        for loop, chosen in sorted(groups(elsewhere(rows, held_out), lambda row: row.course).items()):
            cells = []
            for metric in TARGETS:
                part = of_metric(chosen, metric)
                cells += [_group_cell(part), _error_pair(part, "again")]
            body.append([who, loop, str(len(by_run(chosen))), *cells])
    heads = [head for name in SHORT_NAMES.values() for head in (name, "repeat")]
    return [
        "## By loop",
        "",
        "As calibration told it from the log. A closed loop goes as fast as the machine lets it, which changes from "
        "run to run; an open one follows its arrivals; a load that moves has steps, bursts or ramps of its own. "
        "*Repeat*: the same setting run again.",
        "",
        *table(["programs", "loop", "runs", *heads], body),
        "",
        "Cycle rate beside the GC guide's, regime by regime; last by how much a repeated run comes closer than the "
        "guide, which bounds what any prediction can:",
        "",
        *_rate_beside_guide(rows),
    ]


def _rate_beside_guide(rows: Sequence[Row]) -> Lines:
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


def _by(rows: Sequence[Row], title: str, key: Callable[[Row], str]) -> Lines:
    body = []
    for name, chosen in groups(elsewhere(rows), key).items():
        cells = [_group_cell(of_metric(chosen, metric)) for metric in TARGETS]
        body.append([name, str(len(by_run(chosen))), *cells])
    return [
        f"## {title}",
        "",
        *table([title.lower().removeprefix("by "), "runs", *SHORT_NAMES.values()], body),
        "",
        "Median error (90th percentile), share inside the 90 % interval.",
    ]


def _group_cell(rows: Sequence[Row]) -> str:
    found = summary(rows)
    return "–" if found.count == 0 else f"{pair_cell(found.median, found.p90)}, {100 * coverage(rows):.0f} %"


def by_program(rows: Sequence[Row]) -> Lines:
    """Errors by program."""
    return _by(rows, "By program", program_name)


def versions(rows: Sequence[Row]) -> Lines:
    """Errors by Go version and by GOMAXPROCS."""
    main_go = MAIN_GO.rsplit(".", 1)[0]
    everywhere = [row for row in rows if LOAD[row.label].everywhere]
    by_go = [row for row in everywhere if row.procs == MAIN_PROCS and (row.go != main_go or _shared(row))]
    by_procs = [row for row in everywhere if row.go == main_go and (row.procs in OTHER_PROCS or _shared(row))]
    names = sorted({row.label for row in everywhere})
    by_go.sort(key=lambda row: int(row.go.split(".")[1]))
    by_procs.sort(key=lambda row: row.procs)
    return [
        *_by(by_go, "By Go version", lambda row: f"{row.go}"),
        "",
        f"Programs {', '.join(names)} at the same three settings on each, calibrated on each version's own log.",
        "",
        *_by(by_procs, "By GOMAXPROCS", lambda row: str(row.procs)),
        "",
        "The machine has two CPUs: with GOMAXPROCS=4 the operating system shares them among four Ps, which "
        "gcsim does not model.",
    ]


def _shared(row: Row) -> bool:
    """Whether the other versions run this setting too."""
    load = LOAD[row.label]
    return row.repeat == 1 and (row.gogc, row.limit_mib) in [load.settings[i] for i in (1, 2, 4)]
