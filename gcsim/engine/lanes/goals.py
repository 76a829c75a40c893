"""Goal, trigger and runway of every lane's next cycle, from the rules of ``goruntime``."""

from typing import NamedTuple

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.inputs.lane_parameters import FixedParts, LaneParameters
from gcsim.engine.lanes.state import LaneState
from gcsim.goruntime.arithmetic import to_float64
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes
from gcsim.goruntime.pacer import (
    assist_ratio,
    gc_percent_heap_goal_bytes,
    heap_goal_bytes,
    heap_minimum_bytes,
    runway_bytes,
    sweep_min_trigger_bytes,
    trigger_bytes,
)
from gcsim.goruntime.versions import GoRules
from gcsim.submodels.limit_goal import (
    LimitLines,
    limit_bound_heap_bytes,
    limit_stop_bytes,
    limited_trigger_bytes,
)
from gcsim.submodels.process_memory import free_slot_bytes
from gcsim.units import MAX_INT64

NO_LIMIT_GOAL = MAX_INT64


class Goals(NamedTuple):
    """Goal and trigger of each lane's next cycle and their parts, arrays of shape (lanes,), bytes."""

    goal: FloatArray
    trigger: FloatArray
    gogc_trigger: Int64Array  # without the memory limit
    limit_trigger: Int64Array | None  # without GOGC; None if no lane has a limit
    runway: Int64Array
    limit_goal: FloatArray | None  # without GOGC; this and the next one are None if no lane has a limit
    outside: FloatArray | None  # outside_heap_bytes at the last peak


class Runway(NamedTuple):
    """The way from the heap at the start of marking, arrays of shape (lanes,), bytes."""

    to_goal: FloatArray  # to the goal that assists use, 0 or more
    unlimited: FloatArray  # ``to_goal`` without the memory limit's part


class InForce(NamedTuple):
    """GOGC and the memory limit of each lane, with the quantities that follow from them alone; shape (lanes,)."""

    gc_percent: Int64Array
    memory_limit_bytes: Int64Array
    heap_minimum_bytes: Int64Array
    limited: BoolArray | None  # the lanes with a limit; None if there is none
    periodic: BoolArray  # the lanes with periodic collections: GOGC is on

    @classmethod
    def of(cls, state: LaneState) -> "InForce":
        """The setting in force in a state."""
        limited = state.memory_limit_bytes < MAX_INT64
        return cls(
            gc_percent=state.gc_percent,
            memory_limit_bytes=state.memory_limit_bytes,
            heap_minimum_bytes=heap_minimum_bytes(state.gc_percent),
            limited=limited if limited.any() else None,
            periodic=state.gc_percent >= 0,
        )

    def still_of(self, state: LaneState) -> bool:
        """Whether a state has this setting."""
        return self.gc_percent is state.gc_percent and self.memory_limit_bytes is state.memory_limit_bytes


def goals_and_triggers(
    parameters: LaneParameters, fixed: FixedParts, state: LaneState, in_force: InForce, rules: GoRules
) -> Goals:
    """The goals and triggers of the next cycles."""
    marked = state.heap_marked_bytes.astype(np.int64)
    gc_goal = gc_percent_heap_goal_bytes(
        marked, fixed.root_bytes, 0, in_force.gc_percent, in_force.heap_minimum_bytes
    )
    sweep_min = sweep_min_trigger_bytes(marked)
    work = (state.live_bytes + parameters.root_bytes).astype(np.int64)
    runway = runway_bytes(state.memory.cons_mark, work)
    goal = heap_goal_bytes(gc_goal, NO_LIMIT_GOAL, sweep_min)
    trigger = trigger_bytes(marked, goal, runway, sweep_min, rules=rules)
    if in_force.limited is None:
        return Goals(goal.astype(np.float64), trigger.astype(np.float64), trigger, None, runway, None, None)
    limit_goal, limit_trigger, outside = _limit_goals_and_triggers(
        parameters, fixed, state, rules, marked, runway
    )
    binds = in_force.limited & (limit_trigger < trigger)
    return Goals(
        np.where(binds, limit_goal, goal).astype(np.float64),
        np.where(binds, limit_trigger, trigger).astype(np.float64),
        trigger,
        limit_trigger,
        runway,
        limit_goal.astype(np.float64),
        outside,
    )


def _limit_goals_and_triggers(
    parameters: LaneParameters,
    fixed: FixedParts,
    state: LaneState,
    rules: GoRules,
    marked: Int64Array,
    runway: Int64Array,
) -> tuple[Int64Array, Int64Array, FloatArray]:
    """(goal, trigger, memory outside the heap) under the memory limit, at a heap that has grown to the trigger.

    The runtime evaluates the goal at every test of the trigger. Free slots of swept spans count as memory outside the
    heap until allocation fills them. The goal therefore rises with the heap, and the trigger is the heap size at which
    the heap meets it.
    """
    peak = np.maximum(state.heap_end_bytes, state.heap_marked_bytes)
    outside = parameters.outside_heap_bytes(peak, fixed.calibrated_peak_bytes)
    available, slot_garbage = state.memory_limit_bytes - outside, parameters.slot_garbage_share
    lines = LimitLines.of(available, last_peak_bytes=peak, slot_garbage=slot_garbage, rules=rules)
    trigger = limited_trigger_bytes(
        to_float64(marked), lines, runway_bytes=to_float64(runway), rules=rules
    ).astype(np.int64)
    # while marking, allocation fills the free slots, which raises the goal until none is left
    heap_end = limit_bound_heap_bytes(lines)
    slots = free_slot_bytes(heap_end, last_peak_bytes=peak, slot_garbage=slot_garbage)
    non_heap = (outside + slots).astype(np.int64)
    goal = memory_limit_heap_goal_bytes(marked, state.memory_limit_bytes, non_heap, 0, rules=rules)
    return np.maximum(goal, trigger), trigger, outside


def runway_ahead(
    parameters: LaneParameters, state: LaneState, goals: Goals, *, heap_start: FloatArray, live: FloatArray
) -> Runway:
    """The way from the heap at the start to the goal that assists use.

    If more is live than expected, the pacer moves the goal out along the planned slope. If the heap starts above its
    goal, the pacer raises the goal by a tenth and expects the worst-case scan work (Go 1.19+
    ``gcControllerState.revise``). Beyond the memory limit the goal falls (``limit_stop_bytes``).
    """
    growth = np.maximum(live / np.maximum(state.live_bytes, 1.0), 1.0)
    unlimited: FloatArray = np.maximum(goals.goal - heap_start, 0.0) * growth
    runway = unlimited
    if goals.outside is not None and goals.limit_goal is not None:
        available = state.memory_limit_bytes - goals.outside
        stop = limit_stop_bytes(
            heap_start, limit_goal_bytes=goals.limit_goal, available_bytes=available, growth=growth
        )
        runway = np.minimum(unlimited, stop - heap_start)
    over = heap_start > goals.goal
    if not over.any():
        return Runway(runway, unlimited)
    lanes = np.flatnonzero(over)
    root_bytes = parameters.root_bytes[lanes]
    work = live[lanes] + root_bytes
    start = heap_start[lanes].astype(np.int64)
    allocated_roots = np.maximum(root_bytes, parameters.allocated_stack_bytes[lanes])
    per_byte, _ = assist_ratio(
        heap_live_bytes=start,
        heap_goal_bytes=goals.goal[lanes].astype(np.int64),
        triggered_bytes=start,
        scan_work_bytes=np.zeros_like(start),
        expected_scan_work_bytes=work.astype(np.int64),
        max_scan_work_bytes=(heap_start[lanes] + allocated_roots).astype(np.int64),
        gc_percent=state.gc_percent[lanes],
    )
    runway = runway.copy()
    runway[lanes] = work / per_byte
    return Runway(runway, unlimited)
