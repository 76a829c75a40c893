"""A sweep of many services on a local Dask cluster: time, tasks a second, memory, and the cost of a task.

``python -m benchmarks.bench_cluster [--services N] [--workers N]`` makes N services from the shipped models, with other
live heaps and loads, and sweeps them at 100 settings. It also sends tasks without work through the cluster: their CPU
time is the cost of a task for the scheduler and for the command. From both it computes the time on more workers.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import numpy as np

from benchmarks.local_dask import LocalDask, local_dask
from gcsim.engine.cluster import Cluster
from gcsim.service.model import Model
from gcsim.tuning.run_columns import RunColumns

GRID = ("--gogc", "50:800:9,off", "--gomemlimit", "off,256MiB:1GiB:9")  # 100 settings
RUNS = ("--replicas", "8", "--duration", "30s")
LARGER = (2, 10, 30, 100, 300)  # workers
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """CPU time and memory of one process."""

    cpu_seconds: float
    peak_bytes: int  # of its resident memory

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process so far (Linux)."""
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return cls(cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS, peak_bytes=peak_kib << 10)

    def since(self, before: "Process") -> float:
        """CPU seconds since an earlier moment."""
        return self.cpu_seconds - before.cpu_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCost:
    """CPU seconds of a task without work, of the size of a task of the sweep."""

    scheduler_seconds: float
    command_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCost:
    """The cost of the sweep."""

    services: int
    tasks: int
    wall_seconds: float
    work_seconds: float  # CPU of all workers
    command: Process
    scheduler: Process
    workers: tuple[Process, ...]
    file_bytes: int

    def seconds_on(self, workers: int, task: TaskCost) -> float:
        """The expected time on so many workers, each on a core of its own.

        The slowest of three sets the pace: the workers' share of the work, the scheduler, and the command, which reads
        the models, sends the tasks and keeps the results. The start and the end of the command are part of its CPU
        time. Network and the last task of each worker are left out.
        """
        return max(self.work_seconds / workers, self.tasks * task.scheduler_seconds, self.command.cpu_seconds)


def make_services(folder: Path, count: int) -> None:
    """Writes the models: the shipped ones with a live heap of 0.5 to 2 times theirs, and a load of 0.7 to 1.3 times."""
    shipped = [Model.load(name) for name in ("order-service", "order-service-open")]
    generator = np.random.default_rng(1)
    for place in range(count):
        live, load = 0.5 * 4.0 ** generator.random(), 0.7 + 0.6 * generator.random()
        model = shipped[place % 2].scaled(live=live, load=load)
        replace(model, name=f"service-{place:05}").save(folder / f"service-{place:05}.toml")


def task_cost(cluster: LocalDask, *, tasks: int, services_per_task: int) -> TaskCost:
    """Sends tasks without work through the cluster."""
    models = [Model.load("order-service")] * services_per_task
    values = np.random.default_rng(1).random((100, 18, 3))
    results = [RunColumns(names=("a",) * 18, values=values, simulated=values[:, 0, :2])] * services_per_task
    send_back = itemgetter(1)
    with Cluster(cluster.address) as executor:
        list(executor.map(send_back, [(models, results)] * 10))
        before, began = Process.of(cluster.scheduler.pid), time.process_time()
        for _ in executor.map(send_back, ((models, results) for _ in range(tasks))):
            pass
        after, ended = Process.of(cluster.scheduler.pid), time.process_time()
    return TaskCost(scheduler_seconds=after.since(before) / tasks, command_seconds=(ended - began) / tasks)


def sweep_cost(cluster: LocalDask, folder: Path, services: int) -> SweepCost:
    """Sweeps the services of the folder with the command."""
    output = folder / "all.parquet"
    before = [Process.of(one.pid) for one in cluster.workers]
    scheduler_before = Process.of(cluster.scheduler.pid)
    command = [
        sys.executable,
        "-m",
        "gcsim",
        "sweep",
        str(folder / "models"),
        *GRID,
        *RUNS,
        "-o",
        str(output),
    ]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--scheduler", cluster.address], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    if status:
        raise SystemExit(f"the sweep ended with status {os.waitstatus_to_exitcode(status)}")
    workers = tuple(Process.of(one.pid) for one in cluster.workers)
    scheduler = Process.of(cluster.scheduler.pid)
    return SweepCost(
        services=services,
        tasks=_tasks(folder / "models"),
        wall_seconds=wall_s,
        work_seconds=sum(after.since(earlier) for after, earlier in zip(workers, before, strict=True)),
        command=Process(cpu_seconds=used.ru_utime + used.ru_stime, peak_bytes=used.ru_maxrss << 10),
        scheduler=replace(scheduler, cpu_seconds=scheduler.since(scheduler_before)),
        workers=workers,
        file_bytes=output.stat().st_size,
    )


def _tasks(models: Path) -> int:
    """The number of tasks of the sweep."""
    from gcsim.engine.plan import Plan
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid
    from gcsim.tuning.services import Grid, model_files, tasks_of

    gogc, limits = parse_gogc_grid(GRID[1]), parse_gomemlimit_grid(GRID[3])
    plan = Plan(replicas=int(RUNS[1]), duration_seconds=float(RUNS[3].removesuffix("s")))
    grid = Grid(gogc=tuple(gogc), gomemlimit_bytes=tuple(limits), plan=plan)
    assert len(grid) == 100
    return sum(1 for _ in tasks_of(model_files([str(models)]), grid))


def main() -> None:
    """Prints the measured cost, and the computed time on larger clusters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=1000, help="tasks without work")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        make_services(folder / "models", asked.services)
        with local_dask(folder, workers=asked.workers) as cluster:
            found = sweep_cost(cluster, folder, asked.services)
            each = task_cost(
                cluster, tasks=asked.tasks, services_per_task=max(round(asked.services / found.tasks), 1)
            )
    print_costs(found, each)


def print_costs(found: SweepCost, each: TaskCost) -> None:
    """Prints both costs, and the computed times."""
    mib = 1 << 20
    print(f"{found.services:,} services x 100 settings, {' '.join(RUNS)}, {len(found.workers)} workers")
    print(
        f"{found.wall_seconds:.0f} s: {found.services / found.wall_seconds:.1f} services a second,"
        f" {found.tasks / found.wall_seconds:.1f} of {found.tasks:,} tasks a second"
    )
    print(f"{'':12} {'CPU s':>8} {'peak MiB':>9}")
    rows = [("command", found.command), ("scheduler", found.scheduler)]
    for name, process in [*rows, *((f"worker {i}", one) for i, one in enumerate(found.workers, 1))]:
        print(f"{name:12} {process.cpu_seconds:8.1f} {process.peak_bytes / mib:9.0f}")
    print(f"work of all workers {found.work_seconds:.1f} s of CPU; file {found.file_bytes / mib:.1f} MiB")
    print(
        f"a task without work: {each.scheduler_seconds * 1e3:.2f} ms of CPU of the scheduler,"
        f" {each.command_seconds * 1e3:.2f} ms of the command"
    )
    for workers in LARGER:
        print(f"{workers:4} workers: {found.seconds_on(workers, each):7.0f} s computed")


if __name__ == "__main__":
    main()
