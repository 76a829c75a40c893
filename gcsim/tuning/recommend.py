"""The recommendation of a setting for a container: search, choice, stress and reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.choose import (
    Alternative,
    alternatives_to,
    cheapest,
    choose,
    feasible_runs,
    net_bracket,
)
from gcsim.tuning.constraints import Constraint, Margin, constraints_from, is_met, margins
from gcsim.tuning.memory_budget import MemoryBudget, memory_budget
from gcsim.tuning.needed import Needed, needed_for
from gcsim.tuning.practical import round_settings_near, rounded, saves_too_little
from gcsim.tuning.reason import explain, explain_miss
from gcsim.tuning.search import (
    COARSE_GOGC,
    MOST_SETTINGS,
    GridPoint,
    backstop_limits,
    candidate_limits,
    finer_gogc,
    gogc_column,
    outline,
)
from gcsim.tuning.sweep import Progress, base_settings, simulate_in_chunks

STRESS_FACTOR = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """The recommended setting with more live heap or load."""

    what: str  # "live heap" or "load"
    factor: float
    run: Run
    held: bool  # whether it still meets every constraint and keeps its limit

    def to_json(self) -> dict[str, object]:
        """The JSON document: the growth, whether the setting still holds, and the run."""
        return {"what": self.what, "factor": self.factor, "held": self.held, **self.run.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A setting, its margins, today's setting, alternatives, stress runs and reasons.

    If no setting is feasible, ``run`` is the nearest miss, ``alternatives`` and ``stress`` are empty, and ``needed``
    holds the requirements.
    """

    feasible: bool
    run: Run
    otherwise: Run | None  # the choice, if ``run`` is today's because the change would save too little
    today: Run  # the calibrated GOGC and GOMEMLIMIT, with the requested GOMAXPROCS and Go version
    margins: tuple[Margin, ...]
    alternatives: tuple[Alternative, ...]  # by rising memory
    stress: tuple[Stress, ...]
    needed: Needed | None
    explored: tuple[Run, ...]  # all simulated runs
    memory_bytes: int
    budget: MemoryBudget  # what is known of the memory outside the heap
    plan: Plan
    model: str  # its name
    reasons: tuple[str, ...]  # sentences; the first states the prediction, or that no setting is feasible

    @property
    def settings(self) -> Settings:
        """The recommended setting, or the nearest miss."""
        return self.run.settings

    @property
    def env(self) -> dict[str, str]:
        """GOGC and GOMEMLIMIT as environment variables."""
        return self.run.settings.environment

    @property
    def reason(self) -> str:
        """The reasons as one paragraph."""
        return " ".join(self.reasons)

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim recommend --json``."""
        run = self.run.to_json()
        return {
            "feasible": self.feasible,
            "settings": run["settings"],
            "env": self.env,
            "metrics": run["metrics"],
            "alternatives": [alternative.to_json() for alternative in self.alternatives],
            "reason": self.reason,
            "memory_bytes": self.memory_bytes,
            "memory": self.budget.to_json(self.run),
            "otherwise": None if self.otherwise is None else self.otherwise.to_json(),
            "today": self.today.to_json(),
            "margins": [margin.to_json() for margin in self.margins],
            "stress": [item.to_json() for item in self.stress],
            "needed": None if self.needed is None else self.needed.to_json(),
            **self.plan.to_json(self.model),
        }


def recommend(
    model: Model,
    *,
    memory_bytes: int,
    constraints: Sequence[Constraint] = (),
    max_gc_cpu_fraction: float | None = None,
    max_stw_p99_seconds: float | None = None,
    gomaxprocs: int | None = None,
    go: str | None = None,
    plan: Plan = USUAL_PLAN,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    **changes: Unpack[PlanFields],
) -> Recommendation:
    """The recommendation for a container of ``memory_bytes``; ``tuning.choose`` defines the choice.

    ``constraints`` bound any metrics; two of them have keywords of their own. Of one metric the tightest bound holds.
    Every constraint is judged at the pessimistic end of its interval. GC CPU must stay below half of all CPU there.
    ``changes`` replace fields of the plan. Raises InputError on bad settings.
    """
    plan = plan.changed(**changes)
    base = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    knobs = GridPoint(gomaxprocs=base.gomaxprocs, go=base.go, memory_bytes=memory_bytes)
    budget = memory_budget(model, seed=plan.seed)
    named = {"gc_cpu_fraction": max_gc_cpu_fraction, "stw_p99_seconds": max_stw_p99_seconds}
    asked = [Constraint.at_most(metric, bound) for metric, bound in named.items() if bound is not None]
    constraints = constraints_from(
        memory_bytes, [*asked, *constraints], not_counted_bytes=budget.not_counted.high
    )
    evaluate = _Evaluation(model, plan, progress, executor)
    explored = _search(evaluate, knobs, constraints)
    chosen = choose(explored, constraints)
    feasible = bool(feasible_runs(explored, constraints))
    if feasible:
        chosen = rounded(chosen, evaluate, constraints)
    needed = None if feasible else needed_for(evaluate, knobs, constraints)
    stress = _stresses(model, chosen, constraints, plan, executor) if feasible else ()
    today = _known(explored, base) or simulate(model, [base], plan, executor=executor)[0]
    evaluate.finish()
    otherwise = None
    if feasible and saves_too_little(today, chosen, constraints):
        of_today = _stresses(model, today, constraints, plan, executor)
        if all(kept.held or not item.held for kept, item in zip(of_today, stress, strict=True)):
            otherwise, chosen, stress = chosen, today, of_today
    found = margins(chosen, constraints)
    growth = [(item.what, item.factor, item.run, item.held) for item in stress]
    return Recommendation(
        feasible=feasible,
        run=chosen,
        otherwise=otherwise,
        today=today,
        margins=found,
        alternatives=alternatives_to(chosen, explored, constraints) if feasible else (),
        stress=stress,
        needed=needed,
        explored=tuple(explored),
        memory_bytes=memory_bytes,
        plan=plan,
        model=model.name,
        budget=budget,
        reasons=explain(
            chosen,
            found,
            cheapest=cheapest(explored, constraints),
            growth=growth,
            budget=budget,
            otherwise=otherwise,
        )
        if needed is None
        else explain_miss(chosen, found, needed, budget),
    )


def best_of(runs: Sequence[Run], memory_bytes: int, *, not_counted_bytes: float = 0.0) -> Run | None:
    """The run that ``recommend`` chooses among ``runs``; None if none is feasible.

    ``not_counted_bytes`` is the container memory that GOMEMLIMIT does not count, at its pessimistic end.
    """
    constraints = constraints_from(memory_bytes, not_counted_bytes=not_counted_bytes)
    return choose(runs, constraints) if feasible_runs(runs, constraints) else None


class _Evaluation:
    """Simulates settings by the plan, keeps every run, and reports progress towards the maximum number."""

    def __init__(self, model: Model, plan: Plan, progress: Progress | None, executor: Executor) -> None:
        self._model = model
        self._executor = executor
        self._plan = plan
        self._progress = progress
        self._done: list[Run] = []
        self._ahead: dict[Settings, Run] = {}  # simulated, and not asked for yet
        self._report(MOST_SETTINGS)

    def __call__(self, settings: Sequence[Settings], likely: Sequence[Settings] = ()) -> list[Run]:
        """All runs asked for so far, including those of ``settings``.

        ``likely`` are settings that the next call may ask for. More settings make an engine call little longer.
        """
        known = {run.settings for run in self._done}
        asked = [each for each in dict.fromkeys(settings) if each not in known]
        wanted = [each for each in asked if each not in self._ahead]
        if wanted:
            wanted = list(dict.fromkeys([*wanted, *(each for each in likely if each not in known)]))
            new = [each for each in wanted if each not in self._ahead]
            for chunk in simulate_in_chunks(self._model, new, self._plan, self._executor):
                self._ahead |= {run.settings: run for run in chunk}
                done = len(self._done) + len(self._ahead)
                self._report(max(MOST_SETTINGS, done), done)
        self._done.extend(self._ahead.pop(each) for each in asked)
        return self._done

    def finish(self) -> None:
        """Reports the end of the simulation."""
        done = len(self._done) + len(self._ahead)
        self._report(done, done)

    def _report(self, total: int, done: int = 0) -> None:
        if self._progress is not None:
            self._progress(done, total)


def _search(evaluate: _Evaluation, knobs: GridPoint, constraints: Sequence[Constraint]) -> list[Run]:
    """The runs of the search: grid edges, candidate limits, the highest limit that holds, GOGC near the best."""
    runs = evaluate(outline(knobs))
    holding, failing = net_bracket(runs, constraints[0])
    wanted = [s for limit in candidate_limits(runs, holding) for s in gogc_column(knobs, limit)]
    if holding is not None and failing is not None:
        wanted += backstop_limits(knobs, holding, failing)
    runs = evaluate(wanted)
    net, _ = net_bracket(runs, constraints[0])
    if net is not None and net != holding:
        row = [s for s in gogc_column(knobs, net) if s.gogc is not None]
        places = [COARSE_GOGC.index(start.gogc) for start in _best(runs, constraints)]
        near = dict.fromkeys(g for place in places for g in COARSE_GOGC[max(place - 1, 0) : place + 2])
        finer = [s for gogc in near for s in finer_gogc(knobs, gogc, net)]
        runs = evaluate(row, likely=[*finer, *round_settings_near([*row, *finer])])
    around = [
        s for start in _best(runs, constraints) for s in finer_gogc(knobs, start.gogc, start.gomemlimit_bytes)
    ]
    if net is not None:
        around += [replace(s, gomemlimit_bytes=net) for s in around]
    return evaluate(around, likely=round_settings_near([s for s in around if s.gomemlimit_bytes == net]))


def _best(runs: Sequence[Run], constraints: Sequence[Constraint]) -> list[Settings]:
    """The settings of the runs around which the search takes finer steps."""
    return [run.settings for run in (choose(runs, constraints), cheapest(runs, constraints))]


def _known(runs: Sequence[Run], settings: Settings) -> Run | None:
    return next((run for run in runs if run.settings == settings), None)


def _stresses(
    model: Model, chosen: Run, constraints: Sequence[Constraint], plan: Plan, executor: Executor
) -> tuple[Stress, ...]:
    """The chosen setting with more live heap and, in an open loop, with more load."""
    grown = {"live heap": model.scaled(live=STRESS_FACTOR)}
    if model.loop == "open":
        grown["load"] = model.scaled(load=STRESS_FACTOR)
    found = []
    for what, larger in grown.items():
        run = simulate(larger, [chosen.settings], plan, executor=executor)[0]
        found.append(Stress(what=what, factor=STRESS_FACTOR, run=run, held=is_met(run, constraints)))
    return tuple(found)
