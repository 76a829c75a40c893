"""Run real programs in memory cgroups, and print how they fare as Markdown tables.

python -m experiments.software.cgroups settings --log LOG [--label LABEL] [--memory SIZE] [--lock FILE] [--out CSV]
python -m experiments.software.cgroups limits [LABEL ...] [--gogc N] [--lock FILE] [--out CSV]
python -m experiments.software.cgroups table CSV

``settings``: a server in a cgroup of one size, under its load, at the settings that ``gcsim recommend`` gives for LOG
without and with its side file, and at two others. ``limits``: programs at one setting in ever smaller cgroups. The
limits follow from a run without a limit: its anonymous and kernel memory, and a falling share of its file pages. The
smallest share at which the program keeps its speed is its hot share (``gcsim.priors.file_pages``).
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.capture import held
from experiments.software.cases import CASE, Case
from experiments.software.cgroup_rows import Row, hot_table, read_rows, settings_table, write_rows
from experiments.software.contained import Contained, ContainedPlan, run_contained
from experiments.software.recommended import recommended_environment
from gcsim.units import MIB, parse_memory_size

SHARES = (1.2, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.25, 0.1)  # of the file pages, that the limit has room for
DEVELOPMENT = ("caddy-templates", "tsgo-check", "go-compile")
_TURN_SECONDS = 40.0  # for which the lock is held, at least
_JOB_SECONDS, _JOB_FACTOR = (
    60.0,
    6.0,
)  # the longest time of a job without a limit; with one, in times of the former
_SETTINGS_SECONDS, _LIMITS_SECONDS = 20.0, 6.0
_BASE_RUNS = 2
_ENDED_LIMITS = 2  # limits in a row at which a program ends badly, after which no smaller one is tried
CLOSED = ("-rate", "0", "-conns", "16")


def in_turns(runs: Iterator[Callable[[], None]], lock: Path | None) -> Iterator[None]:
    """Makes all runs, several in each turn in which it holds the machine's lock; yields after each run."""
    while True:
        with held(lock):
            began = time.monotonic()
            while time.monotonic() - began < _TURN_SECONDS:
                run = next(runs, None)
                if run is None:
                    return
                run()
                yield
        time.sleep(1.0)  # others get the lock


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.software.cgroups")
    commands = parser.add_subparsers(dest="command", required=True)
    settings = commands.add_parser("settings", help="one limit, several settings")
    settings.add_argument("--log", type=Path, required=True, help="captured at GOGC=100")
    settings.add_argument("--label", choices=sorted(CASE), default="caddy-templates")
    settings.add_argument("--memory", default="64MiB", help="of the cgroup")
    limits = commands.add_parser("limits", help="one setting, several limits")
    limits.add_argument("labels", nargs="*", help=f"cases; {', '.join(DEVELOPMENT)} without")
    limits.add_argument("--gogc", default="50")
    limits.add_argument("--closed", action="store_true", help="servers at full speed too")
    for one, repeats in ((settings, 3), (limits, 2)):
        one.add_argument("--repeats", type=int, default=repeats)
        one.add_argument("--lock", type=Path, default=None, help="hold this file's lock while programs run")
        one.add_argument("--out", type=Path, default=None, help="CSV file of all runs")
    table = commands.add_parser("table", help="print the tables of a CSV file again")
    table.add_argument("csv", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    if options.command == "table":
        rows = read_rows(options.csv)
    else:
        runs = _settings(options, rows) if options.command == "settings" else _limits(options, rows)
        for _ in in_turns(runs, options.lock):
            if options.out is not None:
                write_rows(rows, options.out)
    print(hot_table(rows) if any(row.share is not None for row in rows) else settings_table(rows))
    return 0


def _settings(options: argparse.Namespace, rows: list[Row]) -> Iterator[Callable[[], None]]:
    case, limit_bytes = CASE[options.label], parse_memory_size(options.memory)
    wanted = {
        "recommended, bare log": recommended_environment(options.log, options.memory, with_side_file=False),
        "recommended, capture": recommended_environment(options.log, options.memory, with_side_file=True),
        "recommended before file pages were known": {"GOGC": "450", "GOMEMLIMIT": "59MiB"},
        "Go's default": {"GOGC": "100", "GOMEMLIMIT": "off"},
    }
    for repeat in range(1, options.repeats + 1):
        for name, environment in wanted.items():
            plan = ContainedPlan(
                case=case, environment={**environment, "GOMAXPROCS": "2"}, limit_bytes=limit_bytes,
                seconds=_SETTINGS_SECONDS,
            )  # fmt: skip
            yield _run(plan, name, repeat, None, rows)


def _limits(options: argparse.Namespace, rows: list[Row]) -> Iterator[Callable[[], None]]:
    environment = {"GOGC": options.gogc, "GOMEMLIMIT": "off", "GOMAXPROCS": "2"}
    for label in options.labels or DEVELOPMENT:
        case = CASE[label]
        loops: dict[str, tuple[str, ...]] = {"job": ()} if case.is_job else {"open loop": ()}
        if options.closed and not case.is_job:
            loops["closed loop"] = CLOSED
        for name, load in loops.items():
            yield from _falling(case, name, load, environment, options.repeats, rows)


def _falling(
    case: Case, name: str, load: tuple[str, ...], environment: dict[str, str], repeats: int, rows: list[Row]
) -> Iterator[Callable[[], None]]:
    """Runs without a limit, then falling limits, in each repeat."""
    first = len(rows)
    seconds = _JOB_SECONDS if case.is_job else _LIMITS_SECONDS

    def plan(limit_bytes: int | None, seconds: float) -> ContainedPlan:
        return ContainedPlan(
            case=case, environment=environment, limit_bytes=limit_bytes, seconds=seconds, load=load
        )

    for repeat in range(1, _BASE_RUNS + 1):
        yield _run(plan(None, seconds), name, repeat, None, rows)
    free = [row.run for row in rows[first:]]
    if case.is_job:
        seconds = _JOB_FACTOR / min(run.answers_hz for run in free)
    rest = max(run.peaks.anonymous_bytes + run.peaks.kernel_bytes for run in free)
    file = max(run.peaks.file_resident_bytes for run in free)
    for repeat in range(1, repeats + 1):
        bad = 0
        for share in SHARES:
            yield _run(plan(rest + round(share * file), seconds), name, repeat, share, rows)
            bad = 0 if rows[-1].run.end == "runs" else bad + 1
            if bad == _ENDED_LIMITS:
                break


def _run(
    plan: ContainedPlan, name: str, repeat: int, share: float | None, rows: list[Row]
) -> Callable[[], None]:
    def run() -> None:
        run = run_contained(plan)
        rows.append(Row.of(plan, name, repeat, share, run))
        print(_line(plan, name, repeat, run), file=sys.stderr, flush=True)

    return run


def _line(plan: ContainedPlan, name: str, repeat: int, run: Contained) -> str:
    limit = "no limit" if plan.limit_bytes is None else f"{plan.limit_bytes / MIB:.1f} MiB"
    return (
        f"{plan.case.label} {name} r{repeat} {limit}: {run.end}, {run.answers_hz:.3g}/s, {run.failures} failures,"
        f" anonymous {run.peaks.anonymous_bytes / MIB:.1f}, kernel {run.peaks.kernel_bytes / MIB:.1f},"
        f" file {run.peaks.file_resident_bytes / MIB:.1f} MiB, at the limit {run.at_limit}"
    )


if __name__ == "__main__":
    sys.exit(main())
