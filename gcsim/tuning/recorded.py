"""Recorded runs: their cycles, for figures."""

from collections.abc import Sequence
from dataclasses import replace

from gcsim.cycles import CycleTable
from gcsim.engine.plan import Plan
from gcsim.engine.run import RecordedRun
from gcsim.engine.simulate import record_lanes, simulate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.constraints import pareto_front
from gcsim.tuning.feasible import is_feasible
from gcsim.tuning.sweep import Sweep

SHOWN_CYCLES = 500  # enough for a p99 pause; curves over time show fewer
_TWINS = 1.3  # ratio of two GOGC values, with one limit: nearer ones have nearly the same curves
_USUAL_GC_CPU = 0.25  # the pacer's own target while marking: Go gcBackgroundUtilization


def record_runs(model: Model, settings: Sequence[Settings], plan: Plan) -> list[RecordedRun]:
    """One recorded run per setting, in order, by the plan's engine and seed; all settings have one Go version.

    A run lasts as long as the plan's runs, or ``SHOWN_CYCLES`` cycles if that is shorter. Settings with fewer than two
    cycles are left out.
    """
    plan.check()
    if not settings:
        return []
    tables = (
        record_lanes(model, settings, plan, most_cycles=SHOWN_CYCLES)
        if plan.engine == "lanes"
        else [_record_events(model, each, plan) for each in settings]
    )
    found = [RecordedRun(settings=each, cycles=cycles) for each, cycles in zip(settings, tables, strict=True)]
    return [run for run in found if len(run.cycles) >= 2]


def settings_to_record(sweep: Sweep, model: Model, *, chosen: Settings | None) -> list[Settings]:
    """Up to three settings for figures: least memory with at most 25 % GC CPU, the calibrated one, the chosen one.

    The first is left out if its curves would be nearly those of the calibrated one.
    """
    feasible = [run for run in sweep.finished if is_feasible(run, sweep.memory_bytes)]
    usual = [run for run in feasible if run.metrics["gc_cpu_fraction"].value <= _USUAL_GC_CPU]
    front = pareto_front(usual or feasible or sweep.finished)
    swept = front[0].settings
    calibrated = replace(model.settings, gomaxprocs=swept.gomaxprocs, go=swept.go)
    least = [] if _are_twins(swept, calibrated) else [swept]
    return list(dict.fromkeys([*least, calibrated, chosen or front[-1].settings]))


def _are_twins(one: Settings, other: Settings) -> bool:
    """Whether two settings have one limit and nearly one GOGC."""
    if one.gomemlimit_bytes != other.gomemlimit_bytes or one.gogc is None or other.gogc is None:
        return False
    return max(one.gogc, other.gogc) <= _TWINS * min(one.gogc, other.gogc)


def _record_events(model: Model, settings: Settings, plan: Plan) -> CycleTable:
    """The cycles of one run of the event engine, about ``SHOWN_CYCLES`` by the cycle rate of the lane engine."""
    from gcsim.engine.des.run.replicas import record_events  # loads SimPy

    outline = simulate(model, [settings], plan, replicas=1, engine="lanes", explicit_gc_seconds=None)
    rate_hz = outline[0].metrics["gc_rate_hz"].value
    seconds = min(plan.duration_seconds, SHOWN_CYCLES / rate_hz if rate_hz > 0 else plan.duration_seconds)
    return record_events(model, settings, plan, duration_seconds=seconds).cycles
