"""The background scavenger: returns free pages to the kernel while one of its two goals is not met.

It uses one percent of all CPU (``goruntime.scavenger``). The sums of CPU time leave this out. The engine has no
scavenging at allocation, because its heap takes fresh pages only when no free page is left.
"""

from collections.abc import Generator
from typing import Any

from simpy import Environment, Event

from gcsim.engine.des.heap.heap_memory import HeapMemory
from gcsim.engine.des.run.order import Order, after
from gcsim.engine.des.run.parameters import RunParameters
from gcsim.goruntime.scavenger import (
    NO_GOAL,
    background_scavenger_works,
    gc_percent_scavenge_goal_bytes,
    memory_limit_scavenge_goal_bytes,
    released_bytes_per_second,
)
from gcsim.goruntime.versions import GoRules

_STEP_NS = 10_000_000


class Scavenger:
    """The two scavenger goals of a process, and the goroutine that releases pages until both are met."""

    def __init__(self, heap: HeapMemory, parameters: RunParameters, rules: GoRules) -> None:
        self._heap, self._parameters, self._rules = heap, parameters, rules
        self._percent_goal = self._limit_goal = NO_GOAL
        self._last_heap_goal_bytes = 0
        self._begins: Event | None = None

    def begin(self, heap_in_use_bytes: float, next_heap_goal_bytes: int, memory_limit_bytes: int) -> None:
        """Sets both goals when marking ends with ``heap_in_use_bytes`` in use (``gcPaceScavenger``)."""
        heap = self._heap
        self._percent_goal = gc_percent_scavenge_goal_bytes(
            int(heap_in_use_bytes),
            next_heap_goal_bytes,
            self._last_heap_goal_bytes,
            heap_retained_bytes=int(heap.heap_retained_bytes),
        )
        self._last_heap_goal_bytes = next_heap_goal_bytes
        self._limit_goal = memory_limit_scavenge_goal_bytes(
            int(heap.mapped_ready_bytes), memory_limit_bytes, rules=self._rules
        )
        unmet = min(self._percent_goal, self._limit_goal) < NO_GOAL
        if unmet and self._begins is not None and not self._begins.triggered:
            self._begins.succeed()

    def run(self, env: Environment) -> Generator[Event, Any, None]:
        """The scavenger's goroutine as a SimPy process; it sleeps while it has nothing to release."""
        per_step = released_bytes_per_second(self._parameters.gomaxprocs) * _STEP_NS * 1e-9
        while True:
            self._begins = env.event()
            yield self._begins
            while self._has_work():
                yield after(env, _STEP_NS, Order.BACKGROUND)
                self._heap.release(min(per_step, self._excess_bytes()))

    def _has_work(self) -> bool:
        heap = self._heap
        unmet = background_scavenger_works(
            heap.heap_retained_bytes,
            heap.mapped_ready_bytes,
            gc_percent_goal_bytes=self._percent_goal,
            limit_goal_bytes=self._limit_goal,
        )
        return bool(unmet) and heap.heap_free_bytes + heap.unswept_bytes > 0.0

    def _excess_bytes(self) -> float:
        heap = self._heap
        return max(
            heap.heap_retained_bytes - self._percent_goal, heap.mapped_ready_bytes - self._limit_goal, 0.0
        )
