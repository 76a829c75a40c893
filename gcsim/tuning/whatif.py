"""A change of a service, its traffic, its processors or its settings: before, after, and their ratio."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Unpack

from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.engine.simulate import ReplicaRun, simulate_replicas
from gcsim.engine.summary.intervals import load_kind, ratio_interval
from gcsim.errors import InputError
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.change_note import ChangeNote
from gcsim.tuning.changes import Changes, notes_on
from gcsim.tuning.feasible import Fault, fault_of
from gcsim.tuning.pool_fit import ALLOCATION_ERROR
from gcsim.tuning.program_changes import ProgramChange, SiteEffect, changed_model, effects_of
from gcsim.tuning.program_notes import notes_on_sites
from gcsim.tuning.quota import Quota
from gcsim.tuning.recommend import Recommendation, recommend
from gcsim.tuning.sweep import Progress

_MOVED = 0.005  # relative change of the median: less is not listed
_SETTLED = 0.001  # of all allocation: pools and the time between collections agree
_MOST_ROUNDS = 6
_INSIDE = 1.645  # standard deviations of a 90 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The prediction before and after a change, with the same random numbers."""

    before: Run  # at the calibrated settings
    after: Run
    ratios: Mapping[str, Estimate]  # after / before by metric; without metrics that are 0 in a run
    notes: tuple[ChangeNote, ...]
    model: Model  # of the changed service
    plan: Plan
    memory_bytes: int | None
    recommendation: Recommendation | None  # for the changed service, if a container is given
    allocation: tuple[Estimate, Estimate]  # bytes per second before and after
    sites: tuple[SiteEffect, ...] = ()

    @property
    def moved(self) -> list[str]:
        """The metrics whose median changes by more than half a percent, in the order of ``METRICS``."""
        return [name for name in self.after.metrics if name in self.before.metrics and self._has_moved(name)]

    @property
    def fault(self) -> Fault | None:
        """The reason why the changed service must not run at its settings in the container; None if it may."""
        return fault_of(self.after, self.memory_bytes)

    def _has_moved(self, name: str) -> bool:
        if name in self.ratios:
            return abs(self.ratios[name].value - 1.0) > _MOVED
        return self.before.metrics[name].value != self.after.metrics[name].value

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim whatif --json``."""
        found = self.recommendation
        return {
            "changes": [note.to_json() for note in self.notes],
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "ratios": {name: ratio.to_json() for name, ratio in self.ratios.items()},
            "moved": self.moved,
            "allocation_bytes_per_second": dict(
                zip(("before", "after"), (one.to_json() for one in self.allocation), strict=True)
            ),
            "sites": [one.to_json() for one in self.sites],
            "memory_bytes": self.memory_bytes,
            "fault": self.fault,
            "recommended": None if found is None else {"feasible": found.feasible, **found.run.to_json()},
            **self.plan.to_json(self.model.name),
        }


def what_if(
    model: Model,
    settings: Settings,
    changes: Changes,
    *,
    memory_bytes: int | None = None,
    plan: Plan = USUAL_PLAN,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    **fields: Unpack[PlanFields],
) -> WhatIf:
    """The service as calibrated, and after ``changes`` at ``settings``.

    ``fields`` replace fields of the plan. With ``memory_bytes`` the result also has the recommended setting of the
    changed service. Raises InputError for a change that a closed loop cannot have, and for bad settings.
    """
    if changes.traffic != 1.0 and model.loop == "closed":
        raise InputError(
            f"--traffic: {model.name} is a closed loop, a program that works at full speed, so more clients do not"
            " change it; if arrivals set its load, calibrate it with --open-loop"
        )
    plan = plan.changed(**fields)
    before = simulate_replicas(model, model.settings, plan, executor=executor)
    changed = model.scaled(live=changes.live, load=changes.traffic, allocation=changes.allocation)
    effects: tuple[SiteEffect, ...] = ()
    if changes.program is None:
        after = simulate_replicas(changed, settings, plan, executor=executor)
    else:
        changed, effects, after = _with_program(
            changed, settings, changes.program, before.run, plan, executor
        )
    quota = None
    if changes.cpu_quota is not None:
        quota = Quota.of(changed, settings, after.run, cores=changes.cpu_quota)
        if quota.speed < 1.0:
            changed = changed.scaled(speed=quota.speed)
            after = simulate_replicas(changed, settings, plan, executor=executor)
    allocation = (_allocation(model, before.run), _allocation(changed, after.run))
    after = _relative_to(model, after, changes)
    found = None
    if memory_bytes is not None:
        found = recommend(
            changed,
            memory_bytes=memory_bytes,
            gomaxprocs=settings.gomaxprocs,
            go=settings.go,
            plan=plan,
            progress=progress,
            executor=executor,
        )
    return WhatIf(
        before=before.run,
        after=after.run,
        ratios=_ratios(changed, before, after),
        notes=(*notes_on_sites(effects), *notes_on(model, settings, changes, quota)),
        model=changed,
        plan=plan,
        memory_bytes=memory_bytes,
        recommendation=found,
        allocation=allocation,
        sites=effects,
    )


def _with_program(
    base: Model, settings: Settings, program: ProgramChange, home: Run, plan: Plan, executor: Executor
) -> tuple[Model, tuple[SiteEffect, ...], ReplicaRun]:
    """The changed service, the effects of its sites, and its run.

    Hits of a pool depend on the time between collections, and the time on the hits. Both are computed in turn until
    the saved allocation settles.
    """
    after = simulate_replicas(base, settings, plan, executor=executor)
    saved = None
    for _ in range(_MOST_ROUNDS):
        rate = after.run.metrics["gc_rate_hz"].value
        period = 1.0 / rate if rate > 0 else plan.duration_seconds or base.duration_seconds
        effects = effects_of(program, base, settings, home, period, plan.seed)
        now = sum(one.saved_share for one in effects)
        if saved is not None and abs(now - saved) < _SETTLED:
            break
        changed = changed_model(base, effects)
        after, saved = simulate_replicas(changed, settings, plan, executor=executor), now
    return changed, effects, after


def _allocation(model: Model, run: Run) -> Estimate:
    """Bytes allocated per second."""
    rate = model.parameters.alloc_bytes_per_second
    value = run.metrics["throughput_ratio"].value * rate.value
    spread = math.exp(_INSIDE * math.hypot(rate.rel_sd, ALLOCATION_ERROR))
    return Estimate(value, value / spread, value * spread)


def _relative_to(model: Model, after: ReplicaRun, changes: Changes) -> ReplicaRun:
    """The run with throughput relative to the unchanged service: traffic multiplies the work of an open loop."""
    factor, name = changes.traffic if model.loop == "open" else 1.0, "throughput_ratio"
    old = after.run.metrics[name]
    scaled = Estimate(factor * old.value, factor * old.low, factor * old.high)
    return replace(
        after,
        run=replace(after.run, metrics={**after.run.metrics, name: scaled}),
        values={**after.values, name: factor * after.values[name]},
    )


def _ratios(model: Model, before: ReplicaRun, after: ReplicaRun) -> dict[str, Estimate]:
    load = load_kind(model)
    found = {
        name: ratio_interval(name, before.values[name], values, load=load, extrapolation=after.extrapolation)
        for name, values in after.values.items()
        if name in before.values
    }
    return {name: ratio for name, ratio in found.items() if ratio is not None}
