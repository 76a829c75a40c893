"""CPU time, allocation and mark work of all Ps, linear between two events.

Every P has one ``Activity`` at a time, with rates for the program, assists, marking and allocation. Between two events
all rates are constant, and each sum grows by rate x time. The CPU shares of an activity sum to at most 1. The CPU time
used therefore never exceeds Ps x time.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from gcsim.engine.des.heap.heap_memory import HeapMemory
from gcsim.engine.des.heap.pools import PoolRun

Kind = Literal["mutator", "program", "dedicated", "fractional", "idle_worker", "idle", "stopped"]


class Activity(NamedTuple):
    """A P's activity: its kind, its CPU shares (their sum is 0 or 1), and its allocation in bytes per wall ns."""

    kind: Kind
    mutator: float = 0.0
    assist: float = 0.0
    background: float = 0.0
    idle_mark: float = 0.0
    alloc_bytes_per_ns: float = 0.0


IDLE = Activity("idle")
STOPPED = Activity("stopped")
PROGRAM = Activity("program")  # between two collections: ``Allocation`` adds CPU time and allocation
DEDICATED = Activity("dedicated", background=1.0)
FRACTIONAL = Activity("fractional", background=1.0)
IDLE_WORKER = Activity("idle_worker", idle_mark=1.0)

Observer = Callable[[int, int, Activity], None]  # (now_ns, processor, new activity)


class Machine:
    """GOMAXPROCS Ps, their heap and their mark work. Times are ns, memory is bytes, work is CPU ns."""

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
        "pools",
        "remaining_ns",
    )  # fmt: skip

    def __init__(self, gomaxprocs: int, heap: HeapMemory) -> None:
        self.activities = [IDLE] * gomaxprocs
        self.observer: Observer | None = None
        self.pools: PoolRun | None = None
        self.now_ns = 0
        self.heap = heap
        self.allocated_bytes = 0.0  # without those of pools
        # allocation of arrivals that wait; slightly negative if goroutines have allocated ahead of arrivals
        self.backlog_bytes = 0.0
        self.arrival_rate = 0.0
        self.remaining_ns = 0.0  # mark work left in this cycle
        self.credit_ns = 0.0  # mark work of background workers that no assist has taken
        self.credit_earned_ns = 0.0
        self.mutator_ns = self.assist_ns = self.background_ns = self.idle_mark_ns = 0.0
        self.mutator_rate = self.assist_rate = self.background_rate = self.idle_mark_rate = 0.0
        self.alloc_rate = 0.0

    def advance(self, now_ns: int) -> None:
        """Advances all sums to ``now_ns``. Raises ValueError if that lies in the past."""
        elapsed = now_ns - self.now_ns
        if elapsed == 0:
            return
        if elapsed < 0:
            raise ValueError(f"the clock ran back from {self.now_ns} to {now_ns} ns")
        self.now_ns = now_ns
        allocated = self.alloc_rate * elapsed
        worked = (self.background_rate + self.idle_mark_rate) * elapsed
        assisted = self.assist_rate * elapsed
        if allocated:
            self.allocated_bytes += allocated
            self.heap.allocate(allocated + self.missed_bytes(allocated))
        self.backlog_bytes += self.arrival_rate * elapsed - allocated
        self.mutator_ns += self.mutator_rate * elapsed
        self.assist_ns += assisted
        self.background_ns += self.background_rate * elapsed
        self.idle_mark_ns += self.idle_mark_rate * elapsed
        self.credit_ns += worked
        self.credit_earned_ns += worked
        self.remaining_ns -= worked + assisted

    def missed_bytes(self, work_bytes: float) -> float:
        """Bytes that pools allocate while the program allocates ``work_bytes``; 0 without pools."""
        return 0.0 if self.pools is None else self.pools.advance(work_bytes)

    def begin_marking(self, work_ns: float) -> None:
        """Starts a mark phase of ``work_ns`` of CPU time, without credit."""
        self.remaining_ns = work_ns
        self.credit_ns = 0.0

    def end_marking(self) -> None:
        """Drops what rounding left of the mark phase's work."""
        self.remaining_ns = 0.0

    def begin(self, processor: int, activity: Activity) -> None:
        """Starts an activity on a P now; call ``advance`` for this instant before."""
        self.activities[processor] = activity
        if self.observer is not None:
            self.observer(self.now_ns, processor, activity)
        mutator_rate = assist_rate = background_rate = idle_mark_rate = alloc_rate = 0.0
        for _, mutator, assist, background, idle_mark, alloc in self.activities:
            mutator_rate += mutator
            assist_rate += assist
            background_rate += background
            idle_mark_rate += idle_mark
            alloc_rate += alloc
        self.mutator_rate, self.assist_rate, self.alloc_rate = mutator_rate, assist_rate, alloc_rate
        self.background_rate, self.idle_mark_rate = background_rate, idle_mark_rate

    @property
    def heap_live_bytes(self) -> float:
        """heapLive, bytes."""
        return self.heap.heap_live_bytes

    @property
    def mark_rate(self) -> float:
        """Number of Ps that mark, assists included."""
        return self.assist_rate + self.background_rate + self.idle_mark_rate
