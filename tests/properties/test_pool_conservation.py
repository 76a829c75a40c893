"""What must hold for any use of a pool, and where the closed form and the simulation meet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.goruntime.sync_pool import LOCAL_BYTES, PoolState, collect, get, put
from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.pool_users import PoolUsers, pool_hit_curve, simulate_pool_hits
from gcsim.submodels.pool_hit_rate import pool_hit_rate

RULES = rules_for("1.27")
OPERATIONS = st.lists(st.tuples(st.sampled_from("ppppggggc"), st.integers(0, 7)), max_size=200)


@given(OPERATIONS)
def test_a_pool_loses_objects_to_collections_only(operations: list[tuple[str, int]]) -> None:
    """Puts = hits + what is held + what collections dropped, after every operation."""
    state, puts, hits, dropped = PoolState(), 0, 0, 0
    for operation, processor in operations:
        before = state
        if operation == "p":
            state, puts = put(state, processor, gomaxprocs=8), puts + 1
        elif operation == "g":
            state, source = get(state, processor, gomaxprocs=8)
            hits += source != "miss"
            if source == "miss":  # the victim is closed: its private slots on other Ps are out of reach
                dropped += before.victim.objects - state.victim.objects
        else:
            state = collect(state, rules=RULES)
            dropped += before.victim.objects
        assert puts == hits + state.objects + dropped


@given(OPERATIONS)
def test_two_collections_in_a_row_empty_a_pool(operations: list[tuple[str, int]]) -> None:
    """Whatever happened before, nothing survives two collections unused; before Go 1.13 not even one."""
    state = PoolState()
    for operation, processor in operations:
        if operation == "p":
            state = put(state, processor, gomaxprocs=8)
    assert collect(state, rules=RULES).objects == state.objects
    assert collect(collect(state, rules=RULES), rules=RULES).objects == 0
    assert collect(state, rules=rules_for("1.12")).objects == 0


def test_growing_gomaxprocs_loses_the_array_and_shrinking_does_not() -> None:
    """The first use by a P beyond the array reallocates it; chains of Ps that are gone are still stolen
    from."""
    state = PoolState()
    for _ in range(3):
        state = put(state, 1, gomaxprocs=2)
    shrunk, source = get(state, 0, gomaxprocs=1)
    assert source == "stolen"
    assert shrunk.objects == 2
    grown, source = get(state, 2, gomaxprocs=4)
    assert source == "miss"
    assert grown.objects == 0
    assert grown.local_bytes_allocated == LOCAL_BYTES * (2 + 4)


@pytest.mark.parametrize(("in_flight", "goroutines"), [(1.0, None), (8.0, None), (10.0, 16)])
@pytest.mark.parametrize("gets_per_cycle", [2, 10, 100])
def test_closed_form_meets_the_simulation_with_one_processor(
    in_flight: float, goroutines: int | None, gets_per_cycle: int
) -> None:
    """Expected peaks of objects in flight give, on one P, the hit rate of the simulated state machine."""
    period = gets_per_cycle / 1000
    users = PoolUsers(
        gets_per_second=1000,
        in_flight=in_flight,
        gc_period_seconds=period,
        gomaxprocs=1,
        goroutines=goroutines,
    )
    hits, gets = simulate_pool_hits(users, gets=20_000, rules=RULES, rng=np.random.default_rng(1))
    closed = pool_hit_rate(
        gets_per_second=1000, in_flight=in_flight, gc_period_seconds=np.array([period]), goroutines=goroutines
    )
    assert hits / gets == pytest.approx(closed[0], abs=0.015)  # four standard deviations at 20,000 Gets


def test_hit_rate_rises_with_the_time_between_collections() -> None:
    """Rarer collections hit more, never over 1; a curve of several Ps lies below the bound of the closed
    form."""
    periods = np.geomspace(0.001, 10, 30)
    closed = pool_hit_rate(gets_per_second=2000, in_flight=6, gc_period_seconds=periods)
    assert np.all(np.diff(closed) > 0)
    assert 0 <= closed[0] < closed[-1] <= 1
    users = PoolUsers(gets_per_second=2000, in_flight=6, gc_period_seconds=1, gomaxprocs=4)
    curve = pool_hit_curve(users, periods[:20], rules=RULES, seed=3, gets=4000)
    assert np.all(curve < closed[:20] + 0.02)
    np.testing.assert_array_equal(curve, pool_hit_curve(users, periods[:20], rules=RULES, seed=3, gets=4000))
