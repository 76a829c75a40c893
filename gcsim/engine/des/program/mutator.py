"""The program's supply of goroutines while a cycle marks.

This module has the two forms without requests: a program at full speed, and arrivals as a steady stream. In the third
form every request is the work of a goroutine (``marked_requests.py``).
"""

from collections import deque
from typing import Protocol

from gcsim.engine.des.heap.machine import Machine


class Mutator(Protocol):
    """The goroutines that the scheduler can run; ``processor`` is the index of a P, times are ns."""

    def take(self, processor: int) -> int | None:
        """The goroutine that a P runs next, or None if none is ready."""

    def release(self, processor: int, goroutine: int) -> None:
        """Takes the goroutine off its P; a goroutine with work goes to the end of the queue."""

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        """Time for which the P's goroutine has work at that rate of allocation, ns; 0 if it has none."""

    def account_cpu(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        """Records the CPU time and assist time of the P's goroutine since the last call."""

    def next_ready_ns(self) -> int | None:
        """The time at which a goroutine becomes ready if none is; None if that depends on other Ps."""

    def stops_idle(self, processor: int) -> bool:
        """Whether a check of the idle mark worker on this P finds a goroutine to run."""


class Saturated:
    """A program of ``goroutines`` that never wait; at most ``busy`` of them run at once."""

    def __init__(self, goroutines: int, busy: int) -> None:
        self._ready = deque(range(max(goroutines, busy)))
        self._may_run = busy

    def take(self, processor: int) -> int | None:
        del processor
        if self._may_run == 0 or not self._ready:
            return None
        self._may_run -= 1
        return self._ready.popleft()

    def release(self, processor: int, goroutine: int) -> None:
        del processor
        self._may_run += 1
        self._ready.append(goroutine)

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        del processor, alloc_bytes_per_ns
        return 1 << 62

    def account_cpu(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        del processor, goroutine, cpu_ns, assist_ns

    def next_ready_ns(self) -> int | None:
        return None

    def stops_idle(self, processor: int) -> bool:
        del processor
        return True  # the worker returns to the scheduler, which may find none


class Stream:
    """A steady stream of allocation; one goroutine is ready for each ``grain_bytes`` of the backlog."""

    def __init__(self, machine: Machine, *, goroutines: int, grain_bytes: float) -> None:
        self._machine = machine
        self._grain_bytes = grain_bytes
        self._ready = deque(range(goroutines))
        self._running = 0

    def take(self, processor: int) -> int | None:
        del processor
        if not self._ready or self._machine.backlog_bytes < self._grain_bytes * (1 + self._running):
            return None
        self._running += 1
        return self._ready.popleft()

    def release(self, processor: int, goroutine: int) -> None:
        del processor
        self._running -= 1
        self._ready.append(goroutine)

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        del processor
        machine = self._machine
        share = machine.backlog_bytes / max(self._running, 1)
        if share < 1.0:
            return 0
        drain = alloc_bytes_per_ns - machine.arrival_rate / max(self._running, 1)
        return int(share / drain) + 1 if drain > 0 else 1 << 62

    def account_cpu(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        del processor, goroutine, cpu_ns, assist_ns

    def next_ready_ns(self) -> int | None:
        machine = self._machine
        filling = machine.arrival_rate - machine.alloc_rate
        if filling <= 0:
            return None
        missing = self._grain_bytes * (1 + self._running) - machine.backlog_bytes
        return machine.now_ns + max(int(missing / filling) + 1, 1)

    def stops_idle(self, processor: int) -> bool:
        del processor
        return True  # the first P that schedules takes the backlog
