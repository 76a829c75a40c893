"""The page's tables by program, Go version and GOMAXPROCS."""

from collections.abc import Callable, Sequence

from experiments.validation.diagnosis import by_run
from experiments.validation.matrix import LOAD, MAIN_GO, MAIN_PROCS, OTHER_PROCS
from experiments.validation.sections import group_cell
from experiments.validation.study import Row
from experiments.validation.summary import TARGETS, elsewhere, groups, of_metric, program_name
from experiments.validation.tables import SHORT_NAMES, Lines, table


def _by(rows: Sequence[Row], title: str, key: Callable[[Row], str]) -> Lines:
    body = []
    for name, chosen in groups(elsewhere(rows), key).items():
        cells = [group_cell(of_metric(chosen, metric)) for metric in TARGETS]
        body.append([name, str(len(by_run(chosen))), *cells])
    return [
        f"## {title}",
        "",
        *table([title.lower().removeprefix("by "), "runs", *SHORT_NAMES.values()], body),
        "",
        "Median error (90th percentile), share inside the 90 % interval.",
    ]


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
        "The machine has two CPUs. With GOMAXPROCS=4 the operating system shares them among four Ps. gcsim does "
        "not model that.",
    ]


def _shared(row: Row) -> bool:
    """Whether the other versions run this setting too."""
    load = LOAD[row.label]
    return row.repeat == 1 and (row.gogc, row.limit_mib) in [load.settings[i] for i in (1, 2, 4)]
