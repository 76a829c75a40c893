"""The recommendation against rules of thumb, all simulated in one container with the same random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

from gcsim.engine.controllers import Controller, controller_json
from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.engine.simulate import ReplicaRun, replica_runs, simulate, simulate_replicas
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.chances import Chances, chances
from gcsim.tuning.feasible import is_feasible
from gcsim.tuning.recommend import recommend
from gcsim.tuning.recommendation import Recommendation
from gcsim.tuning.rules_of_thumb import Rule, rules_of_thumb
from gcsim.tuning.savings import Saving, gc_cores, saving_of
from gcsim.tuning.sweep import LANES_PER_CHUNK, Progress, base_settings
from gcsim.tuning.verdicts import verdict_on

RECOMMENDED, NEAREST_MISS, TODAY = "recommended", "nearest miss", "today"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One rule, its prediction, and its judgement."""

    rule: Rule
    run: Run
    feasible: bool
    chances: Chances
    saving: Saving  # GC cores against today's setting, for today's work
    verdict: str

    @property
    def cores_saved(self) -> float:
        """The median of the saving."""
        return self.saving.cores.value

    def to_json(self, alloc_bytes_per_second: float) -> dict[str, object]:
        """The JSON document; ``alloc_bytes_per_second`` is the calibrated rate."""
        run = self.run.to_json()
        return {
            "rule": self.rule.name,
            "origin": self.rule.origin,
            "settings": run["settings"],
            "controller": controller_json(self.rule.controller) if self.rule.moves else None,
            "feasible": self.feasible,
            "chances": self.chances.to_json(),
            "cores_saved": self.cores_saved,
            "cores_saved_interval": self.saving.to_json(),
            "alloc_bytes_per_second": self.run.metrics["throughput_ratio"].value * alloc_bytes_per_second,
            "verdict": self.verdict,
            "metrics": run["metrics"],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The rules in order: those that fit by rising GC cost, then the others by rising chance not to fit."""

    rows: tuple[Compared, ...]
    recommendation: Recommendation
    alloc_bytes_per_second: float  # at calibration

    @property
    def memory_bytes(self) -> int:
        """The memory of the container."""
        return self.recommendation.memory_bytes

    @property
    def plan(self) -> Plan:
        """How the rules were simulated."""
        return self.recommendation.plan

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim compare --json``."""
        found = self.recommendation
        return {
            "memory_bytes": found.memory_bytes,
            "other_memory_bytes": found.other_memory_bytes,
            "recommended": {"feasible": found.feasible, "env": found.env},
            "rules": [row.to_json(self.alloc_bytes_per_second) for row in self.rows],
            **found.plan.to_json(found.model),
        }


def compare(
    model: Model,
    *,
    memory_bytes: int,
    other_memory_bytes: int = 0,
    controllers: Sequence[tuple[str, Controller]] = (),
    gomaxprocs: int | None = None,
    go: str | None = None,
    plan: Plan = USUAL_PLAN,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    recommendation: Recommendation | None = None,
    **changes: Unpack[PlanFields],
) -> Comparison:
    """The recommendation, today's setting, the rules of thumb and ``controllers`` (name, policy) in one container.

    ``other_memory_bytes`` of it are not the program's: the rules do not know of them, and are judged without them.
    A controller starts from GOGC=100 without a limit. ``recommendation`` is a finished one for the same model, memory
    and plan; it saves the search. ``changes`` replace fields of the plan. Raises InputError on bad settings.
    """
    plan = plan.changed(**changes)
    base = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    start = Settings(gogc=100, gomaxprocs=base.gomaxprocs, go=base.go)
    own = [
        Rule(name=name, origin="your controller", settings=start, controller=policy)
        for name, policy in controllers
    ]
    for rule in own:  # a fault in it is found before the long search
        simulate(model, [start], plan.changed(controller=rule.controller, duration_seconds=1.0, replicas=2))
    found = recommendation or recommend(
        model,
        memory_bytes=memory_bytes,
        other_memory_bytes=other_memory_bytes,
        gomaxprocs=gomaxprocs,
        go=go,
        plan=plan,
        progress=progress,
        executor=executor,
    )
    name = RECOMMENDED if found.feasible else NEAREST_MISS
    rules = (
        Rule(name=name, origin="gcsim recommend", settings=found.settings),
        Rule(name=TODAY, origin="the calibrated setting", settings=base),
        *rules_of_thumb(model, base, memory_bytes),
        *own,
    )
    runs = _runs(model, rules, plan, executor)
    today = runs[rules[1]]
    rows = [_compared(model, rule, runs[rule], runs[rules[0]].run, today, found) for rule in rules]
    return Comparison(
        rows=tuple(sorted(rows, key=_order)),
        recommendation=found,
        alloc_bytes_per_second=model.parameters.alloc_bytes_per_second.value,
    )


def _runs(model: Model, rules: Sequence[Rule], plan: Plan, executor: Executor) -> dict[Rule, ReplicaRun]:
    """The run of each rule with its replicas; equal fixed settings are simulated once."""
    fixed = list(dict.fromkeys(rule.settings for rule in rules if not rule.moves))
    size = max(LANES_PER_CHUNK // plan.replicas, 1) if plan.engine == "lanes" else 1
    known: dict[Settings, ReplicaRun] = {}
    for start in range(0, len(fixed), size):
        part = fixed[start : start + size]
        known |= zip(part, replica_runs(model, part, plan, executor=executor), strict=True)
    moving = {
        rule: simulate_replicas(
            model, rule.settings, plan.changed(controller=rule.controller), executor=executor
        )
        for rule in rules
        if rule.moves
    }
    return {rule: moving[rule] if rule.moves else known[rule.settings] for rule in rules}


def _compared(
    model: Model, rule: Rule, found: ReplicaRun, recommended: Run, today: ReplicaRun, answer: Recommendation
) -> Compared:
    memory, run = answer.available_bytes, found.run
    odds = chances(run, memory, kernel_bytes=answer.budget.kernel_bytes)
    return Compared(
        rule=rule,
        run=run,
        feasible=is_feasible(run, memory),
        chances=odds,
        saving=saving_of(model, today, found, same=run.metrics == today.run.metrics),
        verdict=verdict_on(
            run,
            odds,
            recommended if run is not recommended else None,
            memory_bytes=memory,
            extra_cores=gc_cores(run, like=recommended) - gc_cores(recommended),
            feasible=answer.feasible,
        ),
    )


def _order(row: Compared) -> tuple[bool, float, float, bool, str]:
    """Feasible rules by GC cost, then the others by the chance that they fit; equal ones by name.

    Differences below a hundredth of a core are none.
    """
    kept = 0.0 if row.feasible else -row.chances.fits
    is_other = row.rule.name not in (RECOMMENDED, NEAREST_MISS)
    return not row.feasible, round(kept, 2), -round(row.cores_saved, 2), is_other, row.rule.name
