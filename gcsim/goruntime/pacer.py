"""The pacer: when a collection starts, its heap goal, and the ratio of assist work to allocation.

Each function is one pure rule of ``runtime/mgcpacer.go``. Sizes and scan work are integer bytes, times integer
nanoseconds. Every argument is a Python number or an int64/float64 array, and the form of the first argument is the form
of the result. GOGC=off is ``gc_percent`` -1; GOMEMLIMIT=off is 2^63 - 1. The rules hold for heap sizes from 0 to 2^62
and every GOGC of an int32: products wrap as in the runtime.

A cycle uses the rules in this order: ``gc_percent_heap_goal_bytes`` and ``runway_bytes`` (commit), then
``memory_limit_heap_goal_bytes``, ``heap_goal_bytes``, ``min_trigger_bytes``, ``trigger_bytes``; while marking
``assist_ratio``; at its end ``measured_cons_mark`` and ``next_cons_mark`` (``cons_mark.py``).
"""

from typing import overload

import numpy as np

from gcsim.arrays import (
    BoolArray,
    BoolOrArray,
    FloatArray,
    FloatOrArray,
    Int64Array,
    Integer,
    IntOrArray,
    NumberOrArray,
)
from gcsim.goruntime.arithmetic import (
    divide,
    maximum,
    minimum,
    to_float64,
    truncate_to_int64,
    truncate_to_uint64,
    unsigned_quotient,
    where,
    wrap_int64,
)
from gcsim.goruntime.versions import GoRules
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION
from gcsim.units import KIB, MAX_INT64, MIB

GC_OFF = -1  # gc_percent of GOGC=off
DEFAULT_HEAP_MINIMUM_BYTES = 4 * MIB  # defaultHeapMinimum, for GOGC=100
SWEEP_MIN_HEAP_DISTANCE_BYTES = MIB  # sweepMinHeapDistance
MIN_RUNWAY_BYTES = 64 * KIB  # heapGoalInternal: minRunway
TRIGGER_RATIO_DENOMINATOR = 64  # of rules.trigger_floor_64ths and trigger_ceiling_64ths
# commit computes consMark * (1 - u) / u; in float64 this equals one product, because u is a power of two
_RUNWAY_PER_CONS_MARK = (1.0 - BACKGROUND_UTILIZATION) / BACKGROUND_UTILIZATION
_GC_PERCENT_WHEN_OFF = 100_000  # revise: a forced collection with GOGC=off uses a very large GOGC
MAX_OVERSHOOT = 1.1
_MIN_SCAN_WORK_REMAINING = 1000


def heap_minimum_bytes(gc_percent: Integer) -> Integer:
    """The smallest heap goal of GOGC: 4 MiB x GOGC/100, bytes; 0 at GOGC=off, which sets no goal.

    Source: Go 1.5+ ``gcControllerState.setGCPercent``.
    """
    minimum_bytes: Integer = maximum(DEFAULT_HEAP_MINIMUM_BYTES * gc_percent // 100, 0)
    return minimum_bytes


def gc_percent_heap_goal_bytes(
    heap_marked_bytes: Integer,
    last_stack_scan_bytes: Integer | int,
    globals_scan_bytes: Integer | int,
    gc_percent: Integer | int,
    heap_minimum_bytes: Integer | int,
) -> Integer:
    """The heap goal from GOGC, bytes; MAX_INT64 at GOGC=off (the runtime uses 2^64 - 1).

        goal = max(marked + (marked + stacks + globals) * GOGC / 100, heap_minimum)

    ``last_stack_scan_bytes`` depends on ``rules.goal_stack_term``: stacks scanned in the last cycle (1.19+), allocated
    stacks (1.18), or 0 like the globals before 1.18. The product wraps at 2^64 as in the runtime.
    Source: Go 1.19+ ``gcControllerState.commit``.
    """
    roots_and_heap = heap_marked_bytes + last_stack_scan_bytes + globals_scan_bytes
    growth = unsigned_quotient(roots_and_heap * gc_percent, 100)
    goal = maximum(heap_marked_bytes + growth, heap_minimum_bytes)
    goal_or_off: Integer = where(gc_percent >= 0, goal, MAX_INT64)
    return goal_or_off


def sweep_min_trigger_bytes(heap_live_bytes: Integer) -> Integer:
    """The lowest trigger that leaves the sweeper enough allocation: 1 MiB above heapLive at commit, bytes.

    The bound holds at mark end, when sweeping is never done. If sweeping is done at commit (before the first cycle, or
    when a setting changes later), the bound is 0.
    Source: Go 1.19+ ``gcControllerState.commit``.
    """
    return heap_live_bytes + SWEEP_MIN_HEAP_DISTANCE_BYTES


def heap_goal_bytes(
    gc_percent_goal_bytes: Integer,
    limit_goal_bytes: Integer | int,
    sweep_min_trigger_bytes: Integer | int,
    triggered_bytes: Integer | int | None = None,
) -> Integer:
    """The heap goal in force, bytes: the lower of the limit's goal and GOGC's goal.

    GOGC's goal is raised to ``sweep_min_trigger_bytes``, and while marking to 64 KiB above ``triggered_bytes``, which
    is None outside marking. The limit's goal is not raised. Source: Go 1.19+ ``gcControllerState.heapGoalInternal``.
    """
    goal = maximum(gc_percent_goal_bytes, sweep_min_trigger_bytes)
    if triggered_bytes is not None:
        goal = maximum(goal, triggered_bytes + MIN_RUNWAY_BYTES)
    if isinstance(limit_goal_bytes, int) and limit_goal_bytes == MAX_INT64:
        return goal  # no limit
    binding: Integer = where(limit_binds(gc_percent_goal_bytes, limit_goal_bytes), limit_goal_bytes, goal)
    return binding


@overload
def limit_binds(gc_percent_goal_bytes: float, limit_goal_bytes: float) -> bool: ...
@overload
def limit_binds(
    gc_percent_goal_bytes: Int64Array | FloatArray, limit_goal_bytes: NumberOrArray
) -> BoolArray: ...
@overload
def limit_binds(gc_percent_goal_bytes: NumberOrArray, limit_goal_bytes: NumberOrArray) -> BoolOrArray: ...
def limit_binds(gc_percent_goal_bytes: NumberOrArray, limit_goal_bytes: NumberOrArray) -> BoolOrArray:
    """Whether the memory limit and not GOGC sets the heap goal; bool, or an array of bool.

    Source: Go 1.19+ ``gcControllerState.heapGoalInternal``.
    """
    return limit_goal_bytes < gc_percent_goal_bytes


def min_trigger_bytes(
    gc_percent_goal_bytes: Integer, limit_goal_bytes: Integer | int, sweep_min_trigger_bytes: Integer | int
) -> Integer:
    """The lower bound of the trigger that the sweeper needs, bytes; 0 under a limit goal, which it could exceed.

    Source: Go 1.19+ ``gcControllerState.heapGoalInternal``.
    """
    bound: Integer = where(limit_binds(gc_percent_goal_bytes, limit_goal_bytes), 0, sweep_min_trigger_bytes)
    return bound


def trigger_bytes(
    heap_marked_bytes: Integer,
    heap_goal_bytes: Integer | int,
    runway_bytes: Integer | int,
    min_trigger_bytes: Integer | int,
    *,
    rules: GoRules,
) -> Integer:
    """The heap size at which a collection starts, bytes: the goal less the runway, within two bounds.

        lower   = max(min_trigger, marked + (goal - marked)/64 * floor)            floor 45: 0.70 of the way
        upper   = max(marked + (goal - marked)/64 * ceiling, goal - 4 MiB, lower)  ceiling 61: 0.95 of the way
        trigger = min(max(goal - runway, lower), upper)

    ``heap_goal_bytes`` is the goal outside marking, ``min_trigger_bytes`` at most that. If the goal is at or below
    marked, it is the trigger, and collections follow each other without a gap.
    Source: Go 1.19+ ``gcControllerState.trigger``.
    """
    step = maximum(heap_goal_bytes - heap_marked_bytes, 0) // TRIGGER_RATIO_DENOMINATOR
    lower = maximum(step * rules.trigger_floor_64ths + heap_marked_bytes, min_trigger_bytes)
    upper = maximum(step * rules.trigger_ceiling_64ths + heap_marked_bytes, lower)
    upper = maximum(upper, heap_goal_bytes - DEFAULT_HEAP_MINIMUM_BYTES)
    within_bounds = minimum(maximum(heap_goal_bytes - runway_bytes, lower), upper)
    trigger: Integer = minimum(within_bounds, heap_goal_bytes)
    return trigger


@overload
def runway_bytes(cons_mark: float, expected_scan_work_bytes: int) -> int: ...
@overload
def runway_bytes(cons_mark: FloatArray, expected_scan_work_bytes: Int64Array | int) -> Int64Array: ...
def runway_bytes(cons_mark: FloatOrArray, expected_scan_work_bytes: IntOrArray) -> IntOrArray:
    """The runway: expected allocation while the expected work is scanned at 25 % of the CPU, bytes.

        runway = cons_mark * 0.75 / 0.25 * (last heap scan + last stack scan + globals)

    Go 1.19's controller can produce a negative cons/mark. On amd64 the runway then wraps to a very large number, here
    MAX_INT64, and the trigger is its lower bound.
    Source: Go 1.19+ ``gcControllerState.commit``.
    """
    return truncate_to_uint64(cons_mark * _RUNWAY_PER_CONS_MARK * to_float64(expected_scan_work_bytes))


@overload
def assist_ratio(
    heap_live_bytes: int,
    heap_goal_bytes: int,
    triggered_bytes: int,
    scan_work_bytes: int,
    expected_scan_work_bytes: int,
    max_scan_work_bytes: int,
    gc_percent: int,
) -> tuple[float, float]: ...
@overload
def assist_ratio(
    heap_live_bytes: Int64Array,
    heap_goal_bytes: Int64Array | int,
    triggered_bytes: Int64Array | int,
    scan_work_bytes: Int64Array | int,
    expected_scan_work_bytes: Int64Array | int,
    max_scan_work_bytes: Int64Array | int,
    gc_percent: Int64Array | int,
) -> tuple[FloatArray, FloatArray]: ...
def assist_ratio(
    heap_live_bytes: IntOrArray,
    heap_goal_bytes: IntOrArray,
    triggered_bytes: IntOrArray,
    scan_work_bytes: IntOrArray,
    expected_scan_work_bytes: IntOrArray,
    max_scan_work_bytes: IntOrArray,
    gc_percent: IntOrArray,
) -> tuple[FloatOrArray, FloatOrArray]:
    """(assist_work_per_byte, assist_bytes_per_work) of an assist; each is the inverse of the other.

        ratio = max(expected - done, 1000) / max(goal - live, 1)

    ``heap_goal_bytes`` is the goal while marking (the soft goal). ``expected_scan_work_bytes`` is last heap scan + last
    stack scan + globals. ``max_scan_work_bytes`` is the worst case: scannable heap + allocated stacks + globals. When
    more than the expected work is done, the pacer expects the worst case and raises the goal in proportion, up to the
    hard goal of (1 + GOGC/100) x goal. When heapLive passes that goal, the pacer raises it to 1.1 times.
    Without expected work (no globals, first cycle) the runtime's conversion overflows and its distance wraps to some
    2^63 bytes. Assists then stop, in the runtime and here.
    Source: Go 1.19+ ``gcControllerState.revise``.
    """
    exceeded = scan_work_bytes > expected_scan_work_bytes
    goal, expected = heap_goal_bytes, expected_scan_work_bytes
    scalar = exceeded is False and isinstance(heap_live_bytes, int) and isinstance(goal, int)
    if scalar and 0 <= heap_live_bytes <= goal:  # the planned case, without a wrap: the rule's last two lines
        work = float(max(expected - scan_work_bytes, _MIN_SCAN_WORK_REMAINING))
        heap = float(max(goal - heap_live_bytes, 1))
        return work / heap, heap / work
    if exceeded.any() if isinstance(exceeded, np.ndarray) else exceeded:
        worst_goal, worst_case = _goal_once_exceeded(
            heap_goal_bytes, triggered_bytes, expected_scan_work_bytes, max_scan_work_bytes, gc_percent
        )
        goal, expected = where(exceeded, worst_goal, goal), where(exceeded, worst_case, expected)

    live = wrap_int64(heap_live_bytes)
    overshot = live > goal
    goal = where(overshot, truncate_to_int64(to_float64(goal) * MAX_OVERSHOOT), goal)
    expected = where(overshot, max_scan_work_bytes, expected)

    remaining_work = to_float64(maximum(expected - scan_work_bytes, _MIN_SCAN_WORK_REMAINING))
    remaining_heap = to_float64(maximum(wrap_int64(goal - live), 1))
    return remaining_work / remaining_heap, remaining_heap / remaining_work


def _goal_once_exceeded(
    goal: IntOrArray,
    triggered: IntOrArray,
    expected_work: IntOrArray,
    max_work: IntOrArray,
    gc_percent: IntOrArray,
) -> tuple[IntOrArray, IntOrArray]:
    """(goal, expected work) when more than the expected work is done: the worst case on the planned slope."""
    planned_slope = divide(to_float64(goal - triggered), to_float64(expected_work))
    with np.errstate(invalid="ignore"):  # infinity times 0: no work expected and none left
        planned = planned_slope * to_float64(max_work)
    extrapolated = truncate_to_int64(planned) + triggered
    percent = where(gc_percent < 0, _GC_PERCENT_WHEN_OFF, gc_percent)
    hard = truncate_to_int64((1.0 + to_float64(percent) / 100.0) * to_float64(goal))
    return minimum(extrapolated, hard), max_work
