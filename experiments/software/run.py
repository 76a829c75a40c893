"""One run of a real program under load, through the installed ``gcsim capture``."""

import contextlib
import dataclasses
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import toolchains
from experiments.capture import Attempt, CapturedRun, RunPlan, foreign, least_disturbed
from experiments.cpu_speed import SpeedProbe
from experiments.software import packages
from experiments.software.cases import Case, Places
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.errors import InputError

_START_SECONDS = 60.0  # a server has this time to listen
_STOP_SECONDS = 20.0
_MOST_SECONDS = 240.0
_MEMORY_FILES = Path("/dev/shm")
_CALLS = "calls.txt"  # the request lines of an HTTP load


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwarePlan:
    """One run to make."""

    case: Case
    plan: RunPlan
    lock: Path | None = None  # held while the program runs


def data_folder(case: Case) -> Path:
    """The generated data of a case, made once."""
    folder = toolchains.cache_dir().parent / "software" / "data" / case.label
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        calls = case.prepare(folder)
        if calls:
            (folder / _CALLS).write_text("\n".join(calls) + "\n")
        ready.touch()
    return folder


def capture_software(wanted: SoftwarePlan, out: Path) -> CapturedRun:
    """Makes and files one run.

    A run during which other processes took more CPU than ``MAX_FOREIGN_CPU`` is made again, and the less disturbed of
    the two is kept. How evenly the processors ran is recorded and decides nothing.
    """
    data = data_folder(wanted.case)
    packages.load_generator()
    return least_disturbed(wanted.plan, out, lambda: _attempt(wanted, data), foreign, lock=wanted.lock)


def _attempt(wanted: SoftwarePlan, data: Path) -> Attempt:
    plan, case = wanted.plan, wanted.case
    memory = _MEMORY_FILES if case.writes_to_memory and _MEMORY_FILES.is_dir() else None
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=memory) as scratch_folder:
        scratch = Path(scratch_folder)
        log = Path(folder) / "trace.log"
        command = [sys.executable, "-m", "gcsim", "capture", "--quiet", "-o", str(log), "--"]
        command += case.command(Places(data=data, scratch=scratch))
        knobs = {**plan.settings.environment, "GOMAXPROCS": str(plan.gomaxprocs)}
        env = {**os.environ, **knobs, "GODEBUG": "", "HOME": folder}
        with SpeedProbe() as probe, (Path(folder) / "err").open("wb") as errors:
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=errors)
            result = _finish_job(process) if case.is_job else _serve(wanted, data, process)
        if not log.exists():
            raise InputError(f"{plan.name}: no log: {(Path(folder) / 'err').read_text()[-300:]}")
        trace, info = log.read_bytes(), CaptureInfo.load(side_file(log))
    result["cpu_speed"] = probe.summary
    return trace, _cleaned(info, case, result), result


def _finish_job(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    began = time.monotonic()
    status = process.wait(timeout=_MOST_SECONDS)
    if status != 0:
        raise InputError(f"the job ended with exit status {status}")
    seconds = time.monotonic() - began
    return {"loop": "closed", "rate": 1.0 / seconds, "job_seconds": seconds, "load_cpu_seconds": 0.0}


def _serve(wanted: SoftwarePlan, data: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Loads a server once it listens, and stops it."""
    case = wanted.case
    try:
        await_port(process, case.port)
        command = load_command(
            case, data, warm_seconds=case.warm_seconds, seconds=wanted.plan.duration_seconds
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise InputError(f"{wanted.plan.name}: the load failed: {done.stderr[-300:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        result["load_cpu_seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return result
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def load_command(case: Case, data: Path, *, warm_seconds: float, seconds: float) -> list[str]:
    """The command that puts a server under its load."""
    command = [str(packages.load_generator()), "-address", f"127.0.0.1:{case.port}"]
    command += ["-warm", f"{warm_seconds:g}s", "-duration", f"{seconds:g}s"]
    command += [part.format(data=data) for part in case.load]
    if (data / _CALLS).exists():
        command += ["-paths", str(data / _CALLS)]
    return command


def await_port(process: subprocess.Popen[bytes], port: int, *, seconds: float = _START_SECONDS) -> None:
    """Waits until a server listens. Raises InputError if it has ended, or does not listen in this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(0.02)
    raise InputError(f"the server does not listen on port {port}")


def _cleaned(info: CaptureInfo, case: Case, result: dict[str, Any]) -> CaptureInfo:
    """The side file without this machine's paths; the load's CPU time is not other processes' time."""
    cores, wall = os.cpu_count() or 1, info.wall_seconds or 1.0
    foreign = (info.foreign_cpu_fraction or 0.0) - result["load_cpu_seconds"] / (cores * wall)
    return dataclasses.replace(info, command=[case.program], foreign_cpu_fraction=max(foreign, 0.0))
