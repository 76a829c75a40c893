"""What each lane of the cycle-by-cycle engine is given: one service at one setting, in arrays."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.submodels.heap_growth import grown_peak_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParameters:
    """Arrays of shape (lanes,), float64 unless said otherwise."""

    replica: (
        Int64Array  # the possible service that the lane is: lanes of one replica meet the same random numbers
    )
    gc_percent: Int64Array  # -1: off
    memory_limit_bytes: Int64Array  # MAX_INT64: off
    gomaxprocs: FloatArray
    live_bytes: FloatArray
    live_per_doubling: FloatArray  # near 1: what is kept where twice as much is allocated between collections
    root_bytes: FloatArray  # scanned stacks and globals
    arrival_bytes_per_second: FloatArray  # allocation that arrivals demand; infinite in a closed loop
    served_share: FloatArray  # of arrivals, while marking; the rest is served afterwards
    capacity_bytes_per_second: FloatArray  # allocation at full speed outside marking
    sweep_seconds_per_byte: FloatArray  # at full speed outside marking, of the heap's last peak
    mark_alloc_bytes_per_cpu_second: FloatArray
    mark_busy_procs: FloatArray  # closed loop: Ps on mutator and assists together
    mark_mutator_procs: FloatArray  # open loop: Ps on the mutator
    mark_background_procs: FloatArray
    assist_cpu_share: FloatArray  # of mark CPU, in a cycle with runway to spare
    mark_cpu_seconds: FloatArray
    mark_cpu_heap_exponent: FloatArray
    mark_cpu_heap_ratio: FloatArray  # growth of the heap at calibration, as submodels.heap_growth defines it
    sweep_term_seconds: FloatArray  # mean of the first pause; the pacer counts it as marking
    mark_term_seconds: FloatArray  # mean of the second
    metadata_base_bytes: FloatArray
    metadata_share: FloatArray
    slot_garbage_share: FloatArray
    unfilled_slot_share: FloatArray
    allocated_stack_bytes: FloatArray

    @property
    def lanes(self) -> int:
        return int(self.gc_percent.shape[0])

    @property
    def calibrated_peak_bytes(self) -> FloatArray:
        """The heap at the end of marking at calibration, on average."""
        return grown_peak_bytes(self.mark_cpu_heap_ratio, self.live_bytes, self.root_bytes)

    @property
    def unhindered_mark_bytes(self) -> FloatArray:
        """Bytes that a mark phase of the mean mark CPU allocates where no assist slows the program."""
        if self.open_loop:
            mutator = np.minimum(self.mark_mutator_procs, self.gomaxprocs - self.mark_background_procs)
        else:
            mutator = self.mark_busy_procs
        workers = np.maximum(self.gomaxprocs - mutator, self.mark_background_procs)
        seconds = self.mark_cpu_seconds / np.maximum(workers, 1e-9)
        return self.mark_alloc_bytes_per_cpu_second * mutator * seconds

    @property
    def open_loop(self) -> bool:
        """Whether arrivals set the pace; the same in every lane, for lanes share their model."""
        return bool(np.isfinite(self.arrival_bytes_per_second).any())

    def select(self, keep: BoolArray) -> Self:
        """The lanes that ``keep`` marks."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})
