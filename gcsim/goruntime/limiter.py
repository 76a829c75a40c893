"""The GC CPU limiter (Go 1.19+): a leaky bucket that limits the collector to half of the CPU that is not idle.

CPU time of GC fills the bucket, CPU time of the program drains it by the same amount. The bucket therefore fills only
while GC uses more than half. It holds one second per P. When it is full, the limiter switches on, and stays on until an
update finds a net drain. While the limiter is on

- goroutines do not assist, and running assists stop (``gcAssistAlloc``, ``gcDrainN``);
- allocation does not scavenge for the memory limit (``mheap.allocSpan``);
- everything else continues: dedicated, fractional and idle workers, cycle starts, scavenging for heap growth and in the
  background. The heap may then pass its goal, and memory may pass its limit.

State transitions are pure: each takes the time and returns a new state. Every field is a Python number, or an array
with one element per lane. The rules are the same in Go 1.19 to 1.27. Source: ``runtime/mgclimit.go``.
"""

import math
from dataclasses import dataclass, replace
from typing import Generic, Self

import numpy as np

from gcsim.arrays import BoolOrArray, IntOrArray, NumberOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, to_float64, truncate_to_int64, where
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION, MEAN_SLICE_NS

CAPACITY_PER_P_NS = 1_000_000_000  # capacityPerProc
_SHORTEST_STRETCH = 1e-300  # avoids 0/0 for a stretch of 0
UPDATE_PERIOD_NS = 10_000_000  # gcCPULimiterUpdatePeriod: scheduling a worker updates after this time


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """The limiter's state (``gcCPULimiterState``); each field is a scalar or an array of one shape.

    Invariant: 0 <= fill_ns <= capacity_ns.
    """

    gomaxprocs: IntOrArray
    capacity_ns: NumberOrArray  # CPU ns
    fill_ns: NumberOrArray = 0
    overflow_ns: NumberOrArray = 0  # GC time since the start that did not fit in the full bucket
    enabled: BoolOrArray = False  # the limiter is on
    gc_enabled: BoolOrArray = False  # a cycle marks, so that a quarter of all time counts as GC
    last_update_ns: NumberOrArray = 0
    assist_pool_ns: NumberOrArray = 0  # assists and allocation-time scavenging since the last update, CPU ns
    idle_pool_ns: NumberOrArray = 0  # idle Ps and idle mark workers since the last update, CPU ns


def new_limiter(gomaxprocs: IntOrArray, *, now_ns: NumberOrArray = 0) -> LimiterState:
    """An empty bucket for GOMAXPROCS Ps."""
    return LimiterState(
        gomaxprocs=gomaxprocs, capacity_ns=gomaxprocs * CAPACITY_PER_P_NS, last_update_ns=now_ns
    )


def add_assist_time(state: LimiterState, cpu_ns: NumberOrArray) -> LimiterState:
    """The state after ``cpu_ns`` of assists or of scavenging at allocation. ``addAssistTime``."""
    return replace(state, assist_pool_ns=state.assist_pool_ns + cpu_ns)


def add_idle_time(state: LimiterState, cpu_ns: NumberOrArray) -> LimiterState:
    """The state after ``cpu_ns`` of an idle P or an idle mark worker. ``addIdleTime``."""
    return replace(state, idle_pool_ns=state.idle_pool_ns + cpu_ns)


def needs_update(state: LimiterState, now_ns: NumberOrArray) -> BoolOrArray:
    """Whether the last update is over 10 ms old; tested when a worker is scheduled. ``needUpdate``."""
    return now_ns - state.last_update_ns > UPDATE_PERIOD_NS


def update(state: LimiterState, now_ns: NumberOrArray) -> LimiterState:
    """The state after the time since the last update; ``now_ns`` >= last_update_ns.

        GC time      = assist time + 0.25 x all time while a cycle marks
        program time = all time - idle time - GC time

    GC time does not depend on the workers' real time. The runtime drops an update with an older time. Source:
    ``updateLocked``.
    """
    total_ns = (now_ns - state.last_update_ns) * state.gomaxprocs
    background_ns = truncate_to_int64(to_float64(total_ns) * BACKGROUND_UTILIZATION)
    gc_ns = state.assist_pool_ns + where(state.gc_enabled, background_ns, 0)
    mutator_ns = total_ns - state.idle_pool_ns - gc_ns
    settled = replace(state, last_update_ns=now_ns, assist_pool_ns=0, idle_pool_ns=0)
    return accumulate(settled, mutator_ns=mutator_ns, gc_ns=gc_ns)


def accumulate(state: LimiterState, *, mutator_ns: NumberOrArray, gc_ns: NumberOrArray) -> LimiterState:
    """The state after program time ``mutator_ns`` and GC time ``gc_ns``: fill and switch.

    The limiter switches on when an increase fills the bucket, and off when a full bucket drains. Without a change of
    the fill it stays. An increase does not switch on a bucket that was full and off (after ``reset_capacity`` to
    exactly its fill); the runtime does the same. Source: ``accumulate``.
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
    """The state when the world has stopped to begin (``enable_gc``) or to end marking.

    Source: ``startGCTransition``.
    """
    return replace(update(state, now_ns), gc_enabled=enable_gc)


def finish_gc_transition(state: LimiterState, now_ns: NumberOrArray) -> LimiterState:
    """The state when the world starts again; the pause counts as GC time on every P. ``finishGCTransition``."""
    stopped_ns = (now_ns - state.last_update_ns) * state.gomaxprocs
    return replace(accumulate(state, mutator_ns=0, gc_ns=stopped_ns), last_update_ns=now_ns)


def min_assist_ns(gomaxprocs: Real, owed_ns: Real) -> Real:
    """The shortest time for which goroutines assist before the limiter can switch on again, wall ns.

        min(mean time slice, owed_ns) / max(P - 1, 1)

    While goroutines assist, only the end of an assist updates the bucket. An assist ends when it has paid its debt
    (``owed_ns``, wall ns of marking) or when it is preempted. With P processors whose slices are evenly staggered, the
    first slice of another P ends after slice / (P - 1). Source: ``gcAssistAlloc1``, ``gcDrainN``, ``retake``.
    Compared with the event engine, heaps are within 8 % for phases of 25 ms and more (two programs, 1 to 8 Ps). In a
    third program with phases as short as a slice, heaps are a third below the event engine and nearer to real Go.
    """
    return minimum(MEAN_SLICE_NS, owed_ns) / maximum(gomaxprocs - 1, 1)


def limiter_duty_cycle(gc_share_limited: Real, stretch: Real, *, off: Real, on: Real) -> Real:
    """The share of ``stretch``, 0 to 1, for which the limiter is on; the stretch starts with a full bucket.

        turn = on + max(off, on * max(1 - 2 * gc_share_limited, 0))

    ``gc_share_limited`` is GC's share of CPU that is not idle while assists are off. All times are in one unit. A turn
    begins with the limiter on for ``on``, until an update finds a net drain. Goroutines owe assists for their
    allocation in this time, and assists then use all CPU. The bucket is full again after the second term, which limits
    GC to a half. If assists last at least ``off`` (``min_assist_ns``) and this is longer, the bucket overflows and GC
    uses more than a half. The result is 1 if GC exceeds a half without assists (continuous pauses).
    """
    turn = on + maximum(off, on * maximum(1.0 - 2.0 * gc_share_limited, 0.0))
    turns = stretch / turn
    whole = truncate_to_int64(turns)
    on_time = on * whole + minimum((turns - whole) * turn, on)
    share = on_time / maximum(stretch, _SHORTEST_STRETCH)
    return where(gc_share_limited >= 0.5, 1.0, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Generic[Real]):
    """The result of ``Demand.over`` for a stretch; scalars, or arrays of one shape."""

    fill: Real  # of the bucket at the end, in the unit of the fill at the start
    limited_share: Real  # of the stretch, with the limiter on
    assist_pass_through: Real  # share of the demanded assists that run, 0 to 1
    excess_gc_share: Real  # GC's CPU share beyond a half after the bucket is full, of CPU that is not idle


def unpaid_share(owed_ns: Real) -> Real:
    """Part of a goroutine's assist debt, 0 to 1, that it still owes after a time slice; 1 from two slices on.

    ``owed_ns`` is the debt in wall ns of marking.
    """
    return minimum(maximum(owed_ns / MEAN_SLICE_NS - 1.0, 0.0), 1.0)


def waiting_share(excess_gc_share: Real, gomaxprocs: Real, unpaid: Real) -> Real:
    """Share of CPU on which idle workers mark because goroutines wait for credit, of CPU that is not idle.

    When the end of an assist switches the limiter on, assists on other Ps stop. If the pool has no credit, their
    goroutines wait (``gcParkAssist``). This happens only without a dedicated worker, that is on up to three Ps
    (``dedicated_workers``). Of the excess GC time the waiting goroutines' part is ``unpaid`` (``unpaid_share``) times
    (P - 1) / P. This is an approximation: in three development programs on two Ps a quarter to three fifths of the
    excess were idle.
    """
    return unpaid * excess_gc_share * (gomaxprocs - 1) / gomaxprocs


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand(Generic[Real]):
    """A bucket and a constant demand, whose ``over`` is the fluid form of many ``update`` calls.

    The two shares are GC's shares of CPU time that is not idle, as ``update`` counts them, with assists and with
    assists off. Outside marking both are 0, or the share of pauses.
    """

    fill_ns: Real
    capacity_ns: Real
    assisting: Real
    limited: Real
    rate: Real  # at which the bucket fills, per busy CPU time
    to_capacity_cpu_ns: Real  # infinite if it does not fill
    demanded: Real  # by assists

    @classmethod
    def of(cls, fill_ns: Real, capacity_ns: Real, *, assisting: Real, limited: Real) -> Self:
        """The demand of a bucket at a level and of the two shares."""
        rate = 2.0 * assisting - 1.0
        fills = rate > 0.0
        return cls(
            fill_ns=fill_ns,
            capacity_ns=capacity_ns,
            assisting=assisting,
            limited=limited,
            rate=rate,
            to_capacity_cpu_ns=where(fills, (capacity_ns - fill_ns) / where(fills, rate, 1.0), math.inf),
            demanded=maximum(assisting - limited, 1e-9),
        )

    def over(self, busy_cpu_ns: Real, *, off: Real, on: Real) -> Window[Real]:
        """The bucket over a stretch in which ``busy_cpu_ns`` of CPU time are not idle.

        ``off`` and ``on`` are those of ``limiter_duty_cycle``, as shares of the stretch. Filling is exact; the turns of
        a full bucket are taken as regular.
        """
        before = minimum(self.to_capacity_cpu_ns, busy_cpu_ns)
        is_busy = busy_cpu_ns > 0
        if is_busy.all() if isinstance(is_busy, np.ndarray) else is_busy:
            after_share = 1.0 - before / busy_cpu_ns
        else:
            after_share = where(is_busy, 1.0 - before / where(is_busy, busy_cpu_ns, 1.0), 0.0)
        on_share = limiter_duty_cycle(self.limited, after_share, off=off, on=on)
        most = 1.0 - on_share * (1.0 - self.limited)  # GC's share if it uses all CPU while the limiter is off
        allowed = minimum(maximum(most - self.limited, 0.0) / self.demanded, 1.0)
        return Window(
            fill=maximum(minimum(self.fill_ns + self.rate * busy_cpu_ns, self.capacity_ns), 0.0),
            limited_share=after_share * on_share,
            assist_pass_through=1.0 - after_share * (1.0 - allowed),
            excess_gc_share=after_share * maximum(minimum(most, self.assisting) - 0.5, 0.0),
        )
