"""Latency of requests for a few candidates of a search: the lane engine, which searches, does not predict it."""

from collections.abc import Sequence
from dataclasses import replace

from gcsim.engine.executors import Executor
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model
from gcsim.tuning.aim import Aim
from gcsim.tuning.choose import choose, feasible_runs
from gcsim.tuning.constraints import Constraint, pareto_front
from gcsim.tuning.evaluation import Evaluation
from gcsim.tuning.practical import rounded

OF_REQUESTS = ("request_p50_seconds", "request_p99_seconds")
_CANDIDATES = 5
_MOST_REPLICAS = 4


def needs_requests(model: Model, constraints: Sequence[Constraint], aim: Aim, plan: Plan) -> bool:
    """Whether the choice depends on latencies that the search does not predict."""
    if plan.engine == "des" or model.requests is None:
        return False
    return aim.objective == "latency" or any(one.metric in OF_REQUESTS for one in constraints)


def without_requests(constraints: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """The constraints that the lane engine can judge."""
    return tuple(one for one in constraints if one.metric not in OF_REQUESTS)


def candidates_with_requests(
    model: Model,
    evaluate: Evaluation,
    explored: Sequence[Run],
    today: Run,
    constraints: Sequence[Constraint],
    aim: Aim,
    plan: Plan,
    executor: Executor,
) -> list[Run]:
    """Today's run first, then some feasible runs, each with the latency of requests by the event engine.

    They are the choices of the search with and without the knee, and runs spread over the front of memory and GC CPU.
    """
    kept = without_requests(constraints)
    feasible = feasible_runs(explored, kept)
    if not feasible:
        return [today]
    front = pareto_front(feasible)
    steps = range(_CANDIDATES)
    spread = [front[round((len(front) - 1) * step / (_CANDIDATES - 1))] for step in steps]
    chosen = [
        choose(feasible, kept, one) for one in (Aim(), replace(aim, objective="cpu", spend_memory=True))
    ]
    some = [rounded(run, evaluate, kept) for run in (*chosen, *spread)]
    runs = {run.settings: run for run in (today, *some)}
    slow = plan.changed(engine="des", length="needed", replicas=min(plan.replicas, _MOST_REPLICAS))
    found = simulate(model, list(runs), slow, executor=executor)
    return [_merged(run, event) for run, event in zip(runs.values(), found, strict=True)]


def _merged(run: Run, event: Run) -> Run:
    latencies = {name: event.metrics[name] for name in OF_REQUESTS if name in event.metrics}
    return replace(run, metrics=run.metrics | latencies)
