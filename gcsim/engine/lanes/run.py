"""A run of the lane engine: its warm-up, its cycles and its end."""

from functools import cache
from typing import Unpack

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.engine.controllers import GcSetting
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.inputs.bounds import OLDEST_SIMULATED_MINOR
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.array_program import ArrayProgram
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.stride import EXACT_CYCLES, MAX_MOVING_CYCLES, repeats
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.summary.totals import Addition, LaneTotals, with_cycle
from gcsim.errors import InputError
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.service.model import Model
from gcsim.submodels.live_growth import GrowthCourses

MAX_STEADY_CYCLES = 1000  # of a steady service; more cycles would only repeat them
MAX_PERIODS = 3  # of a service whose load changes; more periods would only repeat them
_COMPACT_SHARE = 0.1  # drop finished lanes once they are this share of all


def supported_rules(go: str) -> GoRules:
    """The rules of a Go version. Raises InputError if the engines do not support it."""
    rules = rules_for(go)
    if rules.minor < OLDEST_SIMULATED_MINOR:
        raise InputError(
            f"--go {go}: the engines simulate Go 1.{OLDEST_SIMULATED_MINOR} and later; choose such a version"
        )
    return rules


def lane_engine(
    model: Model,
    parameters: LaneParameters,
    go: str,
    plan: Plan,
    growth: GrowthCourses | None = None,
) -> LaneEngine:
    """A lane engine of a model, with the plan's seed and controller; ``go`` is the version of all lanes.

    Raises InputError for a model with pools, which ``engine.pooled`` replaces by one without.
    """
    if model.pools:
        raise InputError(
            f"{model.name}: the model has pools, which only gcsim simulate, gcsim pool and --engine des play"
        )
    return LaneEngine(
        parameters, profile=model.profile, scatter=model.scatter, rules=supported_rules(go), seed=plan.seed,
        controller=plan.controller, growth=growth, expected_cycles=lane_cycles(model, plan),
    )  # fmt: skip


def lane_cycles(model: Model, plan: Plan) -> float:
    """The expected number of cycles that the engine simulates in each lane, from the calibrated cycle rate."""
    changes = not (model.profile.is_steady and model.growth.is_none and plan.is_steady)
    most = MAX_MOVING_CYCLES if changes else MAX_STEADY_CYCLES
    return plan.expected_cycles(model.cycles / max(model.duration_seconds, 1e-9), most=most)


def run_lanes(
    engine: LaneEngine,
    /,
    plan: Plan = USUAL_PLAN,
    *,
    most_steady_cycles: int = MAX_STEADY_CYCLES,
    **changes: Unpack[PlanFields],
) -> LaneTotals:
    """Runs every lane for the plan's duration of its own time; returns the sums of its cycles.

    A steady service stops after ``most_steady_cycles`` cycles, a service whose load changes after MAX_PERIODS periods
    of its profile. Rates and means are known by then, and ``lane_metrics`` extrapolates the peak to the whole run. A
    service whose live heap grows, and a run whose controller looks at the time, are simulated to the end. If such a run
    has very many cycles, each one stands for several (``engine.lanes.stride``).
    """
    plan = plan.changed(**changes)
    duration_seconds = plan.duration_seconds
    warm_up(engine, plan)
    lanes = engine.parameters.lanes
    whole, active = LaneTotals.zero(lanes), LaneTotals.zero(lanes)
    places = np.arange(lanes)
    done = np.zeros(lanes, dtype=np.bool_)
    setting_changes = not plan.keeps_setting
    grows = engine.growth is not None
    load_changes = grows or not engine.profile.is_steady
    most_cycles = most_steady_cycles if plan.is_steady and not load_changes else MAX_MOVING_CYCLES
    if load_changes and not grows and plan.is_steady:
        duration_seconds = min(duration_seconds, MAX_PERIODS * engine.profile.period_seconds)
    steps, any_done = 0, False
    first_setting = GcSetting(engine.state.gc_percent, engine.state.memory_limit_bytes)
    while True:
        began = engine.state
        since, fill, marked = began.now_seconds, began.limiter_fill_seconds, began.heap_marked_bytes
        worked = began.worked_bytes
        step = engine.step()
        ended = step.start_seconds > duration_seconds
        if any_done:
            ended &= ~done
        if engine.growth is not None:
            active, job_ends = _end_jobs(active, engine, engine.growth, step, done, worked, since, marked)
            ended |= job_ends
            share = (duration_seconds - since) / np.maximum(step.start_seconds - since, 1e-9)
            active = active.with_end_between(step, ended, marked_bytes=marked, share=share)
            if engine.growth.is_job:  # cut by the duration
                heap, end = active.heap_at_end_bytes, np.full_like(since, duration_seconds)
                active = active.with_job_end(ended, heap_bytes=heap, seconds=end)
        if any_done or ended.any():
            done |= ended
            any_done = True
        counted = ~done if any_done else None
        steps += 1
        if load_changes or steps > EXACT_CYCLES:
            now = engine.state.now_seconds
            stands_for = repeats(steps, now, now - since, duration_seconds)
            engine.repeat_last(
                stands_for, since_seconds=since, since_fill_seconds=fill, worked_bytes=step.mutator_bytes
            )
            addition = Addition(step, counted, stands_for)
        else:
            addition = Addition(step, counted)
        active = _added(active, addition, setting_changes)
        if engine.growth is not None:
            over = ~done & engine.growth.is_job_over(engine.parameters.replica, engine.state.worked_bytes)
            active = active.with_job_end(
                over, heap_bytes=step.heap_end_bytes, seconds=engine.state.now_seconds
            )
            done |= over
            any_done = any_done or bool(done.any())
        finished = np.count_nonzero(done) if any_done else 0
        if finished == done.size or steps == most_cycles:
            active.scatter_into(whole, places)
            return whole if setting_changes else whole.with_setting(first_setting)
        if finished > _COMPACT_SHARE * done.size:
            active.scatter_into(whole, places)
            keep = ~done
            engine.keep(keep)
            active, places, done = active.select(keep), places[keep], done[keep]
            any_done = False


def _end_jobs(
    active: LaneTotals,
    engine: LaneEngine,
    growth: GrowthCourses,
    step: CycleStep,
    done: BoolArray,
    worked_bytes: FloatArray,
    since_seconds: FloatArray,
    marked_bytes: FloatArray,
) -> tuple[LaneTotals, BoolArray]:
    """The sums, and the lanes whose job ends before this cycle ends: a log does not show a cycle that it cuts.

    The sums have heap and time at the end. ``worked_bytes``, ``since_seconds`` and ``marked_bytes`` are of the end of
    the last cycle.
    """
    replica, state = engine.parameters.replica, engine.state
    black = step.heap_end_bytes - step.heap_start_bytes
    until_start = state.worked_bytes - worked_bytes - black
    before, share = growth.job_end(replica, worked_bytes=worked_bytes, to_allocate_bytes=until_start)
    marking, part = growth.job_end(replica, worked_bytes=worked_bytes + until_start, to_allocate_bytes=black)
    marking &= ~before
    start = step.start_seconds
    active = active.with_job_end(
        before & ~done,
        heap_bytes=marked_bytes + share * (step.heap_start_bytes - marked_bytes),
        seconds=since_seconds + share * (start - since_seconds),
    )
    active = active.with_job_end(
        marking & ~done,
        heap_bytes=step.heap_start_bytes + part * black,
        seconds=start + part * (state.now_seconds - start),
    )
    return active, (before | marking) & ~done


def _added(totals: LaneTotals, addition: Addition, setting_changes: bool) -> LaneTotals:
    """The sums with one more cycle, by a program."""
    program = _adding((addition.counted is None, addition.times is None), setting_changes)
    return program(None, (totals, addition), {})


@cache
def _adding(
    _absent: tuple[bool, bool], setting_changes: bool
) -> ArrayProgram[None, tuple[LaneTotals, Addition], LaneTotals]:
    """The program of additions in which the same fields are absent."""
    return ArrayProgram(lambda _, given: with_cycle(*given, setting_changes=setting_changes))


def warm_up(engine: LaneEngine, plan: Plan) -> None:
    """Advances all lanes to the end of the plan's warm-up, which ends when it is over in every lane.

    A job has no warm-up: its run starts with its process.
    """
    cycles = 0
    is_job = engine.growth is not None and engine.growth.is_job
    while not is_job and not plan.warm_up_over(cycles, float(engine.state.now_seconds.min())):
        engine.step()
        cycles += 1
    engine.restart_clock()
