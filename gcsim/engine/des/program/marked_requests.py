"""Requests while a cycle marks: each request is the work of a goroutine, which its P advances (``Mutator``)."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from gcsim.engine.des.heap.machine import Machine
from gcsim.engine.des.program.run_queue import Request, RunQueue

_ROUNDING_NS = 1.0


def _no_batches() -> int:
    """The batch limit before the first mark phase, ns."""
    return 0


class MarkedRequests(ABC):
    """The requests on each P and the free workers, as a ``Mutator``."""

    _batches = True  # a P may take the requests of several workers as one batch

    def __init__(self, machine: Machine, queue: RunQueue, *, workers: int, procs: int, speed: float) -> None:
        self._machine, self._queue = machine, queue
        self._speed = speed  # speed of requests while marking over the speed outside marking
        self._on: dict[int, list[Request]] = {}  # P to its requests; the first one is begun
        self._since_ns = [0] * procs  # when each P's stretch began
        self._batch_limit_ns: Callable[[], int] = _no_batches
        self._free = deque(range(workers))

    def begin_marking(self, batch_limit_ns: Callable[[], int]) -> None:
        """Sets the limit of a mark phase: CPU time of the waiting requests that a P takes as one batch, ns."""
        self._batch_limit_ns = batch_limit_ns

    @abstractmethod
    def _ended_on(self, processor: int, request: Request, end_ns: float) -> None:
        """Records that a request has ended on a P."""

    @abstractmethod
    def _next_due_ns(self) -> int:
        """The time at which a poll of the network finds the next arrival, ns."""

    def take(self, processor: int) -> int | None:
        if not self._free:
            return None
        request = self._queue.next(processor, float(self._machine.now_ns))
        if request is None:
            return None
        self._on[processor] = [request]
        self._since_ns[processor] = self._machine.now_ns
        return self._free.popleft()

    def release(self, processor: int, goroutine: int) -> None:
        batch = self._on.pop(processor)
        if batch:
            self._queue.preempted(processor, batch)
        self._free.append(goroutine)

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        del alloc_bytes_per_ns
        batch, now = self._on[processor], float(self._machine.now_ns)
        if not batch and not self._queue.continues(processor, now):
            return 0
        left = sum(r.left_ns for r in batch)
        most = self._batch_limit_ns() if self._batches else 0
        while not batch or left < most:
            request = self._queue.next(processor, now)
            if request is None:
                break
            batch.append(request)
            left += request.left_ns
        self._since_ns[processor] = self._machine.now_ns
        return int(left / self._speed) + 1 if batch else 0

    def account_cpu(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        """Advances the P's requests one after the other by its CPU time, and records those that end.

        CPU time and assists are spread evenly over the stretch since the last call.
        """
        del goroutine
        batch, since = self._on[processor], float(self._since_ns[processor])
        total = cpu_ns * self._speed
        per_ns = (self._machine.now_ns - since) / total if total > 0 else 0.0
        done = 0.0
        while batch and done < total:
            request = batch[0]
            if request.start_ns < 0:
                request.start_ns = since + done * per_ns
            left_ns, progress = request.left_ns, total - done
            if left_ns < progress:
                progress = left_ns
            if assist_ns:
                request.assist_ns += assist_ns * progress / total
            request.left_ns = left_ns = left_ns - progress
            done += progress
            if left_ns > _ROUNDING_NS:
                break
            self._ended_on(processor, request, since + done * per_ns)
            del batch[0]

    def next_ready_ns(self) -> int | None:
        return self._next_due_ns() if self._queue.in_network else None

    def stops_idle(self, processor: int) -> bool:
        return self._queue.is_seen(processor, due=self._next_due_ns() <= self._machine.now_ns)
