"""What calibration learned about one service: named numbers, each with its uncertainty and its source."""

import math
from dataclasses import dataclass, fields

from gcsim.errors import InputError

MAY_BE_NEGATIVE = ("mark_cpu_heap_exponent",)  # whose deviations add, where all others' multiply


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a model, with the relative standard deviation of its uncertainty."""

    value: float
    rel_sd: float = 0.0  # of log(value): 0.05 is about plus or minus 5 %; of an exponent, of the value itself
    source: str = ""  # "log", "prior: ...", or how else it came about

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InputError(f"a model's value must be finite, got {self.value}")
        if not (math.isfinite(self.rel_sd) and 0 <= self.rel_sd <= 10):
            raise InputError(f"a model's rel_sd must be from 0 to 10, got {self.rel_sd}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a service, as they were at the calibrated settings.

    "P" is one processor's time; shares "of marking" are taken over the wall time of the mark phases,
    sweep termination included, as the pacer takes them (Go 1.19+ ``gcControllerState.endCycle``).
    """

    # the heap
    live_bytes: Parameter  # live when a cycle begins: h2 - (h1 - h0)
    live_per_doubling: (
        Parameter  # live heap where twice as much is allocated between collections, over live heap
    )
    stack_bytes: Parameter  # scanned stacks, the heap goal's term
    globals_bytes: Parameter
    # allocation
    alloc_bytes_per_second: Parameter  # mean over the run, marking included, recounted ends of spans not
    alloc_bytes_per_cpu_second: Parameter  # per second of one P's mutator time outside marking
    sweep_cpu_seconds_per_byte: (
        Parameter  # of the heap's peak: what a collection costs the mutator afterwards
    )
    sweep_share: (
        Parameter  # of the mutator's CPU outside marking, that sweeping at this cost took at calibration
    )
    recounted_share: (
        Parameter  # of heapLive's growth outside marking at calibration: ends of spans, counted again
    )
    recounted_share_of_all: Parameter  # the same, of its growth over all
    mutator_procs: Parameter  # Ps that the program can keep busy
    mark_alloc_efficiency: Parameter  # allocation per mutator second while marking, relative to outside
    mark_mutator_procs: Parameter  # Ps running the mutator while marking, assists left out
    # marking
    mark_cpu_seconds: Parameter  # assists, background and idle workers together, per cycle
    mark_cpu_heap_ratio: Parameter  # heap peak / live at calibration
    mark_cpu_heap_exponent: Parameter  # mark CPU grows with (heap peak / live) to this power
    mark_background_procs: Parameter  # Ps on dedicated and fractional workers while marking
    mark_idle_procs: Parameter  # Ps on idle workers while marking
    assist_cpu_seconds: (
        Parameter  # of assists in a cycle with the runway of pacing: credit comes late and in lumps
    )
    # pauses
    pause_scale: Parameter  # on every pause; 1, with what a run's pauses differ from the next run's
    # memory that gctrace does not show
    metadata_base_bytes: Parameter  # the runtime's own memory, which counts against GOMEMLIMIT: constant part
    metadata_share: Parameter  # and the part that grows with heap in use
    slot_garbage_share: (
        Parameter  # of garbage, in spans that hold a live object too: free slots after a sweep
    )
    unfilled_slot_share: Parameter  # of the heap's peak: slots that no allocation fits, free even at mark end
    allocated_stack_bytes: Parameter
    rss_base_bytes: Parameter  # resident beside the heap: constant part
    rss_ratio: Parameter  # resident bytes per byte of heap peak
    rss_beside_bytes: Parameter  # of the constant part, what no GOMEMLIMIT counts: text, data, C memory

    def __post_init__(self) -> None:
        for f in fields(self):
            parameter = getattr(self, f.name)
            if parameter.value < 0 and f.name not in MAY_BE_NEGATIVE:
                raise InputError(f"a model's {f.name} must be 0 or more, got {parameter.value}")


PARAMETER_NAMES = tuple(field.name for field in fields(Parameters))
