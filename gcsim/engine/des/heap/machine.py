"""Flows of work and memory while Ps do things: linear between events, and summed exactly.

Every P has one ``Activity`` at a time: at which rates it runs the program, assists, marks and allocates.
Between two events all rates are constant, so that what was used and made is rate x time, at any instant and
whatever happens next. The sum of an activity's CPU shares is at most 1, which is why CPU used never exceeds
Ps x time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gcsim.engine.des.heap.heap_memory import HeapMemory

Kind = Literal["mutator", "program", "dedicated", "fractional", "idle_worker", "idle", "stopped"]


@dataclass(frozen=True, slots=True)
class Activity:
    """What a P does: its kind, CPU shares (their sum is 0 or 1), and the allocation per wall nanosecond."""

    kind: Kind
    mutator: float = 0.0
    assist: float = 0.0
    background: float = 0.0
    idle_mark: float = 0.0
    alloc_bytes_per_ns: float = 0.0


IDLE = Activity("idle")
STOPPED = Activity("stopped")
PROGRAM = Activity("program")  # between two collections: booked by whoever lets the program run
DEDICATED = Activity("dedicated", background=1.0)
FRACTIONAL = Activity("fractional", background=1.0)
IDLE_WORKER = Activity("idle_worker", idle_mark=1.0)

Observer = Callable[[int, int, Activity], None]  # (now_ns, processor, what it begins)


class Machine:
    """GOMAXPROCS Ps, the heap they fill and the scan work they do. Times ns, memory bytes, work CPU ns."""

    __slots__ = (
        "activities",
        "alloc_rate",
        "allocated_bytes",
        "arrival_rate",
        "assist_ns",
        "assist_rate",
        "background_ns",
        "background_rate",
        "backlog_bytes",
        "credit_earned_ns",
        "credit_ns",
        "heap",
        "idle_mark_ns",
        "idle_mark_rate",
        "mutator_ns",
        "mutator_rate",
        "now_ns",
        "observer",
        "remaining_ns",
    )  # fmt: skip

    def __init__(self, gomaxprocs: int, heap: HeapMemory) -> None:
        self.activities = [IDLE] * gomaxprocs
        self.observer: Observer | None = None
        self.now_ns = 0
        self.heap = heap
        self.allocated_bytes = 0.0
        # allocation that arrivals asked for and that waits; a little negative where goroutines ran ahead of them
        self.backlog_bytes = 0.0
        self.arrival_rate = 0.0
        self.remaining_ns = 0.0  # of this cycle's marking
        self.credit_ns = 0.0  # scan work that background workers did and nobody has taken
        self.credit_earned_ns = 0.0
        self.mutator_ns = self.assist_ns = self.background_ns = self.idle_mark_ns = 0.0
        self._zero_rates()

    def _zero_rates(self) -> None:
        self.mutator_rate = self.assist_rate = self.background_rate = self.idle_mark_rate = 0.0
        self.alloc_rate = 0.0

    def advance(self, now_ns: int) -> None:
        """Lets time pass up to ``now_ns``, which must not lie in the past."""
        elapsed = now_ns - self.now_ns
        if elapsed == 0:
            return
        if elapsed < 0:
            raise ValueError(f"the clock ran back from {self.now_ns} to {now_ns} ns")
        self.now_ns = now_ns
        allocated = self.alloc_rate * elapsed
        worked = (self.background_rate + self.idle_mark_rate) * elapsed
        assisted = self.assist_rate * elapsed
        self.allocated_bytes += allocated
        self.heap.allocate(allocated)
        self.backlog_bytes += self.arrival_rate * elapsed - allocated
        self.mutator_ns += self.mutator_rate * elapsed
        self.assist_ns += assisted
        self.background_ns += self.background_rate * elapsed
        self.idle_mark_ns += self.idle_mark_rate * elapsed
        self.credit_ns += worked
        self.credit_earned_ns += worked
        self.remaining_ns -= worked + assisted

    def begin(self, processor: int, activity: Activity) -> None:
        """A P changes over now; ``advance`` has been called for this instant."""
        self.activities[processor] = activity
        if self.observer is not None:
            self.observer(self.now_ns, processor, activity)
        self._zero_rates()
        for a in self.activities:
            self.mutator_rate += a.mutator
            self.assist_rate += a.assist
            self.background_rate += a.background
            self.idle_mark_rate += a.idle_mark
            self.alloc_rate += a.alloc_bytes_per_ns

    @property
    def heap_live_bytes(self) -> float:
        """The runtime's heapLive."""
        return self.heap.heap_live_bytes

    @property
    def mark_rate(self) -> float:
        """Ps on marking."""
        return self.assist_rate + self.background_rate + self.idle_mark_rate
