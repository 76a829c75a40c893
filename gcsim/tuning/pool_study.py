"""One sync.Pool over settings, load and processors: its hits, misses and retained bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan
from gcsim.engine.pooled import interval_of, use_of, with_pools
from gcsim.engine.run import settings_json
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.service.model import Model
from gcsim.service.pools import ServicePool
from gcsim.settings import Settings
from gcsim.submodels.pool_use import PoolResult, PoolUse

MOST_POINTS = 300
_CURVE_POINTS = 25
_CURVE_REACH = 10.0  # below the shortest and above the longest interval
_LEAST_THROUGHPUT = 1e-6
_LEAST_COLLECTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPoint:
    """The pool at one setting, or at one time between collections."""

    settings: Settings | None  # None without a service
    gomaxprocs: int
    load: float
    interval_seconds: float  # between collections
    use: PoolUse
    found: PoolResult
    object_bytes: float
    gc_cpu_fraction: float | None  # of the service with the pool

    @property
    def misses_per_second(self) -> float:
        """Gets that allocate a new object."""
        return self.use.gets_per_second * (1.0 - self.found.hit_share)

    def to_json(self) -> dict[str, object]:
        """The JSON document of one point."""
        return {
            "settings": None if self.settings is None else settings_json(self.settings),
            "gomaxprocs": self.gomaxprocs,
            "load": self.load,
            "interval_seconds": self.interval_seconds,
            "gets_per_second": self.use.gets_per_second,
            "objects_in_flight": self.use.in_flight,
            "hit_share": self.found.hit_share,
            "misses_per_second": self.misses_per_second,
            "miss_bytes_per_second": self.misses_per_second * self.object_bytes,
            "retained_objects": self.found.retained_objects,
            "retained_bytes": self.found.retained_objects * self.object_bytes,
            "gc_cpu_fraction": self.gc_cpu_fraction,
        }


def points_at_intervals(
    pool: ServicePool,
    intervals_seconds: Sequence[float],
    gomaxprocs: Sequence[int],
    loads: Sequence[float],
    *,
    rules: GoRules,
    seed: int,
) -> list[PoolPoint]:
    """The pool at given times between collections."""
    return [
        _point(pool.scaled(load=load), interval, load, procs, rules, seed)
        for procs in gomaxprocs
        for load in loads
        for interval in intervals_seconds
    ]


def points_of_service(
    pool: ServicePool,
    model: Model,
    settings: Sequence[Settings],
    loads: Sequence[float],
    *,
    plan: Plan = USUAL_PLAN,
    executor: Executor = IN_PROCESS,
) -> list[PoolPoint]:
    """The pool in a service that has it already, at each setting and load.

    Other collections than at calibration give other misses, and other misses another allocation rate and another live
    heap. By the lane engine both are computed in turn; the event engine plays each Get. Raises InputError if the pool's
    misses at calibration allocate more than the service does.
    """
    (home,) = simulate(model, [model.settings], plan.changed(engine="lanes"), executor=executor)
    service = with_pools(model, [pool], home, plan.seed)
    return [
        _of_service(service.scaled(load=load), one, load, plan, executor)
        for load in loads
        for one in settings
    ]


def hit_curve(
    points: Sequence[PoolPoint], pool: ServicePool, *, rules: GoRules, seed: int
) -> list[tuple[str, FloatArray, FloatArray, FloatArray]]:
    """(label, intervals, hit shares, retained bytes) for each number of Ps and load of the points."""
    lows = min(point.interval_seconds for point in points) / _CURVE_REACH
    highs = max(point.interval_seconds for point in points) * _CURVE_REACH
    intervals = np.geomspace(lows, highs, _CURVE_POINTS)
    curves = []
    for procs, load in dict.fromkeys((point.gomaxprocs, point.load) for point in points):
        use = use_of(pool.scaled(load=load), procs)
        found = [use.at(float(one), rules=rules, seed=seed) for one in intervals]
        label = f"{procs} P" + (f", load × {load:g}" if load != 1.0 else "")
        curves.append(
            (
                label,
                intervals,
                np.array([one.hit_share for one in found]),
                np.array([one.retained_objects * pool.object_bytes for one in found]),
            )
        )
    return curves


def _of_service(service: Model, settings: Settings, load: float, plan: Plan, executor: Executor) -> PoolPoint:
    (run,) = simulate(service, [settings], plan, executor=executor)
    (pool,) = service.pools
    point = _point(
        pool.scaled(load=max(run.metrics["throughput_ratio"].value, _LEAST_THROUGHPUT)),
        interval_of(run, service),
        load,
        settings.gomaxprocs,
        rules_for(settings.go),
        plan.seed,
    )
    if plan.engine == "des":
        point = replace(point, found=_played(service, settings, plan))
    return replace(point, settings=settings, gc_cpu_fraction=run.metrics["gc_cpu_fraction"].value)


def _played(service: Model, settings: Settings, plan: Plan) -> PoolResult:
    """The hits and retained objects of one run at the service's central values, Get by Get."""
    from gcsim.engine.des.run.replicas import record_events

    counts = [one for (one,) in record_events(service, settings, plan).pools]
    if len(counts) < _LEAST_COLLECTIONS:
        raise InputError(
            f"pool: {len(counts)} collections at {settings} are too few to count hits; choose a longer --duration"
        )
    gets, hits = (counts[-1].gets - counts[0].gets, counts[-1].hits - counts[0].hits)
    kept = sum(one.pooled for one in counts) / len(counts)
    return PoolResult(hit_share=hits / max(gets, 1), retained_objects=kept)


def _point(
    pool: ServicePool, interval: float, load: float, procs: int, rules: GoRules, seed: int
) -> PoolPoint:
    """The pool at a time between collections; ``pool`` has the load already."""
    use = use_of(pool, procs)
    return PoolPoint(
        settings=None,
        gomaxprocs=procs,
        load=load,
        interval_seconds=interval,
        use=use,
        found=use.at(interval, rules=rules, seed=seed),
        object_bytes=pool.object_bytes,
        gc_cpu_fraction=None,
    )
