"""The GC CPU limiter at a change of GOMAXPROCS."""

from dataclasses import replace

from gcsim.arrays import IntOrArray, NumberOrArray
from gcsim.goruntime.arithmetic import minimum, where
from gcsim.goruntime.limiter import CAPACITY_PER_P_NS, LimiterState, update


def reset_capacity(state: LimiterState, gomaxprocs: IntOrArray, *, now_ns: NumberOrArray) -> LimiterState:
    """The state after a change of GOMAXPROCS, with the fill cut to the new capacity. ``resetCapacity``."""
    settled = update(state, now_ns)
    capacity_ns = gomaxprocs * CAPACITY_PER_P_NS
    spills, has_room = settled.fill_ns > capacity_ns, settled.fill_ns < capacity_ns
    return replace(
        settled,
        gomaxprocs=gomaxprocs,
        capacity_ns=capacity_ns,
        fill_ns=minimum(settled.fill_ns, capacity_ns),
        enabled=where(spills, True, where(has_room, False, settled.enabled)),
    )
