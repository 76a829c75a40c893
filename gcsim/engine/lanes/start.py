"""The state of lanes at the start of a run."""

from dataclasses import replace

import numpy as np

from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.goals import InForce, goals_and_triggers
from gcsim.engine.lanes.state import LaneState, initial_state
from gcsim.goruntime.versions import GoRules
from gcsim.submodels.live_growth import GrowthCourses


def starting_state(parameters: LaneParameters, growth: GrowthCourses | None, rules: GoRules) -> LaneState:
    """The state of every lane before its first cycle: of a process that starts if the program is a job.

    Any other program is in the state after a cycle at its live heap, and has a warm-up.
    """
    state = initial_state(parameters, rules)
    if growth is None or not growth.is_job:
        return state
    return _process_start(state, parameters, growth, rules)


def _process_start(
    state: LaneState, parameters: LaneParameters, growth: GrowthCourses, rules: GoRules
) -> LaneState:
    """The state of a process that has allocated nothing. The pacer expects to scan the roots alone.

    Memory outside the heap is that at the first trigger, and no swept span has free slots: the last peak is the first
    trigger, or the whole allocation of a job that ends before it.
    """
    whole = growth.job_bytes[parameters.replica]
    limited = np.minimum(state.memory_limit_bytes.astype(np.float64), whole)
    empty = replace(
        state,
        heap_marked_bytes=np.zeros(parameters.lanes),
        live_bytes=parameters.root_bytes.copy(),
        heap_end_bytes=limited,
    )
    goals = goals_and_triggers(parameters, parameters.fixed, empty, InForce.of(empty), rules)
    return replace(empty, heap_end_bytes=np.minimum(goals.trigger, whole))
