"""An executor changes where simulations run, and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path

import pytest
from example_service import example_service

from gcsim.engine.executors import (
    IN_PROCESS,
    LEAST_CYCLES,
    Executor,
    InProcess,
    Result,
    Task,
    Workers,
    executor_for,
    workers,
)
from gcsim.engine.plan import Engine, Plan
from gcsim.errors import InputError
from gcsim.tuning import sweep as sweep_module
from gcsim.tuning.parquet_file import check_parquet
from gcsim.tuning.recommend import recommend
from gcsim.tuning.sweep import sweep


class OtherProcess:
    """Runs each task in a process of its own kind: what it gets and gives must be picklable."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield from pool.map(function, tasks)


@pytest.mark.parametrize("executor", [InProcess(), OtherProcess()])
def test_a_sweep_is_the_same_bytes_wherever_it_runs(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four settings, one in each chunk."""
    asked = {
        "gogc": (50, 200),
        "gomemlimit_bytes": (None, 200 << 20),
        "duration_seconds": 20.0,
        "replicas": 2,
    }
    whole = sweep(example_service(), **asked)
    monkeypatch.setattr(sweep_module, "LANES_PER_CHUNK", 1)
    assert json.dumps(sweep(example_service(), **asked, executor=executor).to_json()) == json.dumps(
        whole.to_json()
    )


def test_a_recommendation_is_simulated_by_the_executor() -> None:
    """All but today's setting and the stress tests."""
    tasks = 0

    class Counted(InProcess):
        def map(self, function: Callable[[Task], Result], tasks_: Iterable[Task]) -> Iterator[Result]:
            nonlocal tasks
            for result in super().map(function, tasks_):
                tasks += 1
                yield result

    asked = {"memory_bytes": 512 << 20, "duration_seconds": 10.0, "replicas": 2}
    found = recommend(example_service(), **asked, executor=Counted())
    assert found.to_json() == recommend(example_service(), **asked).to_json()
    assert tasks >= 3


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_workers_give_the_same_bytes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of the lane engine, and replicas of the event engine, in two processes."""
    asked = {
        "gogc": (50, 200),
        "gomemlimit_bytes": (None, 200 << 20),
        "plan": Plan(duration_seconds=1.0, replicas=2, engine=engine),
    }
    whole = sweep(example_service(), **asked)
    monkeypatch.setattr(sweep_module, "LANES_PER_CHUNK", 2)
    monkeypatch.setitem(LEAST_CYCLES, engine, 0.0)
    with Workers(2) as two:
        parts = sweep(example_service(), **asked, executor=two)
    assert json.dumps(parts.to_json()) == json.dumps(whole.to_json())


def test_small_work_starts_no_process() -> None:
    """The number of cycles decides, not the time."""
    with Workers(2) as two:
        assert executor_for(two, "lanes", 9e6) is executor_for(two, "des", 900.0) is IN_PROCESS
        assert executor_for(two, "lanes", 11e6) is executor_for(two, "des", 1100.0) is two
        sweep(example_service(), gogc=(50, 200), plan=Plan(duration_seconds=5.0, replicas=2), executor=two)
        assert active_children() == []


def test_an_error_in_a_worker_is_the_users() -> None:
    """InputError crosses the processes, and all of them end."""
    with pytest.raises(InputError, match="not a number"), Workers(2) as two:
        list(two.map(refuse, ["a", "b"]))
    assert active_children() == []


def test_a_killed_worker_is_one_sentence() -> None:
    """As when the kernel kills a process because memory is full."""
    with pytest.raises(InputError, match="pass a smaller --jobs"), Workers(2) as two:
        list(two.map(os._exit, [1]))
    assert active_children() == []


LARGE_RESULTS = """
import sys
from gcsim.engine.executors import Workers

def large(_):
    return bytes(100 << 20)

if __name__ == "__main__":
    try:
        with Workers(2) as executor:
            for _ in executor.map(large, range(8)):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_an_interrupt_ends_workers_that_send_results(tmp_path: Path) -> None:
    """A worker killed in the middle of a result leaves nobody waiting for the rest."""
    script = tmp_path / "large.py"
    script.write_text(LARGE_RESULTS)
    assert subprocess.run([sys.executable, str(script)], check=False, timeout=100).returncode == 130


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to install the extra."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'gcsim\[dask\]'"), workers(2, "tcp://127.0.0.1:8786"):
        pass
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"a.parquet: .*pip install 'gcsim\[parquet\]'"):
        check_parquet(Path("a.parquet"))


def refuse(text: str) -> float:
    """A task that refuses its input."""
    raise InputError(f"{text} is not a number")


def test_tasks_run_when_their_results_are_asked_for() -> None:
    """A caller that stops leaves the rest undone."""
    done: list[int] = []

    def task(number: int) -> int:
        done.append(number)
        return number

    results = InProcess().map(task, range(5))
    assert [next(results), next(results)] == [0, 1]
    assert done == [0, 1]
