"""What the program wants to do: the supply of work that Ps find in their run queues.

Two forms without requests: a program at full speed, and arrivals as a steady stream. ``marked_requests.py`` has the
third, in which every request is a goroutine's work.
"""

from collections import deque
from typing import Protocol

from gcsim.engine.des.heap.machine import Machine


class Mutator(Protocol):
    """Goroutines as the scheduler sees them; ``processor`` is a P's index, times are ns."""

    def take(self, processor: int) -> int | None:
        """The goroutine that a P runs next, or None where none is ready."""

    def release(self, processor: int, goroutine: int) -> None:
        """A P lets its goroutine go: it is ready again, at the end of the queue, if it has work."""

    def longest_run_ns(self, processor: int, alloc_bytes_per_ns: float) -> int:
        """For how long the P's goroutine has work, if it gets on at that rate of allocation; 0: none."""

    def account_cpu(self, processor: int, goroutine: int, cpu_ns: float, assist_ns: float) -> None:
        """The P's goroutine has run, and assisted, for that much CPU since it was last asked."""

    def next_ready_ns(self) -> int | None:
        """When a goroutine will be ready if none is now; None where only another P's doings tell."""

    def stops_idle(self, processor: int) -> bool:
        """Whether an idle mark worker that looks up on this P now sees a goroutine to run."""


class Saturated:
    """``goroutines`` that never wait for anything; at most ``busy`` of them run at once."""

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
        return True  # the scheduler is asked, which finds none


class Stream:
    """Arrivals as a steady stream of allocation; a goroutine is ready for each ``grain_bytes`` that wait."""

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
        return True  # whoever is first takes what has come
