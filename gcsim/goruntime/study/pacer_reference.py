"""The public model of two older pacers, cycle by cycle, with which the Go team compared designs of the pacer.

``go116`` is the trigger-ratio controller of Go 1.5 to 1.17 with a heap target. ``go117`` is the design of proposal
44167, which became Go 1.18. Both have no clock: a mark phase is its scan work, split at the point where assists
begin. The code follows a description of ``mknyszek/pacer-model`` and equals its output in every cycle of 34 runs. Two
more runs, ``go116`` with a noisy target, are out of scope. In them the public model computes goal - trigger in
unsigned numbers with a trigger above the goal, and its utilization and heap wrap to 10^11 and 2^64. Up to the wrap
these two runs are equal too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from gcsim.goruntime.study.pacer_before_119 import (
    GOAL_UTILIZATION,
    HARD_GOAL_RATIO,
    INITIAL_TRIGGER_RATIO,
    MAX_TRIGGER_RATIO,
    initial_heap_marked_bytes,
    next_trigger_ratio,
)
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION
from gcsim.units import MIB

_GO116_HEAP_MINIMUM_BYTES = 4 * MIB
_GO117_HEAP_MINIMUM_BYTES = 2 * MIB
_MIN_TRIGGER_RATIO = 0.6  # of the way to the goal, in both pacers
_GO117_RUNWAY_MARGIN = 0.05  # the runway per scanned byte stays this far from 0 and from gamma
_GO117_GAIN = 0.9
_GO117_INTEGRAL_GAIN = 0.9 / 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceInput:
    """The inputs of one cycle; both rates are bytes per the same unit of CPU time."""

    gamma: float  # 1 + GOGC/100
    globals_bytes: int
    initial_live_bytes: int  # the live heap of the first cycle
    alloc_rate: float
    scan_rate: float
    growth_rate: float  # of the surviving bytes, relative to the cycle before
    scannable_fraction: float
    stack_bytes: int
    heap_target_bytes: int  # the smallest heap goal; -1 for none


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCycle:
    """The results of one cycle."""

    r: float  # go116: bytes of allocation per byte of expected work; go117: the controller's runway
    live_bytes: int
    scannable_live_bytes: int
    goal_bytes: int
    gc_utilization: float
    trigger_bytes: int
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heap:
    """The heap after a cycle."""

    live_bytes: int = 0
    scannable_bytes: int = 0
    allocated_black_bytes: int = 0
    is_first: bool = True

    def scan_work_bytes(self, cycle: ReferenceInput) -> int:
        """Scan work of the next cycle: the grown heap, stacks and globals."""
        roots_bytes = cycle.stack_bytes + cycle.globals_bytes
        if self.is_first:
            return int(cycle.initial_live_bytes * cycle.scannable_fraction) + roots_bytes
        return int(float(self.scannable_bytes) * cycle.growth_rate) + roots_bytes

    def after(self, cycle: ReferenceInput, allocated_bytes: int) -> "_Heap":
        """The heap after a cycle: survivors and black allocation."""
        survivors = cycle.initial_live_bytes
        if not self.is_first:
            survivors = int(float(self.live_bytes - self.allocated_black_bytes) * cycle.growth_rate)
        live_bytes = survivors + allocated_bytes
        return _Heap(
            live_bytes=live_bytes,
            scannable_bytes=int(live_bytes * cycle.scannable_fraction),
            allocated_black_bytes=allocated_bytes,
            is_first=False,
        )


def run_go117(cycles: Iterable[ReferenceInput]) -> list[ReferenceCycle]:
    """The cycles of proposal 44167's pacer, a PI controller on the runway per scanned byte.

        goal    = max((live + stacks + globals) * gamma, target, 2 MiB)
        trigger = max(goal - r * expected, live + 0.6 * (goal - live)); the first is 7/8 of the goal

    Allocation per scanned byte follows from the rates at 25 % CPU for marking. Assists limit it to (goal - trigger) /
    expected.
    """
    heap, rows = _Heap(), []
    r = integral = 0.0
    for cycle in cycles:
        roots_bytes = cycle.stack_bytes + cycle.globals_bytes
        counted = float(heap.live_bytes + roots_bytes)
        goal = max(int(counted * cycle.gamma), cycle.heap_target_bytes, _GO117_HEAP_MINIMUM_BYTES)
        expected = float(heap.scannable_bytes + roots_bytes)
        lower = heap.live_bytes + int(_MIN_TRIGGER_RATIO * float(goal - heap.live_bytes))
        trigger = goal * 7 // 8 if heap.is_first else max(goal - int(r * expected), lower)
        per_byte = _alloc_per_scan(cycle, BACKGROUND_UTILIZATION)
        utilization = BACKGROUND_UTILIZATION
        cap = float(goal - trigger) / expected if expected else inf
        if per_byte > cap:
            per_byte = cap
            at_one_to_one = cycle.alloc_rate / (cap * cycle.scan_rate)
            utilization = at_one_to_one / (1 + at_one_to_one)
        work = heap.scan_work_bytes(cycle)
        allocated = int(per_byte * float(work))
        heap = heap.after(cycle, allocated)
        rows.append(_row(heap, r, goal, utilization, trigger, trigger + allocated))

        background, mutator = BACKGROUND_UTILIZATION, 1 - BACKGROUND_UTILIZATION
        measured = float(allocated) / float(work)
        measured = measured * (mutator / (1 - utilization)) / (background / utilization)
        error = measured - r
        r += _GO117_GAIN * error + integral
        integral += _GO117_INTEGRAL_GAIN * error
        r = min(max(r, _GO117_RUNWAY_MARGIN), cycle.gamma - _GO117_RUNWAY_MARGIN)
    return rows


def run_go116(cycles: Iterable[ReferenceInput]) -> list[ReferenceCycle]:
    """The cycles of the trigger-ratio controller, with a heap target as the smallest goal.

        goal    = max(live * gamma, target)
        trigger = live * (1 + ratio), ratio at least 0.6 * (gamma - 1) and at most 0.95 * (gamma - 1)

    The bounds apply to the trigger; the controller continues from the ratio without them. If the cycle before was under
    its target, the upper bound is 0.95 of the way from live to that target. The first cycle triggers at the target (4
    MiB without one). Scan work up to trigger/gamma is paced to the goal, the unexpected rest to the hard goal.
    """
    heap, rows = _Heap(), []
    ratio = INITIAL_TRIGGER_RATIO
    live_before = target_before = 0
    for cycle in cycles:
        target = max(cycle.heap_target_bytes, _GO116_HEAP_MINIMUM_BYTES)
        if heap.is_first:
            marked = initial_heap_marked_bytes(target)
            goal, trigger = int(marked * cycle.gamma), target
            next_live_before = cycle.initial_live_bytes
        else:
            marked = next_live_before = heap.live_bytes
            goal = max(int(float(marked) * cycle.gamma), target)
            under_target = live_before * cycle.gamma <= target_before
            highest = _highest_ratio(cycle, marked, target_before, under_target)
            bounded = min(max(ratio, _MIN_TRIGGER_RATIO * (cycle.gamma - 1)), highest)
            trigger = int(float(marked) * (1 + bounded))
        live_before, target_before = next_live_before, target
        r, allocated, utilization = _two_phases(cycle, goal, trigger, heap.scan_work_bytes(cycle))
        heap = heap.after(cycle, allocated)
        rows.append(_row(heap, r, goal, utilization, trigger, trigger + allocated))
        ratio = next_trigger_ratio(
            ratio,
            float(goal) / float(marked) - 1,
            float(trigger + allocated) / float(marked) - 1,
            utilization,
            GOAL_UTILIZATION,
        )
    return rows


def _highest_ratio(cycle: ReferenceInput, marked: int, target: int, under_target: bool) -> float:
    if under_target and target > marked:
        return MAX_TRIGGER_RATIO * (float(target) / float(marked) - 1)
    return MAX_TRIGGER_RATIO * (cycle.gamma - 1)


def _two_phases(cycle: ReferenceInput, goal: int, trigger: int, work: int) -> tuple[float, int, float]:
    """(r, bytes allocated while marking, utilization weighted by work) of both phases of a mark."""
    scannable = float(trigger) * cycle.scannable_fraction
    expected = int(scannable / cycle.gamma)
    r = float(goal - trigger) / float(expected)
    first = min(work, expected)
    first_allocated, first_utilization = _phase(cycle, first, r)
    to_hard_goal = int(HARD_GOAL_RATIO * float(goal)) - trigger - first_allocated
    cap = float(to_hard_goal) / float(trigger - expected) if trigger > expected else inf
    rest_allocated, rest_utilization = _phase(cycle, work - first, cap)
    weighted = first_utilization * float(first) + rest_utilization * float(work - first)
    return r, first_allocated + rest_allocated, weighted / float(work)


def _phase(cycle: ReferenceInput, work: int, cap: float) -> tuple[int, float]:
    """(bytes allocated while ``work`` is scanned, utilization at which they are at most ``cap`` per byte)."""
    utilization = BACKGROUND_UTILIZATION
    if _alloc_per_scan(cycle, utilization) > cap:
        utilization = cycle.alloc_rate / (cycle.alloc_rate + cap * cycle.scan_rate)
    return int(_alloc_per_scan(cycle, utilization) * float(work)), utilization


def _alloc_per_scan(cycle: ReferenceInput, utilization: float) -> float:
    return cycle.alloc_rate * (1 - utilization) / (cycle.scan_rate * utilization)


def _row(heap: _Heap, r: float, goal: int, utilization: float, trigger: int, peak: int) -> ReferenceCycle:
    return ReferenceCycle(
        r=r,
        live_bytes=heap.live_bytes,
        scannable_live_bytes=heap.scannable_bytes,
        goal_bytes=goal,
        gc_utilization=utilization,
        trigger_bytes=trigger,
        peak_bytes=peak,
    )
