"""The hold time of a pool from allocation rates at different rates of collection."""

from dataclasses import replace

import pytest

from gcsim.engine.pooled import use_of
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.pools import ServicePool
from gcsim.tuning.pool_fit import PoolLog, fitted_pool
from gcsim.units import KIB, MIB

POOL = ServicePool(gets_per_second=5000.0, hold_seconds=0.004, object_bytes=64.0 * KIB, goroutines=100)
UNKNOWN = replace(POOL, hold_seconds=1.0)
BASE = 40.0 * MIB


def logs_of(pool: ServicePool, rates: tuple[float, ...], base: float = BASE) -> list[PoolLog]:
    """Logs whose allocation has the misses of a pool."""
    found = []
    for rate in rates:
        hits = use_of(pool, 2).at(1.0 / rate, rules=rules_for("1.27"), seed=1).hit_share
        allocated = base + (1.0 - hits) * pool.gets_per_second * pool.object_bytes
        found.append(PoolLog(f"{rate}", allocated, rate, 2, "1.27"))
    return found


def test_the_fit_returns_the_hold_time_and_the_base() -> None:
    """With the misses of the rule itself, up to the grid of hold times."""
    fit = fitted_pool(UNKNOWN, logs_of(POOL, (2.0, 10.0, 50.0)), seed=1)
    assert fit.pool.hold_seconds == pytest.approx(POOL.hold_seconds, rel=0.4)
    assert fit.hold_seconds.contains(POOL.hold_seconds)
    assert fit.base_bytes_per_second == pytest.approx(BASE, rel=0.03)
    for log, predicted in zip(fit.logs, fit.predicted_bytes_per_second, strict=True):
        assert predicted == pytest.approx(log.alloc_bytes_per_second, rel=0.02)


def test_logs_without_misses_are_refused() -> None:
    """A constant allocation rate shows no pool."""
    logs = [log._replace(alloc_bytes_per_second=BASE) for log in logs_of(POOL, (2.0, 10.0, 50.0))]
    with pytest.raises(InputError, match="show no misses"):
        fitted_pool(UNKNOWN, logs, seed=1)


def test_two_logs_are_too_few() -> None:
    """Base and hold time are two unknowns."""
    with pytest.raises(InputError, match="2 logs are too few"):
        fitted_pool(UNKNOWN, logs_of(POOL, (2.0, 50.0)), seed=1)
