"""One sync.Pool over settings, load and processors: its hits, misses and retained bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan
from gcsim.engine.run import settings_json
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.submodels.pool_use import PoolResult, PoolUse

MOST_POINTS = 300
_CURVE_POINTS = 25
_CURVE_REACH = 10.0  # below the shortest and above the longest interval
_ROUNDS = 4
_LEAST_ALLOCATION = 0.01  # of the service's, that other code does


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPool:
    """A pool as a user describes it."""

    gets_per_second: float
    hold_seconds: float  # from Get to Put
    object_bytes: float
    goroutines: int | None = None  # that use it; None: unlimited

    def use(self, *, load: float, gomaxprocs: int) -> PoolUse:
        """The use at a load and a number of Ps. Raises InputError if the goroutines cannot hold so many objects."""
        gets = self.gets_per_second * load
        if self.goroutines is not None and gets * self.hold_seconds >= self.goroutines:
            raise InputError(
                f"--goroutines: {self.goroutines} goroutines cannot hold {gets * self.hold_seconds:.4g} objects at"
                " once; raise --goroutines, or lower --gets or --hold"
            )
        return PoolUse(
            gets_per_second=gets,
            in_flight=gets * self.hold_seconds,
            gomaxprocs=gomaxprocs,
            goroutines=self.goroutines,
        )


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
    pool: AskedPool,
    intervals_seconds: Sequence[float],
    gomaxprocs: Sequence[int],
    loads: Sequence[float],
    *,
    rules: GoRules,
    seed: int,
) -> list[PoolPoint]:
    """The pool at given times between collections."""
    return [
        _point(pool, interval, load, procs, rules, seed)
        for procs in gomaxprocs
        for load in loads
        for interval in intervals_seconds
    ]


def points_of_service(
    pool: AskedPool,
    model: Model,
    settings: Sequence[Settings],
    loads: Sequence[float],
    *,
    plan: Plan = USUAL_PLAN,
    executor: Executor = IN_PROCESS,
) -> list[PoolPoint]:
    """The pool in a service that has it already, at each setting and load.

    Other collections than at calibration give other misses, and other misses another allocation rate. Both are computed
    in turn. Raises InputError if the pool's misses at calibration allocate more than the service does.
    """
    (home,) = simulate(model, [model.settings], plan, executor=executor)
    rules = rules_for(model.settings.go)
    calibrated = _point(pool, _interval(home.metrics["gc_rate_hz"].value, model), 1.0, model.settings.gomaxprocs, rules,
                        plan.seed)  # fmt: skip
    return [
        _settled(pool, model, one, load, calibrated, plan, executor) for load in loads for one in settings
    ]


def hit_curve(
    points: Sequence[PoolPoint], pool: AskedPool, *, rules: GoRules, seed: int
) -> list[tuple[str, FloatArray, FloatArray, FloatArray]]:
    """(label, intervals, hit shares, retained bytes) for each number of Ps and load of the points."""
    lows = min(point.interval_seconds for point in points) / _CURVE_REACH
    highs = max(point.interval_seconds for point in points) * _CURVE_REACH
    intervals = np.geomspace(lows, highs, _CURVE_POINTS)
    curves = []
    for procs, load in dict.fromkeys((point.gomaxprocs, point.load) for point in points):
        use = pool.use(load=load, gomaxprocs=procs)
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


def _point(pool: AskedPool, interval: float, load: float, procs: int, rules: GoRules, seed: int) -> PoolPoint:
    use = pool.use(load=load, gomaxprocs=procs)
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


def _settled(
    pool: AskedPool,
    model: Model,
    settings: Settings,
    load: float,
    home: PoolPoint,
    plan: Plan,
    executor: Executor,
) -> PoolPoint:
    """The point at which misses and the time between collections agree."""
    rules = rules_for(settings.go)
    allocated = model.parameters.alloc_bytes_per_second.value
    factor = 1.0
    for _ in range(_ROUNDS):
        (run,) = simulate(model.scaled(load=load, allocation=factor), [settings], plan, executor=executor)
        interval = _interval(run.metrics["gc_rate_hz"].value, model)
        point = _point(pool, interval, load, settings.gomaxprocs, rules, plan.seed)
        misses = point.misses_per_second / load - home.misses_per_second
        new = max(_LEAST_ALLOCATION, 1.0 + misses * pool.object_bytes / allocated)
        if abs(new / factor - 1.0) < 0.002:
            break
        factor = new
    return replace(point, settings=settings, gc_cpu_fraction=run.metrics["gc_cpu_fraction"].value)


def _interval(rate: float, model: Model) -> float:
    return 1.0 / rate if rate > 0 else model.duration_seconds
