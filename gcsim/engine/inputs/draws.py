"""Draws parameters from a model's uncertainty and builds lanes for settings."""

from collections.abc import Sequence

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.even_draws import even_deviations
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.goruntime.workers import background_share
from gcsim.service.model import Model
from gcsim.service.parameters import OUTSIDE_HEAP, PARAMETER_NAMES, RANGES
from gcsim.settings import Settings
from gcsim.streams import stream
from gcsim.submodels.live_growth import GrowthCourses, central_course, growth_courses
from gcsim.submodels.process_memory import MOST_SLOT_GARBAGE, without_span_tails
from gcsim.units import MAX_INT64

# Factor on unusable free slots with GOGC=off: the first collection comes near the limit, and the objects of start-up
# are then scattered. Counted in 17 programs on Go 1.27 against the same or a similar limit with GOGC=100: 0.6 to 3.6
# times; this is the geometric mean (docs/explanation/memory.md has further programs, 0.9 to 5.6 times)
_UNFILLED_WITHOUT_GOGC = 1.35
LEAST_FREE_OF_SWEEPING = 0.4  # smallest share of the mutator's time outside marking that sweeping leaves
_SATURATED_SHARE = 0.9  # a program that keeps this share of its Ps busy would keep more Ps busy too
# Share of arrivals served while marking. A program below it waits for its own locks or for few clients and serves the
# rest afterwards. Development programs that kept up have 0.83 to 1.6; assists in phases that the goal limits lower the
# share. Development programs that waited have 0.41 to 0.71
LEAST_SERVED = 0.8
# Wide priors, in which chance in a few draws would move the answer by MiB, with the base of each one's sequence
_LEAST_PAGES_BYTES = 1.0
EVENLY_DRAWN = {"file_resident_bytes": 2, "file_hot_share": 3}
_HEAP_EXPONENT_RANGE = (-0.7, 0.8)  # near 1, the cost of marking would grow faster than the heap


def draw_parameters(model: Model, *, replicas: int, seed: int) -> dict[str, FloatArray]:
    """The value of each parameter in each replica, arrays of shape (replicas,).

    Each parameter has its own random stream. Replica r has the same values at every setting. Settings are therefore
    compared within one possible service, and the uncertainty about the service does not enter their differences.
    """
    drawn = {}
    for name in PARAMETER_NAMES:
        parameter = getattr(model.parameters, name)
        z = _deviations(name, replicas, seed)
        drawn[name] = RANGES[name].clip(parameter.value * np.exp(parameter.rel_sd * z))
    # the one parameter that may be negative: its deviations add
    exponent = model.parameters.mark_cpu_heap_exponent
    z = stream(seed, "parameter mark_cpu_heap_exponent").standard_normal(replicas)
    drawn["mark_cpu_heap_exponent"] = np.clip(
        exponent.value * (1.0 + exponent.rel_sd * z), *_HEAP_EXPONENT_RANGE
    )
    drawn |= _with_file_pages(model, drawn)
    return drawn | _measured_together(model, drawn)


def _deviations(name: str, replicas: int, seed: int) -> FloatArray:
    """Standard normal deviations of one parameter, shape (replicas,): random, or evenly spread for ``EVENLY_DRAWN``."""
    generator = stream(seed, f"parameter {name}")
    if name not in EVENLY_DRAWN:
        return generator.standard_normal(replicas)
    return even_deviations(replicas, EVENLY_DRAWN[name], generator)


def _with_file_pages(model: Model, drawn: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Constants of RSS, and the hot share, that fit the drawn file pages.

    Where anonymous memory was measured, or nothing was, more file pages are more RSS (``rss_file_share`` 1), and
    anonymous memory does not change. Where RSS alone was, more file pages are less anonymous memory (0), and RSS does
    not change. Measured file pages vary by pages that the program does not touch, which are cold: the hot pages stay.
    """
    known = model.parameters
    pages = known.file_resident_bytes
    of_measured = (
        1.0 if pages.is_prior else pages.value / np.maximum(drawn["file_resident_bytes"], _LEAST_PAGES_BYTES)
    )
    hot = RANGES["file_hot_share"].clip(drawn["file_hot_share"] * of_measured)
    more = known.rss_file_share.value * (drawn["file_resident_bytes"] - known.file_resident_bytes.value)
    found = {name: RANGES[name].clip(drawn[name] + more) for name in ("rss_base_bytes", "rss_beside_bytes")}
    return found | {"file_hot_share": hot}


def _measured_together(model: Model, drawn: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Allocation speeds that fit the other drawn parameters, so that each replica reproduces the calibrated run.

    The measured speed outside marking includes the time of sweeping: with a larger cost of sweeping, allocation itself
    is faster. Allocation is heapLive's growth less recounted span tails: with more recounted bytes, allocation and
    arrivals are slower. The speed while marking was measured by itself; its ratio to the speed outside follows.
    """
    known = model.parameters
    sweep_cost_ratio = drawn["sweep_cpu_seconds_per_byte"] / max(
        known.sweep_cpu_seconds_per_byte.value, 1e-30
    )
    share = known.sweep_share.value
    free = np.maximum(1.0 - share * sweep_cost_ratio, LEAST_FREE_OF_SWEEPING)
    slots = np.minimum(drawn["slot_garbage_share"], MOST_SLOT_GARBAGE)
    known_slots, base = known.slot_garbage_share.value, known.recount_base_share.value
    allocated_share = without_span_tails(
        known.recounted_share.value, slot_garbage=slots, known_slot_garbage=known_slots, base_share=base
    )
    per_cpu = drawn["alloc_bytes_per_cpu_second"] * allocated_share * (1.0 - share) / free
    efficiency = drawn["mark_alloc_efficiency"] * known.alloc_bytes_per_cpu_second.value / per_cpu
    allocated_share_of_all = without_span_tails(
        known.recounted_share_of_all.value,
        slot_garbage=slots,
        known_slot_garbage=known_slots,
        base_share=base,
    )
    return {
        "alloc_bytes_per_cpu_second": per_cpu,
        "mark_alloc_efficiency": efficiency,
        "alloc_bytes_per_second": drawn["alloc_bytes_per_second"] * allocated_share_of_all,
    }


def central_draws(model: Model) -> dict[str, FloatArray]:
    """Every parameter at its central value, in the form of ``draw_parameters`` with one replica."""
    return {name: np.array([getattr(model.parameters, name).value]) for name in PARAMETER_NAMES}


def draw_growth(model: Model, drawn: dict[str, FloatArray], *, seed: int) -> GrowthCourses | None:
    """The growth of the live heap in each replica; None for a service that does not grow.

    Replica r has the same growth at every setting. ``drawn`` is the result of ``draw_parameters``.
    """
    if model.growth.is_none:
        return None
    replicas = drawn["live_bytes"].shape[0]
    return growth_courses(
        model.growth,
        levels=stream(seed, "growth curve").random((replicas,)),
        pace=stream(seed, "growth pace").standard_normal((replicas,)),
        first=stream(seed, "growth slope").standard_normal((replicas,)),
        second=stream(seed, "growth step size").standard_normal((replicas,)),
        bytes_per_second=drawn["alloc_bytes_per_second"],
    )


def central_growth(model: Model) -> GrowthCourses | None:
    """The most probable growth, in the form of ``draw_growth`` with one replica."""
    if model.growth.is_none:
        return None
    return central_course(model.growth, bytes_per_second=model.parameters.alloc_bytes_per_second.value)


def lane_parameters(
    model: Model, settings: Sequence[Settings], drawn: dict[str, FloatArray]
) -> LaneParameters:
    """The parameters of all lanes, setting by setting and replica by replica, shape (settings * replicas,)."""
    replicas = drawn["live_bytes"].shape[0]

    def per_setting(values: Sequence[float]) -> FloatArray:
        return np.repeat(np.asarray(values, dtype=np.float64), replicas)

    def of(name: str) -> FloatArray:
        return np.tile(drawn[name], len(settings))

    procs = per_setting([s.gomaxprocs for s in settings])
    calibrated_procs = float(model.settings.gomaxprocs)
    background = np.minimum(of("mark_background_procs") * _background_share(settings, model, replicas), procs)
    busy = _scaled_procs(of("mutator_procs"), calibrated_procs, procs)
    open_loop = model.loop == "open"
    arrival = of("alloc_bytes_per_second") if open_loop else np.full(procs.shape, np.inf)
    at_full_speed = procs if open_loop else np.maximum(busy, 1e-6)  # Ps that a backlog keeps busy
    mark_busy = np.clip(procs - background - of("mark_idle_procs"), 0.0, busy)
    limits = [MAX_INT64 if s.gomemlimit_bytes is None else s.gomemlimit_bytes for s in settings]
    roots = of("stack_bytes") + of("globals_bytes")
    outside = {name: of(name) for name in OUTSIDE_HEAP}
    outside["slot_garbage_share"] = np.minimum(outside["slot_garbage_share"], MOST_SLOT_GARBAGE)
    outside["unfilled_slot_share"] *= per_setting([_unfilled_factor(model, s) for s in settings])
    heap_share = of("live_bytes") / np.maximum(of("live_bytes") + roots, 1.0)  # roots do not spread out
    return LaneParameters(
        replica=np.tile(np.arange(replicas), len(settings)),
        gc_percent=np.repeat(np.array([-1 if s.gogc is None else s.gogc for s in settings]), replicas),
        memory_limit_bytes=np.repeat(np.array(limits, dtype=np.int64), replicas),
        gomaxprocs=procs,
        live_bytes=of("live_bytes"),
        live_per_doubling=of("live_per_doubling"),
        recount_base_share=of("recount_base_share"),
        root_bytes=roots,
        arrival_bytes_per_second=arrival,
        served_share=_served_share(model, drawn, len(settings)),
        capacity_bytes_per_second=of("alloc_bytes_per_cpu_second") * at_full_speed,
        sweep_seconds_per_byte=of("sweep_cpu_seconds_per_byte") / at_full_speed,
        mark_alloc_bytes_per_cpu_second=of("alloc_bytes_per_cpu_second") * of("mark_alloc_efficiency"),
        mark_busy_procs=mark_busy,
        mark_mutator_procs=np.minimum(of("mark_mutator_procs"), procs),
        mark_background_procs=background,
        assist_cpu_share=np.minimum(
            of("assist_cpu_seconds") / np.maximum(of("mark_cpu_seconds"), 1e-12), 0.95
        ),
        mark_cpu_seconds=of("mark_cpu_seconds"),
        mark_cpu_heap_exponent=of("mark_cpu_heap_exponent") * heap_share,
        mark_cpu_heap_ratio=of("mark_cpu_heap_ratio"),
        sweep_term_seconds=of("pause_scale") * model.pauses.sweep_term_mean_seconds,
        mark_term_seconds=of("pause_scale") * model.pauses.mark_term_mean_seconds,
        **outside,
    )


def busy_procs(model: Model, gomaxprocs: int) -> float:
    """Ps that the program keeps busy between collections at a GOMAXPROCS, at the model's central value."""
    calibrated = np.array([model.parameters.mutator_procs.value])
    return float(
        _scaled_procs(calibrated, float(model.settings.gomaxprocs), np.array([float(gomaxprocs)]))[0]
    )


def arrivals_served_share(model: Model) -> float:
    """Allocation per second while marking over the arrival rate of an open loop, as calibration measured both."""
    return float(_shares_served(central_draws(model))[0])


def _shares_served(drawn: dict[str, FloatArray]) -> FloatArray:
    """Allocation while marking over arrivals in each replica, shape (replicas,)."""
    per_second = (
        drawn["alloc_bytes_per_cpu_second"] * drawn["mark_alloc_efficiency"] * drawn["mark_mutator_procs"]
    )
    return per_second / np.maximum(drawn["alloc_bytes_per_second"], 1.0)


def _served_share(model: Model, drawn: dict[str, FloatArray], settings: int) -> FloatArray:
    """Share of arrivals that each lane serves while marking, at most 1; 1 for a changing load, where it is unknown."""
    served = np.minimum(_shares_served(drawn), 1.0)
    waits = model.loop == "open" and model.profile.is_steady and arrivals_served_share(model) < LEAST_SERVED
    return np.tile(served if waits else np.ones_like(served), settings)


def _unfilled_factor(model: Model, settings: Settings) -> float:
    """Factor on unusable free slots at a setting, relative to the calibrated one."""
    return _UNFILLED_WITHOUT_GOGC if settings.gogc is None and model.settings.gogc is not None else 1.0


def _background_share(settings: Sequence[Settings], model: Model, replicas: int) -> FloatArray:
    """Background workers at each setting's GOMAXPROCS over those of the calibrated run."""
    procs = np.array([s.gomaxprocs for s in settings])
    calibrated_procs = model.settings.gomaxprocs
    calibrated = background_share(calibrated_procs) * calibrated_procs
    return np.repeat(background_share(procs) * procs / calibrated, replicas)


def _scaled_procs(busy: FloatArray, calibrated_procs: float, procs: FloatArray) -> FloatArray:
    """Ps that the program keeps busy at another GOMAXPROCS: all if it used all before, else the same number."""
    saturated = busy >= _SATURATED_SHARE * calibrated_procs
    return np.where(saturated, busy * procs / calibrated_procs, np.minimum(busy, procs))
