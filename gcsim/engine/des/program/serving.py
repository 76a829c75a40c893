"""Goroutines that serve requests.

Between two collections nothing interrupts a P. As long as workers are free, requests are served first come, first
served, in a loop over plain lists that takes a fraction of a microsecond per request. A longer backlog goes through the
run queue, request by request. While a cycle marks, all requests go through the run queue, and the P's process advances
each of them as the work of a goroutine (``MarkedRequests``).
"""

import heapq
import math

import numpy as np

from gcsim.arrays import FloatArray
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

# The thread of an idle P wakes up later if another thread runs, because Linux first puts it on that thread's core. In
# logs of every request (order service, two Ps, GOGC=100) the time is exponential, 60 us on average with both Ps idle
# and 160 us with one busy
_BUSY_WAKE = 2.5
_SLICES = 1024  # time slices drawn together; the number changes only the speed


class Serving(MarkedRequests):
    """Serving of an open loop of requests, at any number of Ps."""

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
        self._arrivals = Arrivals(
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
        self._awake_ns = 0.0  # when the P that wakes up now admits arrivals
        self._slice_draws = stream(seed, "des slices of workers", replica)
        self._slices: list[float] = []  # drawn ahead, the next one last
        self._ended = CompletionBuffer()

    def finished(self) -> list[CompletedRequests]:
        """Requests that ended since the last call."""
        return self._ended.drain()

    def _arrived(self, now_ns: float) -> list[Request]:
        """Takes the requests due by now."""
        return self._arrivals.due_by(now_ns)

    def _slice_ns(self) -> float:
        """Draws the time slice of a worker that does not block: 10 to 20 ms, in ns.

        sysmon preempts a goroutine that has run for 10 ms. It checks every 10 ms, so that the preemption is up to
        10 ms late (Go 1.14+ ``retake``).
        """
        if not self._slices:
            drawn = FORCE_PREEMPT_NS * (1.0 + self._slice_draws.random(_SLICES))
            self._slices = drawn[::-1].tolist()
        return self._slices.pop()

    # between two collections

    def serve(
        self, now_ns: int, budget_bytes: float, until_ns: float, slowness: float
    ) -> tuple[float, float]:
        """Serves until ``budget_bytes`` are allocated or until ``until_ns``; returns (stop time in ns, bytes).

        ``slowness`` (1 or more) multiplies every request's CPU time; it is the cost of sweeping.

        The background sweeper yields after every ten spans and goes to the global run queue. A P with an empty run
        queue checks that queue before the network and other Ps (Go 1.19+ ``bgsweep``, ``findRunnable``). Without a
        backlog the sweeper therefore keeps one P until everything is swept.

        Every P allocates at one rate while it serves. The last requests may still run when the budget is reached. They
        continue after the collection.
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
            self._record_in_order(*columns, stop, slowness)
        for request, processor, end in stretch.single:
            if end <= stop:
                self._ended_on(processor, request, end)
            else:
                request.left_ns = min((end - stop) / slowness, request.left_ns)
                self._queue.preempted(processor, [request])
        self._queue.park()
        return stop, allocated

    def _serve_in_order(self, stretch: Stretch, slowness: float) -> None:
        """Serves first come, first served, until the stretch ends or more requests wait than workers are free."""
        free, rate, until_ns, budget_bytes = (
            stretch.free,
            stretch.rate,
            stretch.until_ns,
            stretch.budget_bytes,
        )
        begun = stretch.begun_bytes
        starts: list[float] = []
        arrivals = self._arrivals
        due, service, wakes, first = arrivals.due, arrivals.service, arrivals.wakes, arrivals.next
        place, count, awake = first, len(due), self._awake_ns
        behind = self._requests.workers - self._servers + 1
        replace_earliest = heapq.heapreplace
        while True:
            if place + behind >= count:
                arrivals.next = place
                self._append_block(stretch, first, starts)
                arrivals.refill()
                starts = []
                due, service, wakes, first = arrivals.due, arrivals.service, arrivals.wakes, arrivals.next
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
            begun += rate * length
            starts.append(start)
            place += 1
            replace_earliest(free, (start + length, processor))
        arrivals.next, self._awake_ns = place, awake
        stretch.begun_bytes = begun
        self._append_block(stretch, first, starts)
        if not stretch.over:
            self._queue.admit(free[0][1], free[0][0])

    def _append_block(self, stretch: Stretch, first: int, starts: list[float]) -> None:
        """Adds the requests from index ``first`` on, which began at ``starts``, to the stretch."""
        last = first + len(starts)
        arrivals = self._arrivals
        stretch.in_order.append((arrivals.due_ns[first:last], arrivals.service_ns[first:last], starts))

    def _serve_backlog(self, stretch: Stretch, slowness: float) -> None:
        """Serves through the run queue until no request waits or the stretch ends."""
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

    def _record_in_order(
        self, due: FloatArray, service: FloatArray, starts: list[float], stop: float, slowness: float
    ) -> None:
        """Adds requests that ended by ``stop`` to the completed ones, and the others to the run queue."""
        if not starts:
            return
        start = np.array(starts)
        end = start + service * slowness
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
            needed = float(service[i])
            left = min((float(end[i]) - stop) / slowness, needed)
            self._queue.preempted(0, [Request(float(due[i]), starts[i], needed, left)])

    def _ended_on(self, processor: int, request: Request, end_ns: float) -> None:
        """Records that a request has ended on a P."""
        del processor
        self._ended.rows.append(
            (request.due_ns, request.start_ns, end_ns, request.service_ns, request.assist_ns)
        )

    def draw_host_factors(self, now_ns: int) -> tuple[float, float]:
        """The host's factors on the CPU time of marking and of requests for the cycle that begins at ``now_ns``."""
        marking = self.host.slowness(now_ns)
        requests = self.host.request_slowness(now_ns)
        self._speed = self._mark_speed / requests
        return marking, requests

    def _next_due_ns(self) -> int:
        """The time at which a poll of the network finds the next arrival, ns."""
        return int(self._arrivals.next_due_ns) + 1
