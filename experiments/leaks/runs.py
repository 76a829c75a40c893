"""Runs the leaking programs, each until it reaches its limit, and keeps its log and the time at which it did.

    python -m experiments.leaks.runs --out DIR [--only NAME,NAME] [--go 1.27.3]

A run with a container is in a memory cgroup of that size, until the kernel kills it (Linux, as root). A run with
GOMEMLIMIT goes on to its end; the program itself measures when its live heap reaches the limit, and when the GC CPU
limiter switches on.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments import toolchains
from experiments.cgroup import memory_cgroup
from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError
from gcsim.units import MIB, format_go_bytes

PROGRAM = Path(__file__).parent / "program"
RUNS = Path(__file__).parent / "captures"
GO_VERSIONS = ("1.27.3", "1.21.13")
_LONGEST_SECONDS = 150.0
Half = Literal["design", "reported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One form of leak, its settings, and the limit that it runs into."""

    name: str
    half: Half
    what: str  # for the table
    switches: tuple[str, ...]
    gogc: int = 100
    gomemlimit_mib: int | None = None
    container_mib: int | None = None
    seconds: float = _LONGEST_SECONDS

    @property
    def settings_text(self) -> str:
        """The settings and the limit, for the table."""
        limit = "" if self.gomemlimit_mib is None else f", GOMEMLIMIT={self.gomemlimit_mib}MiB"
        size = "" if self.container_mib is None else f", {self.container_mib} MiB"
        return f"GOGC={self.gogc}{limit}{size}"


def _leak(name: str, half: Half, what: str, switches: str, **more: int | float) -> Leak:
    return Leak(name=name, half=half, what=what, switches=tuple(switches.split()), **more)  # type: ignore[arg-type]  # other fields of Leak


LEAKS = (
    _leak("linear", "design", "a constant rate", "-form linear -leak 2", container_mib=256),
    _leak("traffic", "design", "in step with waves of traffic", "-form traffic -leak 2.5", container_mib=320),
    _leak("goroutines", "design", "blocked goroutines", "-form goroutines -leak 2", container_mib=224),
    _leak(
        "large-base",
        "design",
        "a slow leak on a large live heap",
        "-form linear -base 80 -leak 1",
        gogc=200,
        container_mib=400,
    ),
    _leak(
        "limit",
        "design",
        "a constant rate, under a limit",
        "-form linear -leak 2",
        gomemlimit_mib=128,
        seconds=75.0,
    ),
    _leak("noise", "reported", "below batches that come and go", "-form noise -leak 2", container_mib=300),
    _leak("map", "reported", "entries of a map that nothing deletes", "-form map -leak 2", container_mib=256),
    _leak(
        "buffers",
        "reported",
        "buffers of 64 KiB that a slice keeps",
        "-form buffers -leak 2",
        gogc=200,
        container_mib=384,
    ),
    _leak(
        "handlers",
        "reported",
        "blocked goroutines that hold a request",
        "-form handlers -leak 2.5",
        container_mib=256,
    ),
    _leak(
        "bursts",
        "reported",
        "in step with bursts of traffic, under a limit",
        "-form bursts -leak 2",
        gomemlimit_mib=128,
        seconds=75.0,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What happened, in seconds since the start of the process; None for what did not happen."""

    killed_seconds: float | None
    live_at_limit_seconds: float | None
    limiter_seconds: float | None


def stem(leak: Leak, go: str) -> str:
    """The name of a run's files."""
    return f"{leak.name}-go{go}"


def truth_of(leak: Leak, go: str, runs: Path) -> Truth:
    """The truth that a run left."""
    return Truth(**json.loads((runs / f"{stem(leak, go)}.truth.json").read_text()))


def build(go: str) -> Path:
    """The program, built by one Go version."""
    toolchain = toolchains.find(go)
    output = toolchains.cache_dir() / "programs" / toolchain.version / "leaks"
    output.parent.mkdir(parents=True, exist_ok=True)
    return toolchain.build(PROGRAM, output)


def run(leak: Leak, go: str, out: Path) -> str:
    """Makes one run; returns a line about it. Raises InputError if it ended in another way than it should."""
    binary = build(go)
    limit = None if leak.gomemlimit_mib is None else leak.gomemlimit_mib * int(MIB)
    knobs = {"GOMAXPROCS": "2", "GODEBUG": "gctrace=1", "GOGC": str(leak.gogc)}
    knobs["GOMEMLIMIT"] = format_go_bytes(limit)
    size = None if leak.container_mib is None else leak.container_mib * int(MIB)
    command = [str(binary), *leak.switches, "-duration", f"{leak.seconds:g}s"]
    with tempfile.TemporaryFile() as log, memory_cgroup(size) as cgroup:
        begun = time.monotonic()
        process = cgroup.start(command, env={**os.environ, **knobs}, stdout=subprocess.PIPE, stderr=log)
        printed, _ = process.communicate()
        lasted = time.monotonic() - begun
        killed = cgroup.oom_kills > 0 and process.returncode != 0
        log.seek(0)
        trace = log.read()
    if killed != (size is not None):
        raise InputError(f"{stem(leak, go)}: exit status {process.returncode}: {trace[-300:]!r}")
    own = {} if killed else json.loads(printed)
    truth = {
        "killed_seconds": round(lasted, 3) if killed else None,
        **{
            name: own[name] if own.get(name, -1) >= 0 else None
            for name in ("live_at_limit_seconds", "limiter_seconds")
        },
    }
    (out / f"{stem(leak, go)}.log.gz").write_bytes(gzip.compress(trace, mtime=0))
    write_text_atomically(out / f"{stem(leak, go)}.truth.json", json.dumps(truth) + "\n")
    return f"{stem(leak, go)}: {truth}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.leaks.runs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--go", default=",".join(GO_VERSIONS))
    parser.add_argument("--at-once", type=int, default=2, help="runs at the same time")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = options.only.split(",") if options.only else [leak.name for leak in LEAKS]
    todo = [
        (leak, go)
        for leak in LEAKS
        for go in options.go.split(",")
        if leak.name in wanted and not (options.out / f"{stem(leak, go)}.log.gz").exists()
    ]
    for go in {go for _, go in todo}:
        build(go)

    def attempt(leak: Leak, go: str) -> str:
        try:
            return run(leak, go, options.out)
        except InputError as error:
            return f"experiments.leaks: {error}"

    with ThreadPoolExecutor(options.at_once) as pool:
        for line in pool.map(lambda pair: attempt(*pair), todo):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
