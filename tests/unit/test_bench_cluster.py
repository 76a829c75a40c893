"""The benchmark of a cluster, at a size that a test can afford."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.bench_cluster import Process, SweepCost, TaskCost, make_services, sweep_cost, task_cost
from benchmarks.local_dask import local_dask

NONE = Process(cpu_seconds=0.0, peak_bytes=0)


def test_the_slowest_of_three_sets_the_pace() -> None:
    """Workers, then the scheduler, then the command."""
    found = SweepCost(
        services=10, tasks=1000, wall_seconds=1.0, work_seconds=100.0, command=Process(cpu_seconds=3.0, peak_bytes=0),
        scheduler=NONE, workers=(NONE,), file_bytes=0,
    )  # fmt: skip
    each = TaskCost(scheduler_seconds=0.005, command_seconds=0.001)
    assert [found.seconds_on(workers, each) for workers in (2, 10, 100)] == [50.0, 10.0, 5.0]
    assert found.seconds_on(100, TaskCost(scheduler_seconds=0.001, command_seconds=0.0)) == 3.0


@pytest.mark.skipif(
    find_spec("distributed") is None or find_spec("pyarrow") is None or not Path("/proc/self/stat").exists(),
    reason="needs the extras gcsim[dask,parquet], and Linux",
)
def test_a_small_sweep_is_measured(tmp_path: Path) -> None:
    """Every process has used time and memory."""
    (tmp_path / "models").mkdir()
    make_services(tmp_path / "models", 4)
    with local_dask(tmp_path, workers=2) as cluster:
        found = sweep_cost(cluster, tmp_path, 4)
        each = task_cost(cluster, tasks=20, services_per_task=3)
    assert found.tasks == 2
    assert found.work_seconds > 0
    assert all(one.cpu_seconds > 0 and one.peak_bytes > 0 for one in (found.command, *found.workers))
    assert each.scheduler_seconds + each.command_seconds > 0
