"""Goroutines that serve requests: one at a time on each P, first come, first served.

Between two collections nothing interrupts a P, and requests are taken in a loop over plain lists, a fraction of
a microsecond each; while a cycle marks, each is a goroutine's work that the P's process advances (``Mutator``).
"""

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np

from gcsim.engine.des.latency import Finished
from gcsim.engine.des.machine import Machine
from gcsim.engine.des.parameters import RunParameters
from gcsim.streams import stream
from gcsim.workload.profile import Profile
from gcsim.workload.requests import Requests, arrival_seconds, service_seconds

_BLOCK = 8192
_ROUNDING_NS = 1.0


@dataclass(slots=True)
class Request:
    """One that has begun; ns."""

    due_ns: float
    start_ns: float
    service_ns: float
    left_ns: float  # of its CPU time at full speed
    assist_ns: float = 0.0


class Serving:
    """An open loop of requests, at any number of Ps."""

    def __init__(
        self,
        machine: Machine,
        parameters: RunParameters,
        requests: Requests,
        profile: Profile,
        *,
        seed: int,
        replica: int,
    ) -> None:
        self._machine, self._requests, self._profile = machine, requests, profile
        self._arrival_draws = stream(seed, "des arrivals", replica)
        self._service_draws = stream(seed, "des services", replica)
        p = parameters
        self._rate_per_second = p.arrival_bytes_per_ns * 1e9 / requests.bytes_per_request
        self._mean_seconds = requests.bytes_per_request / p.alloc_bytes_per_cpu_ns * 1e-9
        self._alloc_bytes_per_ns = p.alloc_bytes_per_cpu_ns
        self._speed = p.mark_alloc_bytes_per_cpu_ns / p.alloc_bytes_per_cpu_ns  # while marking
        self._servers = min(p.gomaxprocs, requests.workers)
        self.epoch_ns = 0
        self._due: list[float] = []
        self._service: list[float] = []
        self._next = 0
        self._last_seconds = 0.0
        self._held: deque[Request] = deque()  # begun, and waiting for a P
        self._on: dict[
            int, list[Request]
        ] = {}  # P -> its requests in order, the first one begun; while marking
        self._since_ns = [0] * p.gomaxprocs  # when each P's stretch began
        self.bundle_ns = 0  # a P takes waiting requests together up to this much CPU time, while marking
        self._free = deque(range(requests.workers))
        self._ended: list[tuple[float, float, float, float, float]] = []
        self._blocks: list[Finished] = []
        self._refill()

    def _refill(self) -> None:
        """The next block of arrivals; those taken are dropped."""
        due = arrival_seconds(
            self._requests,
            self._arrival_draws,
            _BLOCK,
            rate_per_second=self._rate_per_second,
            profile=self._profile,
            after_seconds=self._last_seconds,
        )
        self._last_seconds = float(due[-1])
        service = service_seconds(
            self._requests, self._service_draws, _BLOCK, mean_seconds=self._mean_seconds
        )
        self._due = self._due[self._next :] + (due * 1e9).tolist()
        self._service = self._service[self._next :] + np.maximum(service * 1e9, 1.0).tolist()
        self._next = 0

    def finished(self) -> list[Finished]:
        """Requests that ended since the last call."""
        blocks, self._blocks = self._blocks, []
        if self._ended:
            columns = np.array(self._ended, dtype=np.float64).T
            self._ended = []
            blocks.append(
                Finished(
                    due_ns=columns[0],
                    start_ns=columns[1],
                    end_ns=columns[2],
                    service_ns=columns[3],
                    assist_ns=columns[4],
                )
            )
        return blocks

    # between two collections

    def serve(
        self, now_ns: int, budget_bytes: float, until_ns: float, slowness: float
    ) -> tuple[float, float]:
        """Serves until ``budget_bytes`` are allocated or it is ``until_ns``: (when that was, bytes).

        ``slowness`` (1 or more) stretches every request's CPU time: sweeping.

        Every P allocates at one rate while it serves. Requests are begun in order; the last ones begun may
        still run when the budget is reached, and go on after the collection.
        """
        free = [float(now_ns)] * self._servers
        resumed = [self._held.popleft() for _ in range(min(len(self._held), self._servers))]
        rate = self._alloc_bytes_per_ns / slowness
        begun = 0.0
        for place, request in enumerate(resumed):
            free[place] += request.left_ns * slowness
            begun += rate * request.left_ns * slowness
        resumed_ends = free[: len(resumed)]
        heapq.heapify(free)
        due, service, first = self._due, self._service, self._next
        starts: list[float] = []
        ends: list[float] = []
        place = first
        replace_earliest = heapq.heapreplace
        while True:
            if place == len(due):
                self._next, taken = first, place - first
                self._refill()
                due, service, first = self._due, self._service, self._next
                place = first + taken
            earliest, start = free[0], due[place]
            if self._held:
                start = float(now_ns)
            if earliest > start:
                start = earliest
            if start >= until_ns:
                break
            if (
                begun >= budget_bytes
                and begun - rate * sum(f - start for f in free if f > start) >= budget_bytes
            ):
                break
            if self._held:
                request = self._held.popleft()
                length = request.left_ns * slowness
                end = start + length
                begun += rate * length
                resumed.append(request)
                resumed_ends.append(end)
            else:
                length = service[place] * slowness
                end = start + length
                begun += rate * length
                starts.append(start)
                ends.append(end)
                place += 1
            replace_earliest(free, end)
        stop = (
            min(_time_of(begun - budget_bytes, rate, free), until_ns) if begun >= budget_bytes else until_ns
        )
        stop = max(stop, float(now_ns))
        self._file(first, starts, ends, stop, slowness)
        self._next = place
        for request, end in zip(resumed, resumed_ends, strict=True):
            if end <= stop:
                self._end(request, end)
            else:
                request.left_ns = min((end - stop) / slowness, request.left_ns)
                self._held.append(request)
        return stop, begun - rate * sum(f - stop for f in free if f > stop)

    def _file(self, first: int, starts: list[float], ends: list[float], stop: float, slowness: float) -> None:
        """Ended requests into a block of columns, those under way into the queue of begun ones."""
        count = len(starts)
        if count == 0:
            return
        due = np.array(self._due[first : first + count])
        service = np.array(self._service[first : first + count])
        start, end = np.array(starts), np.array(ends)
        over = end <= stop
        self._blocks.append(
            Finished(
                due_ns=due[over],
                start_ns=start[over],
                end_ns=end[over],
                service_ns=service[over],
                assist_ns=np.zeros(int(over.sum())),
            )
        )
        for i in np.flatnonzero(~over).tolist():
            self._held.append(
                Request(float(due[i]), starts[i], float(service[i]), (ends[i] - stop) / slowness)
            )

    def _end(self, request: Request, end_ns: float) -> None:
        self._ended.append((request.due_ns, request.start_ns, end_ns, request.service_ns, request.assist_ns))

    # while a cycle marks: Mutator

    def take(self, processor: int) -> int | None:
        if not self._free:
            return None
        request = self._begin()
        if request is None:
            return None
        self._on[processor] = [request]
        self._since_ns[processor] = self._machine.now_ns
        return self._free.popleft()

    def _begin(self) -> Request | None:
        """The next request that a goroutine can work on, held ones first."""
        if self._held:
            return self._held.popleft()
        if self._next == len(self._due):
            self._refill()
        if self._due[self._next] > self._machine.now_ns:
            return None
        place = self._next
        self._next += 1
        service = self._service[place]
        return Request(self._due[place], float(self._machine.now_ns), service, service)

    def give_back(self, processor: int, goroutine: int) -> None:
        self._held.extend(self._on.pop(processor))
        self._free.append(goroutine)

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        del alloc_bytes_per_ns
        bundle = self._on[processor]
        left = sum(r.left_ns for r in bundle)
        while left < self.bundle_ns or not bundle:
            request = self._begin()
            if request is None:
                break
            bundle.append(request)
            left += request.left_ns
        self._since_ns[processor] = self._machine.now_ns
        return int(left / self._speed) + 1 if bundle else 0

    def ran(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        """Advances the P's requests, one after the other, evenly over the stretch."""
        del goroutine
        bundle, since = self._on[processor], float(self._since_ns[processor])
        total = cpu_ns * self._speed
        per_ns = (self._machine.now_ns - since) / total if total > 0 else 0.0
        done = 0.0
        while bundle and done < total:
            request = bundle[0]
            if request.left_ns == request.service_ns and request.assist_ns == 0.0:
                request.start_ns = since + done * per_ns
            progress = min(request.left_ns, total - done)
            request.assist_ns += assist_ns * progress / total
            request.left_ns -= progress
            done += progress
            if request.left_ns > _ROUNDING_NS:
                break
            self._end(request, since + done * per_ns)
            del bundle[0]

    def next_ready_ns(self) -> int | None:
        if self._next == len(self._due):
            self._refill()
        return int(self._due[self._next]) + 1


def _time_of(left_bytes: float, rate: float, free: list[float]) -> float:
    """When only ``left_bytes`` of what was begun were still to be allocated, Ps ending at times ``free``."""
    left_ns = left_bytes / rate
    total = 0.0
    latest = sorted(free, reverse=True)
    for count, end in enumerate(latest, start=1):
        total += end
        time = (total - left_ns) / count
        if count == len(latest) or time >= latest[count]:
            return time
    return latest[-1]
