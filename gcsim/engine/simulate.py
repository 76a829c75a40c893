"""Simulates a model at settings: draws parameters, runs an engine, computes metrics and intervals."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.cycles import CycleTable
from gcsim.engine.controllers import FIXED_SETTING, Controller
from gcsim.engine.inputs.bounds import MAX_RECORDED_CYCLES, check_pace, finite_arithmetic
from gcsim.engine.inputs.draws import (
    central_draws,
    central_growth,
    draw_growth,
    draw_parameters,
    lane_parameters,
)
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.recorder import CycleRecorder
from gcsim.engine.lanes.stride import MAX_MOVING_CYCLES, repeats
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.engine.summary.intervals import distance, load_kind, prediction_interval
from gcsim.engine.summary.memory import ProcessDraws
from gcsim.engine.summary.metrics import lane_metrics
from gcsim.engine.summary.totals import LaneTotals
from gcsim.errors import InputError
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.metrics import PAUSE_QUANTILES
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.streams import stream
from gcsim.submodels.live_growth import GrowthCourses

MAX_STEADY_CYCLES = 1000  # of a steady service; more cycles would only repeat them
MAX_PERIODS = 3  # of a service whose load changes; more periods would only repeat them
_LIMIT_NEAR = 0.25  # above this share of the limit a heap goal may be one that the limit sets
_COMPACT_SHARE = 0.1  # drop finished lanes once they are this share of all
OLDEST_SIMULATED_MINOR = 19  # Go 1.18 bounds its trigger in floats, which no engine implements


def simulate(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan = USUAL_PLAN,
    *,
    record: bool = False,
    **changes: Unpack[PlanFields],
) -> list[Run]:
    """One Run per setting, in order; a metric is the median over replicas with a 90 % interval.

    ``changes`` replace fields of the plan. With ``record``, each Run also has the cycles of one more run at the model's
    central values. The settings of one call may differ in Go version. Raises InputError for a bad argument, for a Go
    version that the engines do not support, and for numbers out of range.
    """
    plan = plan.changed(**changes)
    plan.check()
    runs: dict[int, Run] = {}
    for go in dict.fromkeys(s.go for s in settings):
        _rules(go)
        places = [i for i, s in enumerate(settings) if s.go == go]
        chosen = [settings[i] for i in places]
        with finite_arithmetic(model.name):
            metrics = replica_metrics(model, chosen, plan)
            made = [
                _run(model, one, {name: values[i] for name, values in metrics.items()})
                for i, one in enumerate(chosen)
            ]
        if record:
            made = [replace(run, cycles=_recorded(model, run.settings, plan)) for run in made]
        runs.update(zip(places, made, strict=True))
    return [runs[i] for i in range(len(settings))]


def replica_metrics(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan = USUAL_PLAN,
    *,
    controller: Controller = FIXED_SETTING,
    **changes: Unpack[PlanFields],
) -> dict[str, FloatArray]:
    """The metrics of each replica, arrays of shape (settings, replicas); all settings have one Go version.

    Replica r is the same possible service, with the same random numbers, at every setting and in both engines
    (``CycleDraws``). The metrics of a setting depend neither on other settings nor on the number of replicas.
    """
    plan = plan.changed(**changes)
    drawn = draw_parameters(model, replicas=plan.replicas, seed=plan.seed)
    parameters = lane_parameters(model, settings, drawn)
    latencies: dict[str, FloatArray] = {}
    if plan.engine == "des":
        from gcsim.engine.des.run.replicas import event_totals

        totals, latencies = event_totals(model, settings, parameters, drawn, plan, controller=controller)
    else:
        growth = draw_growth(model, drawn, seed=plan.seed)
        totals = run_lanes(_engine(model, parameters, settings[0].go, plan.seed, controller, growth), plan)
    repeats = len(settings)
    metrics = lane_metrics(
        totals,
        parameters,
        duration_seconds=plan.duration_seconds if model.growth.form != "job" else None,
        pauses=model.pauses,
        pause_scale=np.tile(drawn["pause_scale"], repeats),
        process=ProcessDraws.of(drawn, repeats),
        calibrated_bytes_per_second=np.tile(drawn["alloc_bytes_per_second"], repeats),
        pause_levels={
            name: np.tile(stream(plan.seed, f"quantile {name}").random(plan.replicas), repeats)
            for name in PAUSE_QUANTILES
        },
    )
    shape = (repeats, plan.replicas)
    return {name: values.reshape(shape) for name, values in (metrics | latencies).items()}


def _run(model: Model, settings: Settings, metrics: dict[str, FloatArray]) -> Run:
    """The run of a setting from the metrics of its replicas, arrays of shape (replicas,).

    Shares are clipped to 1, because a run of few cycles has one cycle more in its sums than in its window. Raises
    InputError if a metric is not finite.
    """
    for name, values in metrics.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"{model.name}: {name} at {settings} is not a finite number; "
                "check the model's parameters, or calibrate it again"
            )
    metrics = {
        name: np.minimum(values, 1.0) if name.endswith("_fraction") else values
        for name, values in metrics.items()
    }
    limit = settings.gomemlimit_bytes
    near = limit is not None and bool(np.median(metrics["heap_goal_mean_bytes"]) > _LIMIT_NEAR * limit)
    thrashing = float(np.mean(metrics["limiter_time_fraction"]))
    extrapolation = distance(model.settings, settings, limit_binds=near, thrashing=thrashing)
    estimates = {
        name: prediction_interval(name, values, load=load_kind(model), extrapolation=extrapolation)
        for name, values in metrics.items()
    }
    return Run(settings=settings, metrics=estimates)


def lanes_for(
    model: Model, settings: Sequence[Settings], plan: Plan = USUAL_PLAN, **changes: Unpack[PlanFields]
) -> LaneEngine:
    """A lane engine with one lane per setting and replica, setting by setting; all settings have one Go version."""
    plan = plan.changed(**changes)
    drawn = draw_parameters(model, replicas=plan.replicas, seed=plan.seed)
    growth = draw_growth(model, drawn, seed=plan.seed)
    return _engine(model, lane_parameters(model, settings, drawn), settings[0].go, plan.seed, growth=growth)


def _rules(go: str) -> GoRules:
    """The rules of a Go version. Raises InputError if the engines do not support it."""
    rules = rules_for(go)
    if rules.minor < OLDEST_SIMULATED_MINOR:
        raise InputError(
            f"--go {go}: the engines simulate Go 1.{OLDEST_SIMULATED_MINOR} and later; choose such a version"
        )
    return rules


def _engine(
    model: Model,
    parameters: LaneParameters,
    go: str,
    seed: int,
    controller: Controller = FIXED_SETTING,
    growth: GrowthCourses | None = None,
) -> LaneEngine:
    return LaneEngine(
        parameters, profile=model.profile, scatter=model.scatter, rules=_rules(go), seed=seed,
        controller=controller, growth=growth,
    )  # fmt: skip


def run_lanes(engine: LaneEngine, /, plan: Plan = USUAL_PLAN, **changes: Unpack[PlanFields]) -> LaneTotals:
    """Runs every lane for the plan's duration of its own time; returns the sums of its cycles.

    A steady service stops after MAX_STEADY_CYCLES cycles, a service whose load changes after MAX_PERIODS periods of its
    profile. Rates and means are known by then, and ``lane_metrics`` extrapolates the peak to the whole run. A service
    whose live heap grows is simulated to the end. If a service that changes has very many cycles, each one stands for
    several (``engine.lanes.stride``).
    """
    plan = plan.changed(**changes)
    duration_seconds = plan.duration_seconds
    for _ in range(plan.warm_up_cycles):
        engine.step()
    engine.restart_clock()
    lanes = engine.parameters.lanes
    whole, active = LaneTotals.zero(lanes), LaneTotals.zero(lanes)
    places = np.arange(lanes)
    done = np.zeros(lanes, dtype=np.bool_)
    grows = engine.growth is not None
    load_changes = grows or not engine.profile.is_steady
    most_cycles = MAX_MOVING_CYCLES if load_changes else MAX_STEADY_CYCLES
    if load_changes and not grows:
        duration_seconds = min(duration_seconds, MAX_PERIODS * engine.profile.period_seconds)
    steps = 0
    while True:
        began = engine.state
        since, fill, marked = began.now_seconds, began.limiter_fill_seconds, began.heap_marked_bytes
        worked = began.worked_bytes
        step = engine.step()
        ended = ~done & (step.start_seconds > duration_seconds)
        if engine.growth is not None:
            job_ends, share = engine.growth.job_end(
                engine.parameters.replica,
                worked_bytes=worked,
                to_allocate_bytes=step.heap_start_bytes - marked,
            )
            active.end_between(step, job_ends & ~done, marked_bytes=marked, share=share)
            ended |= job_ends & ~done
            share = (duration_seconds - since) / np.maximum(step.start_seconds - since, 1e-9)
            active.end_between(step, ended, marked_bytes=marked, share=share)
        done |= ended
        steps += 1
        if load_changes:
            now = engine.state.now_seconds
            stands_for = repeats(steps, now, now - since, duration_seconds)
            engine.repeat_last(
                stands_for, since_seconds=since, since_fill_seconds=fill, worked_bytes=step.mutator_bytes
            )
            active.add(step, ~done, stands_for)
        else:
            active.add(step, ~done)
        if engine.growth is not None:
            done |= engine.growth.is_job_over(engine.parameters.replica, engine.state.worked_bytes)
        if done.all() or steps == most_cycles:
            active.scatter_into(whole, places)
            return whole
        if done.mean() > _COMPACT_SHARE:
            active.scatter_into(whole, places)
            keep = ~done
            engine.keep(keep)
            active, places, done = active.select(keep), places[keep], done[keep]


def _recorded(model: Model, settings: Settings, plan: Plan) -> CycleTable:
    """The cycles of one run at the model's central values, by either engine."""
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

    At most ``most_cycles``; if that is None, more than MAX_RECORDED_CYCLES cycles raise InputError.
    """
    plan = plan.changed(**changes)
    with finite_arithmetic(model.name):
        parameters = lane_parameters(model, [settings], central_draws(model))
        engine = _engine(model, parameters, settings.go, plan.seed, growth=central_growth(model))
        for _ in range(plan.warm_up_cycles):
            engine.step()
        engine.restart_clock()
        recorder = CycleRecorder(model, settings, generator=stream(plan.seed, "recorded pauses"))
        for number in itertools.count(1):
            step = engine.step()
            if step.start_seconds[0] > plan.duration_seconds:
                break
            recorder.add(step)
            if number == most_cycles:
                break
            if most_cycles is None:
                now_s = float(engine.state.now_seconds[0])
                check_pace(number, now_s, plan.duration_seconds, most_cycles=MAX_RECORDED_CYCLES)
        return recorder.table()
