"""The heap goal of a memory limit, solved for the heap that meets it.

The runtime evaluates the goal at every test of the trigger, and free slots (``free_slot_bytes``) count as memory
outside the heap until allocation fills them. So the goal rises with the heap, along one line per kind of headroom

    goal = intercept + slope x heap

and is flat beyond the last peak, where no free slots are left. Sizes are bytes, numbers or arrays. Source: Go 1.19+
``memoryLimitHeapGoal``, ``gcControllerState.trigger``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Generic

import numpy as np

from gcsim.arrays import FloatArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, where
from gcsim.goruntime.pacer import DEFAULT_HEAP_MINIMUM_BYTES, MAX_OVERSHOOT, TRIGGER_RATIO_DENOMINATOR
from gcsim.goruntime.versions import GoRules

_CLEARLY_MORE = 1.05  # more than rounding, and more than the headroom changes between two lines


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLines(Generic[Real]):
    """The lines of one or many lanes, as (intercept of the flat part, intercept and slope of the rising part)."""

    lines: tuple[tuple[Real, Real, Real], ...]
    last_peak_bytes: Real

    @classmethod
    def of(
        cls, available_bytes: Real, *, last_peak_bytes: Real, slot_garbage: Real, rules: GoRules
    ) -> "LimitLines[Real]":
        """The lines at ``available_bytes``, the limit less metadata, stacks and unfilled slots.

        The headroom is the larger one of a share and of a fixed size. The line of the fixed size is left out if the
        share is larger everywhere.
        """
        with_slots = available_bytes - slot_garbage * last_peak_bytes
        kinds: list[tuple[float, int]] = []
        if rules.limit_headroom_percent:
            kinds.append((1.0 - rules.limit_headroom_percent / 100.0, 0))
        if not kinds or not _exceeds(with_slots, rules):
            kinds.insert(0, (1.0, rules.limit_headroom_min_bytes))
        lines = []
        for keep, headroom in kinds:
            flat, rising = keep * available_bytes, keep * with_slots
            if headroom:
                flat, rising = flat - headroom, rising - headroom
            lines.append((flat, rising, keep * slot_garbage))
        return cls(lines=tuple(lines), last_peak_bytes=last_peak_bytes)

    def heap_that_meets(self, solved: Callable[[Real, Real | None], Real]) -> Real:
        """The smallest heap at which a function of the goal equals the heap, bytes.

        ``solved`` solves it for one line: its arguments are intercept and slope, and a flat line has the slope None.
        """
        places = []
        for flat, intercept, slope in self.lines:
            filling = solved(intercept, slope)
            places.append(where(filling < self.last_peak_bytes, filling, solved(flat, None)))
        return reduce(minimum, places)


def _exceeds(with_slots: Real, rules: GoRules) -> bool:
    """Whether the headroom that is a share is the larger one at any heap size, in every lane."""
    least = _CLEARLY_MORE * rules.limit_headroom_min_bytes * 100.0 / rules.limit_headroom_percent
    if isinstance(with_slots, np.ndarray):
        return bool(with_slots.size) and bool(np.minimum.reduce(with_slots, axis=None) > least)
    return with_slots > least


def limited_trigger_bytes(
    heap_marked_bytes: Real, lines: LimitLines[Real], *, runway_bytes: Real, rules: GoRules
) -> Real:
    """The trigger in the memory-limit regime after sweeping: heapLive at which a cycle starts, in bytes.

    The trigger is the solution of heapLive = trigger(goal), with trigger(goal) = goal - ``runway_bytes`` within its
    bounds (``pacer.trigger_bytes``). It is at least ``heap_marked_bytes`` (continuous collection). Before sweeping ends
    the runtime's trigger is higher.
    """
    bounds = rules.trigger_floor_64ths, rules.trigger_ceiling_64ths
    shares = [bound / TRIGGER_RATIO_DENOMINATOR for bound in bounds]
    marked_parts = [heap_marked_bytes * (1.0 - share) for share in shares]

    def solved(intercept: Real, slope: Real | None) -> Real:
        """The solution for each bound of the trigger, 0 <= slope < 1."""
        lower, upper = (part + share * intercept for part, share in zip(marked_parts, shares, strict=True))
        at_heap_minimum, at_runway = intercept - DEFAULT_HEAP_MINIMUM_BYTES, intercept - runway_bytes
        if slope is not None:
            lower, upper = lower / (1.0 - shares[0] * slope), upper / (1.0 - shares[1] * slope)
            flatness = 1.0 - slope
            at_heap_minimum, at_runway = at_heap_minimum / flatness, at_runway / flatness
        return minimum(maximum(at_runway, lower), maximum(upper, at_heap_minimum))

    return maximum(lines.heap_that_meets(solved), heap_marked_bytes)


def limit_bound_heap_bytes(lines: LimitLines[Real]) -> Real:
    """The solution of heapLive = goal(heapLive) under a limit, in bytes: assists stop the heap there."""
    return lines.heap_that_meets(
        lambda intercept, slope: intercept if slope is None else intercept / (1.0 - slope)
    )


def limit_stop_bytes(
    heap_start_bytes: FloatArray,
    *,
    limit_goal_bytes: FloatArray,
    available_bytes: FloatArray,
    growth: FloatArray,
) -> FloatArray:
    """The heap at which assists stop the program in a mark phase that passes its memory limit, in bytes.

        goal(h)  = limit goal - (h - available)                beyond available, at least heap start
        stop     = 1.1 x (start + growth x (goal(stop) - start)), at least available and 1.1 x start

    ``available_bytes`` is the limit less memory outside the heap. Memory beyond the limit lowers the goal (Go 1.19+
    ``memoryLimitHeapGoal``, overage), which ``revise`` reads during marking. ``growth`` is the live heap over the
    expected one, 1 or more: the pacer moves the goal out in that proportion, and by a tenth when the heap passes it.
    Without this fall the first cycle of GOGC=off has no bound: its planned runway is 4 MiB for a live heap of almost
    nothing, and it is moved out in proportion to the real one.

    Approximation: assists are taken to act from the start of marking. In 111 cycles of three real development programs
    (caddy, tsgo, Go compiler) that passed the goal by 2 % or more, the heap ended 7 % below to 4 % above the result.
    """
    slope = MAX_OVERSHOOT * growth
    room = np.maximum(limit_goal_bytes + available_bytes - heap_start_bytes, 0.0)
    falling = (MAX_OVERSHOOT * heap_start_bytes + slope * room) / (1.0 + slope)
    return np.maximum(np.maximum(falling, available_bytes), MAX_OVERSHOOT * heap_start_bytes)
