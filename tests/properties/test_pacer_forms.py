"""Every rule of the pacer is one formula: its scalar and its array form agree exactly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.goruntime.cons_mark import (
    ConsMarkMemory,
    idle_utilization,
    mark_utilization,
    measured_cons_mark,
    next_cons_mark,
)
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes, non_heap_bytes, overage_bytes
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
from gcsim.goruntime.study.pacer_before_119 import (
    bounded_trigger_ratio,
    expected_scan_work_bytes,
    float_trigger_bytes,
    hard_goal_assist_ratio,
    next_trigger_ratio,
    raised_goal_bytes,
    ratio_trigger_bytes,
)
from gcsim.goruntime.versions import rules_for
from gcsim.units import GIB, KIB, MAX_INT64, MIB, TIB

# Sizes over all magnitudes, with the values at which a rule changes its mind drawn often.
EDGES = [0, 1, 999, 1000, 64 * KIB, MIB, 4 * MIB, 4 * MIB + 1, 85 * MIB, GIB, TIB]
SIZES = st.one_of(st.sampled_from(EDGES), st.integers(0, 64), st.integers(0, 64 * MIB), st.integers(0, TIB))
PERCENTS = st.one_of(
    st.sampled_from([-1, 0, 1, 50, 100, 100_000, 2**31 - 1]), st.integers(0, 2000), st.integers(-1, 2**31 - 1)
)
LIMITS = st.one_of(st.just(MAX_INT64), SIZES)
GOALS = st.one_of(st.just(MAX_INT64), SIZES)
PROCS = st.integers(1, 512)
TIMES = st.one_of(st.just(0), st.integers(0, 10**12))
RATIOS = st.one_of(
    st.just(0.0),
    st.floats(-1000.0, 1000.0, allow_nan=False),
    st.floats(0.0, 1e12),
    st.floats(-1e-300, 1e-300),
)
MEASURED = st.one_of(RATIOS, st.just(float("inf")))
SHARES = st.one_of(st.just(0.25), st.just(1.0), st.floats(0.0, 1.2))


def _limit_goal(*values: Any, go: str) -> Any:
    return memory_limit_heap_goal_bytes(*values, rules=rules_for(go))


RULES: dict[str, tuple[Callable[..., Any], tuple[st.SearchStrategy[Any], ...]]] = {
    "heap_minimum": (heap_minimum_bytes, (PERCENTS,)),
    "gc_percent_heap_goal": (gc_percent_heap_goal_bytes, (SIZES, SIZES, SIZES, PERCENTS, SIZES)),
    "sweep_min_trigger": (sweep_min_trigger_bytes, (SIZES,)),
    "heap_goal": (heap_goal_bytes, (GOALS, GOALS, SIZES)),
    "heap_goal_while_marking": (heap_goal_bytes, (GOALS, GOALS, SIZES, SIZES)),
    "limit_binds": (limit_binds, (GOALS, GOALS)),
    "min_trigger": (min_trigger_bytes, (GOALS, GOALS, SIZES)),
    "trigger": (
        partial(trigger_bytes, rules=rules_for("1.27")),
        (SIZES, GOALS, st.one_of(SIZES, st.just(MAX_INT64)), SIZES),
    ),
    "runway": (runway_bytes, (RATIOS, SIZES)),
    "assist_ratio": (assist_ratio, (SIZES, GOALS, SIZES, SIZES, SIZES, SIZES, PERCENTS)),
    "mark_utilization": (mark_utilization, (TIMES, TIMES, PROCS)),
    "idle_utilization": (idle_utilization, (TIMES, TIMES, PROCS)),
    "measured_cons_mark": (measured_cons_mark, (SIZES.filter(bool), SIZES, SHARES, SHARES)),
    "next_trigger_ratio": (next_trigger_ratio, (SHARES, SHARES, SHARES, SHARES)),
    "bounded_trigger_ratio": (
        lambda ratio, percent: bounded_trigger_ratio(ratio, percent, rules=rules_for("1.17")),
        (RATIOS, PERCENTS),
    ),
    "ratio_trigger": (ratio_trigger_bytes, (SIZES, SHARES, PERCENTS, SIZES, SIZES)),
    "float_trigger": (float_trigger_bytes, (SIZES, SIZES, SIZES, SIZES, SIZES)),
    "raised_goal": (raised_goal_bytes, (GOALS, SIZES)),
    "expected_scan_work": (expected_scan_work_bytes, (SIZES, PERCENTS)),
    "hard_goal_assist_ratio": (hard_goal_assist_ratio, (SIZES, GOALS, SIZES, SIZES, PERCENTS)),
    "non_heap": (non_heap_bytes, (SIZES, SIZES, SIZES)),
    "overage": (overage_bytes, (SIZES, LIMITS)),
    **{
        f"memory_limit_heap_goal, Go {go}": (
            lambda *values, go=go: _limit_goal(*values, go=go),
            (SIZES, LIMITS, SIZES, SIZES),
        )
        for go in ("1.18", "1.19", "1.27")
    },
}


def as_arrays(rows: list[tuple[Any, ...]]) -> list[np.ndarray[Any, Any]]:
    """Columns of the rows, int64 or float64 as the values are."""
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_scalar_and_array_form_agree(name: str, data: st.DataObject) -> None:
    """Up to a dozen lanes at once give bit for bit what each gives alone."""
    rule, arguments = RULES[name]
    rows = data.draw(st.lists(st.tuples(*arguments), min_size=1, max_size=12))
    alone = [rule(*row) for row in rows]
    together = rule(*as_arrays(rows))
    if isinstance(together, tuple):
        alone = list(zip(*alone, strict=True))
    for one, other in zip(
        [alone] if not isinstance(together, tuple) else alone,
        [together] if not isinstance(together, tuple) else together,
        strict=True,
    ):
        np.testing.assert_array_equal(np.array(one), other)
        assert isinstance(one[0], (bool, int, float))
        assert np.array(one).dtype == other.dtype


@pytest.mark.parametrize(("go", "kept"), [("1.18", 1), ("1.19", 1), ("1.20", 1), ("1.21", 4)])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_cons_mark_memory_agrees_over_cycles(go: str, kept: int, data: st.DataObject) -> None:
    """Lanes that remember cons/mark side by side, some without a measurement, match lanes on their own."""
    rules = rules_for(go)
    lanes = data.draw(st.integers(1, 6))
    cycles = data.draw(
        st.lists(
            st.lists(st.tuples(MEASURED, st.booleans()), min_size=lanes, max_size=lanes),
            min_size=1,
            max_size=12,
        )
    )
    alone = [ConsMarkMemory(0.0, (0.0,) * kept) for _ in range(lanes)]
    zero = np.zeros(lanes)
    together = ConsMarkMemory(zero, (zero,) * kept)
    for cycle in cycles:
        alone = [
            next_cons_mark(m, value, grew, rules=rules) for m, (value, grew) in zip(alone, cycle, strict=True)
        ]
        measured, grew = as_arrays(cycle)
        together = next_cons_mark(together, measured, grew, rules=rules)
        np.testing.assert_array_equal([m.cons_mark for m in alone], together.cons_mark)
        for index, column in enumerate(together.kept):
            np.testing.assert_array_equal([m.kept[index] for m in alone], column)
