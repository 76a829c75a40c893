"""Goroutines that the limiter catches in an assist: who is paid, and how long assists last at the brim."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.goruntime import limiter
from gcsim.goruntime.assists import CREDIT_SLACK_BYTES, share_credit
from gcsim.goruntime.study.assist_queue import flush_credit
from gcsim.goruntime.workers import MEAN_SLICE_NS

DEBTS = st.lists(st.integers(0, 10**7), max_size=8)


@given(DEBTS, st.floats(0.0, 1e8))
def test_shared_credit_is_neither_made_nor_lost(debts: list[int], credit: float) -> None:
    """Nobody gets more than is owed; the pool gets what is left when all debts are paid, and nothing before."""
    owed = {name: float(debt) for name, debt in enumerate(debts)}
    paid, left = share_credit(owed, credit)
    assert sum(paid.values()) + left == pytest.approx(credit)
    assert all(0.0 <= paid[name] <= owed[name] for name in owed)
    assert left == pytest.approx(max(credit - sum(debts), 0.0), abs=1e-6 * credit + 1e-6)


@settings(deadline=None)
@given(st.lists(st.integers(20_000, 400_000), min_size=1, max_size=6), st.integers(1, 300))
def test_shared_credit_is_what_many_flushes_come_to(debts: list[int], flushes: int) -> None:
    """As the runtime pays its queue, 2,000 bytes of work at a time: the same debts are left, but for one flush."""
    queue = tuple(-debt for debt in debts)
    for _ in range(flushes):
        queue = flush_credit(queue, CREDIT_SLACK_BYTES, work_per_byte=1.0, bytes_per_work=1.0).queue_bytes
    owed = {name: float(debt) for name, debt in enumerate(debts)}
    paid, _ = share_credit(owed, float(flushes * CREDIT_SLACK_BYTES))
    left = sorted(owed[name] - paid[name] for name in owed)
    real = sorted([0.0] * (len(debts) - len(queue)) + [-float(balance) for balance in queue])
    assert left == pytest.approx(real, abs=2 * CREDIT_SLACK_BYTES)


SHARES = st.floats(0.0, 0.4)


@given(SHARES, st.floats(1.0, 50.0))
def test_a_full_bucket_holds_gc_to_a_half_or_lets_it_run_over(limited: float, turns: float) -> None:
    """Over many turns GC has half of the CPU, more where assists settle nothing for longer than fills the bucket."""
    refill, on = 1.0 - 2.0 * limited, 1.0
    stretch = round(turns) * 1000.0 * (on + refill)
    share = limiter.limiter_duty_cycle(limited, stretch, off=0.0, on=on)
    assert share * limited + (1.0 - share) == pytest.approx(0.5, abs=1e-3)
    over = limiter.limiter_duty_cycle(limited, stretch, off=2.0 * refill, on=on)
    assert over == pytest.approx(on / (on + 2.0 * refill), abs=1e-3)
    assert limiter.limiter_duty_cycle(limited, 0.7 * on, off=0.0, on=on) == pytest.approx(
        1.0
    )  # it begins with the limiter on


@pytest.mark.usefixtures("only_large")
@settings(deadline=None)
@given(st.floats(0.55, 1.0), SHARES, st.sampled_from([0, 8, 15]), st.integers(1, 16))
def test_fluid_limiter_follows_the_bucket(
    assisting: float, limited: float, off_ms: int, gomaxprocs: int
) -> None:
    """Assists owe what was not marked while the limiter was on, and pay when it is off, unsettled for ``off_ms``."""
    start = limiter.new_limiter(gomaxprocs)
    start = replace(start, fill_ns=start.capacity_ns * 95 // 100)
    state, seconds, step_ns = start, 4, 100_000
    gc_total = owed = gc_ns = 0.0
    unsettled_ns, settles_ns = 0, 0  # time since the last update, and how long the next one is off
    for _ in range(seconds * 10_000):
        share = limited if state.enabled else 1.0 if owed > 0.0 else assisting
        owed += (assisting - share) * step_ns
        gc_ns += share * step_ns
        unsettled_ns += step_ns
        if unsettled_ns < settles_ns:
            continue
        gc_total += gc_ns
        taken = int(gc_ns * gomaxprocs)
        was_on = state.enabled
        state = limiter.accumulate(state, mutator_ns=unsettled_ns * gomaxprocs - taken, gc_ns=taken)
        settles_ns = limiter.UPDATE_PERIOD_NS if state.enabled else off_ms * 1_000_000 if was_on else 0
        gc_ns, unsettled_ns = 0.0, 0
    now_ns = seconds * 1e9
    demand = limiter.Demand.of(
        float(start.fill_ns), float(start.capacity_ns), assisting=assisting, limited=limited
    )
    window = demand.over(now_ns * gomaxprocs, off=off_ms * 1e6 / now_ns, on=limiter.UPDATE_PERIOD_NS / now_ns)
    expected = limited + (assisting - limited) * window.assist_pass_through
    assert gc_total / now_ns == pytest.approx(expected, abs=0.05)
    assert state.fill_ns == pytest.approx(window.fill, rel=0.05)


def test_a_small_debt_or_other_ps_end_an_assist_sooner() -> None:
    """What can be paid is; of several Ps in the middle of their slices the first is preempted soon."""
    assert limiter.min_assist_ns(1, 1e12) == MEAN_SLICE_NS
    assert limiter.min_assist_ns(1, 2e6) == 2e6
    assert limiter.min_assist_ns(9, 1e12) == MEAN_SLICE_NS / 8
