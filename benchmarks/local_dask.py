"""A Dask cluster on this machine: a scheduler and workers as processes of their own, for benchmarks and tests."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_START_SECONDS = 120.0


@dataclass(slots=True, kw_only=True)
class LocalDask:
    """The processes of a cluster, and the address of its scheduler."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)


@contextmanager
def local_dask(folder: Path, *, workers: int, python: str | Path = sys.executable) -> Iterator[LocalDask]:
    """A context with a cluster of single-threaded workers, which end with it; its files are in ``folder``."""
    connection = folder / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (folder / "dask.log").open("ab") as log:
            command = [python, "-m", module, "--scheduler-file", connection, "--no-dashboard", *arguments]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
        return started[-1]

    try:
        scheduler = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        address = _address(connection, scheduler)
        cluster = LocalDask(address=address, scheduler=scheduler)
        for _ in range(workers):
            cluster.workers.append(
                start("distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
            )
        yield cluster
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _address(connection: Path, scheduler: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and scheduler.poll() is None:
        try:
            return str(json.loads(connection.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError):  # not yet written, or not whole
            time.sleep(0.05)
    raise RuntimeError("the Dask scheduler did not start")
