"""The parameters of each lane: one service at one setting, in arrays."""

import math
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.inputs.outside_heap import OutsideHeap
from gcsim.submodels.heap_growth import grown_peak_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParameters(OutsideHeap[FloatArray]):
    """Parameters of all lanes; arrays of shape (lanes,)."""

    replica: Int64Array  # lanes of one replica are the same possible service and have the same random numbers
    gc_percent: Int64Array  # -1: off
    memory_limit_bytes: Int64Array  # MAX_INT64: off
    gomaxprocs: FloatArray
    live_bytes: FloatArray
    recount_base_share: FloatArray  # of the live heap: growth of heapLive per cycle that is not allocation
    live_per_doubling: (
        FloatArray  # factor on the live heap per doubling of allocation between collections; near 1
    )
    root_bytes: FloatArray  # scanned stacks and globals
    arrival_bytes_per_second: FloatArray  # allocation that arrivals demand; infinite in a closed loop
    served_share: FloatArray  # of arrivals while marking; the program serves the rest afterwards
    capacity_bytes_per_second: FloatArray  # allocation at full speed outside marking
    sweep_seconds_per_byte: FloatArray  # at full speed outside marking, per byte of the heap's last peak
    mark_alloc_bytes_per_cpu_second: FloatArray
    mark_busy_procs: FloatArray  # closed loop: Ps on mutator and assists together
    mark_mutator_procs: FloatArray  # open loop: Ps on the mutator
    mark_background_procs: FloatArray
    assist_cpu_share: FloatArray  # of mark CPU, in a cycle that the heap goal does not limit
    mark_cpu_seconds: FloatArray
    mark_cpu_heap_exponent: FloatArray
    mark_cpu_heap_ratio: FloatArray  # heap growth at calibration (submodels.heap_growth)
    sweep_term_seconds: FloatArray  # mean of the first pause; the pacer counts it as marking
    mark_term_seconds: FloatArray  # mean of the second

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return int(self.gc_percent.shape[0])

    @property
    def calibrated_peak_bytes(self) -> FloatArray:
        """Mean heap size at the end of marking in the calibrated run."""
        return grown_peak_bytes(self.mark_cpu_heap_ratio, self.live_bytes, self.root_bytes)

    @property
    def unhindered_mark_bytes(self) -> FloatArray:
        """Allocation in a mark phase of mean CPU time in which no assist slows the program, bytes."""
        if self.open_loop:
            mutator = np.minimum(self.mark_mutator_procs, self.gomaxprocs - self.mark_background_procs)
        else:
            mutator = self.mark_busy_procs
        workers = np.maximum(self.gomaxprocs - mutator, self.mark_background_procs)
        seconds = self.mark_cpu_seconds / np.maximum(workers, 1e-9)
        return self.mark_alloc_bytes_per_cpu_second * mutator * seconds

    @property
    def fixed(self) -> "FixedParts":
        """The quantities that follow from the parameters alone and are the same in each cycle."""
        return FixedParts(
            open_loop=self.open_loop,
            root_bytes=self.root_bytes.astype(np.int64),
            calibrated_peak_bytes=self.calibrated_peak_bytes,
            unhindered_mark_bytes=self.unhindered_mark_bytes,
        )

    @property
    def open_loop(self) -> bool:
        """Whether arrivals set the allocation rate; the same in every lane, because lanes share their model."""
        arrivals = self.arrival_bytes_per_second
        return arrivals.size > 0 and math.isfinite(arrivals[0])

    def select(self, keep: BoolArray) -> Self:
        """The lanes that ``keep`` marks."""
        return type(self)(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedParts:
    """The result of ``LaneParameters.fixed``; arrays of shape (lanes,)."""

    open_loop: bool
    root_bytes: Int64Array
    calibrated_peak_bytes: FloatArray
    unhindered_mark_bytes: FloatArray
