"""An executor changes where simulations run, and nothing else."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from example_service import example_service

from gcsim.tuning import sweep as sweep_module
from gcsim.tuning.executors import Executor, InProcess, Result, Task
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


def test_tasks_run_when_their_results_are_asked_for() -> None:
    """A caller that stops leaves the rest undone."""
    done: list[int] = []

    def task(number: int) -> int:
        done.append(number)
        return number

    results = InProcess().map(task, range(5))
    assert [next(results), next(results)] == [0, 1]
    assert done == [0, 1]
