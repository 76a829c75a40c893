"""Where independent simulations run: in this process, in worker processes on all cores, or on a Dask cluster.

A caller hands over its tasks and does not know where they are done. The results are the same bytes everywhere.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from gcsim.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.process import BaseProcess

    from gcsim.engine.plan import Engine

Task = TypeVar("Task")
Result = TypeVar("Result")

# Expected cycles of all lanes from which workers save time. A worker needs half a second of CPU to start. The lane
# engine simulates about two million cycles in that time, the event engine a hundred.
LEAST_CYCLES: "dict[Engine, float]" = {"lanes": 10e6, "des": 1000.0}
_TASKS_AHEAD = 2  # of each worker: handed over before their results are asked for


class Executor(Protocol):
    """Maps a function over independent tasks.

    ``map`` yields the results in the order of the tasks. It is lazy: a caller that stops asking stops the work that has
    not begun. The function and its tasks must be picklable, so that another process can run them. A result must not
    depend on where or when its task runs.
    """

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results, one for each task, in order."""
        ...


class InProcess:
    """Runs the tasks one after another in this process."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results, one for each task, in order."""
        return map(function, tasks)


IN_PROCESS = InProcess()


class OtherProcesses:
    """Base of the executors whose tasks leave this process: small work stays here instead."""

    notes: Sequence[str] = ()  # one line each that the user should know


class Workers(OtherProcesses):
    """Runs tasks in worker processes, which start with the first task and end with the ``with`` block.

    An exception in the block ends the workers at once. A worker also ends when this process does.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._processes: set[BaseProcess] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            self._end(at_once=kind is not None)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results, one for each task, in order; a few tasks are begun ahead."""
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._submit(function, task))
                if len(waiting) > _TASKS_AHEAD * self._count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException as error:
            self._end(at_once=True)
            if _is_lost_worker(error):
                raise InputError(
                    "a process of --jobs was killed, perhaps because memory was full; pass a smaller --jobs"
                ) from error
            raise

    def _submit(self, function: Callable[[Task], Result], task: Task) -> "Future[Result]":
        if self._pool is None:
            from concurrent.futures import ProcessPoolExecutor  # here: most commands start no process
            from multiprocessing import get_context

            # not "fork": it would copy the locks of a thread that writes a progress line at that moment
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, mp_context=context, initializer=_begin)
        from multiprocessing import active_children

        others = set(active_children()) - self._processes
        with _signals_wait():  # a worker starts with them blocked: Ctrl-C is for this process alone
            found = self._pool.submit(function, task)
        self._processes = set(active_children()) - others
        return found

    def _end(self, *, at_once: bool) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if at_once:
            for process in self._processes:
                process.kill()
            _close_results(pool)
        self._processes = set()
        pool.shutdown(cancel_futures=at_once)


def _close_results(pool: "ProcessPoolExecutor") -> None:
    """Closes this process's end of the pipe that workers write results to.

    The pool reads a result in one piece. Of a worker that was killed while it sent one, the rest never comes, and with
    an open end here the pool would wait for it (CPython 3.11 to 3.13; the queue's name is private).
    """
    writer = getattr(getattr(pool, "_result_queue", None), "_writer", None)
    if writer is not None:
        writer.close()


def executor_for(executor: Executor, engine: "Engine", cycles: float) -> Executor:
    """The executor for so many expected cycles of an engine: this process if the work is too small for others."""
    is_small = isinstance(executor, OtherProcesses) and cycles < LEAST_CYCLES[engine]
    return IN_PROCESS if is_small else executor


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def workers(jobs: int, scheduler: str | None = None) -> Iterator[Executor]:
    """A context with the executor for ``--jobs``, this process for 1, or for the address of a Dask scheduler.

    Raises InputError if the scheduler cannot be used.
    """
    if scheduler is not None:
        from gcsim.engine.cluster import Cluster  # here: it is an extra, and most commands use no cluster

        with Cluster(scheduler) as cluster:
            yield cluster
        return
    if jobs <= 1:
        yield IN_PROCESS
        return
    with Workers(jobs) as executor:
        yield executor


def _is_lost_worker(error: BaseException) -> bool:
    from concurrent.futures import BrokenExecutor

    return isinstance(error, BrokenExecutor)


def _begin() -> None:
    """Prepares a worker: it ends with its parent, also if the parent is killed."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: "BaseProcess") -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Delays SIGINT until the end of the block; a process that starts inside never receives it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
