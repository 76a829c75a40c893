"""A service with pools in the lane engine, and pools of a calibrated service.

The lane engine has no single Gets. It simulates the same service without pools, with the misses in its allocation and
the unused objects in its live heap, both at the time between collections (``submodels.pool_use``). That time follows
from the run, so both are computed in turn. The event engine plays every Get instead (``des.heap.pools``).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.model import Model
from gcsim.service.pools import ServicePool
from gcsim.settings import Settings
from gcsim.submodels.pool_use import PoolResult, PoolUse

_ROUNDS = 5
_SETTLED = 0.002  # of allocation


def use_of(pool: ServicePool, gomaxprocs: int) -> PoolUse:
    """The use of a pool at a number of Ps."""
    return PoolUse(
        gets_per_second=pool.gets_per_second,
        in_flight=pool.in_flight,
        gomaxprocs=gomaxprocs,
        goroutines=pool.goroutines,
    )


def interval_of(run: Run, model: Model) -> float:
    """Mean seconds between collections; the length of the calibrated run if there are none."""
    rate = run.metrics["gc_rate_hz"].value
    return 1.0 / rate if rate > 0 else model.duration_seconds


def with_pools(model: Model, pools: Sequence[ServicePool], home: Run, seed: int) -> Model:
    """The same service with its pools apart: their misses and unused objects are taken out of its parameters.

    ``home`` is the run of the calibrated service. Raises InputError if the pools' misses allocate more than the
    service, or their unused objects are more than its live heap.
    """
    found = _results(pools, interval_of(home, model), model.settings, seed)
    missed, kept = _bytes(pools, found)
    allocated, live = model.parameters.alloc_bytes_per_second.value, model.parameters.live_bytes.value
    for what, part, whole in (("misses", missed, allocated), ("unused objects", kept, live)):
        if part >= whole:
            raise InputError(
                f"{model.name}: the pool's {what} at calibration ({part:,.0f} bytes) are not less than the"
                f" {whole:,.0f} bytes of the service; check the size, the number and the hold time of the objects"
            )
    apart = model.scaled(allocation=1.0 - missed / allocated, live=1.0 - kept / live)
    return replace(apart, pools=tuple(pools))


def without_pools(model: Model, settings: Settings, run: Run | None, seed: int) -> Model:
    """The same service without pools, with their misses and unused objects as in ``run``; without a run, none."""
    plain = replace(model, pools=())
    if run is None:
        return plain
    throughput = max(run.metrics["throughput_ratio"].value, 1e-6)
    pools = [one.scaled(load=throughput) for one in model.pools]
    missed, kept = _bytes(pools, _results(pools, interval_of(run, model), settings, seed))
    allocated = throughput * model.parameters.alloc_bytes_per_second.value
    return plain.scaled(
        allocation=1.0 + missed / allocated, live=1.0 + kept / model.parameters.live_bytes.value
    )


def settled(model: Model, settings: Settings, seed: int, simulate: Callable[[Model], Run]) -> Model:
    """The service without pools whose misses agree with the collections that it has."""
    plain = without_pools(model, settings, None, seed)
    for _ in range(_ROUNDS):
        before = plain.parameters.alloc_bytes_per_second.value
        plain = without_pools(model, settings, simulate(plain), seed)
        if abs(plain.parameters.alloc_bytes_per_second.value / before - 1.0) < _SETTLED:
            break
    return plain


def _results(
    pools: Sequence[ServicePool], interval: float, settings: Settings, seed: int
) -> list[PoolResult]:
    rules = rules_for(settings.go)
    return [use_of(one, settings.gomaxprocs).at(interval, rules=rules, seed=seed) for one in pools]


def _bytes(pools: Sequence[ServicePool], found: Sequence[PoolResult]) -> tuple[float, float]:
    """(bytes of misses per second, bytes of unused objects)."""
    pairs = list(zip(pools, found, strict=True))
    missed = sum(
        (1.0 - result.hit_share) * pool.gets_per_second * pool.object_bytes for pool, result in pairs
    )
    return missed, sum(result.retained_objects * pool.object_bytes for pool, result in pairs)
