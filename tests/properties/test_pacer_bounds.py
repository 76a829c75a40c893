"""What must hold of goals and triggers whatever the heap, the setting and the version."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gcsim.goruntime.cons_mark import initial_cons_mark, next_cons_mark
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes
from gcsim.goruntime.pacer import (
    assist_ratio,
    gc_percent_heap_goal_bytes,
    heap_goal_bytes,
    heap_minimum_bytes,
    limit_binds,
    min_trigger_bytes,
    runway_bytes,
    sweep_min_trigger_bytes,
    trigger_bytes,
)
from gcsim.goruntime.versions import rules_for
from gcsim.submodels.limit_goal import LimitLines, limited_trigger_bytes
from gcsim.units import KIB, MAX_INT64, MIB, TIB

SIZES = st.one_of(st.sampled_from([0, 1, MIB, 4 * MIB]), st.integers(0, TIB))
PERCENTS = st.one_of(st.just(-1), st.integers(0, 100_000))
LIMITS = st.one_of(st.just(MAX_INT64), SIZES)
VERSIONS = st.sampled_from(["1.19", "1.20", "1.21", "1.27"])


@given(SIZES, SIZES, SIZES, PERCENTS, LIMITS, SIZES, st.floats(-1000, 1000), VERSIONS)
def test_a_cycle_starts_between_marked_and_goal(
    marked: int, stacks: int, roots: int, percent: int, limit: int, outside: int, cons_mark: float, go: str
) -> None:
    """marked <= trigger <= goal; the goal obeys the limit where live memory lets it; marking has runway."""
    minimum = heap_minimum_bytes(percent)
    percent_goal = gc_percent_heap_goal_bytes(marked, stacks, roots, percent, minimum)
    limit_goal = memory_limit_heap_goal_bytes(marked, limit, outside, 0, rules=rules_for(go))
    sweep_min = sweep_min_trigger_bytes(marked)
    goal = heap_goal_bytes(percent_goal, limit_goal, sweep_min)
    min_trigger = min_trigger_bytes(percent_goal, limit_goal, sweep_min)
    runway = runway_bytes(cons_mark, marked + stacks + roots)
    trigger = trigger_bytes(marked, goal, runway, min_trigger, rules=rules_for(go))

    assert marked <= trigger <= goal
    if limit_binds(percent_goal, limit_goal):
        assert goal <= max(marked, limit - outside, MIB)
    else:
        assert heap_goal_bytes(percent_goal, limit_goal, sweep_min, trigger) >= trigger + 64 * KIB
        assert goal - marked >= MIB


@given(SIZES, SIZES, st.integers(0, 2000), st.integers(0, 2000))
def test_a_larger_gogc_never_lowers_the_goal(marked: int, roots: int, percent: int, more: int) -> None:
    """The GOGC goal grows with GOGC."""
    goals = [
        gc_percent_heap_goal_bytes(marked, 0, roots, gogc, heap_minimum_bytes(gogc))
        for gogc in (percent, percent + more)
    ]
    assert goals[0] <= goals[1]


@given(SIZES, SIZES, SIZES, SIZES, SIZES, SIZES, PERCENTS)
def test_assists_are_owed_and_finite(
    live: int, goal: int, triggered: int, done: int, expected: int, worst: int, percent: int
) -> None:
    """Both ratios are positive and finite, and each other's inverse."""
    work_per_byte, bytes_per_work = assist_ratio(live, goal, triggered, done, expected, worst, percent)
    assert 0 < work_per_byte < math.inf
    assert math.isclose(work_per_byte * bytes_per_work, 1.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_max_of_five_believes_a_rise_at_once_and_a_fall_in_five(measured: list[float]) -> None:
    """cons/mark of 1.21 and later is the largest of the last five measurements."""
    rules = rules_for("1.21")
    memory = initial_cons_mark(0.0, rules=rules)
    for index, value in enumerate(measured):
        memory = next_cons_mark(memory, value, True, rules=rules)
        assert memory.cons_mark == max(measured[max(0, index - 4) : index + 1])


@given(SIZES, st.integers(0, TIB), st.integers(0, 61))
def test_the_rules_hold_the_bounds_of_the_trigger(marked: int, room: int, floor: int) -> None:
    """A version with another floor needs no other change: a runway longer than the room triggers at the floor."""
    rules = replace(rules_for("1.27"), trigger_floor_64ths=floor)
    trigger = trigger_bytes(marked, marked + room, TIB, 0, rules=rules)
    assert trigger == marked + room // 64 * floor
    bare = replace(rules, limit_headroom_percent=0, limit_headroom_min_bytes=0)
    lines = LimitLines.of(float(marked + room), last_peak_bytes=0.0, slot_garbage=0.0, rules=bare)
    limited = limited_trigger_bytes(float(marked), lines, runway_bytes=float(TIB), rules=bare)
    assert abs(limited - trigger) <= 64
