"""Fits the one scheduler parameter that a gctrace does not contain: how often a goroutine enters the scheduler.

This interval decides how much background workers mark, because fractional workers start in the scheduler. The longer
the interval, the later their credit comes. The fit chooses the interval at which the calibrated setting has the log's
number of Ps on background workers. If no interval within the bounds gives this number, the fit returns the nearest
bound, and the simulated number differs from the log's.
"""

import math
from dataclasses import replace

from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.parameters import SchedulerParameters, central_parameters
from gcsim.engine.des.run.runner import run_cycles
from gcsim.goruntime.workers import fractional_utilization_goal
from gcsim.priors.goroutines import goroutines_per_p
from gcsim.service.model import Model
from gcsim.service.variability import CycleVariability

_LONGEST_PASS_NS = 20_000_000.0  # sysmon's slice of 10 ms, which it checks every 10 ms
_SHORTEST_PASS = 0.02  # of a mark phase with all Ps; shorter intervals give the same result
_CYCLES = 32
_HALVINGS = 5
_KEPT_FITS = 4

_fitted: list[
    tuple[Model, int, SchedulerParameters]
] = []  # the last few models, by identity: a model never changes


def fit_scheduler_parameters(model: Model, *, seed: int) -> SchedulerParameters:
    """The scheduler parameters of a model; fitted once for all runs of one model and seed."""
    for known, its_seed, knobs in _fitted:
        if known is model and its_seed == seed:
            return knobs
    knobs = _fit(model, seed=seed)
    _fitted.append((model, seed, knobs))
    del _fitted[:-_KEPT_FITS]
    return knobs


def _fit(model: Model, *, seed: int) -> SchedulerParameters:
    """Parameters at which the calibrated run has the measured number of Ps on background workers.

    The fit simulates some 200 cycles. A model with requests needs no fit, because a goroutine enters the scheduler at
    the end of every request. A model without fractional workers needs no fit either.
    """
    if model.requests is not None:
        return SchedulerParameters(pass_interval_ns=int(_LONGEST_PASS_NS))
    # without variability the means of 32 cycles are accurate enough
    model = replace(model, scatter=CycleVariability.none())
    knobs = SchedulerParameters(goroutines_per_p=goroutines_per_p(open_loop=model.loop != "closed"))
    if fractional_utilization_goal(model.settings.gomaxprocs) == 0:
        return knobs
    values = model.parameters
    shortest = _SHORTEST_PASS * values.mark_cpu_seconds.value * 1e9 / model.settings.gomaxprocs
    low, high = min(shortest, _LONGEST_PASS_NS), _LONGEST_PASS_NS
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        simulated = _background_procs(model, replace(knobs, pass_interval_ns=int(middle)), seed)
        low, high = (middle, high) if simulated > values.mark_background_procs.value else (low, middle)
    return replace(knobs, pass_interval_ns=int(math.sqrt(low * high)))


def _background_procs(model: Model, knobs: SchedulerParameters, seed: int) -> float:
    """Mean Ps on background workers while marking; like the model's figure it includes the first pause."""
    background_ns = marking_ns = 0.0

    def add(cycle: Cycle, start_s: float) -> None:
        nonlocal background_ns, marking_ns
        del start_s
        background_ns += cycle.background_ns
        marking_ns += cycle.sweep_term_ns + cycle.mark_ns

    run_cycles(
        model,
        model.settings,
        central_parameters(model, model.settings, knobs),
        add,
        replica=0,
        seed=seed,
        duration_seconds=math.inf,
        most_cycles=_CYCLES,
    )
    return background_ns / marking_ns
