"""The time from the end of a cycle until the program has allocated up to the next trigger."""

from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.lane_parameters import FixedParts, LaneParameters
from gcsim.engine.lanes.draws import CycleFactors
from gcsim.engine.lanes.goals import InForce
from gcsim.engine.lanes.state import LaneState
from gcsim.service.profile import Profile
from gcsim.submodels.process_memory import span_tail_recount_bytes

FORCED_GC_PERIOD_SECONDS = 120.0  # Go 1.2+ runtime.forcegcperiod
_MIN_STEP_BYTES = 8192.0  # a collection starts at a span refill, so that a page is allocated between two
_LARGEST_SIZE = float(1 << 62)


class Waiting(NamedTuple):
    """The time between two cycles; arrays of shape (lanes,)."""

    seconds: FloatArray  # until the next cycle starts
    grown_bytes: FloatArray  # growth of heapLive until then
    allocated_bytes: FloatArray
    backlog_bytes: FloatArray  # of an open loop at the start of the next cycle


def allocate_until(
    trigger: FloatArray,
    *,
    parameters: LaneParameters,
    fixed: FixedParts,
    state: LaneState,
    in_force: InForce,
    profile: Profile,
    factors: CycleFactors,
) -> Waiting:
    """The time until the program has allocated up to the trigger, or until a periodic collection."""
    grown = trigger + factors.heap_start_slack_bytes - state.heap_marked_bytes
    grown = np.minimum(np.maximum(grown, _MIN_STEP_BYTES), _LARGEST_SIZE)
    wanted = grown - span_tail_recount_bytes(
        grown,
        state.live_bytes,
        slot_garbage=parameters.slot_garbage_share,
        base_share=parameters.recount_base_share,
    )
    slowness = factors.alloc_time_factor
    sweep_s = parameters.sweep_seconds_per_byte * state.heap_end_bytes
    at_capacity_s = wanted * slowness / parameters.capacity_bytes_per_second + sweep_s
    if fixed.open_loop:
        wait_s, backlog = _wait_for_arrivals(parameters, state, profile, wanted, slowness, at_capacity_s)
    else:
        backlog = state.backlog_bytes
        wait_s = profile.wait_seconds(state.now_seconds, at_capacity_s)
    late = wait_s > FORCED_GC_PERIOD_SECONDS
    if not late.any():
        return Waiting(wait_s, grown, wanted, backlog)
    share = np.where(late & in_force.periodic, FORCED_GC_PERIOD_SECONDS / wait_s, 1.0)
    return Waiting(wait_s * share, grown * share, wanted * share, backlog)


def _wait_for_arrivals(
    parameters: LaneParameters,
    state: LaneState,
    profile: Profile,
    wanted: FloatArray,
    slowness: FloatArray,
    at_capacity_s: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """(seconds, backlog) when arrivals, the backlog first, have allocated ``wanted`` bytes; at most at full speed."""
    missing = np.maximum(wanted - state.backlog_bytes, 0.0)
    arriving_s = missing * slowness / parameters.arrival_bytes_per_second
    wait_s = profile.wait_seconds(state.now_seconds, arriving_s)
    at_full_speed = at_capacity_s > wait_s
    pace = profile.mean_alloc(state.now_seconds, at_capacity_s)
    rate = parameters.arrival_bytes_per_second * pace / slowness
    left = np.maximum(state.backlog_bytes + rate * at_capacity_s - wanted, 0.0)
    return np.maximum(wait_s, at_capacity_s), np.where(at_full_speed, left, 0.0)
