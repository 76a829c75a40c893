"""One run of a real program in a memory cgroup of its own, with its page cache dropped first.

The program reads its binary from disk again, so the kernel charges the binary's pages to the cgroup, as in a new pod.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.cgroup import (
    MemoryCgroup,
    Peaks,
    PeakWatch,
    drop_page_cache,
    memory_cgroup,
    wait_bounded,
)
from experiments.software import packages
from experiments.software.cases import Case, Places
from experiments.software.run import await_port, data_folder, load_command
from gcsim.capture.disk import read_ahead_kib
from gcsim.errors import InputError

_START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_GIVE_UP_SECONDS = 3.0  # for one request
ANSWERED = 0.5  # of the requests: a server that answers less stalls
End = Literal["runs", "stalls", "OOM kill", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainedPlan:
    """One run to make."""

    case: Case
    environment: Mapping[str, str]  # GOGC, GOMEMLIMIT, GOMAXPROCS
    limit_bytes: int | None  # of the cgroup
    seconds: float  # of the measured load, or the longest time of a job
    load: tuple[str, ...] = ()  # options of the load that replace the case's
    log: Path | None = None  # of the program's standard error
    drops_cache: bool = True  # the page cache of the program and its data is dropped first
    wrapper: tuple[str, ...] = ()  # words before the command, such as those of ``cpu_quota``


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """The outcome of one run."""

    end: End
    answers_hz: float  # answers without failures a second of the load; of a job, jobs a second
    failures: int = 0
    p99_seconds: float | None = None
    peaks: Peaks
    usage_peak_bytes: int | None  # of the cgroup
    at_limit: int | None  # charges that met the limit; None where they were not counted
    oom_kills: int
    read_ahead_kb: int | None  # of the executable's disk


_Driven = tuple[End, float, int, float | None]  # end, answers a second, failures, p99
_Process = subprocess.Popen[bytes]


def run_contained(wanted: ContainedPlan) -> Contained:
    """Makes one run. Raises InputError where no cgroup can be made."""
    case, data = wanted.case, data_folder(wanted.case)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        own = stack.enter_context(memory_cgroup(wanted.limit_bytes))
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        command = [str(part) for part in case.command(Places(data=data, scratch=scratch))]
        if not case.is_job:
            packages.load_generator()
        if wanted.drops_cache:
            drop_page_cache(_files_of(Path(command[0]), data))
        knobs = ("GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG")
        env = {name: value for name, value in os.environ.items() if name not in knobs}
        log = stack.enter_context((wanted.log or Path(os.devnull)).open("wb"))
        process = own.start(
            [*wanted.wrapper, *command], env={**env, **wanted.environment, "HOME": folder}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
        with PeakWatch(own, process.pid) as watch:
            drive = _job if case.is_job else _server
            end, answers_hz, failures, p99_seconds = drive(wanted, data, own, process)
        return Contained(
            end="OOM kill" if own.oom_kills else end, answers_hz=answers_hz, failures=failures,
            p99_seconds=p99_seconds, peaks=watch.peaks, usage_peak_bytes=own.peak_bytes, at_limit=own.at_limit,
            oom_kills=own.oom_kills, read_ahead_kb=read_ahead_kib(Path(command[0])),
        )  # fmt: skip


def _job(wanted: ContainedPlan, _: Path, own: MemoryCgroup, process: _Process) -> _Driven:
    began = time.monotonic()
    status = wait_bounded(process, wanted.seconds, own.kill)
    seconds = time.monotonic() - began
    if status == 0:
        return "runs", 1.0 / seconds, 0, None
    return "stalls" if status is None else "failed", 0.0, 1, None


def _server(wanted: ContainedPlan, data: Path, own: MemoryCgroup, process: _Process) -> _Driven:
    try:
        try:
            await_port(process, wanted.case.port, seconds=_START_SECONDS)
        except InputError:
            return "stalls" if process.poll() is None else "failed", 0.0, 0, None
        command = load_command(
            wanted.case, data, warm_seconds=wanted.case.warm_seconds, seconds=wanted.seconds
        )
        command += ["-give-up", f"{_GIVE_UP_SECONDS:g}s", *wanted.load]
        most = wanted.case.warm_seconds + wanted.seconds + 6 * _GIVE_UP_SECONDS
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=most)
        except subprocess.TimeoutExpired:
            return "stalls", 0.0, 0, None
        if done.returncode != 0:
            raise InputError(f"the load failed: {done.stderr[-300:]}")
        result = json.loads(done.stdout)
        share = 1.0 - result["failures"] / max(result["requests"], 1)
        answers_hz = result["rate"] * share
        end: End = "runs" if share >= ANSWERED else "stalls"
        return end, answers_hz, result["failures"], result["latency_seconds"]["p99"]
    finally:
        process.terminate()
        wait_bounded(process, _STOP_SECONDS, own.kill)


def _files_of(executable: Path, data: Path) -> Iterator[Path]:
    for folder in (executable.parent, data):
        yield from (file for file in folder.rglob("*") if file.is_file())
