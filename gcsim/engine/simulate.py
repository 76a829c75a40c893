"""Simulates a model at settings: draws parameters, runs an engine, computes metrics and intervals."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

from gcsim.arrays import FloatArray, median
from gcsim.cycles import CycleTable
from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.inputs.bounds import MAX_RECORDED_CYCLES, check_pace, finite_arithmetic
from gcsim.engine.inputs.draws import (
    central_draws,
    central_growth,
    draw_growth,
    draw_parameters,
    lane_parameters,
)
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.equal import KnownLanes
from gcsim.engine.lanes.recorder import CycleRecorder
from gcsim.engine.lanes.run import lane_engine, supported_rules, warm_up
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.pooled import settled
from gcsim.engine.replicas import Replicas, replicas_of, to_the_end
from gcsim.engine.run import Run, Simulated
from gcsim.engine.summary.intervals import (
    distance,
    farthest,
    load_kind,
    prediction_interval,
    request_errors,
)
from gcsim.engine.summary.model_errors import Extrapolation
from gcsim.engine.summary.totals import settings_in_force
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.streams import stream

_LIMIT_NEAR = 0.25  # above this share of the limit a heap goal may be one that the limit sets


def simulate(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan = USUAL_PLAN,
    *,
    record: bool = False,
    known: KnownLanes | None = None,
    executor: Executor = IN_PROCESS,
    **changes: Unpack[PlanFields],
) -> list[Run]:
    """One Run per setting, in order; a metric is the median over replicas with a 90 % interval.

    ``changes`` replace fields of the plan. With ``record``, each Run also has the cycles of one more run at the model's
    central values. The settings of one call may differ in Go version, but not with ``known``, the lanes whose sums need
    no simulation. The event engine runs its replicas on ``executor``. Raises InputError for a bad argument, for a Go
    version that the engines do not support, and for numbers out of range.
    """
    plan = plan.changed(**changes)
    plan.check()
    runs: dict[int, Run] = {}
    for go in dict.fromkeys(s.go for s in settings):
        places = [i for i, s in enumerate(settings) if s.go == go]
        chosen = [settings[i] for i in places]
        made = [one.run for one in replica_runs(model, chosen, plan, known=known, executor=executor)]
        if record:
            made = [replace(run, cycles=_recorded(model, run.settings, plan)) for run in made]
        runs.update(zip(places, made, strict=True))
    return [runs[i] for i in range(len(settings))]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRun:
    """The run of one setting, the metrics of its replicas, and how far it is from calibration."""

    run: Run
    values: dict[str, FloatArray]  # of each replica, arrays of shape (replicas,)
    extrapolation: Extrapolation


def simulate_replicas(
    model: Model,
    settings: Settings,
    plan: Plan = USUAL_PLAN,
    *,
    known: KnownLanes | None = None,
    executor: Executor = IN_PROCESS,
) -> ReplicaRun:
    """The run of one setting as by ``simulate``, with its replicas. Raises InputError as ``simulate`` does.

    Replica r has the same random numbers at every setting and in every model of one seed. ``known`` are lanes whose
    sums need no simulation.
    """
    return replica_runs(model, [settings], plan, known=known, executor=executor)[0]


def replica_runs(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan = USUAL_PLAN,
    *,
    known: KnownLanes | None = None,
    executor: Executor = IN_PROCESS,
) -> list[ReplicaRun]:
    """The runs of settings of one Go version as by ``simulate``, with their replicas, by one engine."""
    plan.check()
    supported_rules(settings[0].go)
    if model.pools and plan.engine == "lanes":
        return [_with_settled_pools(model, one, plan) for one in settings]
    with finite_arithmetic(model.name):
        found = replicas_of(model, settings, plan, known=known, executor=executor)
        return [estimated(model, one, found.of(i), plan) for i, one in enumerate(settings)]


def _with_settled_pools(model: Model, settings: Settings, plan: Plan) -> ReplicaRun:
    """The run of one setting by the lane engine, whose collections and whose pools' misses agree."""
    plain = settled(model, settings, plan.seed, lambda one: replica_runs(one, [settings], plan)[0].run)
    return replica_runs(plain, [settings], plan)[0]


def replica_metrics(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan = USUAL_PLAN,
    *,
    known: KnownLanes | None = None,
    executor: Executor = IN_PROCESS,
    **changes: Unpack[PlanFields],
) -> dict[str, FloatArray]:
    """The metrics of each replica, arrays of shape (settings, replicas); all settings have one Go version.

    Replica r is the same possible service, with the same random numbers, at every setting and in both engines
    (``CycleDraws``). The metrics of a setting depend neither on other settings nor on the number of replicas.
    """
    return replicas_of(model, settings, plan.changed(**changes), known=known, executor=executor).metrics


def estimated(model: Model, settings: Settings, found: Replicas, plan: Plan) -> ReplicaRun:
    """The run of a setting from the metrics of its replicas, arrays of shape (replicas,).

    The intervals are those of the setting in force that is farthest from the calibrated one.
    """
    metrics = found.metrics
    extrapolation = _extrapolation(model, settings, found)
    load, of_requests = load_kind(model), request_errors(model, settings.gomaxprocs)
    estimates = {
        name: prediction_interval(
            name,
            values,
            load=load,
            extrapolation=extrapolation,
            most=found.bounds.get(name),
            share=_anonymous_share(metrics) if name == "container_peak_bytes" else 1.0,
            sampling=found.sampling(name, plan.duration_seconds),
            error=of_requests.get(name),
        )
        for name, values in metrics.items()
    }
    totals = found.totals
    simulated = Simulated(cycles=float(totals.cycles.mean()), seconds=float(totals.last_start_seconds.mean()))
    run = Run(settings=settings, metrics=estimates, simulated=simulated if plan.engine == "des" else None)
    return ReplicaRun(run=run, values=metrics, extrapolation=extrapolation)


def _extrapolation(model: Model, settings: Settings, found: Replicas) -> Extrapolation:
    """The distance from calibration of the farthest setting in force."""
    in_force = settings_in_force(found.totals, settings)
    goal_bytes = median(found.metrics["heap_goal_mean_bytes"])
    thrashing = statistics.fmean(found.metrics["limiter_time_fraction"].tolist())
    return farthest(
        distance(
            model.settings,
            each,
            limit_binds=each.gomemlimit_bytes is not None
            and goal_bytes > _LIMIT_NEAR * each.gomemlimit_bytes,
            thrashing=thrashing,
        )
        for each in dict.fromkeys(in_force)
    )


def _anonymous_share(metrics: dict[str, FloatArray]) -> float:
    """Anonymous memory over container memory: the model error is of the heap, and not of file pages."""
    anonymous, container = (median(metrics[f"{of}_peak_bytes"]) for of in ("anonymous", "container"))
    return anonymous / max(container, 1.0)


def lanes_for(
    model: Model, settings: Sequence[Settings], plan: Plan = USUAL_PLAN, **changes: Unpack[PlanFields]
) -> LaneEngine:
    """A lane engine with one lane per setting and replica, setting by setting; all settings have one Go version."""
    plan = plan.changed(**changes)
    drawn = draw_parameters(model, replicas=plan.replicas, seed=plan.seed)
    growth = draw_growth(model, drawn, seed=plan.seed)
    return lane_engine(model, lane_parameters(model, settings, drawn), settings[0].go, plan, growth)


def _recorded(model: Model, settings: Settings, plan: Plan) -> CycleTable:
    """The cycles of one run at the model's central values, by either engine."""
    plan = to_the_end(model, plan)
    if plan.engine == "lanes":
        return record_cycles(model, settings, plan)
    from gcsim.engine.des.run.replicas import record_events

    return record_events(model, settings, plan).cycles


def record_cycles(
    model: Model,
    settings: Settings,
    plan: Plan = USUAL_PLAN,
    *,
    most_cycles: int | None = None,
    **changes: Unpack[PlanFields],
) -> CycleTable:
    """The cycles of one run of the lane engine at the model's central values, exact to the byte and nanosecond.

    At most ``most_cycles``; if that is None, more than MAX_RECORDED_CYCLES cycles raise InputError. A log does not show
    a cycle that the end of a job cuts.
    """
    return record_lanes(model, [settings], plan.changed(**changes), most_cycles=most_cycles)[0]


def record_lanes(
    model: Model, settings: Sequence[Settings], plan: Plan = USUAL_PLAN, *, most_cycles: int | None = None
) -> list[CycleTable]:
    """The ``record_cycles`` of each setting, simulated together; all settings have one Go version."""
    with finite_arithmetic(model.name):
        parameters = lane_parameters(model, settings, central_draws(model))
        growth = central_growth(model)
        engine = lane_engine(model, parameters, settings[0].go, plan, growth)
        warm_up(engine, plan)
        recorders = [
            CycleRecorder(model, each, generator=stream(plan.seed, "recorded pauses"), lane=lane)
            for lane, each in enumerate(settings)
        ]
        running = list(range(len(settings)))
        for number in itertools.count(1):
            step = engine.step()
            over = step.start_seconds > plan.duration_seconds
            if growth is not None:
                over |= growth.is_job_over(parameters.replica, engine.state.worked_bytes)
            running = [lane for lane in running if not over[lane]]
            for lane in running:
                recorders[lane].add(step)
                if most_cycles is None:
                    now_s = float(engine.state.now_seconds[lane])
                    check_pace(number, now_s, plan.duration_seconds, most_cycles=MAX_RECORDED_CYCLES)
            if not running or number == most_cycles:
                return [recorder.table() for recorder in recorders]
    raise AssertionError("unreachable")
