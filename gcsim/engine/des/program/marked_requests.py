"""Requests while a cycle marks: each is a goroutine's work that its P's process advances (``Mutator``)."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from gcsim.engine.des.heap.machine import Machine
from gcsim.engine.des.program.run_queue import Request, RunQueue

_ROUNDING_NS = 1.0


class MarkedRequests(ABC):
    """What each P serves, and which workers are free."""

    _bundles = True  # a P may take several workers' requests together

    def __init__(self, machine: Machine, queue: RunQueue, *, workers: int, procs: int, speed: float) -> None:
        self._machine, self._queue = machine, queue
        self._speed = speed  # of requests while marking, over that outside
        self._on: dict[int, list[Request]] = {}  # P -> its requests, the first one begun
        self._since_ns = [0] * procs  # when each P's stretch began
        self.batch_limit_ns: Callable[[], int]  # a P takes waiting requests together up to so much CPU time
        self._free = deque(range(workers))

    @abstractmethod
    def _ended_on(self, processor: int, request: Request, end_ns: float) -> None:
        """A request has ended on a P."""

    @abstractmethod
    def _next_due_ns(self) -> int:
        """When the next arrival can be seen in the network."""

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
        bundle = self._on.pop(processor)
        if bundle:
            self._queue.preempted(processor, bundle)
        self._free.append(goroutine)

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        del alloc_bytes_per_ns
        bundle, now = self._on[processor], float(self._machine.now_ns)
        if not bundle and not self._queue.continues(processor, now):
            return 0
        left = sum(r.left_ns for r in bundle)
        most = self.batch_limit_ns() if self._bundles else 0
        while not bundle or left < most:
            request = self._queue.next(processor, now)
            if request is None:
                break
            bundle.append(request)
            left += request.left_ns
        self._since_ns[processor] = self._machine.now_ns
        return int(left / self._speed) + 1 if bundle else 0

    def account_cpu(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        """Advances the P's requests, one after the other, evenly over the stretch."""
        del goroutine
        bundle, since = self._on[processor], float(self._since_ns[processor])
        total = cpu_ns * self._speed
        per_ns = (self._machine.now_ns - since) / total if total > 0 else 0.0
        done = 0.0
        while bundle and done < total:
            request = bundle[0]
            if request.start_ns < 0:
                request.start_ns = since + done * per_ns
            progress = min(request.left_ns, total - done)
            request.assist_ns += assist_ns * progress / total
            request.left_ns -= progress
            done += progress
            if request.left_ns > _ROUNDING_NS:
                break
            self._ended_on(processor, request, since + done * per_ns)
            del bundle[0]

    def next_ready_ns(self) -> int | None:
        return self._next_due_ns() if self._queue.in_network else None

    def stops_idle(self, processor: int) -> bool:
        return self._queue.is_seen(processor, due=self._next_due_ns() <= self._machine.now_ns)
