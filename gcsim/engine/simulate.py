"""Simulate a model at settings: draws, lanes, metrics, intervals."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.cycles import CycleTable
from gcsim.engine.controllers import FIXED_SETTING, Controller
from gcsim.engine.inputs.bounds import MAX_RECORDED_CYCLES, check_pace, finite_arithmetic
from gcsim.engine.inputs.draws import central_draws, draw_parameters, lane_parameters
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.recorder import CycleRecorder
from gcsim.engine.lanes.stride import MAX_MOVING_CYCLES, repeats
from gcsim.engine.run import Run
from gcsim.engine.summary.intervals import course_of, distance, prediction_interval
from gcsim.engine.summary.metrics import PAUSE_QUANTILES, lane_metrics
from gcsim.engine.summary.totals import LaneTotals
from gcsim.errors import InputError
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.streams import stream

Engine = Literal["lanes", "des"]

DEFAULT_DURATION_SECONDS = 600.0
DEFAULT_REPLICAS = 16
DEFAULT_SEED = 1
WARM_UP_CYCLES = 8  # before the clock starts: the pacer remembers five cycles
MAX_STEADY_CYCLES = 1000  # of a steady service; more would only repeat them
MAX_PERIODS = 3  # of a service that moves; more would only repeat them
# heap goals above this share of the limit: with what lies outside the heap, it may set them
_LIMIT_NEAR = 0.25
_COMPACT_SHARE = 0.1  # drop finished lanes once they are this share of all
OLDEST_SIMULATED_MINOR = 19  # 1.18 bounds its trigger in floats: rules only


def simulate(
    model: Model,
    settings: Sequence[Settings],
    *,
    duration_seconds: float = DEFAULT_DURATION_SECONDS,
    replicas: int = DEFAULT_REPLICAS,
    seed: int = DEFAULT_SEED,
    record: bool = False,
    engine: Engine = "lanes",
    warm_up_cycles: int = WARM_UP_CYCLES,
    explicit_gc_seconds: float | None = None,
) -> list[Run]:
    """One Run per setting, in order: metrics as the median over replicas with a 90 % interval.

    With ``record``, each Run also holds the cycles of one more replica at the model's central values. Runs of
    one call may differ in Go version. ``engine`` "des" plays the runs event by event, "lanes" cycle by cycle.
    ``warm_up_cycles`` pass before the fast engine's clock starts, from a heap that was just built up: fewer than
    usual play a run from its start.
    ``explicit_gc_seconds``: the program calls runtime.GC that often, beside the collections of its own; "des" only.
    Raises InputError on a version whose pacer the engines do not play.
    """
    if replicas < 1 or not 0 < duration_seconds < math.inf:
        raise InputError("--replicas must be 1 or more and --duration more than zero and finite")
    if explicit_gc_seconds is not None and engine != "des":
        raise InputError(
            "--force-gc: only the event-by-event engine plays explicit collections; add --engine des"
        )
    runs: dict[int, Run] = {}
    for go in dict.fromkeys(s.go for s in settings):
        _rules(go)
        places = [i for i, s in enumerate(settings) if s.go == go]
        chosen = [settings[i] for i in places]
        with finite_arithmetic(model.name):
            metrics = replica_metrics(
                model,
                chosen,
                duration_seconds=duration_seconds,
                replicas=replicas,
                seed=seed,
                engine=engine,
                warm_up_cycles=warm_up_cycles,
                explicit_gc_seconds=explicit_gc_seconds,
            )
            made = [
                _run(model, one, {name: values[i] for name, values in metrics.items()})
                for i, one in enumerate(chosen)
            ]
        if record:
            made = [
                replace(
                    run,
                    cycles=_recorded(
                        model, run.settings, duration_seconds=duration_seconds, seed=seed, engine=engine
                    ),
                )
                for run in made
            ]
        runs.update(zip(places, made, strict=True))
    return [runs[i] for i in range(len(settings))]


def replica_metrics(
    model: Model,
    settings: Sequence[Settings],
    *,
    duration_seconds: float,
    replicas: int,
    seed: int = DEFAULT_SEED,
    engine: Engine = "lanes",
    warm_up_cycles: int = WARM_UP_CYCLES,
    explicit_gc_seconds: float | None = None,
    controller: Controller = FIXED_SETTING,
) -> dict[str, FloatArray]:
    """Each metric in each replica, arrays of shape (settings, replicas); settings of one Go version.

    Replica r is the same possible service at every setting and in either engine, and meets the same random numbers
    there (``CycleDraws``): a setting's figures do not depend on other settings, nor on how many replicas follow.
    """
    drawn = draw_parameters(model, replicas=replicas, seed=seed)
    parameters = lane_parameters(model, settings, drawn)
    latencies: dict[str, FloatArray] = {}
    if engine == "des":
        from gcsim.engine.des.run.replicas import event_totals

        totals, latencies = event_totals(
            model,
            settings,
            parameters,
            drawn,
            duration_seconds=duration_seconds,
            seed=seed,
            explicit_gc_seconds=explicit_gc_seconds,
            controller=controller,
        )
    else:
        lanes = _engine(model, parameters, settings[0].go, seed, controller)
        totals = run_lanes(lanes, duration_seconds=duration_seconds, warm_up_cycles=warm_up_cycles)
    repeats = len(settings)
    metrics = lane_metrics(
        totals,
        parameters,
        duration_seconds=duration_seconds,
        pauses=model.pauses,
        pause_scale=np.tile(drawn["pause_scale"], repeats),
        rss_base_bytes=np.tile(drawn["rss_base_bytes"], repeats),
        rss_ratio=np.tile(drawn["rss_ratio"], repeats),
        rss_beside_bytes=np.tile(drawn["rss_beside_bytes"], repeats),
        calibrated_bytes_per_second=np.tile(drawn["alloc_bytes_per_second"], repeats),
        pause_levels={
            name: np.tile(stream(seed, f"quantile {name}").random(replicas), repeats)
            for name in PAUSE_QUANTILES
        },
    )
    shape = (repeats, replicas)
    return {name: values.reshape(shape) for name, values in (metrics | latencies).items()}


def _run(model: Model, settings: Settings, metrics: dict[str, FloatArray]) -> Run:
    """The run that replicas' metrics, arrays of shape (replicas,), amount to. InputError where one is not finite.

    Shares end at 1: a run of few cycles has one cycle more in its sums than in its window.
    """
    for name, values in metrics.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"{model.name}: {name} at {settings} comes out as no finite number; "
                "check the model's parameters, or calibrate it again"
            )
    metrics = {
        name: np.minimum(values, 1.0) if name.endswith("_fraction") else values
        for name, values in metrics.items()
    }
    limit = settings.gomemlimit_bytes
    near = limit is not None and bool(np.median(metrics["heap_goal_mean_bytes"]) > _LIMIT_NEAR * limit)
    thrashing = float(np.mean(metrics["limiter_time_fraction"]))
    away = distance(model.settings, settings, limit_binds=near, thrashing=thrashing)
    estimates = {
        name: prediction_interval(name, values, course=course_of(model), away=away)
        for name, values in metrics.items()
    }
    return Run(settings=settings, metrics=estimates)


def lanes_for(
    model: Model, settings: Sequence[Settings], *, replicas: int, seed: int = DEFAULT_SEED
) -> LaneEngine:
    """The fast engine with a lane for each setting and replica, settings outermost; one Go version."""
    drawn = draw_parameters(model, replicas=replicas, seed=seed)
    return _engine(model, lane_parameters(model, settings, drawn), settings[0].go, seed)


def _rules(go: str) -> GoRules:
    rules = rules_for(go)
    if rules.minor < OLDEST_SIMULATED_MINOR:
        raise InputError(
            f"--go {go}: Go 1.{OLDEST_SIMULATED_MINOR} and later are simulated; older pacers are rules only"
        )
    return rules


def _engine(
    model: Model, parameters: LaneParameters, go: str, seed: int, controller: Controller = FIXED_SETTING
) -> LaneEngine:
    return LaneEngine(
        parameters,
        profile=model.profile,
        scatter=model.scatter,
        rules=_rules(go),
        seed=seed,
        controller=controller,
    )


def run_lanes(
    engine: LaneEngine, *, duration_seconds: float, warm_up_cycles: int = WARM_UP_CYCLES
) -> LaneTotals:
    """Runs every lane for ``duration_seconds`` of its own time and sums its cycles.

    A steady service stops after MAX_STEADY_CYCLES cycles and a moving one after MAX_PERIODS periods of its
    profile: rates and means are known by then, and ``lane_metrics`` moves the peak out to the whole run's. Where a
    moving one has very many cycles, each stands for several (``engine.lanes.stride``).
    """
    for _ in range(warm_up_cycles):
        engine.step()
    engine.restart_clock()
    lanes = engine.parameters.lanes
    whole, active = LaneTotals.zero(lanes), LaneTotals.zero(lanes)
    places = np.arange(lanes)
    done = np.zeros(lanes, dtype=np.bool_)
    moves = not engine.profile.is_steady
    most_cycles = MAX_MOVING_CYCLES if moves else MAX_STEADY_CYCLES
    if moves:
        duration_seconds = min(duration_seconds, MAX_PERIODS * engine.profile.period_seconds)
    steps = 0
    while True:
        began = engine.state
        since, fill = began.now_seconds, began.limiter_fill_seconds
        step = engine.step()
        done |= step.start_seconds > duration_seconds
        steps += 1
        if moves:
            now = engine.state.now_seconds
            stands_for = repeats(steps, now, now - since, duration_seconds)
            engine.repeat_last(stands_for, since_seconds=since, since_fill_seconds=fill)
            active.add(step, ~done, stands_for)
        else:
            active.add(step, ~done)
        if done.all() or steps == most_cycles:
            active.scatter_into(whole, places)
            return whole
        if done.mean() > _COMPACT_SHARE:
            active.scatter_into(whole, places)
            keep = ~done
            engine.keep(keep)
            active, places, done = active.select(keep), places[keep], done[keep]


def _recorded(
    model: Model, settings: Settings, *, duration_seconds: float, seed: int, engine: Engine
) -> CycleTable:
    if engine == "lanes":
        return record_cycles(model, settings, duration_seconds=duration_seconds, seed=seed)
    from gcsim.engine.des.run.replicas import record_events

    return record_events(model, settings, duration_seconds=duration_seconds, seed=seed).cycles


def record_cycles(
    model: Model,
    settings: Settings,
    *,
    duration_seconds: float,
    seed: int,
    most_cycles: int | None = None,
) -> CycleTable:
    """The cycles of one run at the model's central values, exact to the byte and nanosecond.

    The first ``most_cycles`` of it; without that, InputError where there are more than MAX_RECORDED_CYCLES.
    """
    with finite_arithmetic(model.name):
        parameters = lane_parameters(model, [settings], central_draws(model))
        engine = _engine(model, parameters, settings.go, seed)
        for _ in range(WARM_UP_CYCLES):
            engine.step()
        engine.restart_clock()
        recorder = CycleRecorder(model, settings, generator=stream(seed, "recorded pauses"))
        for number in itertools.count(1):
            step = engine.step()
            if step.start_seconds[0] > duration_seconds:
                break
            recorder.add(step)
            if number == most_cycles:
                break
            if most_cycles is None:
                now_s = float(engine.state.now_seconds[0])
                check_pace(number, now_s, duration_seconds, most_cycles=MAX_RECORDED_CYCLES)
        return recorder.table()
