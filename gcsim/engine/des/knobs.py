"""The two numbers of the scheduler that no gctrace tells, set on the model's own summary.

The rest of this engine is mechanism. What a log measured of the outcome at the calibrated setting tells the two
inputs apart: how often a running goroutine passes through the scheduler decides how much background workers
mark (fractional ones start there, and their credit comes the later the rarer it is), and how many bytes of scan
work the live heap holds decides how much an assist buys at least (64 KiB), and so how much assists mark beyond their
debt. Where even that leaves assists too few, or too many, the bound that comes closest stands: the outcome is the
mechanism's, not the log's.
"""

import math
from dataclasses import replace
from typing import Literal

from gcsim.engine.des.cycle import Cycle
from gcsim.engine.des.parameters import Knobs, central_parameters
from gcsim.engine.des.runner import run_cycles
from gcsim.goruntime.workers import fractional_utilization_goal
from gcsim.workload.model import Model
from gcsim.workload.scatter import Scatter

_LONGEST_PASS_NS = 20_000_000.0  # sysmon's slice of 10 ms is noticed up to 10 ms late
_SHORTEST_PASS = 0.02  # of a mark phase with all Ps: shorter ones come to the same
_SCANNABLE_SHARES = (0.01, 1.0)
_SCAN_SHARE = 0.8  # of an ordinary heap's bytes; decides no more than how much 64 KiB of scan work is
_CYCLES = 32
_HALVINGS = 5
_ROUNDS = 2


def fit_knobs(model: Model, *, seed: int) -> Knobs:
    """Knobs with which the calibrated run has the measured Ps on background workers and on assists.

    Where no value within bounds does, the bound that comes closest. Runs some 500 cycles. A model with requests
    needs no fit: their goroutines are there, one by one.
    """
    if model.requests is not None:
        # every request passes through the scheduler when it ends, and what its goroutine assists follows from credit
        return Knobs(pass_interval_ns=int(_LONGEST_PASS_NS), scannable_share=_SCAN_SHARE)
    # arrivals as a stream: the shares of marking are the same, and quicker; without scatter so are 32 cycles' means
    model = replace(model, scatter=Scatter.none())
    knobs = Knobs(goroutines_per_p=2 if model.loop == "closed" else 16)
    fractional = fractional_utilization_goal(model.settings.gomaxprocs) > 0
    for _ in range(_ROUNDS):
        if fractional:
            knobs = _solve(model, knobs, "pass_interval_ns", seed)
        knobs = _solve(model, knobs, "scannable_share", seed)
    return knobs


def _solve(
    model: Model, knobs: Knobs, name: Literal["pass_interval_ns", "scannable_share"], seed: int
) -> Knobs:
    """Halves the logarithm's interval: both outcomes fall as their knob rises."""
    values = model.parameters
    if name == "pass_interval_ns":
        shortest = _SHORTEST_PASS * values.mark_cpu_seconds.value * 1e9 / model.settings.gomaxprocs
        low, high = min(shortest, _LONGEST_PASS_NS), _LONGEST_PASS_NS
        aim, column = values.mark_background_procs.value, 0
    else:
        (low, high), column = _SCANNABLE_SHARES, 1
        aim = model.settings.gomaxprocs - sum(
            getattr(values, f"mark_{who}_procs").value for who in ("background", "idle", "mutator")
        )
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        seen = _procs(model, _with(knobs, name, middle), seed)[column]
        low, high = (middle, high) if seen > aim else (low, middle)
    return _with(knobs, name, math.sqrt(low * high))


def _with(knobs: Knobs, name: str, value: float) -> Knobs:
    return replace(knobs, **{name: int(value) if name == "pass_interval_ns" else value})  # type: ignore[arg-type]


def _procs(model: Model, knobs: Knobs, seed: int) -> tuple[float, float]:
    """(background, assist) Ps while marking, the first pause included as the model's are."""
    sums = [0.0, 0.0, 0.0]

    def add(cycle: Cycle, start_s: float) -> None:
        del start_s
        sums[0] += cycle.background_ns
        sums[1] += cycle.assist_ns
        sums[2] += cycle.sweep_term_ns + cycle.mark_ns

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
    return sums[0] / sums[2], sums[1] / sums[2]
