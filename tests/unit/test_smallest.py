"""The smallest container that keeps a bound, and the usual sizes of containers."""

from itertools import pairwise

import pytest
from example_service import example_service

from gcsim.engine.plan import Plan
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.container_sizes import container_size, next_larger, next_smaller
from gcsim.tuning.recommend import recommend
from gcsim.tuning.smallest import smallest_container
from gcsim.units import GIB, LEAST_MEMORY_BYTES, MIB

PLAN = Plan(duration_seconds=5.0, replicas=2, seed=3)


@pytest.mark.parametrize(
    ("needed", "size"),
    [
        (500 * MIB, 512 * MIB),
        (512 * MIB, 512 * MIB),
        (512 * MIB + 1, 576 * MIB),
        (GIB + 1, GIB + 128 * MIB),
        (1, 4 * MIB),
    ],
)
def test_a_usual_size_is_the_next_eighth_of_a_doubling(needed: int, size: int) -> None:
    """Rounded up, so that the need fits."""
    assert container_size(needed) == size


def test_sizes_are_one_ladder() -> None:
    """Up and down are inverse, eight steps double a size, and the least size is its own lower neighbour."""
    size = 64 * MIB
    for _ in range(8):
        larger = next_larger(size)
        assert next_smaller(larger) == size
        assert container_size(larger) == larger
        size = larger
    assert size == 128 * MIB
    assert next_smaller(LEAST_MEMORY_BYTES) == LEAST_MEMORY_BYTES


def test_the_smallest_container_is_the_first_that_keeps_the_bound() -> None:
    """The answer is that of recommend at its size; one usual size less has none; larger ones cost less CPU."""
    bound = [Constraint.at_most("gc_cpu_fraction", 0.15)]
    calls: list[tuple[int, int]] = []
    found = smallest_container(
        example_service(),
        constraints=bound,
        plan=PLAN,
        progress=lambda done, total: calls.append((done, total)),
    )
    chosen = found.recommendation
    assert chosen.feasible
    assert chosen.run.metrics["gc_cpu_fraction"].high <= 0.15
    size = chosen.memory_bytes
    again = recommend(example_service(), memory_bytes=size, constraints=bound, plan=PLAN)
    assert again.to_json() == chosen.to_json()
    smaller = recommend(example_service(), memory_bytes=next_smaller(size), constraints=bound, plan=PLAN)
    memory = smaller.margins[0].constraint
    assert not (
        smaller.feasible and memory.has_spare(smaller.run) and all(one.held for one in smaller.neighbours)
    )
    assert chosen.margins[0].constraint.has_spare(chosen.run)
    assert all(one.held for one in chosen.neighbours)
    sizes = [one.memory_bytes for one in found.containers]
    assert sizes == sorted(set(sizes))
    assert all(one.keeps_bounds for one in found.containers if one.memory_bytes >= size)
    assert not found.containers[0].keeps_bounds
    costs = [one.run.metrics["gc_cpu_fraction"].value for one in found.containers if one.run is not None]
    assert all(more <= less + 0.003 for less, more in pairwise(costs))
    assert found.containers[0].run is None or found.containers[0].memory_bytes < size
    assert calls[-1][0] == calls[-1][1] == max(done for done, _ in calls)
