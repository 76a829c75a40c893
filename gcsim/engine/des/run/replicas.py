"""Runs of the event engine with the draws and sums of the lane engine, so that both give the same metrics."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.controllers import FIXED_SETTING, Controller
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.des.program.latency import LatencySums
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.parameters import RunParameters, run_parameters
from gcsim.engine.des.run.recorder import Recording
from gcsim.engine.des.run.runner import record_run, run_cycles
from gcsim.engine.des.run.scheduler import fit_scheduler_parameters
from gcsim.engine.inputs.bounds import MAX_REQUESTS_PER_SECOND
from gcsim.engine.inputs.draws import draw_growth
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.summary.totals import LaneTotals
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.service.objects.kinds_file import Objects
from gcsim.settings import Settings
from gcsim.submodels.live_growth import GrowthCourses
from gcsim.submodels.mark_phase import MarkPhase

MAX_STEADY_CYCLES = 300  # of a steady service; more cycles would only repeat them
MAX_PERIODS = 1  # of a service whose load changes
_QUANTILES = {"request_p50_seconds": 0.50, "request_p99_seconds": 0.99}


def event_totals(
    model: Model,
    settings: Sequence[Settings],
    lanes: LaneParameters,
    drawn: dict[str, FloatArray],
    plan: Plan,
    *,
    controller: Controller = FIXED_SETTING,
) -> tuple[LaneTotals, dict[str, FloatArray]]:
    """Runs every lane, setting by setting and replica by replica; returns the cycle sums and latency quantiles.

    A run of a steady service stops after MAX_STEADY_CYCLES cycles, a run of a service whose load changes after
    MAX_PERIODS periods. A run whose live heap grows is simulated to the end. Raises InputError if the requests are too
    many to simulate.
    """
    replicas = lanes.lanes // len(settings)
    _refuse_too_many_requests(model, lanes)
    knobs = fit_scheduler_parameters(model, seed=plan.seed)
    totals = LaneTotals.zero(lanes.lanes)
    quantiles = {name: np.zeros(lanes.lanes) for name in _QUANTILES}
    growth = draw_growth(model, drawn, seed=plan.seed)
    steady = model.profile.is_steady and growth is None
    if not steady and growth is None:
        whole_periods = MAX_PERIODS * model.profile.period_seconds
        plan = plan.changed(duration_seconds=min(plan.duration_seconds, whole_periods))
    for lane in range(lanes.lanes):
        replica = lane % replicas
        one, latencies = _run_lane(
            model,
            settings[lane // replicas],
            run_parameters(
                lanes,
                lane,
                drawn={name: float(values[replica]) for name, values in drawn.items()},
                knobs=knobs,
                explicit_gc_seconds=plan.explicit_gc_seconds,
            ),
            plan,
            replica=replica,
            most_cycles=MAX_STEADY_CYCLES if steady else None,
            controller=controller,
            growth=None if growth is None else growth.of(replica),
        )
        one.scatter_into(totals, np.array([lane]))
        if latencies is not None:
            for name, level in _QUANTILES.items():
                quantiles[name][lane] = latencies.quantile_seconds(level)
    return totals, quantiles if model.requests is not None else {}


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


def _run_lane(
    model: Model,
    settings: Settings,
    parameters: RunParameters,
    plan: Plan,
    *,
    replica: int,
    most_cycles: int | None,
    controller: Controller,
    growth: GrowthCourses | None,
) -> tuple[LaneTotals, LatencySums | None]:
    """The sums over one run's cycles after the warm-up, and the latencies of its requests."""
    totals, counted = LaneTotals.zero(1), np.ones(1, dtype=np.bool_)

    def add(cycle: Cycle, start_s: float) -> None:
        totals.add(_step(cycle, start_s), counted)

    latencies, heap_at_end_bytes = run_cycles(
        model, settings, parameters, add, plan,
        replica=replica, most_cycles=most_cycles, controller=controller, growth=growth,
    )  # fmt: skip
    if growth is not None:
        totals.heap_at_end_bytes = np.array([heap_at_end_bytes])
    return totals, latencies


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
