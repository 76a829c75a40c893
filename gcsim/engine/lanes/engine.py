"""The lane engine: simulates thousands of runs together, one GC cycle per step, in arrays.

A lane is one (setting, replica). The engine keeps time and state. ``cycle`` holds the function that advances every lane
by one cycle. In a steady service the engine replays it as a program of array operations (``array_program``).
"""

import math
from functools import lru_cache

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.engine.controllers import FIXED_SETTING, Commit, Controller, GcSetting
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.array_program import ArrayProgram, Kept
from gcsim.engine.lanes.cycle import After, Before, Cycle, Given
from gcsim.engine.lanes.draws import LaneDraws
from gcsim.engine.lanes.goals import InForce
from gcsim.engine.lanes.limit_watch import LimitWatch
from gcsim.engine.lanes.start import starting_state
from gcsim.goruntime.versions import GoRules
from gcsim.service.profile import Profile
from gcsim.service.variability import CycleVariability
from gcsim.submodels.limited_mark_phase import LIMITER_SECONDS_PER_PROC
from gcsim.submodels.live_growth import GrowthCourses

CycleProgram = ArrayProgram[Given, Before, After]


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
        expected_cycles: float = 0.0,
    ) -> None:
        self._expected_cycles = expected_cycles  # of each lane, which decides how much preparation pays
        self.profile = profile
        self._controller = controller
        self.growth = growth
        self.watch: LimitWatch | None = None  # follows every step until the engine drops a lane
        self._warming_up = True  # time 0: at the start of the growth, and for the controller
        self.rules = rules
        self.state = starting_state(parameters, growth, rules)
        self._most_black = np.array(float(scatter.most_allocated_black))
        self._most_past_goal = np.array(float(scatter.most_past_goal))
        self._take(parameters)
        self._draws = LaneDraws(
            scatter,
            seed=seed,
            replicas=int(parameters.replica.max()) + 1,
            with_slowness=profile.is_steady and parameters.open_loop,
        )

    def _take(self, parameters: LaneParameters) -> None:
        """Takes the lanes to simulate, with the quantities that are the same in each of their cycles."""
        start = np.zeros(parameters.lanes)
        given = Given(
            parameters=parameters,
            fixed=parameters.fixed,
            in_force=InForce.of(self.state),
            start_live_bytes=parameters.live_bytes * self.profile.live_at(start),
            start_pace=self.profile.alloc_at(start),
            most_black=self._most_black,
            most_past_goal=self._most_past_goal,
        )
        self._give(given)

    def _give(self, given: Given) -> None:
        self._given = given
        self._kept: Kept = {}
        self._program: CycleProgram | None = None

    @property
    def parameters(self) -> LaneParameters:
        """The parameters of the lanes that still run."""
        return self._given.parameters

    @parameters.setter
    def parameters(self, parameters: LaneParameters) -> None:
        """Changes parameters of the lanes; quantities that were computed from the former ones stay."""
        self._give(self._given._replace(parameters=parameters))

    def keep(self, lanes: BoolArray) -> None:
        """Keeps only the lanes that ``lanes`` marks."""
        if self.watch is not None:
            self.watch.keep(lanes)
        self.state = self.state.select(lanes)
        self._take(self.parameters.select(lanes))

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
        if not self._given.in_force.still_of(self.state):
            self._give(self._given._replace(in_force=InForce.of(self.state)))
        watch = self.watch
        before = Before(
            self.state,
            self._draws.next_cycle(self.parameters.replica),
            None if watch is None else watch.bounds,
        )
        self.state, step, bounds = self._after(before)
        if watch is not None and bounds is not None:
            watch.bounds = bounds
        self._commit(step.setting)
        return step

    def _after(self, before: Before) -> After:
        """The next cycle, by a program if the service is steady."""
        if self.growth is not None or not self.profile.is_steady:
            return self._cycle(self.growth)(self._given, before)
        if self._program is None:
            self._program = _steady_program(
                self.rules,
                float(self.profile.alloc_factor[0]),
                math.isfinite(self._most_past_goal),
                self._given.fixed.open_loop,
                self._given.in_force.limited is not None,
                before.factors.slowness is not None,
                before.bounds is not None,
                cycle=_ByParameters(self._cycle()),
            )
            self._program.policy.expect(self._expected_cycles, self.parameters.lanes)
        return self._program(self._given, before, self._kept)

    def _cycle(self, growth: GrowthCourses | None = None) -> Cycle:
        return Cycle(
            rules=self.rules,
            profile=self.profile,
            bounded_past_goal=math.isfinite(self._most_past_goal),
            growth=growth,
            warming_up=self._warming_up,
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


class _ByParameters:
    """A cycle that a cache takes for equal to every other one: the other arguments of the call determine it."""

    def __init__(self, cycle: Cycle) -> None:
        self.cycle = cycle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByParameters)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=64)
def _steady_program(*_: object, cycle: _ByParameters) -> CycleProgram:
    """The program of a steady cycle. The other arguments name everything that the cycle takes as constant."""
    return ArrayProgram(cycle.cycle)
