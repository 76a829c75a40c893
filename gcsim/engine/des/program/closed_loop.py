"""A closed loop of requests: each worker sends its next request itself, at once or after a rest.

A worker that does not rest never parks. It runs from request to request until ``sysmon`` preempts it after 10 to 20 ms,
and then waits until the other workers have had their time slices. A worker that rests becomes ready through a timer. A
P checks timers whenever it schedules (Go 1.14+ ``findRunnable``, ``timers.check``).
"""

import heapq

import numpy as np

from gcsim.engine.des.heap.machine import Machine
from gcsim.engine.des.program.host import HostSpeed
from gcsim.engine.des.program.run_queue import Request
from gcsim.engine.des.program.serving import Serving
from gcsim.engine.des.program.stretch import Stretch
from gcsim.engine.des.run.parameters import RunParameters
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests, service_seconds
from gcsim.streams import stream

_BLOCK = 4096
_NEVER_NS = 1 << 62


class ClosedServing(Serving):
    """Serving of a closed loop: every worker has one request in progress or rests."""

    _batches = False  # a worker's next request is known only when its last one has ended

    def __init__(
        self,
        machine: Machine,
        parameters: RunParameters,
        requests: Requests,
        profile: Profile,
        host: HostSpeed,
        *,
        seed: int,
        replica: int,
    ) -> None:
        self._rest_draws = stream(seed, "des rests", replica)
        self._service_draws = stream(seed, "des services", replica)
        self._resting: list[
            float
        ] = []  # a heap of the times at which resting workers send their next request
        self._services: list[float] = []
        super().__init__(machine, parameters, requests, profile, host, seed=seed, replica=replica)
        rests = requests.think_seconds * 1e9 * self._rest_draws.random(requests.workers)
        self._resting = sorted(rests.tolist())

    def _refill(self) -> None:
        """Draws a block of service times. Arrivals follow from the ends of requests."""
        times = service_seconds(self._requests, self._service_draws, _BLOCK, mean_seconds=self._mean_seconds)
        self._services = np.maximum(times * 1e9, 1.0).tolist()

    def _next_request(self, due_ns: float) -> Request:
        """A worker's next request, due at ``due_ns``."""
        if not self._services:
            self._refill()
        service = self._services.pop()
        return Request(due_ns, -1.0, service, service)

    def _arrived(self, now_ns: float) -> list[Request]:
        """Takes the requests of workers whose rest has ended."""
        due = []
        while self._resting and self._resting[0] <= now_ns:
            due.append(self._next_request(heapq.heappop(self._resting)))
        return due

    def _ended_on(self, processor: int, request: Request, end_ns: float) -> None:
        """Records the end of a request; its worker rests or continues with its next request."""
        super()._ended_on(processor, request, end_ns)
        rest = self._requests.think_seconds
        if rest > 0:
            heapq.heappush(
                self._resting, end_ns + 1e9 * rest * float(self._rest_draws.standard_exponential())
            )
        else:
            self._queue.own[processor] = self._next_request(end_ns)

    def serve(
        self, now_ns: int, budget_bytes: float, until_ns: float, slowness: float
    ) -> tuple[float, float]:
        """Serves as in an open loop (``Serving.serve``), one request at a time."""
        stretch = _ClosedLoopStretch(
            now_ns, self._servers, self._alloc_bytes_per_ns / slowness, budget_bytes, until_ns
        )
        under_way: dict[int, Request] = {}
        queue, free, ends = self._queue, stretch.free, stretch.ends
        while True:
            now, processor = free[0]
            if now >= until_ns or stretch.is_spent(now):
                break
            if processor in under_way:
                self._ended_on(processor, under_way.pop(processor), now)
            request = queue.next(processor, now)
            if request is None:
                heapq.heapreplace(free, (self._wakes_ns(now, ends), processor))
                continue
            if request.start_ns < 0:
                request.start_ns = now
            length = request.left_ns * slowness
            under_way[processor] = request
            stretch.begun_bytes += stretch.rate * length
            ends[processor] = now + length
            heapq.heapreplace(free, (now + length, processor))
        stop, allocated = stretch.end()
        stop = max(stop, float(now_ns))
        for processor, request in under_way.items():
            if ends[processor] <= stop:
                self._ended_on(processor, request, ends[processor])
            else:
                request.left_ns = min((ends[processor] - stop) / slowness, request.left_ns)
                queue.preempted(processor, [request])
        queue.park()
        return stop, allocated

    def _wakes_ns(self, now_ns: float, ends: list[float]) -> float:
        """The time at which an idle P may find work: the end of the next rest or request, ns."""
        return min([*self._resting[:1], *(end for end in ends if end > now_ns)], default=now_ns) + 1.0

    def _next_due_ns(self) -> int:
        return int(self._resting[0]) + 1 if self._resting else _NEVER_NS


class _ClosedLoopStretch(Stretch):
    """A stretch in which Ps may idle: ``ends`` holds each P's last end, ``free`` its next scheduling."""

    __slots__ = ("ends",)

    def __init__(self, now_ns: int, servers: int, rate: float, budget_bytes: float, until_ns: float) -> None:
        super().__init__(now_ns, servers, rate, budget_bytes, until_ns)
        self.ends = [float(now_ns)] * servers

    def busy_until(self) -> list[float]:
        return self.ends
