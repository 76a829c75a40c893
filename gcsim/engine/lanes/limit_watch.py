"""Finds the settings at which each lane's run would be the same, from the goals of its cycles.

A run in which the memory limit sets no trigger is the same run at every higher limit. A run in which the limit sets
every trigger is the same run at every other GOGC whose own triggers lie above the limit's. Each cycle gives a bound:
the lowest limit, or the lowest GOGC, at which this holds in it. The bound of a run is the highest of its cycles.

The bounds hold in exact arithmetic. The engine rounds, and truncates to whole bytes. Each bound is therefore moved to
the safe side by more than these errors. A setting that is inside the bounds has equal state, cycle by cycle, and so
equal bytes.
"""

from typing import NamedTuple

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.goals import NO_LIMIT_GOAL, Goals
from gcsim.engine.lanes.state import LaneState
from gcsim.goruntime.pacer import (
    DEFAULT_HEAP_MINIMUM_BYTES,
    SWEEP_MIN_HEAP_DISTANCE_BYTES,
    TRIGGER_RATIO_DENOMINATOR,
)
from gcsim.goruntime.versions import GoRules
from gcsim.submodels.process_memory import free_slot_bytes

_MARGIN_BYTES = 256.0  # more than truncation changes: at most 64 bytes, of the steps of a trigger's bounds
_MARGIN = 1e-9  # relative; more than rounding changes
_LARGEST_PRODUCT = float(1 << 62)  # of heap and GOGC, so that the runtime's product does not wrap


class Bounds(NamedTuple):
    """Settings at which a lane's run until now would be the same; arrays of shape (lanes,)."""

    least_limit_bytes: FloatArray  # this limit or a higher one
    least_gogc: FloatArray  # this GOGC or a higher one


class LimitWatch:
    """The bounds of all lanes of an engine, from all its steps until now."""

    def __init__(self, lanes: int) -> None:
        self._places = np.arange(lanes)
        self.bounds = Bounds(np.zeros(lanes), np.zeros(lanes))  # of the lanes that still run
        self._all = Bounds(np.zeros(lanes), np.zeros(lanes))

    @property
    def least_limit_bytes(self) -> FloatArray:
        """Lanes at this limit or a higher one have the same run; shape (lanes,)."""
        self._write()
        return self._all.least_limit_bytes

    @property
    def least_gogc(self) -> FloatArray:
        """Lanes at this GOGC or a higher one have the same run; shape (lanes,)."""
        self._write()
        return self._all.least_gogc

    def keep(self, lanes: BoolArray) -> None:
        """Follows only the lanes that ``lanes`` marks; the bounds of the others stay."""
        self._write()
        self._places = self._places[lanes]
        self.bounds = Bounds(*(bound[lanes] for bound in self.bounds))

    def _write(self) -> None:
        for whole, bound in zip(self._all, self.bounds, strict=True):
            whole[self._places] = bound


def bounds_with_cycle(
    bounds: Bounds, parameters: LaneParameters, state: LaneState, goals: Goals, rules: GoRules
) -> Bounds:
    """The bounds with the next cycle of every lane; ``state`` is that before it."""
    return Bounds(
        np.maximum(bounds.least_limit_bytes, least_limit_bytes(parameters, state, goals, rules)),
        np.maximum(bounds.least_gogc, least_gogc(parameters, state, goals, rules)),
    )


def bounds_with_end(
    bounds: Bounds, parameters: LaneParameters, state: LaneState, goals: Goals, reached_bytes: FloatArray
) -> Bounds:
    """The bounds with the highest heap of the next cycle, or its goal if that is higher, in every lane.

    At a limit that holds this heap and the memory outside it, the limit does not stop the heap while marking.
    """
    peak = np.maximum(state.heap_end_bytes, state.heap_marked_bytes)
    holds = reached_bytes + _outside_bytes(parameters, peak, goals) + peak * _MARGIN
    return bounds._replace(least_limit_bytes=np.maximum(bounds.least_limit_bytes, _above(holds)))


def _outside_bytes(parameters: LaneParameters, peak: FloatArray, goals: Goals) -> FloatArray:
    """Memory outside the heap at the last peak, shape (lanes,)."""
    if goals.outside is not None:
        return goals.outside
    return parameters.outside_heap_bytes(peak, parameters.calibrated_peak_bytes)


def least_limit_bytes(
    parameters: LaneParameters, state: LaneState, goals: Goals, rules: GoRules
) -> FloatArray:
    """The lowest limit whose trigger is at or above GOGC's trigger in this cycle, on the safe side, bytes.

    It is the limit at which the goal of ``limited_trigger_bytes`` at that heap is the goal that the trigger needs.
    """
    trigger = goals.gogc_trigger.astype(np.float64)
    peak = np.maximum(state.heap_end_bytes, state.heap_marked_bytes)
    goal = _least_goal(trigger, state.heap_marked_bytes, goals, rules)
    room = goal + rules.limit_headroom_min_bytes
    if rules.limit_headroom_percent:
        room = np.maximum(room, goal / (1.0 - rules.limit_headroom_percent / 100.0))
    slots = free_slot_bytes(trigger, last_peak_bytes=peak, slot_garbage=parameters.slot_garbage_share)
    return _above(room + slots + _outside_bytes(parameters, peak, goals) + peak * _MARGIN)


def least_gogc(parameters: LaneParameters, state: LaneState, goals: Goals, rules: GoRules) -> FloatArray:
    """The lowest GOGC whose trigger is above the limit's trigger in this cycle, on the safe side, percent.

    Infinite without a limit. 0 if the limit's trigger is below the trigger that every GOGC leaves to the sweeper.
    """
    if goals.limit_trigger is None:
        return np.full_like(state.heap_marked_bytes, np.inf)
    marked = state.heap_marked_bytes
    trigger = _above(goals.limit_trigger.astype(np.float64))
    goal = _above(_least_goal(trigger, marked, goals, rules))
    base = np.maximum(marked + parameters.root_bytes - 4.0, 1.0)
    percent = _above(np.maximum(goal - marked, 0.0)) / base * 100.0 * (1.0 + _MARGIN)
    percent = np.where(trigger < marked + (SWEEP_MIN_HEAP_DISTANCE_BYTES - _MARGIN_BYTES), 0.0, percent)
    is_exact = (base + 8.0) * np.maximum(state.gc_percent, 1) < _LARGEST_PRODUCT
    return np.where((state.memory_limit_bytes < NO_LIMIT_GOAL) & is_exact, percent, np.inf)


def _least_goal(trigger: FloatArray, marked: FloatArray, goals: Goals, rules: GoRules) -> FloatArray:
    """The lowest goal that gives a trigger of at least ``trigger``, bytes: the inverse of ``pacer.trigger_bytes``."""
    way = (trigger - marked) * TRIGGER_RATIO_DENOMINATOR
    runway = goals.runway.astype(np.float64)
    for_lower = np.minimum(trigger + runway, marked + way / rules.trigger_floor_64ths)
    for_upper = np.minimum(marked + way / rules.trigger_ceiling_64ths, trigger + DEFAULT_HEAP_MINIMUM_BYTES)
    return np.maximum(np.maximum(for_lower, for_upper), trigger)


def _above(values: FloatArray) -> FloatArray:
    """The values moved up by more than rounding and truncation change them."""
    return values * (1.0 + _MARGIN) + _MARGIN_BYTES
