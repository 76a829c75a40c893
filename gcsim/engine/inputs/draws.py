"""From a Model and settings to lanes, with the model's uncertainty drawn."""

from collections.abc import Sequence

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.goruntime.workers import background_share
from gcsim.service.model import Model
from gcsim.service.parameters import PARAMETER_NAMES, RANGES
from gcsim.settings import Settings
from gcsim.streams import stream
from gcsim.submodels.process_memory import MOST_SLOT_GARBAGE, without_span_tails
from gcsim.units import MAX_INT64

# With GOGC=off the first collection comes when the limit is near, and what start-up allocated by then lies scattered.
# Counted in 17 programs on Go 1.27, beside the same limit or a like one with GOGC=100: 0.6 to 3.6 times, mean of logs
# (docs/explanation/memory.md: others since, 0.9 to 5.6)
_UNFILLED_WITHOUT_GOGC = 1.35
LEAST_FREE_OF_SWEEPING = 0.4  # of the mutator's time outside marking is left to the program
_SATURATED_SHARE = 0.9  # a program that keeps this share of its Ps busy would keep more Ps busy too
# of arrivals while marking: a program that serves fewer waits for its own locks or for few clients, and catches up
# afterwards. Design programs that kept up show 0.83 to 1.6, where phases that the goal held up pull the share below 1;
# those that waited show 0.41 to 0.71
LEAST_SERVED = 0.8
_HEAP_EXPONENT_RANGE = (-0.7, 0.8)  # near 1, marking would outgrow its own heap


def draw_parameters(model: Model, *, replicas: int, seed: int) -> dict[str, FloatArray]:
    """Each parameter's value in each replica, shape (replicas,).

    One named stream per parameter. Replica r has the same draw at every setting, so that settings are
    compared within one possible service, and what is unknown of it does not blur their differences.
    """
    drawn = {}
    for name in PARAMETER_NAMES:
        parameter = getattr(model.parameters, name)
        z = stream(seed, f"parameter {name}").standard_normal(replicas)
        drawn[name] = RANGES[name].clip(parameter.value * np.exp(parameter.rel_sd * z))
    # the one parameter that may be negative: its deviations add
    exponent = model.parameters.mark_cpu_heap_exponent
    z = stream(seed, "parameter mark_cpu_heap_exponent").standard_normal(replicas)
    drawn["mark_cpu_heap_exponent"] = np.clip(
        exponent.value * (1.0 + exponent.rel_sd * z), *_HEAP_EXPONENT_RANGE
    )
    return drawn | _measured_together(model, drawn)


def _measured_together(model: Model, drawn: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Speeds of allocation as they follow from what was drawn beside them, so that the calibrated run is given back.

    Speed outside marking was measured with sweeping in its time: where sweeping costs more, allocation is faster. What
    was allocated is heapLive's growth less ends of spans counted again: where more of it is such, allocation is slower,
    and less arrives. Speed while marking was measured for itself, and its ratio to the other follows.
    """
    known = model.parameters
    dearer = drawn["sweep_cpu_seconds_per_byte"] / max(known.sweep_cpu_seconds_per_byte.value, 1e-30)
    share = known.sweep_share.value
    free = np.maximum(1.0 - share * dearer, LEAST_FREE_OF_SWEEPING)
    slots = np.minimum(drawn["slot_garbage_share"], MOST_SLOT_GARBAGE)
    known_slots = known.slot_garbage_share.value
    once = without_span_tails(known.recounted_share.value, slot_garbage=slots, known_slot_garbage=known_slots)
    per_cpu = drawn["alloc_bytes_per_cpu_second"] * once * (1.0 - share) / free
    efficiency = drawn["mark_alloc_efficiency"] * known.alloc_bytes_per_cpu_second.value / per_cpu
    once_of_all = without_span_tails(
        known.recounted_share_of_all.value, slot_garbage=slots, known_slot_garbage=known_slots
    )
    return {
        "alloc_bytes_per_cpu_second": per_cpu,
        "mark_alloc_efficiency": efficiency,
        "alloc_bytes_per_second": drawn["alloc_bytes_per_second"] * once_of_all,
    }


def central_draws(model: Model) -> dict[str, FloatArray]:
    """Every parameter at its value, as ``draw_parameters`` of one replica."""
    return {name: np.array([getattr(model.parameters, name).value]) for name in PARAMETER_NAMES}


def lane_parameters(
    model: Model, settings: Sequence[Settings], drawn: dict[str, FloatArray]
) -> LaneParameters:
    """Lanes in the order setting by setting, replica by replica within: shape (settings * replicas,)."""
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
    at_full_speed = procs if open_loop else np.maximum(busy, 1e-6)  # Ps that a backlog would keep busy
    mark_busy = np.clip(procs - background - of("mark_idle_procs"), 0.0, busy)
    limits = [MAX_INT64 if s.gomemlimit_bytes is None else s.gomemlimit_bytes for s in settings]
    roots = of("stack_bytes") + of("globals_bytes")
    heap_share = of("live_bytes") / np.maximum(of("live_bytes") + roots, 1.0)  # roots do not spread out
    return LaneParameters(
        replica=np.tile(np.arange(replicas), len(settings)),
        gc_percent=np.repeat(np.array([-1 if s.gogc is None else s.gogc for s in settings]), replicas),
        memory_limit_bytes=np.repeat(np.array(limits, dtype=np.int64), replicas),
        gomaxprocs=procs,
        live_bytes=of("live_bytes"),
        live_per_doubling=of("live_per_doubling"),
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
        metadata_base_bytes=of("metadata_base_bytes"),
        metadata_share=of("metadata_share"),
        slot_garbage_share=np.minimum(of("slot_garbage_share"), MOST_SLOT_GARBAGE),
        unfilled_slot_share=of("unfilled_slot_share")
        * per_setting([_more_unfilled(model, s) for s in settings]),
        allocated_stack_bytes=of("allocated_stack_bytes"),
    )


def arrivals_served_share(model: Model) -> float:
    """Allocation per second while marking, over that of an open loop's arrivals, as calibration measured both."""
    return float(_shares_served(central_draws(model))[0])


def _shares_served(drawn: dict[str, FloatArray]) -> FloatArray:
    per_second = (
        drawn["alloc_bytes_per_cpu_second"] * drawn["mark_alloc_efficiency"] * drawn["mark_mutator_procs"]
    )
    return per_second / np.maximum(drawn["alloc_bytes_per_second"], 1.0)


def _served_share(model: Model, drawn: dict[str, FloatArray], settings: int) -> FloatArray:
    """Of arrivals, what each lane serves while marking, at most 1; of a load that moves it is not known, and 1."""
    served = np.minimum(_shares_served(drawn), 1.0)
    waits = model.loop == "open" and model.profile.is_steady and arrivals_served_share(model) < LEAST_SERVED
    return np.tile(served if waits else np.ones_like(served), settings)


def _more_unfilled(model: Model, settings: Settings) -> float:
    """How many more slots no allocation fits than at the calibrated setting."""
    return _UNFILLED_WITHOUT_GOGC if settings.gogc is None and model.settings.gogc is not None else 1.0


def _background_share(settings: Sequence[Settings], model: Model, replicas: int) -> FloatArray:
    """Workers at each setting's GOMAXPROCS relative to those at calibration."""
    procs = np.array([s.gomaxprocs for s in settings])
    calibrated_procs = model.settings.gomaxprocs
    calibrated = background_share(calibrated_procs) * calibrated_procs
    return np.repeat(background_share(procs) * procs / calibrated, replicas)


def _scaled_procs(busy: FloatArray, calibrated_procs: float, procs: FloatArray) -> FloatArray:
    """Ps the program keeps busy at another GOMAXPROCS: all if it did so before, else as many as before."""
    saturated = busy >= _SATURATED_SHARE * calibrated_procs
    return np.where(saturated, busy * procs / calibrated_procs, np.minimum(busy, procs))
