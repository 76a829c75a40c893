"""Runs of the event engine with the draws and sums of the lane engine, so that both give the same metrics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Unpack

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.length import CHECKS, LATENCY_LEVELS, RunLength
from gcsim.engine.des.run.memory import rare_garbage_collection
from gcsim.engine.des.run.parameters import RunParameters, run_parameters
from gcsim.engine.des.run.recorder import Recording
from gcsim.engine.des.run.runner import record_run, run_cycles
from gcsim.engine.des.run.scheduler import fit_scheduler_parameters
from gcsim.engine.executors import IN_PROCESS, Executor, executor_for
from gcsim.engine.inputs.bounds import MAX_REQUESTS_PER_SECOND, finite_arithmetic
from gcsim.engine.inputs.draws import draw_growth
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.summary.intervals import load_kind
from gcsim.engine.summary.totals import Addition, LaneTotals, with_cycle
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.service.objects.kinds_file import Objects
from gcsim.settings import Settings
from gcsim.submodels.live_growth import GrowthCourses
from gcsim.submodels.mark_phase import MarkPhase

MAX_STEADY_CYCLES = 300  # of a steady service; more cycles would only repeat them
MAX_PERIODS = 1  # of a service whose load changes


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRuns:
    """The results of all lanes; each array has shape (lanes,)."""

    totals: LaneTotals
    latencies: dict[str, FloatArray]  # quantiles by metric; empty without requests
    sampling_errors: dict[str, FloatArray]  # relative, by metric; empty for runs of full length


def event_totals(
    model: Model,
    settings: Sequence[Settings],
    lanes: LaneParameters,
    drawn: dict[str, FloatArray],
    plan: Plan,
    *,
    executor: Executor = IN_PROCESS,
) -> EventRuns:
    """Runs every lane, setting by setting and replica by replica.

    A run of a steady service stops after MAX_STEADY_CYCLES cycles, or, if the plan asks for the needed length, as soon
    as it has enough cycles (``RunLength``). A run of a service whose load changes stops after MAX_PERIODS periods. A
    run whose live heap grows is simulated to the end. Raises InputError if the requests are too many to simulate.
    """
    replicas = lanes.lanes // len(settings)
    _refuse_too_many_requests(model, lanes)
    knobs = fit_scheduler_parameters(model, seed=plan.seed)
    totals = LaneTotals.zero(lanes.lanes)
    quantiles = {name: np.zeros(lanes.lanes) for name in LATENCY_LEVELS}
    errors: dict[str, FloatArray] = {}
    growth = draw_growth(model, drawn, seed=plan.seed)
    steady = model.profile.is_steady and growth is None and plan.is_steady
    if not model.profile.is_steady and growth is None and plan.is_steady:
        whole_periods = MAX_PERIODS * model.profile.period_seconds
        plan = plan.changed(duration_seconds=min(plan.duration_seconds, whole_periods))
    tasks = (
        _Lane(
            settings=settings[lane // replicas],
            parameters=run_parameters(
                lanes,
                lane,
                drawn={name: float(values[lane % replicas]) for name, values in drawn.items()},
                knobs=knobs,
                model=model,
                explicit_gc_seconds=plan.explicit_gc_seconds,
            ),
            replica=lane % replicas,
            growth=None if growth is None else growth.of(lane % replicas),
        )
        for lane in range(lanes.lanes)
    )
    most_cycles = MAX_STEADY_CYCLES if steady else None
    stops_early = steady and plan.may_stop_early
    most = math.inf if most_cycles is None else CHECKS[0] if stops_early else most_cycles
    expected = plan.expected_cycles(model.cycles / max(model.duration_seconds, 1e-9), most=most)
    executor = executor_for(executor, "des", lanes.lanes * expected)
    run_lane = partial(_run_lane, model, plan, most_cycles, stops_early)
    for lane, (one, latencies, sampling_errors) in enumerate(executor.map(run_lane, tasks)):
        one.scatter_into(totals, np.array([lane]))
        for name, seconds in latencies.items():
            quantiles[name][lane] = seconds
        for name, error in sampling_errors.items():
            errors.setdefault(name, np.zeros(lanes.lanes))[lane] = error
    return EventRuns(
        totals=totals, latencies=quantiles if model.requests is not None else {}, sampling_errors=errors
    )


def _refuse_too_many_requests(model: Model, lanes: LaneParameters) -> None:
    """Raises InputError if requests are so many that a run would take too long."""
    if model.requests is None:
        return
    rate = np.minimum(lanes.arrival_bytes_per_second, lanes.capacity_bytes_per_second)
    most = float(rate.max()) / model.requests.bytes_per_request
    if most > MAX_REQUESTS_PER_SECOND:
        raise InputError(
            f"{model.name}: {most:,.0f} requests a second, and at most {MAX_REQUESTS_PER_SECOND:,.0f} are simulated;"
            " check requests.bytes_per_request"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane:
    """One run to simulate."""

    settings: Settings
    parameters: RunParameters
    replica: int
    growth: GrowthCourses | None


def _run_lane(
    model: Model, plan: Plan, most_cycles: int | None, stops_early: bool, lane: _Lane
) -> tuple[LaneTotals, dict[str, float], dict[str, float]]:
    """The sums over one run's cycles after the warm-up, latency quantiles of requests if any, and sampling errors."""
    totals, counted = LaneTotals.zero(1), np.ones(1, dtype=np.bool_)
    length = RunLength(load_kind(model), gomaxprocs=lane.settings.gomaxprocs) if stops_early else None

    def add(cycle: Cycle, start_s: float) -> None:
        nonlocal totals
        totals = with_cycle(totals, Addition(_step(cycle, start_s), counted))

    with finite_arithmetic(model.name), rare_garbage_collection():  # also in another process
        latencies, end = run_cycles(
            model, lane.settings, lane.parameters, add, plan,
            replica=lane.replica, most_cycles=most_cycles, growth=lane.growth, until=length,
        )  # fmt: skip
    if lane.growth is not None:
        totals.heap_at_end_bytes = np.array([end.heap_bytes])
        totals.end_seconds = np.array([end.seconds])
    errors = {} if length is None else length.errors()
    if latencies is None:
        return totals, {}, errors
    quantiles = {name: latencies.quantile_seconds(level) for name, level in LATENCY_LEVELS.items()}
    return totals, quantiles, errors


def _step(cycle: Cycle, start_s: float) -> CycleStep:
    def one(value: float) -> FloatArray:
        return np.array([value], dtype=np.float64)

    return CycleStep(
        start_seconds=one(start_s),
        trigger_bytes=one(cycle.trigger_bytes),
        heap_start_bytes=one(cycle.heap_start_bytes),
        heap_end_bytes=one(cycle.heap_end_bytes),
        heap_marked_bytes=one(cycle.heap_marked_bytes),
        heap_goal_bytes=one(cycle.heap_goal_bytes),
        phase=MarkPhase(
            duration_seconds=one(cycle.mark_ns * 1e-9),
            allocated_bytes=one(cycle.heap_end_bytes - cycle.heap_start_bytes),
            assist_cpu_seconds=one(cycle.assist_ns * 1e-9),
            background_cpu_seconds=one(cycle.background_ns * 1e-9),
            idle_cpu_seconds=one(cycle.idle_mark_ns * 1e-9),
        ),
        limited_seconds=one(cycle.limited_ns * 1e-9),
        mutator_bytes=one(cycle.mutator_bytes),
        setting=cycle.setting,
    )


def record_events(
    model: Model,
    settings: Settings,
    plan: Plan = USUAL_PLAN,
    *,
    objects: Objects | None = None,
    **changes: Unpack[PlanFields],
) -> Recording:
    """The rows of one run at the model's central values: cycles, pauses, assists, Ps, requests, heap.

    With ``objects`` the recording has an object-level view too.
    """
    plan = plan.changed(**changes)
    knobs = fit_scheduler_parameters(model, seed=plan.seed)
    return record_run(model, settings, plan, knobs=knobs, objects=objects)
