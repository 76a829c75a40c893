"""The pacer's state between cycles, for an engine that simulates one collection after another.

This module contains no rule. Each method passes the state to the rules of ``pacer.py``, ``memory_limit.py`` and
``cons_mark.py`` in the order of the runtime (Go 1.19+ ``gcControllerState``). All values are scalars.
"""

from dataclasses import dataclass, replace
from typing import Self

from gcsim.goruntime import cons_mark as cm
from gcsim.goruntime import pacer
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes
from gcsim.goruntime.versions import GoRules


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkResult:
    """The results of a mark phase that the pacer uses; bytes and nanoseconds."""

    heap_live_bytes: int  # at mark termination, the cycle's peak
    triggered_bytes: int
    heap_scan_work_bytes: int
    stack_scan_work_bytes: int
    globals_scan_work_bytes: int
    assist_time_ns: int
    idle_mark_time_ns: int = 0
    mark_duration_ns: int  # from the first stop-the-world to mark termination
    gomaxprocs: int
    bytes_marked: int  # the next cycle's heap_marked, allocated-black included

    @property
    def scan_work_bytes(self) -> int:
        """The scan work of the cycle: heap, stacks and globals."""
        return self.heap_scan_work_bytes + self.stack_scan_work_bytes + self.globals_scan_work_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PacerState:
    """The committed state of one process's pacer; sizes in bytes, GOGC=off is -1."""

    rules: GoRules
    gc_percent: int
    memory_limit_bytes: int
    cons_mark: cm.ConsMarkMemory[float]
    heap_marked_bytes: int = 0
    last_heap_scan_bytes: int = 0
    last_stack_scan_bytes: int = 0
    globals_scan_bytes: int = 0
    gc_percent_goal_bytes: int = 0
    sweep_min_trigger_bytes: int = 0
    runway_bytes: int = 0

    @classmethod
    def initial(cls, *, gc_percent: int, memory_limit_bytes: int, rules: GoRules) -> Self:
        """The state before the first cycle: nothing marked, sweeping done. Source: ``gcControllerState.init``."""
        state = cls(
            rules=rules,
            gc_percent=gc_percent,
            memory_limit_bytes=memory_limit_bytes,
            cons_mark=cm.initial_cons_mark(0.0, rules=rules),
        )
        return state.commit(sweep_done=True)

    @property
    def expected_scan_work_bytes(self) -> int:
        """The scan work of a steady state: last heap and stack scan, and the globals."""
        return self.last_heap_scan_bytes + self.last_stack_scan_bytes + self.globals_scan_bytes

    def commit(self, *, sweep_done: bool) -> Self:
        """The state with goal and runway computed again, after a cycle or a change of a setting. Source: ``commit``."""
        return replace(
            self,
            gc_percent_goal_bytes=pacer.gc_percent_heap_goal_bytes(
                self.heap_marked_bytes,
                self.last_stack_scan_bytes,
                self.globals_scan_bytes,
                self.gc_percent,
                pacer.heap_minimum_bytes(self.gc_percent),
            ),
            sweep_min_trigger_bytes=0
            if sweep_done
            else pacer.sweep_min_trigger_bytes(self.heap_marked_bytes),
            runway_bytes=pacer.runway_bytes(self.cons_mark.cons_mark, self.expected_scan_work_bytes),
        )

    def limit_goal_bytes(self, *, non_heap_bytes: int = 0, overage_bytes: int = 0) -> int:
        """The memory limit's heap goal with the given memory outside the heap, bytes."""
        return memory_limit_heap_goal_bytes(
            self.heap_marked_bytes, self.memory_limit_bytes, non_heap_bytes, overage_bytes, rules=self.rules
        )

    def heap_goal_bytes(self, limit_goal_bytes: int, triggered_bytes: int | None = None) -> int:
        """The heap goal in force, bytes; ``triggered_bytes`` is given while marking. Source: ``heapGoalInternal``."""
        return pacer.heap_goal_bytes(
            self.gc_percent_goal_bytes, limit_goal_bytes, self.sweep_min_trigger_bytes, triggered_bytes
        )

    def trigger_bytes(self, limit_goal_bytes: int) -> int:
        """The heap size at which the next cycle starts. Source: ``trigger``."""
        min_trigger = pacer.min_trigger_bytes(
            self.gc_percent_goal_bytes, limit_goal_bytes, self.sweep_min_trigger_bytes
        )
        goal = self.heap_goal_bytes(limit_goal_bytes)
        return pacer.trigger_bytes(
            self.heap_marked_bytes, goal, self.runway_bytes, min_trigger, rules=self.rules
        )

    def assist_ratio(
        self,
        *,
        heap_live_bytes: int,
        heap_goal_bytes: int,
        triggered_bytes: int,
        scan_work_bytes: int,
        max_scan_work_bytes: int,
    ) -> tuple[float, float]:
        """(scan work per allocated byte, allocated bytes per scan work) of assists now. Source: ``revise``."""
        return pacer.assist_ratio(
            heap_live_bytes,
            heap_goal_bytes,
            triggered_bytes,
            scan_work_bytes,
            self.expected_scan_work_bytes,
            max_scan_work_bytes,
            self.gc_percent,
        )

    def end_cycle(self, mark: MarkResult) -> Self:
        """The state after mark termination, committed. Source: ``endCycle``, ``resetLive``, ``commit``."""
        allocated_bytes = mark.heap_live_bytes - mark.triggered_bytes
        memory = self.cons_mark
        if allocated_bytes > 0:
            measured = cm.measured_cons_mark(
                allocated_bytes,
                mark.scan_work_bytes,
                cm.mark_utilization(mark.assist_time_ns, mark.mark_duration_ns, mark.gomaxprocs),
                cm.idle_utilization(mark.idle_mark_time_ns, mark.mark_duration_ns, mark.gomaxprocs),
            )
            memory = cm.next_cons_mark(memory, measured, True, rules=self.rules)
        marked = replace(
            self,
            cons_mark=memory,
            heap_marked_bytes=mark.bytes_marked,
            last_heap_scan_bytes=mark.heap_scan_work_bytes,
            last_stack_scan_bytes=mark.stack_scan_work_bytes,
        )
        return marked.commit(sweep_done=False)
