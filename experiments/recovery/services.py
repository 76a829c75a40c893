"""Services to recover: drawn from a wide prior around real ones, with every parameter known.

| what | prior |
|---|---|
| GOMAXPROCS, GOGC | 1, 2, 4 or 8; 50, 100, 200 or 400 |
| live heap | 8 MiB to 512 MiB, log-uniform |
| stacks, globals | 32 KiB to 8 MiB, 64 KiB to 4 MiB, log-uniform |
| marking | 0.3 to 2 ms of CPU per MiB reachable; background workers within 5 % of a quarter of the Ps |
| baseline assists | 1 to 10 % of the mark CPU |
| allocation | 20 to 500 MiB per second and P; while marking 0.55 to 1 times as fast |
| loop | closed, or open with 5 to 60 % of the Ps busy and 50 to 90 % of the arrivals served while marking |
| pauses | medians of 10 to 200 us, sigma 0.6 |
| scatter from cycle to cycle, sigma | live heap 0.5-6 %, speed 3-20 %, mark CPU 5-25 %, length of marking beyond \
its CPU 1-15 %, bytes allocated in that time 3-15 % |
| log | 40 to 400 cycles; half with pacer lines; two in three open loops with the process's CPU time |

Parameters that calibration takes from a prior are drawn from that prior. These are the cost of sweeping, the exponent
by which mark CPU grows with the heap, and the share of allocation that goes into free slots. Twenty services at a time
have the same scatter, pauses and kind of loop, because the engine simulates them together.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.allocation import SWEEP_SMALL_OBJECTS, SWEEP_UNKNOWN_SIZES
from gcsim.calibration.memory.fit import SLOTS_SMALL_OBJECTS, SLOTS_UNKNOWN_SIZES
from gcsim.goruntime.workers import background_share
from gcsim.service.model import Loop, Model
from gcsim.service.parameters import PARAMETER_NAMES, RECOUNT_BASE_SHARE, Parameter, Parameters
from gcsim.service.pauses import LEVELS, Pauses
from gcsim.service.profile import Profile
from gcsim.service.variability import CycleVariability
from gcsim.settings import Settings
from gcsim.submodels.process_memory import MOST_SLOT_GARBAGE
from gcsim.units import MIB

BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service whose every parameter is known, and how it is logged."""

    model: Model  # no uncertainty in it
    cycles: int
    pacer_lines: bool
    captured: bool  # with a side file that holds the process's CPU time
    scanned_share: float  # of marked bytes, in pacer lines

    @property
    def settings(self) -> Settings:
        """At which it is logged."""
        return self.model.settings


def draw_batch(generator: np.random.Generator, count: int = BATCH) -> list[Service]:
    """Services from the prior above, with one loop, scatter and pauses."""
    loop: Loop = "closed" if generator.random() < 0.5 else "open"
    pauses, scatter = _pauses(generator), _scatter(generator)
    services = [_service(generator, loop, pauses, scatter) for _ in range(count)]
    return [_with_slots(generator, service) for service in services]


def _with_slots(generator: np.random.Generator, service: Service) -> Service:
    slots = SLOTS_SMALL_OBJECTS if service.pacer_lines else SLOTS_UNKNOWN_SIZES
    share = Parameter(min(_from_prior(generator, slots), MOST_SLOT_GARBAGE))  # as the engine takes it
    parameters = replace(service.model.parameters, slot_garbage_share=share)
    return replace(service, model=replace(service.model, parameters=parameters))


def _service(
    generator: np.random.Generator, loop: Loop, pauses: Pauses, scatter: CycleVariability
) -> Service:
    gogc, procs = int(generator.choice([50, 100, 200, 400])), int(generator.choice([1, 2, 4, 8]))
    settings = Settings(gogc=gogc, gomaxprocs=procs)
    pacer_lines = bool(generator.random() < 0.5)
    model = Model(
        name="recovered",
        loop=loop,
        settings=settings,
        parameters=_parameters(generator, loop, settings, pacer_lines),
        profile=Profile.steady(),
        pauses=pauses,
        scatter=scatter,
        duration_seconds=1.0,
        cycles=1,
    )
    return Service(
        model=model,
        cycles=round(_log_uniform(generator, 40, 400)),
        pacer_lines=pacer_lines,
        captured=loop == "open" and bool(generator.random() < 2 / 3),
        scanned_share=float(generator.uniform(0.3, 0.9)),
    )


def at_gogc(service: Service, gogc: int) -> Service:
    """The same service logged at another GOGC; what is true of it stays."""
    return replace(service, model=replace(service.model, settings=replace(service.settings, gogc=gogc)))


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(generator.uniform(math.log(low), math.log(high))))


def _from_prior(generator: np.random.Generator, prior: Parameter) -> float:
    return float(prior.value * math.exp(prior.rel_sd * generator.standard_normal()))


def _parameters(
    generator: np.random.Generator, loop: Loop, settings: Settings, pacer_lines: bool
) -> Parameters:
    procs = settings.gomaxprocs
    live = _log_uniform(generator, 8, 512) * MIB
    stacks, roots = (_log_uniform(generator, 1 / 32, 8) * MIB, _log_uniform(generator, 1 / 16, 4) * MIB)
    mark_cpu = _log_uniform(generator, 0.3e-3, 2e-3) * (live + stacks + roots) / MIB
    background = float(background_share(procs)) * procs * math.exp(0.05 * generator.standard_normal())
    per_cpu = _log_uniform(generator, 20, 500) * MIB
    efficiency = float(generator.uniform(0.55, 1.0))
    busy_share = 1.0 if loop == "closed" else _log_uniform(generator, 0.05, 0.6)
    served = float(generator.uniform(0.5, 0.9))
    marking_mutator = min(served * busy_share * procs / efficiency, 0.6 * (procs - background))
    sweep = SWEEP_SMALL_OBJECTS if pacer_lines else SWEEP_UNKNOWN_SIZES
    values = dict.fromkeys(PARAMETER_NAMES, 0.0) | {
        "live_bytes": live,
        "stack_bytes": stacks,
        "globals_bytes": roots,
        "alloc_bytes_per_second": busy_share * per_cpu * procs,
        "alloc_bytes_per_cpu_second": per_cpu,
        "sweep_cpu_seconds_per_byte": _from_prior(generator, sweep),
        "mutator_procs": float(procs),
        "mark_alloc_efficiency": efficiency,
        "mark_mutator_procs": marking_mutator,
        "mark_cpu_seconds": mark_cpu,
        "mark_cpu_heap_ratio": 1.0 + (settings.gogc or 0) / 100.0,
        "mark_cpu_heap_exponent": float(np.clip(0.22 * (1.0 + generator.standard_normal()), 0.0, 0.5)),
        "mark_background_procs": background,
        "assist_cpu_seconds": _log_uniform(generator, 0.01, 0.1) * mark_cpu,
        "recount_base_share": RECOUNT_BASE_SHARE,
        "live_per_doubling": math.exp(0.003 * generator.standard_normal()),
        "pause_scale": 1.0,
        "rss_ratio": 1.0,
    }
    return Parameters(**{name: Parameter(value) for name, value in values.items()})


def _pauses(generator: np.random.Generator) -> Pauses:
    first, second = (_log_uniform(generator, 10e-6, 200e-6) for _ in range(2))
    return Pauses(
        sweep_term_seconds=first * _log_normal_quantiles(0.6),
        mark_term_seconds=second * _log_normal_quantiles(0.6),
    )


def _scatter(generator: np.random.Generator) -> CycleVariability:
    def factor(low: float, high: float) -> FloatArray:
        quantiles = _log_normal_quantiles(_log_uniform(generator, low, high))
        return quantiles / float(np.trapezoid(quantiles, LEVELS))

    return replace(
        CycleVariability.none(),
        live_factor=factor(0.005, 0.06),
        alloc_time_factor=factor(0.03, 0.20),
        mark_cpu_factor=factor(0.05, 0.25),
        mark_time_factor=factor(0.01, 0.15),
        allocated_black_factor=factor(0.03, 0.15),
        heap_start_slack_bytes=LEVELS * 128 * 1024.0,
    )


def _log_normal_quantiles(sigma: float) -> FloatArray:
    return np.asarray(np.exp(sigma * norm.ppf(np.clip(LEVELS, 0.002, 0.998))), dtype=np.float64)
