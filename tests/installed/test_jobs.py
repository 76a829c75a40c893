"""``--jobs``: the same bytes for any number of processes, and none of them left after a signal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from installed_script import TIMEOUT_SECONDS, Installed

EVENTS = ["simulate", "order-service", "--engine", "des", "--duration", "40s", "--replicas", "5"]
LONG = ["simulate", "order-service", "--engine", "des", "--duration", "5000h", "--replicas", "2000"]


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_none_runs(pids: list[int]) -> None:
    """Returns when all processes have ended; fails after a long time."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline, f"processes are left: {pids}"
        time.sleep(0.05)


def started_with_workers(installed: Installed) -> tuple[subprocess.Popen[str], list[int]]:
    """A long run in a process group of its own, and its worker processes."""
    process = subprocess.Popen(
        [installed.script, *LONG, "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=installed.folder,
        start_new_session=True,
    )
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(found := children(process.pid)) < 3:  # two workers and multiprocessing's resource tracker
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process, found


def test_any_number_of_jobs_gives_the_same_bytes(installed: Installed) -> None:
    """One and three processes, and the default: one for each core."""
    alone = installed.run(*EVENTS, "--json", "--jobs", "1")
    assert (alone.returncode, alone.stderr) == (0, "")
    for jobs in (["--jobs", "3"], []):
        found = installed.run(*EVENTS, "--json", *jobs)
        assert (found.returncode, found.stdout, found.stderr) == (0, alone.stdout, "")


@pytest.mark.parametrize("jobs", ["0", "-1", "1001", "two"])
def test_a_wrong_number_of_jobs_is_refused(jobs: str, installed: Installed) -> None:
    """One sentence that names the option."""
    found = installed.run(*EVENTS, "--jobs", jobs)
    assert (found.returncode, found.stdout) == (2, "")
    assert "--jobs" in found.stderr
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "status", "line"),
    [("SIGINT", 130, "gcsim: interrupted\n"), ("SIGTERM", 143, "gcsim: terminated\n")],
)
def test_a_signal_to_the_whole_group_ends_all_processes(
    name: str, status: int, line: str, installed: Installed
) -> None:
    """As a terminal sends Ctrl-C: one line, no traceback of a worker, nothing left."""
    process, found = started_with_workers(installed)
    os.killpg(process.pid, getattr(signal, name))
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, out, err) == (status, "", line)
    wait_until_none_runs(found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_killed_parent(installed: Installed) -> None:
    """SIGKILL of the command leaves no worker."""
    process, found = started_with_workers(installed)
    process.kill()
    process.communicate(timeout=TIMEOUT_SECONDS)
    wait_until_none_runs(found)
