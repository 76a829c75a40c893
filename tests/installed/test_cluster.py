"""``--scheduler`` on a real local Dask cluster: the same bytes, also when a worker is killed; clear refusals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from installed_script import TIMEOUT_SECONDS, Installed, without_progress

from benchmarks.local_dask import LocalDask, local_dask

pytestmark = [
    pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra gcsim[dask]"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

EVENTS = ["simulate", "order-service", "--engine", "des", "--duration", "40s", "--replicas", "10", "--json"]
LANES = ["sweep", "order-service", "--gogc", "25:800:40", "--duration", "300s", "--replicas", "400", "--json"]


@pytest.fixture
def cluster(installed: Installed, tmp_path: Path) -> Iterator[LocalDask]:
    """Two workers with the installed gcsim."""
    with local_dask(tmp_path, workers=2, python=installed.script.with_name("python")) as found:
        yield found


def busy_worker(cluster: LocalDask) -> subprocess.Popen[bytes]:
    """A worker that computes: it used half a second of CPU while this function looked."""
    used = {one.pid: cpu_ticks(one.pid) for one in cluster.workers}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for one in cluster.workers:
            if cpu_ticks(one.pid) - used[one.pid] > 50:
                return one
        time.sleep(0.02)
    raise AssertionError("no worker computes")


def cpu_ticks(pid: int) -> int:
    """User CPU time of a process in hundredths of a second."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11])


@pytest.mark.parametrize("arguments", [EVENTS, LANES], ids=["events", "lanes"])
def test_a_killed_worker_changes_no_byte(
    arguments: list[str], installed: Installed, cluster: LocalDask
) -> None:
    """SIGKILL of a worker in the middle of its work: Dask runs its tasks on the other one."""
    alone = installed.run(*arguments, "--jobs", "1")
    while not_ready(cluster):
        time.sleep(0.05)
    process = subprocess.Popen(
        [installed.script, *arguments, "--scheduler", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=installed.folder,
    )
    worker = busy_worker(cluster)
    assert process.poll() is None
    worker.kill()
    out, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, without_progress(errors)) == (0, "")
    assert out == alone.stdout


def not_ready(cluster: LocalDask) -> bool:
    """Whether a worker has not reached the scheduler."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        return len(client.nthreads()) < len(cluster.workers)


def test_a_lost_scheduler_is_one_sentence_and_the_parts_are_kept(
    installed: Installed, cluster: LocalDask, tmp_path: Path
) -> None:
    """Status 2; --resume continues without the cluster, with the same bytes."""
    sweep = ["sweep", "order-service", "--gogc", "25:800:40", "--duration", "100s", "--replicas", "1000"]
    out = tmp_path / "out"
    environment = {**os.environ, "DASK_SCHEDULER_ADDRESS": cluster.address}
    process = subprocess.Popen(
        [installed.script, *sweep, "-o", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    log = out / "sweep.unfinished-wal"
    while process.poll() is None and not (log.exists() and log.stat().st_size > 36_000):
        time.sleep(0.01)
    cluster.scheduler.kill()
    printed, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    (sentence,) = without_progress(errors).splitlines()
    assert (process.returncode, printed) == (2, "")
    assert sentence.startswith(
        f"gcsim: --scheduler {cluster.address}: the connection to the scheduler is lost"
    )
    assert sentence.endswith("add --resume to continue")
    rest = installed.run(*sweep, "-o", out, "--resume")
    assert rest.returncode == 0
    assert rest.stdout == installed.run(*sweep).stdout


def test_interrupts_end_the_command(installed: Installed, cluster: LocalDask) -> None:
    """One line, as without a cluster; the workers stay for others."""
    process = subprocess.Popen(
        [installed.script, *EVENTS, "--duration", "5000h", "--scheduler", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    busy_worker(cluster)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, out, errors) == (143, "", "gcsim: terminated\n")
    assert all(one.poll() is None for one in (cluster.scheduler, *cluster.workers))


def test_a_worker_with_another_gcsim_is_refused(installed: Installed, tmp_path: Path) -> None:
    """One sentence that names the worker and both versions, before any work."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "real = m.version\n"
        "m.version = lambda name: '0.0.9' if name == 'gcsim' else real(name)\n",
        encoding="utf-8",
    )
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *dask_worker*) export PYTHONPATH={other};; esac\n'
        f'exec {installed.script.with_name("python")} "$@"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    with local_dask(tmp_path, workers=1, python=python) as cluster:
        while not_ready(cluster):
            time.sleep(0.05)
        found = installed.run(*EVENTS, "--scheduler", cluster.address)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found.stderr
    assert f"gcsim: --scheduler {cluster.address}: worker tcp://" in found.stderr
    assert "has gcsim 0.0.9, but the command has " in found.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], {}, "no Dask scheduler answers there"),
        ([], {"DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:1"}, "no Dask scheduler answers there"),
        (["--scheduler", "somewhere"], {}, "not an address; write tcp://HOST:PORT"),
        (["--scheduler", "tls://127.0.0.1:1"], {}, "names no certificates"),
        (["--scheduler", "tcp://127.0.0.1:1", "--jobs", "2"], {}, "give one"),
    ],
)
def test_a_scheduler_that_cannot_be_used_is_one_sentence(
    arguments: list[str], environment: dict[str, str], says: str, installed: Installed
) -> None:
    """Status 2, and nothing on standard output."""
    found = installed.run(*EVENTS, *arguments, env=environment)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found.stderr
    assert says in found.stderr


def test_jobs_win_over_the_environment(installed: Installed) -> None:
    """Who asks for processes needs no cluster."""
    short = ["simulate", "order-service", "--duration", "5s", "--replicas", "1", "--jobs", "1"]
    found = installed.run(*short, env={"DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:1"})
    assert (found.returncode, found.stderr) == (0, "")
