"""One GC cycle of every lane, as a pure function of the lanes' parameters, setting, state and random factors.

It computes goal and trigger (``goruntime``), lets the program allocate up to the trigger, simulates the mark phase
(``submodels.mark_phase``), and returns the new state and the cycle. It contains no rule of the runtime.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.controllers import GcSetting
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.inputs.lane_parameters import FixedParts, LaneParameters
from gcsim.engine.lanes.draws import CycleFactors
from gcsim.engine.lanes.goals import InForce, goals_and_triggers, runway_ahead
from gcsim.engine.lanes.limit_watch import Bounds, bounds_with_cycle, bounds_with_end
from gcsim.engine.lanes.mark_conditions import conditions_for
from gcsim.engine.lanes.state import LaneState
from gcsim.engine.lanes.waiting import allocate_until
from gcsim.goruntime.cons_mark import ConsMarkMemory, measured_cons_mark, next_cons_mark
from gcsim.goruntime.versions import GoRules
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION
from gcsim.service.profile import Profile
from gcsim.submodels.heap_growth import heap_growth
from gcsim.submodels.limited_mark_phase import limited_mark_phase
from gcsim.submodels.live_growth import GrowthCourses
from gcsim.submodels.live_heap import live_heap_scale
from gcsim.submodels.mark_cost import mark_cpu_factor
from gcsim.submodels.mark_phase import MarkConditions, MarkPhase, mark_phase


class Given(NamedTuple):
    """The part of a lane that stays the same from cycle to cycle; arrays of shape (lanes,)."""

    parameters: LaneParameters
    fixed: FixedParts
    in_force: InForce
    start_live_bytes: FloatArray  # of a steady profile
    start_pace: FloatArray
    most_black: FloatArray  # shape (): the bounds of ``CycleVariability``
    most_past_goal: FloatArray


class Before(NamedTuple):
    """The part of a lane that differs from cycle to cycle."""

    state: LaneState
    factors: CycleFactors
    bounds: Bounds | None  # None without a ``LimitWatch``


class After(NamedTuple):
    """The result of one cycle of every lane."""

    state: LaneState
    step: CycleStep
    bounds: Bounds | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The pure function ``(Given, Before) -> After`` of a service."""

    rules: GoRules
    profile: Profile
    bounded_past_goal: bool  # whether ``Given.most_past_goal`` is finite
    growth: GrowthCourses | None = None
    warming_up: bool = False  # time 0 of the growth

    def __call__(self, given: Given, before: Before) -> After:
        """The lanes at the end of their next cycle."""
        parameters, fixed, in_force = given.parameters, given.fixed, given.in_force
        state, factors, bounds = before
        goals = goals_and_triggers(parameters, fixed, state, in_force, self.rules)
        if bounds is not None:
            bounds = bounds_with_cycle(bounds, parameters, state, goals, self.rules)
        waiting = allocate_until(
            goals.trigger, parameters=parameters, fixed=fixed, state=state, in_force=in_force,
            profile=self.profile, factors=factors,
        )  # fmt: skip
        start_s = state.now_seconds + waiting.seconds
        heap_start = state.heap_marked_bytes + waiting.grown_bytes
        worked_bytes = state.worked_bytes + waiting.allocated_bytes
        live = self._live_bytes(given, start_s) * factors.live_factor
        if self.growth is not None:
            live = live * self._grown(self.growth, parameters, start_s, worked_bytes)
        live = np.minimum(live * _live_heap_scale(parameters, state), heap_start)
        mark_cpu_s = _mark_cpu_seconds(parameters, state, live) * factors.mark_cpu_factor
        runway = runway_ahead(parameters, state, goals, heap_start=heap_start, live=live)
        conditions = self._conditions(given, start_s, mark_cpu_s, runway.to_goal, factors)
        drained_s = np.maximum(state.limiter_fill_seconds - waiting.seconds * conditions.gomaxprocs, 0.0)
        phase, limited_share, fill_s = limited_mark_phase(conditions, drained_s)
        phase = phase.prolonged(factors.mark_time_factor, conditions.runway_bytes)
        allocated_black = self._allocated_black(
            given, phase.allocated_bytes, factors.allocated_black_factor, runway.to_goal
        )
        heap_end = heap_start + allocated_black
        if bounds is not None:
            reached = np.maximum(heap_end, heap_start + runway.unlimited)
            bounds = bounds_with_end(bounds, parameters, state, goals, reached)
        mark_s = phase.duration_seconds + parameters.sweep_term_seconds
        stopped_s = mark_s + parameters.mark_term_seconds
        backlog = waiting.backlog_bytes
        if fixed.open_loop:
            backlog = self._queued_arrivals(parameters, backlog, start_s, stopped_s, allocated_black)
        after = replace(
            state,
            now_seconds=start_s + mark_s + parameters.mark_term_seconds,
            heap_marked_bytes=live + allocated_black,
            heap_end_bytes=heap_end,
            live_bytes=live,
            backlog_bytes=backlog,
            memory=self._cons_mark(parameters, state, live, allocated_black, phase, mark_s),
            limiter_fill_seconds=fill_s,
            worked_bytes=worked_bytes + allocated_black,
        )
        step = CycleStep(
            start_seconds=start_s,
            trigger_bytes=goals.trigger,
            heap_start_bytes=heap_start,
            heap_end_bytes=heap_end,
            heap_marked_bytes=after.heap_marked_bytes,
            heap_goal_bytes=np.maximum(goals.goal, 0.0),
            phase=phase,
            limited_seconds=limited_share * mark_s,
            mutator_bytes=waiting.allocated_bytes + allocated_black,
            setting=GcSetting(state.gc_percent, state.memory_limit_bytes),
        )
        return After(after, step, bounds)

    def _allocated_black(
        self, given: Given, expected: FloatArray, factor: FloatArray, runway: FloatArray
    ) -> FloatArray:
        """Bytes allocated in each mark phase: ``expected`` times ``factor``, within the bounds of the log."""
        within = np.maximum(expected, runway)
        scattered = np.minimum(expected * factor, given.most_black * within)
        if not self.bounded_past_goal:
            return scattered
        beyond = given.most_past_goal * given.fixed.unhindered_mark_bytes
        return np.minimum(scattered, within + beyond)

    def _conditions(
        self,
        given: Given,
        start_s: FloatArray,
        mark_cpu_s: FloatArray,
        runway: FloatArray,
        factors: CycleFactors,
    ) -> MarkConditions:
        """The conditions of the mark phase, at the mean allocation rate of its duration."""

        def at(pace: FloatArray) -> MarkConditions:
            return conditions_for(
                given.parameters,
                open_loop=given.fixed.open_loop,
                mark_cpu_seconds=mark_cpu_s,
                runway_bytes=runway,
                pace=pace,
                slowness=factors.slowness,
            )

        if self.profile.is_steady:
            return at(given.start_pace)
        first = at(self.profile.alloc_at(start_s))
        return at(self.profile.mean_alloc(start_s, mark_phase(first).duration_seconds))

    def _live_bytes(self, given: Given, start_s: FloatArray) -> FloatArray:
        """The mean live heap at the start of a cycle, without growth."""
        if self.profile.is_steady:
            return given.start_live_bytes
        return given.parameters.live_bytes * self.profile.live_at(start_s)

    def _grown(
        self, growth: GrowthCourses, parameters: LaneParameters, start_s: FloatArray, worked_bytes: FloatArray
    ) -> FloatArray:
        """The factor of growth on the live heap at the start of a cycle."""
        if self.warming_up:
            return growth.factor(np.zeros_like(start_s), parameters.replica)
        if growth.by_work:
            return growth.factor_of_work(worked_bytes, parameters.replica)
        return growth.factor(start_s, parameters.replica)

    def _cons_mark(
        self,
        parameters: LaneParameters,
        state: LaneState,
        live: FloatArray,
        allocated_black: FloatArray,
        phase: MarkPhase,
        mark_s: FloatArray,
    ) -> ConsMarkMemory[FloatArray]:
        """The pacer's cons/mark at the end of the cycle."""
        offered_s = mark_s * parameters.gomaxprocs
        utilization = BACKGROUND_UTILIZATION + phase.assist_cpu_seconds / offered_s
        measured = measured_cons_mark(
            allocated_black.astype(np.int64),
            (live + parameters.root_bytes).astype(np.int64),
            np.minimum(utilization, 0.999),
            phase.idle_cpu_seconds / offered_s,
        )
        return next_cons_mark(state.memory, measured, allocated_black >= 1.0, rules=self.rules)

    def _queued_arrivals(
        self,
        parameters: LaneParameters,
        backlog: FloatArray,
        start_s: FloatArray,
        mark_s: FloatArray,
        allocated: FloatArray,
    ) -> FloatArray:
        """The backlog of an open loop with the arrivals that are not served while marking.

        The backlog may be negative. A phase that allocated more than arrived has served requests that allocate more
        than the mean, and later requests allocate less. Clamping at zero would raise the long-run allocation rate above
        the arrival rate.
        """
        arrived = parameters.arrival_bytes_per_second * self.profile.mean_alloc(start_s, mark_s) * mark_s
        return backlog + arrived - allocated


def _live_heap_scale(parameters: LaneParameters, state: LaneState) -> FloatArray:
    """The live heap over the calibrated one, at the present heap growth."""
    grown = heap_growth(state.heap_end_bytes, parameters.live_bytes, parameters.root_bytes)
    return live_heap_scale(parameters.live_per_doubling, grown, parameters.mark_cpu_heap_ratio)


def _mark_cpu_seconds(parameters: LaneParameters, state: LaneState, live: FloatArray) -> FloatArray:
    """CPU time of marking before its random factor."""
    return parameters.mark_cpu_seconds * mark_cpu_factor(
        live,
        state.heap_end_bytes,
        root_bytes=parameters.root_bytes,
        calibrated_live_bytes=parameters.live_bytes,
        calibrated_growth=parameters.mark_cpu_heap_ratio,
        heap_exponent=parameters.mark_cpu_heap_exponent,
    )
