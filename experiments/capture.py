"""Capture real Go programs over a matrix of settings.

    python -m experiments.capture --program orders --go 1.27.3 --gogc 50,100,200 --gomemlimit off,300MiB \
        --gomaxprocs 2 --repeats 2 --duration 10s --out DIR -- -live 100MiB

Each run leaves three files in DIR, named after label, Go version, settings and repeat: the trace
(``NAME.log.gz``), what it does not say (``NAME.log.gz.meta.json``) and the program's own figures
(``NAME.result.json``). A run that the machine disturbed (``disturbance``) is made again, up to ``--attempts`` in
all, and the least disturbed is kept. Runs whose files are there are not made again.
"""

import argparse
import contextlib
import dataclasses
import fcntl
import gzip
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import toolchains
from experiments.cpu_speed import SpeedProbe
from gcsim.atomic import make_folder, write_text_atomically
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.capture.run import run_capture
from gcsim.errors import InputError
from gcsim.settings import Settings
from gcsim.units import format_go_bytes, format_gogc, parse_duration, parse_gogc, parse_gomemlimit

MAX_FOREIGN_CPU = 0.05  # of the machine, taken by other processes
STEADY = 0.8  # the speed of the machine's slowest tenth over that of its fastest, at least
ATTEMPTS = 2
Attempt = tuple[bytes, CaptureInfo, dict[str, Any]]  # the trace, its side file, and what the program printed


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run to make: a program of ``experiments/programs``, its Go version, its settings."""

    program: str
    go_version: str  # "1.27.3"
    gogc: int | None = 100
    gomemlimit_bytes: int | None = None
    gomaxprocs: int = 2
    duration_seconds: float = 10.0  # of the load; building the live set comes before
    args: tuple[str, ...] = ()  # the program's own switches
    repeat: int = 1
    label: str = ""  # names the files; the program's name where empty

    @property
    def name(self) -> str:
        """The stem of the run's files."""
        limit = format_go_bytes(self.gomemlimit_bytes)
        return (
            f"{self.label or self.program}-go{self.go_version}-gogc{format_gogc(self.gogc)}"
            f"-limit{limit}-p{self.gomaxprocs}-r{self.repeat}"
        )

    @property
    def settings(self) -> Settings:
        """The knobs of the run, checked."""
        go = ".".join(self.go_version.split(".")[:2])
        return Settings(
            gogc=self.gogc, gomemlimit_bytes=self.gomemlimit_bytes, gomaxprocs=self.gomaxprocs, go=go
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedRun:
    """The files of one run and what they say."""

    log: Path
    info: CaptureInfo
    result: dict[str, Any]  # the program's line of JSON, "cpu_speed" and "disturbance_attempts"


def disturbance(run: CapturedRun) -> float:
    """How much the machine disturbed a run: more than 1 is too much.

    Looks at what other processes took and at how evenly the machine ran (``SpeedProbe``), never at what the
    program measured, so that no run is made again or left out for its outcome.
    """
    speed = run.result["cpu_speed"]
    return max(foreign(run), unsteadiness(speed) if speed else 0.0)


def foreign(run: CapturedRun) -> float:
    """What other processes took of the machine: more than 1 is too much."""
    return (run.info.foreign_cpu_fraction or 0.0) / MAX_FOREIGN_CPU


def unsteadiness(speed: dict[str, float]) -> float:
    """How unevenly the machine ran by a probe's summary: more than 1 is too much."""
    return (1.0 - speed["warm_p10"] / speed["warm_p90"]) / (1.0 - STEADY)


def capture_run(
    plan: RunPlan,
    out: Path,
    *,
    lock: Path | None = None,
    attempts: int = ATTEMPTS,
    added: Path | None = None,
) -> CapturedRun:
    """Build, run and file one plan under ``out``; ``lock`` is held (flock, exclusive) while the program runs.

    ``added`` is one more Go file of the program (``toolchains.build_with``). Raises InputError where it cannot be
    built, fails, or ends without its line of JSON.
    """
    if added is None:
        binary = toolchains.build(plan.program, plan.go_version)
    else:
        binary = toolchains.build_with(plan.program, plan.go_version, added)
    return least_disturbed(
        plan, out, lambda: _attempt(plan, binary), disturbance, lock=lock, attempts=attempts
    )


def least_disturbed(
    plan: RunPlan,
    out: Path,
    attempt: Callable[[], Attempt],
    disturbed: Callable[[CapturedRun], float],
    *,
    lock: Path | None,
    attempts: int = ATTEMPTS,
) -> CapturedRun:
    """Make a run until ``disturbed`` is at most 1, ``attempts`` times at most, and file the least disturbed one."""
    make_folder(out)
    log = out / f"{plan.name}.log.gz"
    tried: list[tuple[float, bytes, CapturedRun]] = []
    while len(tried) < attempts and (not tried or tried[-1][0] > 1.0):
        with held(lock):
            trace, info, result = attempt()
        run = CapturedRun(log=log, info=info, result=result)
        tried.append((disturbed(run), trace, run))
    _, trace, run = min(tried, key=lambda one: one[0])
    run.result["disturbance_attempts"] = [round(score, 3) for score, *_ in tried]
    log.write_bytes(gzip.compress(trace, mtime=0))
    run.info.save(side_file(log))
    write_text_atomically(_result_file(plan, out), json.dumps(run.result) + "\n")
    return run


def is_captured(plan: RunPlan, out: Path) -> bool:
    """Whether the plan's files are there; the result is written last."""
    return _result_file(plan, out).exists()


def load_run(result_file: Path) -> CapturedRun:
    """A run from its files, found by the ``NAME.result.json``."""
    log = result_file.with_name(result_file.name.removesuffix(".result.json") + ".log.gz")
    result: dict[str, Any] = json.loads(result_file.read_text())
    return CapturedRun(log=log, info=CaptureInfo.load(side_file(log)), result=result)


def _result_file(plan: RunPlan, out: Path) -> Path:
    return out / f"{plan.name}.result.json"


def _attempt(plan: RunPlan, binary: Path) -> Attempt:
    command = [str(binary), "-duration", f"{plan.duration_seconds:g}s", *plan.args]
    knobs = {**plan.settings.environment, "GOMAXPROCS": str(plan.gomaxprocs)}
    env = {**os.environ, **knobs, "GODEBUG": ""}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as stdout:
        log = Path(folder) / "trace.log"
        with SpeedProbe() as probe:
            done = run_capture(command, log, env=env, stdout=stdout, echo=False)
        trace = log.read_bytes()
        stdout.seek(0)
        printed = stdout.read().decode()
    info = done.info
    if done.log_failure is not None:
        raise InputError(f"{plan.name}: the log is incomplete ({done.log_failure})")
    if info.exit_status != 0:
        raise InputError(
            f"{plan.name}: exit status {info.exit_status}: {trace[-300:].decode(errors='replace')}"
        )
    try:
        result: dict[str, Any] = json.loads(printed)
    except ValueError as error:
        raise InputError(f"{plan.name}: the program did not end with one line of JSON") from error
    result["cpu_speed"] = probe.summary
    return trace, _without_path(info, binary), result


def _without_path(info: CaptureInfo, binary: Path) -> CaptureInfo:
    """The record of a run names the program, not where this machine keeps it."""
    return dataclasses.replace(info, command=[binary.name, *(info.command or [])[1:]])


@contextlib.contextmanager
def held(lock: Path | None) -> Iterator[None]:
    """Hold a lock file that others on the machine respect; None holds nothing."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def plans(options: argparse.Namespace) -> list[RunPlan]:
    """The matrix that the command line asks for, repeats outermost, so that drift of the machine spreads."""
    matrix = itertools.product(
        range(1, options.repeats + 1),
        options.go.split(","),
        [parse_gogc(text) for text in options.gogc.split(",")],
        [parse_gomemlimit(text) for text in options.gomemlimit.split(",")],
        [int(text) for text in options.gomaxprocs.split(",")],
    )
    return [
        RunPlan(
            program=options.program,
            go_version=go,
            gogc=gogc,
            gomemlimit_bytes=limit,
            gomaxprocs=procs,
            duration_seconds=parse_duration(options.duration),
            args=tuple(options.args),
            repeat=repeat,
            label=options.label,
        )
        for repeat, go, gogc, limit, procs in matrix
    ]


def summary(run: CapturedRun) -> str:
    """One line about a run for the person who watches."""
    result, info = run.result, run.info
    return (
        f"{run.log.name.removesuffix('.log.gz')}: {result['rate']:.0f} requests/s,"
        f" p99 {result['latency_seconds']['p99'] * 1e3:.2f} ms, {result['memstats']['NumGC']} cycles,"
        f" peak {(info.rss_peak_bytes or 0) >> 20} MiB, foreign CPU {(info.foreign_cpu_fraction or 0.0):.1%},"
        f" disturbed {', '.join(f'{one:.2f}' for one in result['disturbance_attempts'])}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.capture", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--program", required=True, help="a folder of experiments/programs")
    parser.add_argument("--go", required=True, help="Go versions, such as 1.27.3,1.21.13")
    parser.add_argument("--gogc", default="100", help="such as 50,100,off")
    parser.add_argument("--gomemlimit", default="off", help="such as off,300MiB")
    parser.add_argument("--gomaxprocs", default="2", help="such as 1,2,4")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--duration", default="10s", help="of the load; building the live set comes before")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--label", default="", help="names the files instead of the program")
    parser.add_argument("--lock", type=Path, default=None, help="hold this file's lock while a program runs")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="to make a run undisturbed")
    parser.add_argument("--again", action="store_true", help="make runs again whose files are there")
    parser.add_argument("args", nargs="*", help="the program's own switches, behind --")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        for plan in plans(options):
            if options.again or not is_captured(plan, options.out):
                run = capture_run(plan, options.out, lock=options.lock, attempts=options.attempts)
                print(summary(run), flush=True)
    except InputError as error:
        print(f"experiments.capture: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
