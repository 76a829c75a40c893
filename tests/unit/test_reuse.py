"""A service that reuses objects instead of allocating them, in both engines."""

from dataclasses import replace

import numpy as np
import pytest
from des_fingerprint import open_service
from example_service import example_service

from gcsim.engine.plan import Engine
from gcsim.engine.simulate import replica_metrics
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.model import Model
from gcsim.service.objects.pool_users import Pool, reusing
from gcsim.units import MIB

SECONDS: dict[Engine, float] = {"lanes": 60.0, "des": 10.0}


def means(model: Model, engine: Engine) -> dict[str, float]:
    found = replica_metrics(
        model, [model.settings], duration_seconds=SECONDS[engine], replicas=2, engine=engine
    )
    return {name: float(values.mean()) for name, values in found.items()}


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_half_the_allocation_is_half_the_cycles_of_an_open_loop(engine: Engine) -> None:
    """The live heap stays; the goal falls slightly, because less is allocated while marking."""
    model = replace(open_service(), requests=None)
    rate = model.parameters.alloc_bytes_per_second.value
    less = reusing(model, hits_per_second=rate / 2.0 / 4096.0, object_bytes=4096.0)
    before, after = means(model, engine), means(less, engine)
    assert after["gc_rate_hz"] == pytest.approx(0.5 * before["gc_rate_hz"], rel=0.06)
    assert after["heap_live_mean_bytes"] == pytest.approx(before["heap_live_mean_bytes"], rel=0.03)
    assert 0.9 < after["heap_goal_mean_bytes"] / before["heap_goal_mean_bytes"] < 1.0


def test_a_closed_loop_gains_the_time_of_the_collections_that_it_saves() -> None:
    """It does more work, which fills the heap at somewhat more than the share that is left."""
    model = example_service()
    before, after = means(model, "lanes"), means(model.scaled(allocation=0.5), "lanes")
    assert 0.5 < after["gc_rate_hz"] / before["gc_rate_hz"] < 0.6
    assert after["throughput_ratio"] > 1.01 * before["throughput_ratio"]


def test_requests_allocate_less_too() -> None:
    """The number of requests stays."""
    model = open_service()
    less = model.scaled(allocation=0.25)
    before, after = (
        one.parameters.alloc_bytes_per_second.value / one.requests.bytes_per_request
        for one in (model, less)
        if one.requests is not None
    )
    assert after == pytest.approx(before)


def test_a_factor_of_one_changes_nothing() -> None:
    """The model is equal."""
    assert open_service().scaled(allocation=1.0).requests == open_service().requests
    assert example_service().scaled().parameters == example_service().parameters


def test_more_hits_than_allocation_are_bad_input() -> None:
    """The sentence says so."""
    with pytest.raises(InputError, match="not less than its allocation"):
        reusing(example_service(), hits_per_second=1e6, object_bytes=float(MIB))


def test_a_longer_period_between_collections_makes_more_hits() -> None:
    """A collection empties the pool step by step."""
    pool = Pool(name="buffers", gets_per_second=200.0, in_flight=4.0)
    shares = [
        pool.hit_share(period, gomaxprocs=2, rules=rules_for("1.27"), seed=1) for period in (0.02, 0.2, 2.0)
    ]
    assert np.all(np.diff(shares) > 0)
    assert shares[-1] > 0.9
