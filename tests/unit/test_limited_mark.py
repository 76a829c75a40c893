"""A mark phase under the limiter: what one lane meets is its own affair."""

from dataclasses import fields

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.submodels.limited_mark_phase import LIMITER_SECONDS_PER_PROC, limited_mark_phase
from gcsim.submodels.mark_phase import MarkConditions, mark_phase


def lanes(runways: list[float], mark_cpu_seconds: float = 0.2) -> MarkConditions:
    """Closed loops on two Ps that differ in their runways: 160 MB/s of a P, fractional workers alone."""
    count = len(runways)
    values = {
        "mark_cpu_seconds": mark_cpu_seconds, "alloc_bytes_per_cpu_second": 1.6e8, "gomaxprocs": 2.0,
        "background_procs": 0.5, "busy_procs": 1.5, "mutator_procs": 1.5, "assist_cpu_share": 0.1,
    }  # fmt: skip
    arrays = {name: np.full(count, value) for name, value in values.items()}
    return MarkConditions(runway_bytes=np.array(runways), open_loop=False, **arrays)


def full(count: int) -> FloatArray:
    """Buckets at the brim."""
    return np.full(count, 2.0 * LIMITER_SECONDS_PER_PROC)


def test_a_lane_does_not_depend_on_its_neighbours() -> None:
    """Lanes side by side, some held by the limiter and some not, come out as each does alone."""
    runways = [1e5, 5e6, 1.5e7, 3e7, 1e9]
    together, shares, fills = limited_mark_phase(lanes(runways), full(len(runways)))
    for i, runway in enumerate(runways):
        alone, share, fill = limited_mark_phase(lanes([runway]), full(1))
        assert (share[0], fill[0]) == (shares[i], fills[i])
        for field in fields(alone):
            assert getattr(alone, field.name)[0] == getattr(together, field.name)[i], (runway, field.name)


def test_the_limiter_leaves_the_program_more_and_marking_longer() -> None:
    """With assists held back as much is marked, later, and more is allocated; who waits leaves its P idle."""
    conditions = lanes([1e5])
    free = mark_phase(conditions)
    held, share, _ = limited_mark_phase(conditions, full(1))
    assert 0.0 < share[0] < 1.0
    assert held.duration_seconds > free.duration_seconds
    assert held.allocated_bytes > free.allocated_bytes
    assert held.idle_cpu_seconds > 0.0
    marked = held.assist_cpu_seconds + held.background_cpu_seconds + held.idle_cpu_seconds
    np.testing.assert_allclose(marked, conditions.mark_cpu_seconds)


def test_an_empty_bucket_holds_nothing_back() -> None:
    """Excess that the bucket still takes is free."""
    conditions = lanes([1e5], mark_cpu_seconds=0.02)
    phase, share, fill = limited_mark_phase(conditions, np.zeros(1))
    assert share[0] == 0.0
    assert 0.0 < fill[0] < 2.0 * LIMITER_SECONDS_PER_PROC
    assert phase.assist_cpu_seconds == mark_phase(conditions).assist_cpu_seconds
