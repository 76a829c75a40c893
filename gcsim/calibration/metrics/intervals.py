"""The wider intervals of a model from metrics alone.

Scrapes show means over many cycles. What single cycles show in a log is missing: durations, the split of pauses, the
bytes allocated while marking, and the spread of each from cycle to cycle. The errors here are about those that the
conversion makes on the development programs at GOGC=100 (``experiments.metrics_only``).
"""

import math
from dataclasses import fields, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.gctrace.trace import FromMetrics
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter, Parameters
from gcsim.service.pauses import LEVELS, Pauses
from gcsim.service.variability import CycleVariability

_SOURCE = "metrics"
#: relative error that the conversion adds to a parameter, in quadrature
_ADDED = {
    "live_bytes": 0.03,
    "mark_cpu_heap_ratio": 0.05,
    "alloc_bytes_per_second": 0.03,
    "alloc_bytes_per_cpu_second": 0.1,
    "mark_alloc_efficiency": 0.2,
    "mark_mutator_procs": 0.25,
    "mark_cpu_seconds": 0.1,
    "mark_background_procs": 0.15,
    "mark_idle_procs": 0.4,
    "assist_cpu_seconds": 0.5,
    "pause_scale": 0.2,
}
_WITHOUT_CPU = {"mark_cpu_seconds": 1.0, "assist_cpu_seconds": 1.0, "mark_mutator_procs": 0.4}
_WITHOUT_LIVE = {"live_bytes": 0.05, "mark_cpu_heap_ratio": 0.08}
#: standard deviation of the logarithm of each factor from cycle to cycle: medians of the development programs
_SPREAD = {
    "live_factor": 0.009,
    "alloc_time_factor": 0.11,
    "mark_cpu_factor": 0.28,
    "mark_time_factor": 0.26,
    "allocated_black_factor": 0.32,
}
_SWEEP_TERM_SPREAD, _MARK_TERM_SPREAD = 0.8, 0.5
_MOST_BLACK = 1.05  # allocation of a phase over its runway, at most
_MOST_PAST_GOAL = 0.05


def with_wider_intervals(model: Model, metrics: FromMetrics) -> Model:
    """The model with the errors of the conversion, and at least the usual spread from cycle to cycle."""
    added = dict(_ADDED)
    for more, is_known in ((_WITHOUT_CPU, metrics.has_cpu), (_WITHOUT_LIVE, metrics.has_live)):
        if not is_known:
            added = {name: math.hypot(added.get(name, 0.0), more.get(name, 0.0)) for name in {*added, *more}}
    parameters = {one.name: getattr(model.parameters, one.name) for one in fields(Parameters)}
    for name, error in added.items():
        known: Parameter = parameters[name]
        parameters[name] = replace(
            known, rel_sd=min(math.hypot(known.rel_sd, error), 10.0), source=f"{known.source}; {_SOURCE}"
        )
    return replace(
        model,
        parameters=Parameters(**parameters),
        scatter=_spread(model.scatter),
        pauses=Pauses.from_samples(
            _pauses(model.pauses.sweep_term_seconds, _SWEEP_TERM_SPREAD),
            _pauses(model.pauses.mark_term_seconds, _MARK_TERM_SPREAD),
        ),
    )


def _spread(scatter: CycleVariability) -> CycleVariability:
    """Each factor with at least its usual spread; single cycles may allocate beyond their runway."""
    wider = {name: _at_least(getattr(scatter, name), spread) for name, spread in _SPREAD.items()}
    return replace(
        scatter,
        **wider,
        most_allocated_black=np.array(_MOST_BLACK),
        most_past_goal=np.array(_MOST_PAST_GOAL),
    )


def _at_least(quantiles: FloatArray, spread: float) -> FloatArray:
    """The quantiles of a factor, those of a log-normal one with the usual spread where they are wider; same mean."""
    scores = _scores()
    usual = np.exp(spread * scores - 0.5 * spread**2)
    mean = max(float(quantiles.mean()), 1e-9)
    wide = float(np.std(np.log(np.maximum(quantiles, 1e-9))))
    return quantiles if wide >= spread else np.asarray(usual * mean, dtype=np.float64)


def _pauses(quantiles: FloatArray, spread: float) -> FloatArray:
    """Samples of pauses with the same mean and the usual spread."""
    mean = float(quantiles.mean())
    return np.asarray(mean * np.exp(spread * _scores() - 0.5 * spread**2), dtype=np.float64)


def _scores() -> FloatArray:
    """Normal scores of the levels of quantiles, within two and a half standard deviations."""
    from statistics import NormalDist

    normal = NormalDist()
    return np.array([normal.inv_cdf(min(max(float(level), 0.006), 0.994)) for level in LEVELS])
