"""The GC CPU limiter (Go 1.19+): a leaky bucket that holds the collector to half of the CPU that is not idle.

Time spent on GC fills the bucket, the program's time drains it, one for one, so it fills only while GC takes
more than half. It holds one second for each P: that much excess is free. When it is full the limiter is on,
until an update finds a net drain. While it is on

- goroutines do not assist, and assists under way stop (``gcAssistAlloc``, ``gcDrainN``);
- allocation does not scavenge for the memory limit (``mheap.allocSpan``);
- all else goes on: dedicated, fractional and idle workers, cycle starts, scavenging for heap growth and
  in the background. So the heap may pass its goal and the memory its limit.

State transitions are pure: each takes the time and returns a new state. Every field is a Python number, or an
array with one element a lane. Same in Go 1.19 to 1.27. Source: ``runtime/mgclimit.go``.
"""

from dataclasses import dataclass, replace
from typing import Generic

from gcsim.arrays import BoolOrArray, IntOrArray, NumberOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, to_float64, truncate_to_int64, where
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION, MEAN_SLICE_NS, dedicated_workers

CAPACITY_PER_P_NS = 1_000_000_000  # capacityPerProc
UPDATE_PERIOD_NS = 10_000_000  # gcCPULimiterUpdatePeriod: scheduling a worker updates when this has passed


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """What the limiter knows (``gcCPULimiterState``); each field a scalar or an array of one shape.

    Invariant: 0 <= fill_ns <= capacity_ns.
    """

    gomaxprocs: IntOrArray
    capacity_ns: NumberOrArray  # CPU ns
    fill_ns: NumberOrArray = 0
    overflow_ns: NumberOrArray = 0  # excess that found the bucket full, since the start
    enabled: BoolOrArray = False  # the limiter is on
    gc_enabled: BoolOrArray = False  # marking, so that a quarter of all time is GC's
    last_update_ns: NumberOrArray = 0
    assist_pool_ns: NumberOrArray = 0  # assists and allocation-time scavenging since the last update, CPU ns
    idle_pool_ns: NumberOrArray = 0  # idle Ps and idle mark workers since the last update, CPU ns


def new_limiter(gomaxprocs: IntOrArray, *, now_ns: NumberOrArray = 0) -> LimiterState:
    """An empty bucket for GOMAXPROCS Ps."""
    return LimiterState(
        gomaxprocs=gomaxprocs, capacity_ns=gomaxprocs * CAPACITY_PER_P_NS, last_update_ns=now_ns
    )


def add_assist_time(state: LimiterState, cpu_ns: NumberOrArray) -> LimiterState:
    """Count an assist's or an allocation-time scavenge's CPU time. ``addAssistTime``."""
    return replace(state, assist_pool_ns=state.assist_pool_ns + cpu_ns)


def add_idle_time(state: LimiterState, cpu_ns: NumberOrArray) -> LimiterState:
    """Count time of an idle P, or of an idle mark worker, toward the next update. ``addIdleTime``."""
    return replace(state, idle_pool_ns=state.idle_pool_ns + cpu_ns)


def needs_update(state: LimiterState, now_ns: NumberOrArray) -> BoolOrArray:
    """Whether the last update is over 10 ms old; asked when a worker is scheduled. ``needUpdate``."""
    return now_ns - state.last_update_ns > UPDATE_PERIOD_NS


def update(state: LimiterState, now_ns: NumberOrArray) -> LimiterState:
    """Settle the time since the last update; now_ns >= last_update_ns (the runtime drops a stale update).

    GC's part is what was assisted, plus a quarter of all time while marking, whatever the workers really did.
    Idle time is taken from the total, and so from the program's part. Source: ``updateLocked``.
    """
    total_ns = (now_ns - state.last_update_ns) * state.gomaxprocs
    background_ns = truncate_to_int64(to_float64(total_ns) * BACKGROUND_UTILIZATION)
    gc_ns = state.assist_pool_ns + where(state.gc_enabled, background_ns, 0)
    mutator_ns = total_ns - state.idle_pool_ns - gc_ns
    settled = replace(state, last_update_ns=now_ns, assist_pool_ns=0, idle_pool_ns=0)
    return accumulate(settled, mutator_ns=mutator_ns, gc_ns=gc_ns)


def accumulate(state: LimiterState, *, mutator_ns: NumberOrArray, gc_ns: NumberOrArray) -> LimiterState:
    """Fill or drain the bucket, and switch the limiter.

    On when an increase reaches capacity; off when a full bucket drains at all; no change keeps it as it is. A
    bucket that was full but off (after ``reset_capacity`` to just its fill) is not switched on by an
    increase: so it is in the runtime. Source: ``accumulate``.
    """
    headroom_ns = state.capacity_ns - state.fill_ns
    change_ns = gc_ns - mutator_ns
    fills_up = (change_ns > 0) & (headroom_ns <= change_ns)
    switches_off = (change_ns != 0) & (headroom_ns == 0)
    return replace(
        state,
        fill_ns=where(fills_up, state.capacity_ns, maximum(state.fill_ns + change_ns, 0)),
        overflow_ns=state.overflow_ns + where(fills_up, change_ns - headroom_ns, 0),
        enabled=where(
            fills_up, state.enabled | (headroom_ns != 0), where(switches_off, False, state.enabled)
        ),
    )


def start_gc_transition(
    state: LimiterState, *, enable_gc: BoolOrArray, now_ns: NumberOrArray
) -> LimiterState:
    """The world has stopped to begin (``enable_gc``) or to end marking: settle what came before.

    Source: ``startGCTransition``.
    """
    return replace(update(state, now_ns), gc_enabled=enable_gc)


def finish_gc_transition(state: LimiterState, now_ns: NumberOrArray) -> LimiterState:
    """The world starts again: the pause counts for GC on every P. ``finishGCTransition``."""
    stopped_ns = (now_ns - state.last_update_ns) * state.gomaxprocs
    return replace(accumulate(state, mutator_ns=0, gc_ns=stopped_ns), last_update_ns=now_ns)


def min_assist_ns(gomaxprocs: Real, owed_ns: Real) -> Real:
    """For how long goroutines assist at least before the limiter can switch on again, wall ns.

    Nothing but the end of an assist settles the bucket meanwhile: when it has paid what it owes (``owed_ns``, wall ns
    of marking), or is preempted. A P that has switched the limiter off has a time slice before it; of the others'
    slices, spread evenly, the first ends so much sooner. Source: ``gcAssistAlloc1``, ``gcDrainN``, ``retake``.
    Beside the event engine, which plays it out, heaps are within 8 % for phases of 25 ms and more (two programs, 1 to
    8 Ps); where a phase is as short as a slice, in a third program, a third below it and nearer to real Go.
    """
    return minimum(MEAN_SLICE_NS, owed_ns) / maximum(gomaxprocs - 1, 1)


def limiter_duty_cycle(gc_share_limited: Real, stretch: Real, *, off: Real, on: Real) -> Real:
    """The share of a stretch on a full bucket for which the limiter is on, 0 to 1; it begins with that.

    ``gc_share_limited`` is GC's share of CPU that is not idle with assists off; times are in one unit. The limiter is
    on for ``on``, until an update finds a net drain. What goroutines allocate meanwhile they owe when it is off, so
    that assists then take all: the bucket is full again after on x (1 - 2 limited), which holds GC to a half. Where
    assists go on for ``off`` at least (``min_assist_ns``), and that is longer, the rest runs over, and GC takes
    more than a half. 1 where GC exceeds a half without assists (continuous pauses).
    """
    turn = on + maximum(off, on * maximum(1.0 - 2.0 * gc_share_limited, 0.0))
    turns = stretch / turn
    whole = truncate_to_int64(turns)
    on_time = on * whole + minimum((turns - whole) * turn, on)
    share = on_time / where(stretch > 0.0, stretch, 1.0)
    return where(gc_share_limited >= 0.5, 1.0, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Generic[Real]):
    """What ``fluid_window`` makes of a stretch; scalars, or arrays of one shape."""

    fill: Real  # at its end, in the unit of the fill at its beginning
    limited_share: Real  # of the stretch, with the limiter on
    assist_pass_through: Real  # of the assists that were asked for, 0 to 1
    excess_gc_share: Real  # of CPU that is not idle: what GC took beyond a half, once the bucket was full


def waiting_share(excess_gc_share: Real, gomaxprocs: Real, owed_ns: Real) -> Real:
    """CPU that is not idle on which idle workers mark for goroutines that wait for credit, as a share.

    When an assist's end switches the limiter on, those under way on the other Ps stop and wait (``gcParkAssist``),
    where the pool has no credit: without a dedicated worker, on up to three Ps. Of what runs over, theirs is that
    part where they owe (``owed_ns``) two time slices or more, and none where they have paid within one. An
    approximation: in three design programs on two Ps a quarter to three fifths of it were idle.
    """
    unpaid = minimum(maximum(owed_ns / MEAN_SLICE_NS - 1.0, 0.0), 1.0)
    share = unpaid * excess_gc_share * (gomaxprocs - 1) / gomaxprocs
    return where(dedicated_workers(gomaxprocs) > 0, 0.0, share)


def fluid_window(
    fill_ns: Real,
    capacity_ns: Real,
    busy_cpu_ns: Real,
    *,
    gc_share_assisting: Real,
    gc_share_limited: Real,
    off: Real,
    on: Real,
) -> Window[Real]:
    """The bucket over a stretch of steady demand.

    ``busy_cpu_ns`` is the stretch's CPU time that is not idle. The shares are GC's of it (as ``update`` counts it),
    with assists and with assists off; outside marking both are 0, or the pauses' part. ``off`` and ``on`` are as in
    ``limiter_duty_cycle``, in stretches. The fluid form of many ``update`` calls: filling is exact, and a full
    bucket's turns are regular.
    """
    rate = 2.0 * gc_share_assisting - 1.0
    headroom = capacity_ns - fill_ns
    to_brim_cpu_ns = where(rate > 0.0, headroom / where(rate > 0.0, rate, 1.0), busy_cpu_ns)
    before = minimum(to_brim_cpu_ns, busy_cpu_ns)
    after_share = where(busy_cpu_ns > 0, 1.0 - before / where(busy_cpu_ns > 0, busy_cpu_ns, 1.0), 0.0)
    limited = limiter_duty_cycle(gc_share_limited, after_share, off=off, on=on)
    most = 1.0 - limited * (1.0 - gc_share_limited)  # of GC: all the rest of the time
    asked = maximum(gc_share_assisting - gc_share_limited, 1e-9)
    allowed = minimum(maximum(most - gc_share_limited, 0.0) / asked, 1.0)
    return Window(
        fill=maximum(minimum(fill_ns + rate * busy_cpu_ns, capacity_ns), 0.0),
        limited_share=after_share * limited,
        assist_pass_through=1.0 - after_share * (1.0 - allowed),
        excess_gc_share=after_share * maximum(minimum(most, gc_share_assisting) - 0.5, 0.0),
    )
