"""Who serves which request when: the run queue's rules, and both loops as queueing theory has them."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.des.program.run_queue import SYSMON_POLL_NS, Request, RunQueue
from gcsim.engine.des.run.recorder import Rows
from gcsim.engine.des.run.runner import record_run
from gcsim.engine.des.run.scheduler import fit_scheduler_parameters
from gcsim.service.requests import Requests

SLICE_NS = 15e6


def queue_of(dues: list[float], workers: int, procs: int = 1) -> RunQueue:
    """The run queues of some Ps with these arrivals to come."""
    waiting = [Request(due, -1.0, 1e5, 1e5) for due in dues]

    def arrivals(now_ns: float) -> list[Request]:
        taken = [request for request in waiting if request.due_ns <= now_ns]
        del waiting[: len(taken)]
        return taken

    return RunQueue(workers, procs, arrivals=arrivals, slice_ns=lambda: SLICE_NS)


def test_a_worker_drains_the_channel_before_ready_workers_run() -> None:
    """Five arrivals for two workers on one P: the first runs, then the channel's, and the second worker's last."""
    queue = queue_of([1.0, 2.0, 3.0, 4.0, 5.0], workers=2)
    order = []
    now = 10.0
    while (request := queue.next(0, now)) is not None:
        order.append(request.due_ns)
        now += 1e5
    assert order == [1.0, 3.0, 4.0, 5.0, 2.0]


def test_a_slice_ends_a_workers_run_through_the_channel() -> None:
    """After its slice the worker gives way, with the request that it had taken, and a ready worker runs."""
    queue = queue_of([1.0, 2.0, 3.0, 4.0], workers=2)
    first = queue.next(0, 10.0)
    second = queue.next(0, 10.0 + 2 * SLICE_NS)
    assert first is not None
    assert second is not None
    assert (first.due_ns, second.due_ns) == (1.0, 2.0)
    assert [request.due_ns for request in queue.ready] == [3.0]


def test_arrivals_wait_until_somebody_polls() -> None:
    """While goroutines are ready nobody looks at the network, until ``sysmon`` does after 10 ms."""
    dues = [1.0, 2.0, 3.0, 20.0]
    soon, late = queue_of(dues, workers=8), queue_of(dues, workers=8)
    for queue, second_ns in ((soon, 30.0), (late, 11.0 + SYSMON_POLL_NS)):
        assert queue.next(0, 10.0) is not None
        assert queue.next(0, second_ns) is not None
    assert (soon.waiting, late.waiting) == (1, 2)


def test_what_an_idle_worker_has_found_other_workers_do_not_see() -> None:
    """It waits in that P's run queue: another P's mark worker marks on, and a P that looks for goroutines steals it."""
    queue = queue_of([1.0, 2.0, 3.0], workers=8, procs=2)
    assert queue.is_seen(0, due=True)
    assert not queue.is_seen(1, due=True)
    assert not queue.in_network
    stolen = queue.next(1, 10.0)
    assert stolen is not None
    assert stolen.due_ns == 1.0
    assert queue.in_network


def test_a_p_without_goroutines_steals_half_of_anothers() -> None:
    """Three wait on the first P: the second takes two of them, and leaves one."""
    queue = queue_of([1.0, 2.0, 3.0, 4.0], workers=8, procs=2)
    order = [queue.next(0, 10.0), queue.next(1, 10.0), queue.next(0, 20.0), queue.next(0, 30.0)]
    assert [request.due_ns for request in order if request is not None] == [1.0, 2.0, 4.0, 3.0]


def test_an_idle_processor_takes_its_time_to_wake_up() -> None:
    """A wake-up time of 0.2 ms is seen in the median wait; without one an idle P begins at once."""
    model = example_service()
    size = model.parameters.alloc_bytes_per_second.value / 4000.0
    waits = []
    for wake_seconds in (0.0, 2e-4):
        requests = Requests(bytes_per_request=size, workers=8, wake_seconds=wake_seconds)
        slow = replace(model, requests=requests, loop="open")
        rows = record_run(
            slow, slow.settings, duration_seconds=4.0, seed=1, knobs=fit_scheduler_parameters(slow, seed=1)
        )
        waits.append(np.median(rows.requests["start_ns"] - rows.requests["due_ns"]))
    assert waits[1] > waits[0] + 5e4


def _closed(think_seconds: float, workers: int) -> Rows:
    model = example_service()
    requests = Requests(
        bytes_per_request=model.parameters.alloc_bytes_per_second.value / 4000.0,
        workers=workers,
        think_seconds=think_seconds,
    )
    model = replace(model, loop="closed", requests=requests)
    knobs = fit_scheduler_parameters(model, seed=3)
    return record_run(model, model.settings, duration_seconds=4.0, seed=3, knobs=knobs).requests


@pytest.mark.parametrize(("think_seconds", "workers"), [(0.0, 4), (0.002, 4), (0.01, 16)])
def test_a_closed_loop_keeps_littles_law(think_seconds: float, workers: int) -> None:
    """Workers = rate x (latency + rest), and no more requests are under way than there are workers."""
    rows = _closed(think_seconds, workers)
    latency_ns = rows["end_ns"] - rows["due_ns"]
    rate_per_ns = rows.size / (rows["end_ns"].max() - rows["due_ns"].min())
    assert rate_per_ns * (latency_ns.mean() + 1e9 * think_seconds) == pytest.approx(workers, rel=0.08)
    times = np.concatenate([rows["end_ns"], rows["due_ns"]])
    change = np.concatenate([-np.ones(rows.size), np.ones(rows.size)])
    assert np.cumsum(change[np.argsort(times, kind="stable")]).max() <= workers
