"""The pacer before Go 1.19: the trigger-ratio controller of 1.5 to 1.17, and the trigger of 1.18.

Pure rules on Python numbers or int64/float64 arrays; the form of the first argument is the form of the
result. Sizes and scan work are integer bytes. GOGC=off is ``gc_percent`` -1: the goal is then MAX_INT64 and
no heap size triggers a collection. 1.18 shares all but the trigger with 1.19.
The rules are from the public history of ``runtime/mgc.go`` and ``mgcpacer.go``, not checked against a running Go.
"""

from typing import overload

from gcsim.arrays import FloatArray, FloatOrArray, Int64Array, Integer, IntOrArray, Real
from gcsim.goruntime.arithmetic import (
    divide,
    maximum,
    minimum,
    to_float64,
    truncate_to_int64,
    where,
    wrap_int64,
)
from gcsim.goruntime.versions import GoRules
from gcsim.units import MAX_INT64

INITIAL_TRIGGER_RATIO = 7 / 8
GOAL_UTILIZATION = 0.30  # gcGoalUtilization of 1.10 to 1.17: 25 % workers and 5 % assists
HARD_GOAL_RATIO = 1.1  # maxOvershoot: the hard goal, as a multiple of the goal
MAX_TRIGGER_RATIO = 0.95  # of GOGC/100
_GAIN = 0.5
_MIN_SCAN_WORK_REMAINING = 1000
_GC_PERCENT_WHEN_OFF = 100_000


def initial_heap_marked_bytes(heap_minimum_bytes: int) -> int:
    """The marked heap that the runtime assumes before the first cycle, so that its trigger is the heap minimum.

    Source: Go 1.5 to 1.17 ``gcControllerState.init`` (``gcinit``).
    """
    return int(float(heap_minimum_bytes) / (1 + INITIAL_TRIGGER_RATIO))


def next_trigger_ratio(
    trigger_ratio: Real,
    goal_growth: Real | float,
    actual_growth: Real | float,
    utilization: Real | float,
    goal_utilization: float = GOAL_UTILIZATION,
) -> Real:
    """The trigger ratio after a cycle, before its bounds; the controller corrects half of the error.

        error = goal_growth - ratio - utilization / goal_utilization * (actual_growth - ratio)

    The growths are goal / heap_marked - 1 and heap at mark end / heap_marked - 1. A forced collection does not change
    the ratio.
    Source: Go 1.5 to 1.17 ``gcControllerState.endCycle``.
    """
    error = goal_growth - trigger_ratio - utilization / goal_utilization * (actual_growth - trigger_ratio)
    return trigger_ratio + _GAIN * error


@overload
def bounded_trigger_ratio(trigger_ratio: float, gc_percent: int, *, rules: GoRules) -> float: ...
@overload
def bounded_trigger_ratio(
    trigger_ratio: FloatArray, gc_percent: IntOrArray, *, rules: GoRules
) -> FloatArray: ...
def bounded_trigger_ratio(
    trigger_ratio: FloatOrArray, gc_percent: IntOrArray, *, rules: GoRules
) -> FloatOrArray:
    """The trigger ratio within 0.6 (0 before 1.14) and 0.95 of GOGC/100; unbounded above at GOGC=off.

    Source: Go 1.5 to 1.17 ``gcControllerState.endCycle``, ``gcSetTriggerRatio``, ``commit``.
    """
    scale = to_float64(gc_percent) / 100
    lowest = rules.min_trigger_ratio_percent / 100 * scale
    within = maximum(minimum(trigger_ratio, MAX_TRIGGER_RATIO * scale), lowest)
    return where(gc_percent >= 0, within, maximum(trigger_ratio, 0.0))


@overload
def ratio_trigger_bytes(
    heap_marked_bytes: int,
    trigger_ratio: float,
    gc_percent: int,
    heap_minimum_bytes: int,
    sweep_min_trigger_bytes: int,
) -> int: ...
@overload
def ratio_trigger_bytes(
    heap_marked_bytes: Int64Array,
    trigger_ratio: FloatOrArray,
    gc_percent: IntOrArray,
    heap_minimum_bytes: IntOrArray,
    sweep_min_trigger_bytes: IntOrArray,
) -> Int64Array: ...
def ratio_trigger_bytes(
    heap_marked_bytes: IntOrArray,
    trigger_ratio: FloatOrArray,
    gc_percent: IntOrArray,
    heap_minimum_bytes: IntOrArray,
    sweep_min_trigger_bytes: IntOrArray,
) -> IntOrArray:
    """The heap size at which a collection starts: marked x (1 + ratio), at least the two minima.

    The goal is ``gc_percent_heap_goal_bytes`` without roots and minimum, raised to this trigger where the
    trigger is higher (``raised_goal_bytes``).
    Source: Go 1.17 ``gcControllerState.commit``.
    """
    ratio_trigger = truncate_to_int64(to_float64(heap_marked_bytes) * (1 + trigger_ratio))
    lower = maximum(heap_minimum_bytes, sweep_min_trigger_bytes)
    return where(gc_percent >= 0, maximum(ratio_trigger, lower), MAX_INT64)


def float_trigger_bytes(
    heap_marked_bytes: Integer,
    heap_goal_bytes: Integer | int,
    runway_bytes: Integer | int,
    heap_minimum_bytes: Integer | int,
    sweep_min_trigger_bytes: Integer | int,
) -> Integer:
    """The trigger of Go 1.18: the goal less the runway, from 0.7 of the way to 0.95 of it.

        lower = max(heap_minimum, sweep_min, marked + 0.7 * (goal - marked))
        upper = max(marked + max(0.95 * (goal - marked), goal - heap_minimum), lower)

    The last term counts marked twice, so that on heaps above the minimum the upper bound lies beyond the goal
    and does not bind. Go 1.18 has this error, Go 1.19 does not. A goal below the trigger is raised to it.
    Source: Go 1.18 ``gcControllerState.commit``.
    """
    distance = to_float64(maximum(heap_goal_bytes - heap_marked_bytes, 0))
    lower = maximum(heap_minimum_bytes, sweep_min_trigger_bytes)
    lower = maximum(lower, truncate_to_int64(0.7 * distance) + heap_marked_bytes)
    longest = maximum(truncate_to_int64(0.95 * distance), heap_goal_bytes - heap_minimum_bytes)
    upper = maximum(longest + heap_marked_bytes, lower)
    trigger: Integer = minimum(maximum(heap_goal_bytes - runway_bytes, lower), upper)
    return trigger


def raised_goal_bytes(heap_goal_bytes: Integer, trigger_bytes: Integer | int) -> Integer:
    """The goal, or the trigger where a minimum has lifted that above the goal.

    Source: Go 1.5 to 1.18 ``gcControllerState.commit``.
    """
    goal: Integer = maximum(heap_goal_bytes, trigger_bytes)
    return goal


@overload
def expected_scan_work_bytes(heap_scan_bytes: int, gc_percent: int) -> int: ...
@overload
def expected_scan_work_bytes(heap_scan_bytes: Int64Array, gc_percent: IntOrArray) -> Int64Array: ...
@overload
def expected_scan_work_bytes(heap_scan_bytes: IntOrArray, gc_percent: IntOrArray) -> IntOrArray: ...
def expected_scan_work_bytes(heap_scan_bytes: IntOrArray, gc_percent: IntOrArray) -> IntOrArray:
    """The scan work of a steady state, heap_scan / (1 + GOGC/100): the live part of the scannable heap.

    Source: Go 1.10 to 1.17 ``gcControllerState.revise``.
    """
    percent = where(gc_percent < 0, _GC_PERCENT_WHEN_OFF, gc_percent)
    return truncate_to_int64(to_float64(heap_scan_bytes) * 100 / to_float64(100 + percent))


@overload
def hard_goal_assist_ratio(
    heap_live_bytes: int, heap_goal_bytes: int, scan_work_bytes: int, heap_scan_bytes: int, gc_percent: int
) -> tuple[float, float]: ...
@overload
def hard_goal_assist_ratio(
    heap_live_bytes: Int64Array,
    heap_goal_bytes: Int64Array | int,
    scan_work_bytes: Int64Array | int,
    heap_scan_bytes: Int64Array | int,
    gc_percent: Int64Array | int,
) -> tuple[FloatArray, FloatArray]: ...
def hard_goal_assist_ratio(
    heap_live_bytes: IntOrArray,
    heap_goal_bytes: IntOrArray,
    scan_work_bytes: IntOrArray,
    heap_scan_bytes: IntOrArray,
    gc_percent: IntOrArray,
) -> tuple[FloatOrArray, FloatOrArray]:
    """(assist_work_per_byte, assist_bytes_per_work) with the hard goal of 1.1 x goal.

    When heapLive passes the goal, or more than the expected work is scanned, the pacer expects to scan the whole
    scannable heap by the hard goal. Stacks and globals count neither as expected nor as scannable work.
    Source: Go 1.10 to 1.17 ``gcControllerState.revise``.
    """
    expected = expected_scan_work_bytes(heap_scan_bytes, gc_percent)
    late = (heap_live_bytes > heap_goal_bytes) | (scan_work_bytes > expected)
    hard_goal = truncate_to_int64(to_float64(heap_goal_bytes) * HARD_GOAL_RATIO)
    goal = where(late, hard_goal, heap_goal_bytes)
    work = maximum(where(late, heap_scan_bytes, expected) - scan_work_bytes, _MIN_SCAN_WORK_REMAINING)
    remaining_work = to_float64(work)
    remaining_heap = to_float64(maximum(wrap_int64(goal - heap_live_bytes), 1))
    return divide(remaining_work, remaining_heap), divide(remaining_heap, remaining_work)
