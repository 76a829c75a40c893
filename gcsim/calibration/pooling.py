"""One Model from several logs of one service at different settings or loads.

- Parameters that are equal in all logs are pooled; their interval includes the scatter between logs.
- Logs at different settings determine three parameters that one log does not: growth of mark CPU with the heap,
  sweep cost, and resident memory outside the heap. Prior and logs are weighted by their precision.
- Parameters of one load or setting (allocation rate, Ps, variability, profile) come from the reference log.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from gcsim.calibration.calibrate import Calibration, calibrate
from gcsim.calibration.estimate.allocation import fit_allocation
from gcsim.calibration.estimate.heap import LIVE_PER_DOUBLING
from gcsim.calibration.estimate.intervals import intervals, outside_rate, swept_per_byte
from gcsim.calibration.estimate.marking import marking_mutator
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.calibration.pooled_memory import pooled_memory, pooled_outside_heap
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.stats.random_effects import USUAL_SCATTER, Pooled, pooled, pooled_log_slope
from gcsim.engine.inputs.draws import LEAST_FREE_OF_SWEEPING
from gcsim.errors import InputError
from gcsim.gctrace.trace import Trace
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.service.pauses import Pauses
from gcsim.settings import Settings
from gcsim.submodels.live_heap import doublings
from gcsim.units import format_mib, format_percent

_USUAL_LIVE_SCATTER = (
    0.005  # standard deviation of log sizes between runs of one program; speeds scatter more
)
_MOST_LIVE_APART = 1.5  # largest over smallest live heap of logs of one service
_LEAST_EXPONENT = 0.02  # the exponent's error is relative, so it must not be 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledCalibration:
    """The pooled model, and the calibration of each log by name."""

    model: Model
    calibrations: dict[str, Calibration]
    reference: str  # the log whose settings are the model's

    @property
    def of_reference(self) -> Calibration:
        """The reference log's calibration with the pooled model."""
        return replace(self.calibrations[self.reference], model=self.model)


def calibrate_logs(
    traces: Mapping[str, Trace], *, name: str, overrides: Mapping[str, Overrides] | None = None,
    readings: MemoryReadings | None = None,
) -> PooledCalibration:  # fmt: skip
    """One model of the service that wrote the logs. With one log the result equals that of ``calibrate``.

    Raises InputError, naming the log, if calibration refuses a log, or if Go versions or GOMAXPROCS differ or the
    largest live heap is more than 1.5 times the smallest. ``readings`` are of the run of a single log.
    """
    found: dict[str, Calibration] = {}
    for log, trace in traces.items():
        try:
            found[log] = calibrate(trace, name=name, overrides=(overrides or {}).get(log), readings=readings)
        except InputError as error:
            raise InputError(f"{log}: {error}") from error
    reference = min(found, key=lambda log: _from_default(found[log].model.settings))
    for log in found:
        _refuse_another_service(reference, found[reference].model, log, found[log].model)
    if len(found) == 1:
        return PooledCalibration(model=found[reference].model, calibrations=found, reference=reference)
    return PooledCalibration(model=_pool(found, reference), calibrations=found, reference=reference)


def _from_default(settings: Settings) -> tuple[bool, float]:
    """Sort key: the distance of settings from GOGC=100 without a limit."""
    gogc = math.inf if settings.gogc is None else float(settings.gogc)
    return settings.gomemlimit_bytes is not None, abs(math.log((gogc + 1.0) / 101.0))


def _refuse_another_service(one: str, first: Model, other: str, second: Model) -> None:
    live = [m.parameters.live_bytes.value for m in (first, second)]
    differences = {
        "Go versions": (first.settings.go, second.settings.go),
        "GOMAXPROCS": (str(first.settings.gomaxprocs), str(second.settings.gomaxprocs)),
    }
    if max(live) > _MOST_LIVE_APART * max(min(live), 1.0):
        differences["live heaps"] = (format_mib(live[0]), format_mib(live[1]))
    for what, (here, there) in differences.items():
        if here != there or what == "live heaps":
            raise InputError(
                f"{other} and {one} are not of one service: their {what} differ, {there} and {here};"
                " calibrate each of them on its own"
            )


def _pool(found: Mapping[str, Calibration], reference: str) -> Model:
    logs = [found[reference], *(one for log, one in found.items() if log != reference)]
    outside = pooled_outside_heap(logs)
    if outside:
        logs = [with_slots(one, outside["slot_garbage_share"]) for one in logs]
    model = logs[0].model
    changed = outside | _same_everywhere(logs)
    changed |= _marking(logs, changed)
    changed |= _allocation(logs)
    changed |= pooled_memory(logs)
    return replace(
        model,
        parameters=replace(model.parameters, **changed),
        pauses=Pauses.from_samples(
            np.concatenate([one.evidence.sweep_term_seconds for one in logs]),
            np.concatenate([one.evidence.mark_term_seconds for one in logs]),
        ),
        provenance={
            **model.provenance,
            "logs": "; ".join(_described(log, found[log], reference) for log in found),
        },
    )


def with_slots(one: Calibration, share: Parameter) -> Calibration:
    """The calibration with another slot_garbage_share and the allocation parameters that follow from it."""
    base = one.model.parameters.recount_base_share.value
    evidence = one.evidence.without_span_tails(share.value, base)
    allocation = fit_allocation(
        evidence, intervals(evidence), one.pace, one.model.profile, marking_mutator(evidence)
    )
    parameters = replace(one.model.parameters, **allocation, slot_garbage_share=share)
    case = replace(one.case, evidence=evidence)
    return replace(one, case=case, model=replace(one.model, parameters=parameters))


def _described(log: str, one: Calibration, reference: str) -> str:
    settings = one.model.settings
    role = ", settings and load of the model" if log == reference else ""
    return f"{PurePath(log).name} ({settings}, {len(one.evidence)} cycles{role})"


def _values(logs: list[Calibration], name: str) -> list[Parameter]:
    return [getattr(one.model.parameters, name) for one in logs]


def _pooled_source(logs: int, between: float) -> str:
    return f"{logs} logs, {format_percent(between, 2)} scatter between them"


def _pool_logs(parameters: list[Parameter], usual_scatter: float = USUAL_SCATTER) -> Parameter:
    """The log-normal mean over logs, priors left out; the first parameter if fewer than two logs determine it."""
    known = [p for p in parameters if not p.is_prior and p.value > 0]
    if len(known) < 2:
        return known[0] if known else parameters[0]
    mean = pooled(
        np.log([p.value for p in known]), np.array([p.rel_sd for p in known]), usual_scatter=usual_scatter
    )
    return _log_normal(mean, len(known))


def _log_normal(mean: Pooled, logs: int, scale: float = 1.0) -> Parameter:
    value = math.exp(float(mean.coefficients[0])) * scale
    return Parameter(value, min(float(mean.sds[0]), 1.0), _pooled_source(logs, mean.between), "pooled")


def _same_everywhere(logs: list[Calibration]) -> dict[str, Parameter]:
    sizes = {
        name: _pool_logs(_values(logs, name), _USUAL_LIVE_SCATTER)
        for name in ("live_bytes", "stack_bytes", "globals_bytes")
    }
    sizes |= _live_heap(logs)
    return {**sizes, "mark_background_procs": _pool_logs(_values(logs, "mark_background_procs"))}


def _live_heap(logs: list[Calibration]) -> dict[str, Parameter]:
    """Live heap at the reference's settings, and its growth per doubling of the interval between collections."""
    live, growth = _values(logs, "live_bytes"), _values(logs, "mark_cpu_heap_ratio")
    if any(not one.model.growth.is_none for one in logs):  # means of other stretches of the growth
        return {"live_bytes": live[0], "live_per_doubling": logs[0].model.parameters.live_per_doubling}
    reference = growth[0].value
    law = pooled(
        np.log([p.value for p in live]),
        np.array([p.rel_sd for p in live]),
        np.stack([np.ones(len(logs)), [doublings(ratio.value, reference) for ratio in growth]], axis=1),
        prior_means=np.zeros(2),
        prior_sds=np.array([1e6, LIVE_PER_DOUBLING.rel_sd]),
        usual_scatter=_USUAL_LIVE_SCATTER,
    )
    source = f"prior and {_pooled_source(len(logs), law.between)}"
    elasticity = Parameter(math.exp(float(law.coefficients[1])), float(law.sds[1]), source, "prior")
    return {"live_bytes": _log_normal(law, len(logs)), "live_per_doubling": elasticity}


def _marking(logs: list[Calibration], sizes: dict[str, Parameter]) -> dict[str, Parameter]:
    """Mark CPU per reachable byte at the reference, its exponent in heap growth, and the baseline CPU of assists."""
    cpu, growth = _values(logs, "mark_cpu_seconds"), _values(logs, "mark_cpu_heap_ratio")
    reachable = np.array([_reachable(_sizes(one)) for one in logs])
    heap_share = _sizes(logs[0])["live_bytes"].value / reachable[0]
    stretch = heap_share * np.log([ratio.value / growth[0].value for ratio in growth])
    prior = logs[0].model.parameters.mark_cpu_heap_exponent
    law = pooled(
        np.log([p.value for p in cpu]) - np.log(reachable),
        np.hypot([p.rel_sd for p in cpu], [p.rel_sd for p in _values(logs, "live_bytes")]),
        np.stack([np.ones(len(logs)), stretch], axis=1),
        prior_means=np.array([0.0, prior.value]),
        prior_sds=np.array([1e6, prior.value * prior.rel_sd]),
    )
    slope = float(law.coefficients[1])
    exponent = math.copysign(max(abs(slope), _LEAST_EXPONENT), slope)
    per_cycle = _log_normal(law, len(logs), scale=_reachable(sizes))
    shares = [
        replace(assist, value=assist.value / own.value)
        for assist, own in zip(_values(logs, "assist_cpu_seconds"), cpu, strict=True)
    ]
    share = _pool_logs(shares)
    return {
        "mark_cpu_seconds": per_cycle,
        "mark_cpu_heap_exponent": Parameter(
            exponent,
            min(float(law.sds[1]) / abs(exponent), 10.0),
            f"prior and {_pooled_source(len(logs), law.between)}",
            "prior",
        ),
        "assist_cpu_seconds": replace(share, value=share.value * per_cycle.value),
    }


def _sizes(one: Calibration) -> dict[str, Parameter]:
    parameters = one.model.parameters
    return {name: getattr(parameters, name) for name in ("live_bytes", "stack_bytes", "globals_bytes")}


def _reachable(sizes: Mapping[str, Parameter]) -> float:
    return max(sum(sizes[name].value for name in ("live_bytes", "stack_bytes", "globals_bytes")), 1.0)


def _allocation(logs: list[Calibration]) -> dict[str, Parameter]:
    """CPU per byte allocated and per byte of heap peak swept, from logs with the reference's loop."""
    usable = [one for one in logs if one.pace.busy_from_log and one.pace.loop == logs[0].pace.loop]
    if len(usable) < 2 or usable[0] is not logs[0]:
        return {}
    prior = logs[0].model.parameters.sweep_cpu_seconds_per_byte
    rates, errors, swept = (np.array(column) for column in zip(*map(_outside, usable), strict=True))
    cost = 1.0 / rates
    law = pooled_log_slope(
        cost / cost[0], errors * cost / cost[0], swept * prior.value / cost[0], prior.rel_sd
    )
    source = f"prior and {_pooled_source(len(usable), law.between)}"
    sweep = Parameter(
        prior.value * math.exp(float(law.coefficients[1])), min(float(law.sds[1]), 2.0), source, "prior"
    )
    shares = np.minimum(sweep.value * swept / cost, 1.0 - LEAST_FREE_OF_SWEEPING)
    speeds = [Parameter(1.0 / (c * (1.0 - s)), e) for c, s, e in zip(cost, shares, errors, strict=True)]
    per_cpu = _pool_logs(speeds)
    return {
        "alloc_bytes_per_cpu_second": per_cpu,
        "sweep_cpu_seconds_per_byte": sweep,
        "sweep_share": Parameter(float(shares[0]), 0.0, "from the two parameters above", "derived"),
        "mark_alloc_efficiency": _pool_logs(
            [_efficiency(one, speed) for one, speed in zip(usable, speeds, strict=True)]
        ),
    }


def _outside(one: Calibration) -> tuple[float, float, float]:
    """Bytes per CPU second outside marking, its relative error, and heap-peak bytes swept per byte allocated."""
    gaps = intervals(one.evidence)
    rate, _ = outside_rate(gaps)
    error = one.model.parameters.alloc_bytes_per_cpu_second.rel_sd
    return rate / one.pace.busy_procs, error, swept_per_byte(gaps)


def _efficiency(one: Calibration, speed: Parameter) -> Parameter:
    """One log's allocation speed while marking over the speed outside marking at the pooled sweep cost."""
    own = one.model.parameters
    marking = own.mark_alloc_efficiency.value * own.alloc_bytes_per_cpu_second.value
    return replace(own.mark_alloc_efficiency, value=marking / speed.value)
