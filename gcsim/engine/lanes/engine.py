"""The lane engine: simulates thousands of runs together, one GC cycle per step, in arrays.

A lane is one (setting, replica). Each step computes goal and trigger (``goruntime``), lets the program allocate up to
the trigger, simulates the mark phase (``submodels.mark_phase``) and returns the cycle. The engine keeps time and state.
It contains no rule of the runtime.
"""

import math

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.engine.controllers import FIXED_SETTING, Commit, Controller, GcSetting
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.draws import CycleFactors, LaneDraws
from gcsim.engine.lanes.goals import InForce, goals_and_triggers, runway_ahead
from gcsim.engine.lanes.limit_watch import LimitWatch
from gcsim.engine.lanes.mark_conditions import conditions_for
from gcsim.engine.lanes.state import initial_state
from gcsim.engine.lanes.waiting import allocate_until
from gcsim.goruntime.cons_mark import measured_cons_mark, next_cons_mark
from gcsim.goruntime.versions import GoRules
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION
from gcsim.service.profile import Profile
from gcsim.service.variability import CycleVariability
from gcsim.submodels.heap_growth import heap_growth
from gcsim.submodels.limited_mark_phase import LIMITER_SECONDS_PER_PROC, limited_mark_phase
from gcsim.submodels.live_growth import GrowthCourses
from gcsim.submodels.live_heap import live_heap_scale
from gcsim.submodels.mark_cost import mark_cpu_factor
from gcsim.submodels.mark_phase import MarkConditions, MarkPhase, mark_phase


class LaneEngine:
    """Runs of one service; ``step`` advances each by one cycle."""

    def __init__(
        self,
        parameters: LaneParameters,
        *,
        profile: Profile,
        scatter: CycleVariability,
        rules: GoRules,
        seed: int,
        controller: Controller = FIXED_SETTING,
        growth: GrowthCourses | None = None,
    ) -> None:
        self._take(parameters, profile)
        self._controller = controller
        self.growth = growth
        self.watch: LimitWatch | None = None  # follows every step until the engine drops a lane
        self._warming_up = True  # time 0: at the start of the growth, and for the controller
        self.rules = rules
        self.state = initial_state(parameters, rules)
        self._in_force = InForce.of(self.state)
        self._most_black = float(scatter.most_allocated_black)
        self._most_past_goal = float(scatter.most_past_goal)
        self._draws = LaneDraws(
            scatter,
            seed=seed,
            replicas=int(parameters.replica.max()) + 1,
            with_slowness=profile.is_steady and self._fixed.open_loop,
        )

    def _take(self, parameters: LaneParameters, profile: Profile) -> None:
        """Takes the lanes to simulate, with the quantities that are the same in each of their cycles."""
        self.parameters = parameters
        self.profile = profile
        self._fixed = parameters.fixed
        start = np.zeros(parameters.lanes)
        self._start_live_bytes = parameters.live_bytes * profile.live_at(start)
        self._start_pace = profile.alloc_at(start)

    def keep(self, lanes: BoolArray) -> None:
        """Keeps only the lanes that ``lanes`` marks."""
        self._take(self.parameters.select(lanes), self.profile)
        if self.watch is not None:
            self.watch.keep(lanes)
        self.state = self.state.select(lanes)

    def restart_clock(self) -> None:
        """Sets time and work to 0 in every lane at the end of a warm-up, when growth starts; all other state stays."""
        self.state.now_seconds = np.zeros(self.parameters.lanes)
        self.state.worked_bytes = np.zeros(self.parameters.lanes)
        self._warming_up = False

    def repeat_last(
        self,
        times: FloatArray,
        *,
        since_seconds: FloatArray,
        since_fill_seconds: FloatArray,
        worked_bytes: FloatArray,
    ) -> None:
        """Advances each lane as if its last cycle had happened ``times`` times.

        ``since_seconds`` and ``since_fill_seconds`` are the clock and the limiter's bucket before that cycle,
        ``worked_bytes`` is its allocation.
        """
        state = self.state
        state.worked_bytes = state.worked_bytes + (times - 1.0) * worked_bytes
        state.now_seconds = since_seconds + times * (state.now_seconds - since_seconds)
        fill = since_fill_seconds + times * (state.limiter_fill_seconds - since_fill_seconds)
        most = np.maximum(LIMITER_SECONDS_PER_PROC * self.parameters.gomaxprocs, state.limiter_fill_seconds)
        state.limiter_fill_seconds = np.clip(fill, 0.0, most)

    def step(self) -> CycleStep:
        """Advances every lane to the end of its next cycle."""
        parameters, fixed, state = self.parameters, self._fixed, self.state
        setting = GcSetting(state.gc_percent, state.memory_limit_bytes)
        if not self._in_force.still_of(state):
            self._in_force = InForce.of(state)
        factors = self._draws.next_cycle(parameters.replica)
        goals = goals_and_triggers(parameters, fixed, state, self._in_force, self.rules)
        if self.watch is not None:
            self.watch.add(parameters, state, goals, self.rules)
        goal, trigger = goals.goal, goals.trigger
        wait_s, grown, allocated = allocate_until(
            trigger, parameters=parameters, fixed=fixed, state=state, in_force=self._in_force,
            profile=self.profile, factors=factors,
        )  # fmt: skip
        start_s = state.now_seconds + wait_s
        heap_start = state.heap_marked_bytes + grown
        live = self._live_bytes(start_s) * factors.live_factor
        if self.growth is not None:
            live = live * self._grown(self.growth, start_s, state.worked_bytes + allocated)
        live = np.minimum(live * self._live_heap_scale(), heap_start)
        mark_cpu_s = self._mark_cpu_seconds(live) * factors.mark_cpu_factor
        runway = runway_ahead(parameters, state, goals, heap_start=heap_start, live=live)
        conditions = self._conditions(start_s, mark_cpu_s, runway.to_goal, factors)
        phase, limited_share = self._mark(wait_s, conditions)
        phase = phase.prolonged(factors.mark_time_factor, conditions.runway_bytes)
        allocated_black = self._allocated_black(
            phase.allocated_bytes, factors.allocated_black_factor, runway.to_goal
        )
        heap_end = heap_start + allocated_black
        if self.watch is not None:
            self.watch.add_end(parameters, state, np.maximum(heap_end, heap_start + runway.unlimited))
        mark_s = phase.duration_seconds + parameters.sweep_term_seconds
        self._update_cons_mark(live, allocated_black, phase, mark_s)
        self._queue_arrivals(start_s, mark_s + parameters.mark_term_seconds, allocated_black)
        state.now_seconds = start_s + mark_s + parameters.mark_term_seconds
        state.heap_marked_bytes = live + allocated_black
        state.heap_end_bytes = heap_end
        state.live_bytes = live
        state.worked_bytes = state.worked_bytes + allocated + allocated_black
        self._commit(setting)
        return CycleStep(
            start_seconds=start_s,
            trigger_bytes=trigger,
            heap_start_bytes=heap_start,
            heap_end_bytes=heap_end,
            heap_marked_bytes=state.heap_marked_bytes,
            heap_goal_bytes=np.maximum(goal, 0.0),
            phase=phase,
            limited_seconds=limited_share * mark_s,
            mutator_bytes=allocated + allocated_black,
            setting=setting,
        )

    def _commit(self, setting: GcSetting) -> None:
        """Takes the setting of the next cycle from the controller."""
        if self._controller == FIXED_SETTING:
            return
        state = self.state
        commit = Commit(
            now_seconds=np.zeros_like(state.now_seconds) if self._warming_up else state.now_seconds,
            heap_marked_bytes=state.heap_marked_bytes,
            heap_end_bytes=state.heap_end_bytes,
            live_bytes=state.live_bytes,
            root_bytes=self.parameters.root_bytes,
            setting=setting,
        )
        state.gc_percent, state.memory_limit_bytes = self._controller.at_commit(commit)

    def _allocated_black(self, expected: FloatArray, factor: FloatArray, runway: FloatArray) -> FloatArray:
        """Bytes allocated in each mark phase: ``expected`` times ``factor``, within the bounds of the log."""
        within = np.maximum(expected, runway)
        scattered = np.minimum(expected * factor, self._most_black * within)
        if math.isinf(self._most_past_goal):
            return scattered
        beyond = self._most_past_goal * self._fixed.unhindered_mark_bytes
        return np.minimum(scattered, within + beyond)

    def _conditions(
        self, start_s: FloatArray, mark_cpu_s: FloatArray, runway: FloatArray, factors: CycleFactors
    ) -> MarkConditions:
        """The conditions of the mark phase, at the mean allocation rate of its duration."""

        def at(pace: FloatArray) -> MarkConditions:
            return conditions_for(
                self.parameters,
                mark_cpu_seconds=mark_cpu_s,
                runway_bytes=runway,
                pace=pace,
                slowness=factors.slowness,
            )

        if self.profile.is_steady:
            return at(self._start_pace)
        first = at(self.profile.alloc_at(start_s))
        return at(self.profile.mean_alloc(start_s, mark_phase(first).duration_seconds))

    def _live_bytes(self, start_s: FloatArray) -> FloatArray:
        """The mean live heap at the start of a cycle, without growth."""
        if self.profile.is_steady:
            return self._start_live_bytes
        return self.parameters.live_bytes * self.profile.live_at(start_s)

    def _grown(self, growth: GrowthCourses, start_s: FloatArray, worked_bytes: FloatArray) -> FloatArray:
        """The factor of growth on the live heap at the start of a cycle."""
        replica = self.parameters.replica
        if self._warming_up:
            return growth.factor(np.zeros(self.parameters.lanes), replica)
        return (
            growth.factor_of_work(worked_bytes, replica)
            if growth.by_work
            else growth.factor(start_s, replica)
        )

    def _live_heap_scale(self) -> FloatArray:
        """The live heap over the calibrated one, at the present heap growth."""
        parameters = self.parameters
        grown = heap_growth(self.state.heap_end_bytes, parameters.live_bytes, parameters.root_bytes)
        return live_heap_scale(parameters.live_per_doubling, grown, parameters.mark_cpu_heap_ratio)

    def _mark_cpu_seconds(self, live: FloatArray) -> FloatArray:
        """CPU time of marking before its random factor."""
        parameters = self.parameters
        return parameters.mark_cpu_seconds * mark_cpu_factor(
            live,
            self.state.heap_end_bytes,
            root_bytes=parameters.root_bytes,
            calibrated_live_bytes=parameters.live_bytes,
            calibrated_growth=parameters.mark_cpu_heap_ratio,
            heap_exponent=parameters.mark_cpu_heap_exponent,
        )

    def _mark(self, wait_s: FloatArray, conditions: MarkConditions) -> tuple[MarkPhase, FloatArray]:
        """(mark phase, share of it with assists switched off by the limiter)."""
        drained_s = np.maximum(self.state.limiter_fill_seconds - wait_s * conditions.gomaxprocs, 0.0)
        phase, limited_share, self.state.limiter_fill_seconds = limited_mark_phase(conditions, drained_s)
        return phase, limited_share

    def _update_cons_mark(
        self, live: FloatArray, allocated_black: FloatArray, phase: MarkPhase, mark_s: FloatArray
    ) -> None:
        """Updates the pacer's cons/mark at the end of a cycle."""
        parameters = self.parameters
        offered_s = mark_s * parameters.gomaxprocs
        utilization = BACKGROUND_UTILIZATION + phase.assist_cpu_seconds / offered_s
        measured = measured_cons_mark(
            allocated_black.astype(np.int64),
            (live + parameters.root_bytes).astype(np.int64),
            np.minimum(utilization, 0.999),
            phase.idle_cpu_seconds / offered_s,
        )
        grew = allocated_black >= 1.0
        self.state.memory = next_cons_mark(self.state.memory, measured, grew, rules=self.rules)

    def _queue_arrivals(self, start_s: FloatArray, mark_s: FloatArray, allocated: FloatArray) -> None:
        """Adds arrivals that are not served while marking to the backlog; a closed loop has none.

        The backlog may be negative. A phase that allocated more than arrived has served requests that allocate more
        than the mean, and later requests allocate less. Clamping at zero would raise the long-run allocation rate above
        the arrival rate.
        """
        parameters, state = self.parameters, self.state
        if self._fixed.open_loop:
            arrived = parameters.arrival_bytes_per_second * self.profile.mean_alloc(start_s, mark_s) * mark_s
            state.backlog_bytes = state.backlog_bytes + arrived - allocated
