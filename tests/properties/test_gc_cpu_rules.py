"""Limiter, workers, assists, sweep, scavenger and memory: scalars equal arrays, and what must always hold."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.goruntime import assists, limiter, memory_limit, pacer, scavenger, sweep, workers
from gcsim.goruntime.study import (
    assist_queue,
    fractional_workers,
    limiter_resize,
    scavenger_pace,
    stw,
    sweep_target,
)
from gcsim.goruntime.versions import rules_for
from gcsim.priors.process_memory import MEMORY_PRIORS, memory_prior
from gcsim.submodels import limit_goal
from gcsim.submodels import process_memory as memory
from gcsim.units import MAX_INT64, MIB

SIZES = st.integers(0, 2**40)
PROCS = st.integers(1, 512)
SHARES = st.floats(0.0, 1.0)
RATIOS = st.floats(1e-6, 1e6)
DURATIONS = st.integers(0, 10**12)


def assert_same(rule: Callable[..., Any], *columns: list[Any], **fixed: Any) -> None:
    """The rule on each row's scalars equals the rule on the columns as arrays, to the last bit."""
    alone = [rule(*row, **fixed) for row in zip(*columns, strict=True)]
    lanes = rule(*(np.array(column) for column in columns), **fixed)
    np.testing.assert_array_equal(np.asarray(lanes), np.array(alone))


@given(st.lists(PROCS, min_size=1, max_size=20))
def test_worker_counts_of_lanes_equal_scalars(gomaxprocs: list[int]) -> None:
    """Dedicated, fractional, idle counts and the real share are the same in both forms."""
    for rule in (workers.dedicated_workers, workers.fractional_utilization_goal, workers.background_share):
        assert_same(rule, gomaxprocs)
    for go in ("1.18", "1.27"):
        for periodic in (False, True):
            assert_same(workers.max_idle_workers, gomaxprocs, periodic=periodic, rules=rules_for(go))


@given(PROCS)
def test_workers_take_about_a_quarter(gomaxprocs: int) -> None:
    """Background workers really take between a fifth and 30 % of GOMAXPROCS."""
    assert 0.2 <= workers.background_share(gomaxprocs) <= 0.3
    idle = workers.max_idle_workers(gomaxprocs, periodic=False, rules=rules_for("1.27"))
    assert workers.dedicated_workers(gomaxprocs) + idle == gomaxprocs


@given(st.floats(0.01, 0.25), st.lists(st.tuples(st.booleans(), st.integers(1, 10**7)), max_size=60))
def test_fractional_workers_never_stay_far_ahead(goal: float, steps: list[tuple[bool, int]]) -> None:
    """Asked after each stretch, a worker leaves once past 1.2 times its share."""
    now_ns, marked_ns, running = 0, 0, False
    for _, step_ns in steps:
        now_ns += step_ns
        if running:
            marked_ns += step_ns
            running = not fractional_workers.fractional_worker_stops(marked_ns, now_ns, goal=goal)
            assert running == (marked_ns / now_ns <= 1.2 * goal)
        else:
            running = workers.fractional_worker_starts(marked_ns, now_ns, goal=goal)


EVENT_NAMES = ["assist", "idle", "update", "mark", "resize"]
EVENTS = st.lists(
    st.tuples(st.sampled_from(EVENT_NAMES), st.integers(0, 3 * 10**9), PROCS),
    max_size=30,
)


def drive(state: Any, events: list[tuple[str, int, int]], form: Callable[[int], Any]) -> list[Any]:
    """The states a limiter goes through; ``form`` makes each number a scalar or a column."""
    states, now_ns, marking = [state], 0, False
    for event, amount, gomaxprocs in events:
        if event == "assist":
            state = limiter.add_assist_time(state, form(amount))
        elif event == "idle":
            state = limiter.add_idle_time(state, form(amount // 100))
        elif event == "mark":
            marking = not marking
            now_ns += amount
            state = limiter.start_gc_transition(state, enable_gc=marking, now_ns=form(now_ns))
            now_ns += 10**5
            state = limiter.finish_gc_transition(state, form(now_ns))
        elif event == "resize" and not marking:
            state = limiter_resize.reset_capacity(state, form(gomaxprocs), now_ns=form(now_ns))
        else:
            now_ns += amount
            state = limiter.update(state, form(now_ns))
        states.append(state)
    return states


@given(PROCS, EVENTS)
def test_limiter_of_lanes_equals_scalars(gomaxprocs: int, events: list[tuple[str, int, int]]) -> None:
    """Any sequence of events leads an array of limiters and a single one through the same states."""
    alone = drive(limiter.new_limiter(gomaxprocs), events, lambda number: number)
    column = np.ones(2, dtype=np.int64)
    lanes = drive(limiter.new_limiter(gomaxprocs * column), events, lambda number: number * column)
    for one, many in zip(alone, lanes, strict=True):
        assert 0 <= one.fill_ns <= one.capacity_ns
        for field in fields(one):
            expected = getattr(one, field.name)
            np.testing.assert_array_equal(np.broadcast_to(getattr(many, field.name), 2), expected)


@given(st.integers(-(2**40), -1), st.integers(-(2**20), 2**40), RATIOS)
def test_credit_is_never_created_by_stealing(balance: int, credit: int, work_per_byte: float) -> None:
    """What leaves the pool is what is no longer to be marked, and an assist buys at least 64 KiB of work."""
    ratio = {"work_per_byte": work_per_byte, "bytes_per_work": 1 / work_per_byte}
    demand, _ = assist_queue.assist_demand(balance, **ratio)
    bought = assist_queue.steal_credit(balance, credit, **ratio)
    assert demand >= assists.OVER_ASSIST_WORK_BYTES
    assert credit - bought.bg_scan_credit_bytes == demand - bought.scan_work_bytes
    assert 0 <= bought.scan_work_bytes <= demand
    assert bought.balance_bytes >= balance


@given(st.lists(st.integers(-(2**30), -1), max_size=12), st.integers(0, 2**34), RATIOS)
def test_flushed_credit_goes_to_the_queue_in_order(queue: list[int], work: int, work_per_byte: float) -> None:
    """Heads are released first, one at most is paid in part and goes last; no credit is created."""
    flushed = assist_queue.flush_credit(
        tuple(queue), work, work_per_byte=work_per_byte, bytes_per_work=1 / work_per_byte
    )
    paid = sum(-balance for balance in queue) + sum(flushed.queue_bytes)
    assert len(flushed.queue_bytes) == len(queue) - flushed.released
    assert paid * work_per_byte + flushed.to_pool_bytes <= work * (1 + 1e-9) + 1
    untouched = queue[flushed.released :]
    assert list(flushed.queue_bytes) == untouched or list(flushed.queue_bytes[:-1]) == untouched[1:]


@given(st.lists(st.tuples(RATIOS, RATIOS, RATIOS), min_size=1, max_size=10))
def test_fluid_assists_are_those_of_gos_pacer_test(rows: list[tuple[float, float, float]]) -> None:
    """With a quarter in the background, utilisation is max(0.25, rA/(rA+S)), in both forms."""
    ratio, alloc, scan = (list(column) for column in zip(*rows, strict=True))
    assert_same(assist_queue.fluid_assist_share, ratio, alloc, scan, background_share=0.25)
    for r, a, s in rows:
        share = assist_queue.fluid_assist_share(r, a, s, background_share=0.25)
        assert 0.25 + share == pytest.approx(max(0.25, r * a / (r * a + s)))


@given(st.lists(st.tuples(SIZES, SIZES, SIZES), min_size=1, max_size=10))
def test_sweep_of_lanes_equals_scalars(rows: list[tuple[int, int, int]]) -> None:
    """Pace and target are the same in both forms, and all is swept a margin before the trigger."""
    marked, distance, pages = (list(column) for column in zip(*rows, strict=True))

    def target(marked: Any, distance: Any, pages: Any) -> Any:
        trigger = marked + distance
        pace = sweep.sweep_pages_per_byte(pages, 0, trigger_bytes=trigger, heap_live_bytes=marked)
        return sweep_target.sweep_target_pages(
            pace, heap_live_bytes=trigger, heap_live_basis_bytes=marked, span_bytes=8192 + marked * 0
        )

    assert_same(target, marked, distance, pages)
    assert all(target(m, d, p) >= p * (1 - 1e-9) - 1 for m, d, p in rows)


@given(
    st.lists(st.tuples(SIZES, SIZES, SIZES, SIZES), min_size=1, max_size=10),
    st.sampled_from(["1.19", "1.27"]),
)
def test_scavenge_goals_of_lanes_equal_scalars(rows: list[tuple[int, int, int, int]], go: str) -> None:
    """Both goals are the same in both forms, and are below what is retained where there is work."""
    in_use, goal, last_goal, retained = (list(column) for column in zip(*rows, strict=True))

    def gc_goal(in_use: Any, goal: Any, last_goal: Any, retained: Any) -> Any:
        return scavenger.gc_percent_scavenge_goal_bytes(in_use, goal, last_goal, heap_retained_bytes=retained)

    assert_same(gc_goal, in_use, goal, last_goal, retained)
    assert_same(scavenger.memory_limit_scavenge_goal_bytes, retained, in_use, rules=rules_for(go))
    for row in rows:
        found = gc_goal(*row)
        assert found == scavenger.NO_GOAL or found < row[3]


def test_limit_goal_of_the_scavenger_by_version() -> None:
    """Up to Go 1.21 the background scavenger never works for the limit; from 1.22, above 95 % of it."""
    limit = 200 << 20
    for go, expected in (("1.19", MAX_INT64), ("1.21", MAX_INT64), ("1.22", int(limit * 0.95))):
        assert scavenger.memory_limit_scavenge_goal_bytes(limit, limit, rules=rules_for(go)) == expected


@settings(deadline=None)
@given(st.integers(1, 64), st.floats(1e5, 1.3e6))
def test_scavenger_settles_at_one_percent(gomaxprocs: int, worked_ns: float) -> None:
    """With batches of a millisecond, as the runtime makes them, work comes to 1 % of GOMAXPROCS."""
    pace, worked, total = scavenger_pace.ScavengerPace(), 0.0, 0.0
    for batch in range(3000):
        slept_ns = pace.sleep_ns(worked_ns)
        pace = pace.after_sleep(worked_ns, slept_ns, gomaxprocs=gomaxprocs)
        if batch >= 1500:
            worked += max(worked_ns, scavenger_pace.MIN_WORK_NS)
            total += max(worked_ns, scavenger_pace.MIN_WORK_NS) + slept_ns
    assert worked / (total * gomaxprocs) == pytest.approx(0.01, rel=0.15)


@given(SIZES, SIZES, SIZES, SIZES, st.floats(0.0, 0.95), st.sampled_from(["1.19", "1.21", "1.27"]))
def test_a_limit_triggers_where_the_heap_meets_its_own_trigger(
    marked: int, room: int, runway: int, fallen: int, slot_garbage: float, go: str
) -> None:
    """There the goal, with the slots that are free at that size, has just that trigger; slots only bring it forward."""
    rules, available = rules_for(go), marked + room
    last_peak = max(marked, available - fallen)

    def trigger(slots: float) -> float:
        lines = limit_goal.LimitLines.of(
            float(available), last_peak_bytes=float(last_peak), slot_garbage=slots, rules=rules
        )
        return limit_goal.limited_trigger_bytes(float(marked), lines, runway_bytes=float(runway), rules=rules)

    found = trigger(slot_garbage)
    assert marked <= found <= trigger(0.0) + 1
    free = memory.free_slot_bytes(found, last_peak_bytes=last_peak, slot_garbage=slot_garbage)
    goal = memory_limit.memory_limit_heap_goal_bytes(0, available, int(free), 0, rules=rules)
    if found > marked and goal > 2 * MIB:
        asked = pacer.trigger_bytes(marked, goal, runway, 0, rules=rules)
        assert asked == pytest.approx(found, rel=1e-6, abs=200)


@given(SIZES, SIZES, st.floats(0.0, 0.95), st.sampled_from(["1.19", "1.21", "1.27"]))
def test_a_heap_that_fills_its_slots_ends_at_the_goal_there(
    available: int, last_peak: int, slot_garbage: float, go: str
) -> None:
    """Where the heap meets the limit's goal, the goal with the slots left free is that size."""
    rules = rules_for(go)
    end = limit_goal.limit_bound_heap_bytes(
        limit_goal.LimitLines.of(
            float(available), last_peak_bytes=float(last_peak), slot_garbage=slot_garbage, rules=rules
        )
    )
    free = memory.free_slot_bytes(end, last_peak_bytes=last_peak, slot_garbage=slot_garbage)
    goal = memory_limit.memory_limit_heap_goal_bytes(0, available, int(free), 0, rules=rules)
    if end > 2 * MIB:
        assert goal == pytest.approx(end, rel=1e-6, abs=200)


@given(st.lists(SIZES, min_size=1, max_size=10))
def test_memory_of_lanes_equals_scalars(in_use: list[int]) -> None:
    """Metadata and peak RSS are the same in both forms and grow with the heap."""
    for prior in MEMORY_PRIORS:
        assert_same(memory.metadata_bytes, in_use, prior=prior)
        assert_same(memory.resident_peak_bytes, in_use, stack_bytes=1 << 20, prior=prior)


def test_every_version_has_a_memory_prior() -> None:
    """A version that was not measured takes its neighbour's values."""
    assert [memory_prior(minor).go for minor in (5, 18, 19, 20, 22, 27, 28)] == [
        "1.19", "1.19", "1.19", "1.21", "1.22", "1.27", "1.27",
    ]  # fmt: skip


@given(st.sampled_from(["sweep_term", "mark_term"]), PROCS, st.booleans(), st.booleans())
def test_pause_draws_follow_their_distribution(
    pause: stw.Pause, gomaxprocs: int, busy: bool, hands: bool
) -> None:
    """Drawn pauses fall below any length as often as the distribution says, and have its mean."""
    model = stw.pause_prior(pause, gomaxprocs=gomaxprocs, cpus=8, busy=busy, hands_workers_to_idle=hands)
    random = np.random.default_rng(1)
    drawn = model.draw_ns(random.random(20_000), random.standard_normal(20_000))
    for length_ns in (model.median_ns / 2, model.median_ns, 2 * model.median_ns, model.late_median_ns):
        assert (drawn < length_ns).mean() == pytest.approx(float(model.share_below(length_ns)), abs=0.02)
    assert drawn.mean() == pytest.approx(model.mean_ns, rel=0.2)
