"""The time from the end of a cycle until the program has allocated up to the next trigger."""

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


def allocate_until(
    trigger: FloatArray,
    *,
    parameters: LaneParameters,
    fixed: FixedParts,
    state: LaneState,
    in_force: InForce,
    profile: Profile,
    factors: CycleFactors,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(seconds until the next cycle starts, growth of heapLive until then, bytes allocated until then).

    Updates the backlog of an open loop.
    """
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
        wait_s = _wait_for_arrivals(parameters, state, profile, wanted, slowness, at_capacity_s)
    else:
        wait_s = profile.wait_seconds(state.now_seconds, at_capacity_s)
    late = wait_s > FORCED_GC_PERIOD_SECONDS
    if not late.any():
        return wait_s, grown, wanted
    share = np.where(late & in_force.periodic, FORCED_GC_PERIOD_SECONDS / wait_s, 1.0)
    return wait_s * share, grown * share, wanted * share


def _wait_for_arrivals(
    parameters: LaneParameters,
    state: LaneState,
    profile: Profile,
    wanted: FloatArray,
    slowness: FloatArray,
    at_capacity_s: FloatArray,
) -> FloatArray:
    """Seconds until arrivals, with the backlog first, have allocated ``wanted`` bytes; at most at full speed."""
    missing = np.maximum(wanted - state.backlog_bytes, 0.0)
    arriving_s = missing * slowness / parameters.arrival_bytes_per_second
    wait_s = profile.wait_seconds(state.now_seconds, arriving_s)
    at_full_speed = at_capacity_s > wait_s
    pace = profile.mean_alloc(state.now_seconds, at_capacity_s)
    rate = parameters.arrival_bytes_per_second * pace / slowness
    left = np.maximum(state.backlog_bytes + rate * at_capacity_s - wanted, 0.0)
    state.backlog_bytes = np.where(at_full_speed, left, 0.0)
    return np.maximum(wait_s, at_capacity_s)
