"""The parameters of one simulated run: one service at one setting, as scalars in bytes and nanoseconds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gcsim.engine.des.heap.pools import PlayedPool
from gcsim.engine.inputs.bounds import MAX_GETS_PER_SECOND
from gcsim.engine.inputs.draws import lane_parameters
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.inputs.outside_heap import OutsideHeap
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.service.parameters import OUTSIDE_HEAP, PARAMETER_NAMES
from gcsim.settings import Settings
from gcsim.submodels.heap_growth import grown_peak_bytes

_NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerParameters:
    """Parameters that a gctrace does not contain: of the scheduler and of the objects."""

    pass_interval_ns: int = 10_000_000  # a goroutine enters the scheduler this often; at most sysmon's slice
    scannable_share: float = 0.8  # scan work per byte of the live heap
    goroutines_per_p: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParameters(OutsideHeap[float]):
    """One lane of the lane engine in this engine's units, and parameters that a gctrace does not contain."""

    gc_percent: int  # -1: off
    memory_limit_bytes: int  # MAX_INT64: off
    gomaxprocs: int
    live_bytes: float
    live_per_doubling: float
    recount_base_share: float  # of the live heap: growth of heapLive per cycle that is not allocation
    root_bytes: float
    open_loop: bool
    arrival_bytes_per_ns: float  # allocation that arrivals demand; 0 in a closed loop
    served_share: float  # of arrivals while marking; the program serves the rest afterwards
    capacity_bytes_per_ns: float  # allocation of all Ps that the program uses, outside marking
    busy_procs: float
    sweep_cpu_ns_per_byte: float  # per byte of the heap's last peak, paid by allocation
    mark_alloc_bytes_per_cpu_ns: float
    alloc_bytes_per_cpu_ns: float  # outside marking
    mark_cpu_ns: float
    unhindered_mark_bytes: float  # allocation in a mark phase in which no assist slows the program
    assist_cpu_share: float  # of mark CPU, in a cycle that the heap goal does not limit
    mark_cpu_heap_exponent: float
    mark_cpu_heap_ratio: float
    rss_base_bytes: float
    rss_ratio: float  # resident bytes per byte of retained heap
    pause_scale: float
    goroutines: int  # number of goroutines that allocate
    scannable_share: float
    explicit_gc_period_ns: int  # between two calls of runtime.GC; 0 for no calls
    pass_interval_ns: int  # a running goroutine enters the scheduler at least this often
    pools: tuple[PlayedPool, ...] = ()

    @property
    def calibrated_peak_bytes(self) -> float:
        """Mean heap size at the end of marking in the calibrated run."""
        return float(grown_peak_bytes(self.mark_cpu_heap_ratio, self.live_bytes, self.root_bytes))


def run_parameters(
    lanes: LaneParameters,
    lane: int,
    *,
    drawn: Mapping[str, float],
    knobs: SchedulerParameters,
    model: Model,
    explicit_gc_seconds: float | None = None,
) -> RunParameters:
    """The parameters of one lane of a model; ``drawn`` are the model's parameters of that lane's replica."""

    def of(name: str) -> float:
        return float(getattr(lanes, name)[lane])

    procs = int(lanes.gomaxprocs[lane])
    mark_alloc = of("mark_alloc_bytes_per_cpu_second") / _NS
    alloc = drawn["alloc_bytes_per_cpu_second"] / _NS
    open_loop = math.isfinite(of("arrival_bytes_per_second"))
    # the program serves arrivals that waited while marking with every P; the model's capacity counts the Ps in use
    capacity = alloc * procs if open_loop else of("capacity_bytes_per_second") / _NS
    arrivals = of("arrival_bytes_per_second") / _NS if open_loop else 0.0
    return RunParameters(
        gc_percent=int(lanes.gc_percent[lane]),
        memory_limit_bytes=int(lanes.memory_limit_bytes[lane]),
        gomaxprocs=procs,
        open_loop=open_loop,
        arrival_bytes_per_ns=arrivals,
        served_share=of("served_share"),
        capacity_bytes_per_ns=capacity,
        busy_procs=capacity / alloc,
        sweep_cpu_ns_per_byte=drawn["sweep_cpu_seconds_per_byte"] * _NS,
        mark_alloc_bytes_per_cpu_ns=mark_alloc,
        alloc_bytes_per_cpu_ns=alloc,
        mark_cpu_ns=of("mark_cpu_seconds") * _NS,
        rss_base_bytes=drawn["rss_base_bytes"],
        rss_ratio=drawn["rss_ratio"],
        pause_scale=drawn["pause_scale"],
        goroutines=knobs.goroutines_per_p * procs,
        scannable_share=knobs.scannable_share,
        explicit_gc_period_ns=0 if explicit_gc_seconds is None else max(int(explicit_gc_seconds * _NS), 1),
        pass_interval_ns=knobs.pass_interval_ns,
        pools=_played_pools(model, arrivals if open_loop else capacity),
        **{name: of(name) for name in _SAME},
    )


def _played_pools(model: Model, bytes_per_ns: float) -> tuple[PlayedPool, ...]:
    """The model's pools on the clock of work, where the program allocates ``bytes_per_ns``."""
    calibrated = model.parameters.alloc_bytes_per_second.value
    gets = sum(pool.gets_per_second for pool in model.pools) * bytes_per_ns * _NS / calibrated
    if gets > MAX_GETS_PER_SECOND:
        raise InputError(
            f"{model.name}: its pools have {gets:,.0f} Gets a second, and the event engine plays at most"
            f" {MAX_GETS_PER_SECOND:,.0f}; use --engine lanes"
        )
    return tuple(
        PlayedPool(
            gets_per_byte=pool.gets_per_second / calibrated,
            hold_bytes=pool.hold_seconds * _NS * bytes_per_ns,
            object_bytes=pool.object_bytes,
            goroutines=pool.goroutines,
        )
        for pool in model.pools
    )


_SAME = (
    "live_bytes",
    "unhindered_mark_bytes",
    "live_per_doubling",
    "root_bytes",
    "assist_cpu_share",
    "mark_cpu_heap_exponent",
    "mark_cpu_heap_ratio",
    "recount_base_share",
    *OUTSIDE_HEAP,
)


def central_parameters(
    model: Model, settings: Settings, knobs: SchedulerParameters, *, explicit_gc_seconds: float | None = None
) -> RunParameters:
    """The parameters of a run at the model's central values."""
    central = {name: getattr(model.parameters, name).value for name in PARAMETER_NAMES}
    lanes = lane_parameters(model, [settings], {name: np.array([value]) for name, value in central.items()})
    return run_parameters(
        lanes, 0, drawn=central, knobs=knobs, model=model, explicit_gc_seconds=explicit_gc_seconds
    )
