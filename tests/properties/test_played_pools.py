"""The pools of an event run: nothing is made or lost, and looking ahead changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.engine.des.heap.pools import PlayedPool, PoolRun
from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.pool_users import PoolUsers, pool_hit_curve

RULES = rules_for("1.27")

uses = st.builds(
    PlayedPool,
    gets_per_byte=st.floats(0.01, 2.0),
    hold_bytes=st.floats(0.1, 20.0),
    object_bytes=st.floats(1.0, 100.0),
    goroutines=st.sampled_from([None, 50]),
)
pools = st.lists(uses, min_size=1, max_size=3)
# work, and how far the run looks ahead before it
steps = st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 200.0), st.booleans()), max_size=20)


def run_of(used: list[PlayedPool], procs: int = 3) -> PoolRun:
    return PoolRun(used, rules=RULES, gomaxprocs=procs, seed=1, replica=0)


@given(pools, steps)
@settings(max_examples=50, deadline=None)
def test_nothing_is_made_or_lost_in_a_pool(
    used: list[PlayedPool], work: list[tuple[float, float, bool]]
) -> None:
    """Gets = hits + misses, objects made = in use + unused + freed, and bytes are those of the objects."""
    run = run_of(used)
    allocated = 0.0
    for size, _, collects in work:
        allocated += run.advance(size)
        if collects:
            run.collect()
        for counts in run.counts:
            assert counts.gets == counts.hits + counts.misses
            assert counts.misses == counts.held + counts.pooled + counts.freed
            assert min(counts) >= 0
        both = list(zip(run.counts, used, strict=True))
        assert run.pooled_bytes == pytest.approx(sum(one.pooled * pool.object_bytes for one, pool in both))
        assert allocated == pytest.approx(sum(one.misses * pool.object_bytes for one, pool in both))
        assert run.missed_bytes == pytest.approx(allocated)


@given(pools, steps)
@settings(max_examples=50, deadline=None)
def test_looking_ahead_changes_nothing(used: list[PlayedPool], work: list[tuple[float, float, bool]]) -> None:
    """A collection may come before the heap is full; events that were played too far are played again."""
    plain, ahead = run_of(used), run_of(used)
    for size, look, collects in work:
        ahead.work_until(look)
        assert ahead.advance(size) == plain.advance(size)
        if collects:
            plain.collect()
            ahead.collect()
            assert ahead.counts == plain.counts


@given(pools, st.floats(1.0, 500.0))
@settings(max_examples=50, deadline=None)
def test_the_work_until_a_size_and_its_misses_are_that_size(used: list[PlayedPool], total: float) -> None:
    """Up to the object whose miss reaches it."""
    run = run_of(used)
    work = run.work_until(total)
    allocated = work + run.advance(work)
    assert total - 1e-6 <= allocated <= total + max(one.object_bytes for one in used) + 1e-6


@pytest.mark.parametrize("goroutines", [None, 8])
def test_hits_are_those_of_the_simulated_pool(goroutines: int | None) -> None:
    """Work and time are the same if the program allocates at one speed."""
    users = PoolUsers(
        gets_per_second=1000.0, in_flight=4.0, gc_period_seconds=0.05, gomaxprocs=3, goroutines=goroutines
    )
    use = PlayedPool(gets_per_byte=1000.0, hold_bytes=0.004, object_bytes=1.0, goroutines=goroutines)
    run = run_of([use])
    for _ in range(400):
        run.advance(users.gc_period_seconds)
        run.collect()
    (counts,) = run.counts
    expected = pool_hit_curve(users, np.array([0.05, 0.05]), rules=RULES, seed=2)[0]
    assert counts.hits / counts.gets == pytest.approx(expected, abs=0.02)
