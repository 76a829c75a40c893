"""The number of the scheduler that no gctrace tells, set on the model's own summary.

The rest of this engine is mechanism. How often a running goroutine passes through the scheduler decides how much
background workers mark: fractional ones start there, and their credit comes the later the rarer it is. What a log
measured of them at the calibrated setting tells it. Where no interval within bounds comes out so, the bound that comes
closest stands: the outcome is the mechanism's, not the log's.
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

_LONGEST_PASS_NS = 20_000_000.0  # sysmon's slice of 10 ms is noticed up to 10 ms late
_SHORTEST_PASS = 0.02  # of a mark phase with all Ps: shorter ones come to the same
_CYCLES = 32
_HALVINGS = 5
_KEPT = 4

_fitted: list[
    tuple[Model, int, SchedulerParameters]
] = []  # the last few models, by identity: a model never changes


def fit_scheduler_parameters(model: Model, *, seed: int) -> SchedulerParameters:
    """The fitted knobs of a model; fitted once for all runs of one model and seed."""
    for known, its_seed, knobs in _fitted:
        if known is model and its_seed == seed:
            return knobs
    knobs = _fit(model, seed=seed)
    _fitted.append((model, seed, knobs))
    del _fitted[:-_KEPT]
    return knobs


def _fit(model: Model, *, seed: int) -> SchedulerParameters:
    """Knobs with which the calibrated run has the measured Ps on background workers.

    Where no value within bounds does, the bound that comes closest. Runs some 200 cycles. A model with requests
    needs no fit: every request passes through the scheduler when it ends. Nor does one without fractional workers.
    """
    if model.requests is not None:
        return SchedulerParameters(pass_interval_ns=int(_LONGEST_PASS_NS))
    # arrivals as a stream: the shares of marking are the same, and quicker; without scatter so are 32 cycles' means
    model = replace(model, scatter=CycleVariability.none())
    knobs = SchedulerParameters(goroutines_per_p=goroutines_per_p(open_loop=model.loop != "closed"))
    if fractional_utilization_goal(model.settings.gomaxprocs) == 0:
        return knobs
    values = model.parameters
    shortest = _SHORTEST_PASS * values.mark_cpu_seconds.value * 1e9 / model.settings.gomaxprocs
    low, high = min(shortest, _LONGEST_PASS_NS), _LONGEST_PASS_NS
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        seen = _background_procs(model, replace(knobs, pass_interval_ns=int(middle)), seed)
        low, high = (middle, high) if seen > values.mark_background_procs.value else (low, middle)
    return replace(knobs, pass_interval_ns=int(math.sqrt(low * high)))


def _background_procs(model: Model, knobs: SchedulerParameters, seed: int) -> float:
    """Ps on background workers while marking, the first pause included as the model's are."""
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
