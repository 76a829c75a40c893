"""One node's memory divided among services, and the settings of each service in its part."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, Unpack

from gcsim.arrays import FloatArray
from gcsim.engine.executors import IN_PROCESS, Executor, executor_for
from gcsim.engine.lanes.run import lane_cycles
from gcsim.engine.plan import Plan, PlanFields
from gcsim.engine.run import Run, settings_json
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.division import LEAST_GAIN, divide
from gcsim.tuning.division_totals import Total, saved_by_more, totals_of
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.memory_curve import MemoryCurve, memory_curve
from gcsim.tuning.recommend import recommend
from gcsim.tuning.savings import gc_cores
from gcsim.tuning.sweep import Progress, base_settings
from gcsim.units import GIB

Result = TypeVar("Result")

FLEET_PLAN = Plan(replicas=8)  # a node has many services
# One service takes about six small calls of the engine. In their time a large call simulates so many lanes
_LANES_OF_A_SERVICE = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service on the node; its replicas are alike."""

    name: str  # as the user wrote it
    model: Model
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of one replica: its container, its setting, and the price of memory there."""

    service: Service
    memory_bytes: int
    run: Run
    feasible: bool  # by ``recommend``, the memory margin included
    cores: float  # GC cores of one replica, for today's work
    today_cores: float
    gain_per_gib: float  # cores that the next GiB saves, at first

    def to_json(self) -> dict[str, object]:
        """The JSON document of the service."""
        found = self.service.model.assessment
        return {
            "service": self.service.name,
            "model": self.service.model.name,
            "replicas": self.service.replicas,
            "memory_bytes": self.memory_bytes,
            "settings": settings_json(self.run.settings),
            "env": self.run.settings.environment,
            "feasible": self.feasible,
            "cores": self.cores,
            "today_cores": self.today_cores,
            "gain_per_gib": self.gain_per_gib,
            "container_peak_bytes": container_peak(self.run).to_json(),
            "gc_cpu_fraction": self.run.metrics["gc_cpu_fraction"].to_json(),
            "verdict": None if found is None else found.verdict,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The division of a node. If the node is too small, ``parts`` and ``totals`` are empty."""

    memory_bytes: int
    needed_bytes: float  # of all services in their smallest containers; infinite if one fits nowhere
    smallest: tuple[tuple[Service, float], ...]  # the smallest container of one replica; infinite for none
    parts: tuple[Part, ...]
    totals: tuple[Total, ...]  # this division, then others
    saved_by_more: tuple[tuple[int, float], ...]  # GiB added to the node, and the cores that they save
    plan: Plan

    @property
    def fits(self) -> bool:
        """Whether the node holds all services."""
        return self.needed_bytes <= self.memory_bytes

    @property
    def left_bytes(self) -> int:
        """Memory that no service gets."""
        return self.memory_bytes - sum(part.service.replicas * part.memory_bytes for part in self.parts)

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim fleet --json``."""
        about = self.plan.to_json("")
        del about["model"]
        return {
            "memory_bytes": self.memory_bytes,
            "fits": self.fits,
            "needed_bytes": self.needed_bytes,
            "left_bytes": self.left_bytes if self.fits else None,
            "services": [part.to_json() for part in self.parts],
            "smallest": [
                {"service": service.name, "replicas": service.replicas, "memory_bytes": least}
                for service, least in self.smallest
            ],
            "divisions": [total.to_json() for total in self.totals],
            "saved_by_more": [{"gib": gib, "cores": cores} for gib, cores in self.saved_by_more],
            **about,
        }


class _Steps:
    """Counts finished simulations of services for the progress line."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def counted(self, results: Iterable[Result]) -> list[Result]:
        """The results, each reported when it is there."""
        found = []
        for one in results:
            found.append(one)
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, max(self._total, self._done))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    model: Model
    base: Settings
    memory_bytes: int


def divide_memory(
    services: Sequence[Service],
    *,
    memory_bytes: int,
    plan: Plan = FLEET_PLAN,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    **changes: Unpack[PlanFields],
) -> Fleet:
    """The division of ``memory_bytes`` among services that makes the sum of their GC cores least.

    Each service gets the setting that ``recommend`` chooses for its part. Services with one model share its
    simulations. ``changes`` replace fields of the plan. Raises InputError on bad settings.
    """
    plan = plan.changed(**changes)
    plan.check()
    models = list({id(one.model): one.model for one in services}.values())
    places = {id(model): place for place, model in enumerate(models)}
    replicas = [one.replicas for one in services]
    equal = memory_bytes / sum(replicas)
    steps = _Steps(progress, 2 * len(models))
    cycles = _LANES_OF_A_SERVICE * sum(lane_cycles(model, plan) for model in models)
    executor = executor_for(executor, "lanes", cycles) if len(models) > 1 else IN_PROCESS
    tasks = [
        _Task(model=model, base=base_settings(model, gomaxprocs=None, go=None), memory_bytes=int(equal))
        for model in models
    ]
    found = steps.counted(executor.map(partial(_curve, plan), tasks))
    curves = [found[places[id(one.model)]] for one in services]
    smallest = tuple(
        (one, curve.least_bytes if curve.fits else math.inf)
        for one, curve in zip(services, curves, strict=True)
    )
    needed = sum(one.replicas * least for one, least in smallest)
    if needed > memory_bytes:
        return Fleet(
            memory_bytes=memory_bytes, needed_bytes=needed, smallest=smallest, parts=(), totals=(),
            saved_by_more=(), plan=plan,
        )  # fmt: skip
    given = divide(curves, replicas, memory_bytes, least_gain=LEAST_GAIN)
    parts = _parts(services, curves, given, plan, executor, steps)
    return Fleet(
        memory_bytes=memory_bytes,
        needed_bytes=needed,
        smallest=smallest,
        parts=parts,
        totals=(_own_total(parts), *totals_of(curves, replicas, given, memory_bytes)),
        saved_by_more=saved_by_more(curves, replicas, memory_bytes),
        plan=plan,
    )


def _parts(
    services: Sequence[Service],
    curves: Sequence[MemoryCurve],
    given: FloatArray,
    plan: Plan,
    executor: Executor,
    steps: "_Steps",
) -> tuple[Part, ...]:
    """The setting of each service in its memory, each pair of model and memory simulated once."""
    wanted = [(id(one.model), int(memory)) for one, memory in zip(services, given.tolist(), strict=True)]
    tasks = {
        key: _Task(model=one.model, base=curve.today.settings, memory_bytes=key[1])
        for key, one, curve in zip(wanted, services, curves, strict=True)
    }
    found = dict(zip(tasks, steps.counted(executor.map(partial(_choice, plan), tasks.values())), strict=True))
    return tuple(
        Part(
            service=one,
            memory_bytes=key[1],
            run=found[key][0],
            feasible=found[key][1],
            cores=gc_cores(found[key][0], like=curve.today),
            today_cores=gc_cores(curve.today),
            gain_per_gib=curve.gain_at(key[1]) * GIB,
        )
        for one, key, curve in zip(services, wanted, curves, strict=True)
    )


def _own_total(parts: Sequence[Part]) -> Total:
    return Total(
        name="this division",
        cores=sum(part.service.replicas * part.cores for part in parts),
        memory_bytes=sum(part.service.replicas * part.memory_bytes for part in parts),
        unfit=sum(part.service.replicas for part in parts if not part.feasible),
    )


def _curve(plan: Plan, task: _Task) -> MemoryCurve:
    return memory_curve(task.model, task.base, task.memory_bytes, plan)


def _choice(plan: Plan, task: _Task) -> tuple[Run, bool]:
    found = recommend(task.model, memory_bytes=task.memory_bytes, plan=plan)
    return found.run, found.feasible
