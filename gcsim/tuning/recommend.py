"""The recommendation of a setting for a container: search, choice, stress and reasons."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.tuning.aim import Aim, Objective, gc_cpu
from gcsim.tuning.choose import cheapest, choose, feasible_runs, nearest_miss
from gcsim.tuning.constraints import (
    MEMORY_CONFIDENCE,
    Constraint,
    Margin,
    constraints_from,
    margins,
    pareto_front,
)
from gcsim.tuning.evaluation import Evaluation, search
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.memory_budget import MemoryBudget, memory_budget
from gcsim.tuning.needed import Needed, needed_for
from gcsim.tuning.pick import Judged, Picked, pick
from gcsim.tuning.practical import saves_too_little
from gcsim.tuning.reason import explain, explain_miss
from gcsim.tuning.recommendation import Recommendation, Unused
from gcsim.tuning.request_latency import candidates_with_requests, needs_requests, without_requests
from gcsim.tuning.savings import gc_cores
from gcsim.tuning.search import GridPoint, likely_row, outline
from gcsim.tuning.stress import MORE_LIVE
from gcsim.tuning.sweep import Progress, base_settings
from gcsim.units import LEAST_MEMORY_BYTES, format_mib

__all__ = ["Recommendation", "best_of", "recommend"]

_LEAST_MENTIONED = 0.0005  # of all CPU: memory that saves less is not called unused
_SHOWN_FRONT = 8


def recommend(
    model: Model,
    *,
    memory_bytes: int,
    other_memory_bytes: int = 0,
    constraints: Sequence[Constraint] = (),
    max_gc_cpu_fraction: float | None = None,
    max_stw_p99_seconds: float | None = None,
    memory_confidence: float = MEMORY_CONFIDENCE,
    objective: Objective = "cpu",
    spend_memory: bool = False,
    gomaxprocs: int | None = None,
    go: str | None = None,
    plan: Plan = USUAL_PLAN,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    **changes: Unpack[PlanFields],
) -> Recommendation:
    """The recommendation for a container of ``memory_bytes``; ``tuning.choose`` defines the choice.

    ``other_memory_bytes`` of the container are not the program's. ``constraints`` bound any metrics; two of them have
    keywords of their own. Of one metric the tightest bound holds. Each constraint must hold with its probability, the
    memory with ``memory_confidence``. GC CPU must stay below half of all CPU. ``spend_memory`` also uses memory beyond
    the knee. ``changes`` replace fields of the plan. Raises InputError on bad settings.
    """
    plan = plan.changed(**changes)
    base = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    available = _available(memory_bytes, other_memory_bytes)
    knobs = GridPoint(gomaxprocs=base.gomaxprocs, go=base.go, memory_bytes=available)
    budget = memory_budget(model, seed=plan.seed)
    named = {"gc_cpu_fraction": max_gc_cpu_fraction, "stw_p99_seconds": max_stw_p99_seconds}
    asked = [Constraint.at_most(metric, bound) for metric, bound in named.items() if bound is not None]
    asked += constraints
    constraints = constraints_from(
        available,
        asked,
        not_counted_bytes=budget.not_counted.high,
        memory_confidence=memory_confidence,
    )
    evaluate = Evaluation(model, plan, progress, executor)
    evaluate(outline(knobs), [base, *likely_row(knobs)])
    today = evaluate.of([base])[0]
    bounded = any(one.metric == "gc_cpu_fraction" for one in asked)
    aim = Aim(
        objective=objective,
        spend_memory=spend_memory,
        most_gc_cpu=None if bounded or objective != "memory" else gc_cpu(today),
    )
    slow = needs_requests(model, constraints, aim, plan)
    quick = without_requests(constraints) if slow else constraints
    explored = search(evaluate, knobs, quick, aim)
    if slow:
        explored = candidates_with_requests(
            model, evaluate, explored, today, constraints, aim, plan, executor
        )
        today = explored[0]
    feasible = feasible_runs(explored, constraints)
    how = Judged(constraints=constraints, quick=quick, is_rounded=slow)
    picked = pick(model, evaluate, explored, today, how, aim, plan) if feasible else None
    needed = None
    if picked is None:
        # without a feasible setting the miss is too little memory for today's heap, else for a little more of it
        larger = Evaluation(model.scaled(live=MORE_LIVE), plan, None, executor) if feasible else evaluate
        needed = needed_for(larger, knobs, quick, other_bytes=other_memory_bytes)
    evaluate.finish()
    chosen = nearest_miss(explored, constraints) if picked is None else picked.run
    otherwise = None
    if picked is not None and saves_too_little(today, chosen, constraints, aim) and _stays(picked):
        otherwise, chosen = chosen, today
        picked = replace(picked, run=today, test=picked.test.of_today())
    unused = None if picked is None or otherwise is not None else _unused(chosen, explored, constraints, aim)
    found = margins(chosen, constraints, replicas=plan.replicas)
    return Recommendation(
        feasible=picked is not None,
        run=chosen,
        otherwise=otherwise,
        today=today,
        margins=found,
        alternatives=() if picked is None else picked.alternatives,
        front=() if picked is None else _front(explored, constraints),
        neighbours=() if picked is None or otherwise is not None else picked.neighbours,
        unused=unused,
        test=None if picked is None else picked.test,
        needed=needed,
        explored=tuple(explored),
        memory_bytes=memory_bytes,
        other_memory_bytes=other_memory_bytes,
        budget=budget,
        aim=aim,
        plan=plan,
        model=model.name,
        reasons=_reasons(
            chosen, found, picked, needed, cheapest(explored, constraints), budget, unused, otherwise
        ),
    )


def best_of(runs: Sequence[Run], memory_bytes: int, *, not_counted_bytes: float = 0.0) -> Run | None:
    """The run that ``recommend`` chooses among ``runs``; None if none is feasible.

    ``not_counted_bytes`` is the container memory that GOMEMLIMIT does not count, at its pessimistic end.
    """
    constraints = constraints_from(memory_bytes, not_counted_bytes=not_counted_bytes)
    return choose(runs, constraints) if feasible_runs(runs, constraints) else None


def _available(memory_bytes: int, other_bytes: int) -> int:
    """The memory of the container that is the program's. Raises InputError if too little is left."""
    left = memory_bytes - other_bytes
    if left < LEAST_MEMORY_BYTES:
        raise InputError(
            f"--other-memory: {format_mib(other_bytes)} of {format_mib(memory_bytes)} leaves no memory for the program;"
            " give a larger --memory, or less other memory"
        )
    return left


def _stays(picked: Picked) -> bool:
    """Whether today's setting holds under every stress under which the choice holds, without a death spiral."""
    tests = picked.test.stresses
    return picked.test.of_today().survives_mild and all(one.today_held or not one.held for one in tests)


def _unused(
    chosen: Run, explored: Sequence[Run], constraints: Sequence[Constraint], aim: Aim
) -> Unused | None:
    """The choice without the knee, if it uses more memory and saves CPU that is worth a word."""
    if aim.objective != "cpu" or aim.spend_memory:
        return None
    run = choose(explored, constraints, Aim(spend_memory=True))
    more = container_peak(run).value - container_peak(chosen).value
    less = gc_cpu(chosen) - gc_cpu(run)
    if more <= 0.0 or less < _LEAST_MENTIONED:
        return None
    cores = gc_cores(chosen) - gc_cores(run, like=chosen)
    return Unused(run=run, memory_bytes=more, gc_cpu_fraction=less, cores=cores)


def _front(explored: Sequence[Run], constraints: Sequence[Constraint]) -> tuple[Run, ...]:
    """At most eight runs of the front, with both ends and evenly spread in between."""
    front = pareto_front(feasible_runs(explored, constraints))
    last = len(front) - 1
    steps = min(_SHOWN_FRONT, len(front))
    places = dict.fromkeys(round(last * step / max(steps - 1, 1)) for step in range(steps))
    return tuple(front[place] for place in places)


def _reasons(
    chosen: Run,
    found: Sequence[Margin],
    picked: Picked | None,
    needed: Needed | None,
    least: Run,
    budget: MemoryBudget,
    unused: Unused | None,
    otherwise: Run | None,
) -> tuple[str, ...]:
    if picked is None:
        assert needed is not None
        return explain_miss(chosen, found, needed, budget)
    return explain(
        chosen,
        found,
        cheapest=least,
        test=picked.test,
        near=picked.neighbours,
        budget=budget,
        unused=unused,
        otherwise=otherwise,
    )
