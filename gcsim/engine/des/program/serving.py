"""Goroutines that serve requests.

Between two collections nothing interrupts a P, and requests are taken in a loop over plain lists, a fraction of
a microsecond each, as long as workers are left: then they are served first come, first served. A longer backlog
goes through the run queue, request by request, and so do all requests while a cycle marks: each is then a
goroutine's work that the P's process advances (``MarkedRequests``).
"""

import heapq
import math

import numpy as np

from gcsim.engine.des.heap.machine import Machine
from gcsim.engine.des.program.arrivals import Arrivals
from gcsim.engine.des.program.host import HostSpeed
from gcsim.engine.des.program.latency import CompletedRequests, CompletionBuffer
from gcsim.engine.des.program.marked_requests import MarkedRequests
from gcsim.engine.des.program.run_queue import Request, RunQueue
from gcsim.engine.des.program.stretch import Stretch
from gcsim.engine.des.run.parameters import RunParameters
from gcsim.goruntime.workers import FORCE_PREEMPT_NS
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests
from gcsim.streams import stream

# An idle P's thread wakes up the later if another one runs: Linux puts it on that one's core first. Logs of every
# request (order service, two Ps, GOGC=100): exponential, 60 us on average with both Ps idle, 160 us with one busy
_BUSY_WAKE = 2.5


class Serving(MarkedRequests):
    """An open loop of requests, at any number of Ps."""

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
        p = parameters
        queue = RunQueue(requests.workers, p.gomaxprocs, arrivals=self._arrived, slice_ns=self._slice_ns)
        self._mark_speed = p.mark_alloc_bytes_per_cpu_ns / p.alloc_bytes_per_cpu_ns
        super().__init__(machine, queue, workers=requests.workers, procs=p.gomaxprocs, speed=self._mark_speed)
        self._requests = requests
        self.host = host
        self._mean_seconds = requests.bytes_per_request / p.alloc_bytes_per_cpu_ns * 1e-9
        self._coming = Arrivals(
            requests,
            profile,
            rate_per_second=p.arrival_bytes_per_ns * 1e9 / requests.bytes_per_request,
            mean_seconds=self._mean_seconds,
            seed=seed,
            replica=replica,
        )
        self._alloc_bytes_per_ns = p.alloc_bytes_per_cpu_ns
        self._servers = min(p.gomaxprocs, requests.workers)
        if not p.open_loop:
            self._servers = min(self._servers, math.ceil(p.busy_procs - 1e-9))
        self._awake_ns = 0.0  # when the P that wakes up now admits what has come
        self._slice_draws = stream(seed, "des slices of workers", replica)
        self._ended = CompletionBuffer()

    def finished(self) -> list[CompletedRequests]:
        """Requests that ended since the last call."""
        return self._ended.drain()

    def _arrived(self, now_ns: float) -> list[Request]:
        """Takes the requests due by now."""
        return self._coming.due_by(now_ns)

    def _slice_ns(self) -> float:
        """How long a worker that never parks runs: sysmon looks every 10 ms (Go 1.14+ ``retake``)."""
        return FORCE_PREEMPT_NS * (1.0 + float(self._slice_draws.random()))

    # between two collections

    def serve(
        self, now_ns: int, budget_bytes: float, until_ns: float, slowness: float
    ) -> tuple[float, float]:
        """Serves until ``budget_bytes`` are allocated or it is ``until_ns``: (when that was, bytes).

        ``slowness`` (1 or more) stretches every request's CPU time: sweeping.

        The background sweeper gives way after every ten spans, but to the global run queue, where a P whose own is
        empty looks before it looks at the network or at other Ps (Go 1.19+ ``bgsweep``, ``findRunnable``): once there
        is no backlog it has one P until all is swept.

        Every P allocates at one rate while it serves. The last requests begun may still run when the budget is
        reached, and go on after the collection.
        """
        sweeps = self._machine.heap.unswept_bytes > 0.0
        waiting = self._queue.waiting > self._servers
        servers = self._servers - 1 if sweeps and not waiting and self._servers > 1 else self._servers
        stretch = Stretch(now_ns, servers, self._alloc_bytes_per_ns / slowness, budget_bytes, until_ns)
        while not stretch.over:
            if self._queue.waiting:
                self._serve_backlog(stretch, slowness)
            elif sweeps and waiting:
                stretch.until_ns, stretch.over = min(stretch.free[0][0], until_ns), True
            else:
                self._serve_in_order(stretch, slowness)
        stop, allocated = stretch.end()
        stop = max(stop, float(now_ns))
        for columns in stretch.in_order:
            self._file(*columns, stop, slowness)
        for request, processor, end in stretch.single:
            if end <= stop:
                self._ended_on(processor, request, end)
            else:
                request.left_ns = min((end - stop) / slowness, request.left_ns)
                self._queue.preempted(processor, [request])
        self._queue.park()
        return stop, allocated

    def _serve_in_order(self, stretch: Stretch, slowness: float) -> None:
        """First come, first served, until the stretch is over or more requests wait than there are workers."""
        free, rate, until_ns, budget_bytes = (
            stretch.free,
            stretch.rate,
            stretch.until_ns,
            stretch.budget_bytes,
        )
        begun = stretch.begun_bytes
        starts: list[float] = []
        ends: list[float] = []
        coming = self._coming
        due, service, wakes, first = coming.due, coming.service, coming.wakes, coming.next
        place, count, awake = first, len(due), self._awake_ns
        behind = self._requests.workers - self._servers + 1
        replace_earliest = heapq.heapreplace
        while True:
            if place + behind >= count:
                coming.next = place
                self._keep(stretch, first, starts, ends)
                coming.refill()
                starts, ends = [], []
                due, service, wakes, first = coming.due, coming.service, coming.wakes, coming.next
                place, count = first, len(due)
            earliest, processor = free[0]
            start = due[place]
            if start < awake:
                start = max(awake, earliest)
            elif earliest > start:
                start = earliest
                if due[place + behind] <= start:
                    break
            else:
                start += wakes[place] * (1.0 if max(free)[0] <= start else _BUSY_WAKE)
                awake = start
            if start >= until_ns:
                stretch.over = True
                break
            if (
                begun >= budget_bytes
                and begun - rate * sum(f - start for f, _ in free if f > start) >= budget_bytes
            ):
                stretch.over = True
                break
            length = service[place] * slowness
            end = start + length
            begun += rate * length
            starts.append(start)
            ends.append(end)
            place += 1
            replace_earliest(free, (end, processor))
        coming.next, self._awake_ns = place, awake
        stretch.begun_bytes = begun
        self._keep(stretch, first, starts, ends)
        if not stretch.over:
            self._queue.admit(free[0][1], free[0][0])

    def _keep(self, stretch: Stretch, first: int, starts: list[float], ends: list[float]) -> None:
        last = first + len(starts)
        coming = self._coming
        stretch.in_order.append((coming.due[first:last], coming.service[first:last], starts, ends))

    def _serve_backlog(self, stretch: Stretch, slowness: float) -> None:
        """Worker by worker, until nothing waits or the stretch is over."""
        queue, free, rate = self._queue, stretch.free, stretch.rate
        while True:
            now, processor = free[0]
            if now >= stretch.until_ns or stretch.is_spent(now):
                stretch.over = True
                return
            request = queue.next(processor, now)
            if request is None:
                return
            if request.start_ns < 0:
                request.start_ns = now
            length = request.left_ns * slowness
            stretch.begun_bytes += rate * length
            stretch.single.append((request, processor, now + length))
            heapq.heapreplace(free, (now + length, processor))

    def _file(
        self,
        dues: list[float],
        services: list[float],
        starts: list[float],
        ends: list[float],
        stop: float,
        slowness: float,
    ) -> None:
        """Ended requests into a block of columns, those under way into the run queue."""
        if not starts:
            return
        due, service, start, end = (np.array(column) for column in (dues, services, starts, ends))
        over = end <= stop
        self._ended.add_block(
            CompletedRequests(
                due_ns=due[over],
                start_ns=start[over],
                end_ns=end[over],
                service_ns=service[over],
                assist_ns=np.zeros(int(over.sum())),
            )
        )
        for i in np.flatnonzero(~over).tolist():
            left = min((ends[i] - stop) / slowness, services[i])
            self._queue.preempted(0, [Request(dues[i], starts[i], services[i], left)])

    def _ended_on(self, processor: int, request: Request, end_ns: float) -> None:
        """A request has ended on a P."""
        del processor
        self._ended.add(request.due_ns, request.start_ns, end_ns, request.service_ns, request.assist_ns)

    def marks(self, now_ns: int) -> tuple[float, float]:
        """A cycle begins: the host's factors on the CPU time of marking and of requests."""
        marking = self.host.slowness(now_ns)
        requests = self.host.request_slowness(now_ns)
        self._speed = self._mark_speed / requests
        return marking, requests

    def _next_due_ns(self) -> int:
        """When the next arrival can be seen in the network."""
        return int(self._coming.next_due_ns) + 1
