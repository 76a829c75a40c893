"""The parts of memory outside the heap: their priors, and their posterior given measurements."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.memory.file_pages import KERNEL
from gcsim.calibration.memory.measurements import CountedMemory, MemoryEvidence, OutsideHeap, ProcessMemory
from gcsim.calibration.stats.smc import posterior_draws
from gcsim.capture.memory_map import CHUNK_BYTES
from gcsim.service.parameters import Parameter, ParameterOrigin
from gcsim.submodels.process_memory import UNFILLED_AT_PEAK, container_bytes
from gcsim.units import MIB

# A full stack doubles; a stack that uses less than a quarter halves once a cycle (Go 1.19+ newstack, shrinkstack).
# The log prints scanned bytes, the limit counts allocated bytes. Allocated over scanned, measured with goroutines that
# wait at 0.4 to 9 KiB and go deeper for each request or not (`experiments/memory_priors.py stacks`): 1.6 to 12.8,
# median 3.5. The runtime's own stacks and the stack caches of the Ps take another 0.3 MiB.
ALLOCATED_PER_SCANNED = Parameter(
    3.5, 0.6, "prior: stacks allocated for each byte scanned, 1.5 to 12", "prior"
)
_LEAST_PER_SCANNED = 1.05
OWN_STACK_BYTES = 0.3 * MIB
# Pages of stacks are resident once touched. Resident over allocated in the runs above: 0.7 to 1; 0.5 where stacks had
# doubled for slightly more than they held (64 KiB for 33); less where they had halved since.
_LEAST_TOUCHED = 0.35
MEDIAN_TOUCHED = math.sqrt(_LEAST_TOUCHED)
# Text, data and C memory, less memory that is mapped and never touched: -1.6 MiB with a binary of 2 MB, -0.6 to
# 0.7 MiB with a binary of 10 MB, 2.7 MiB with an HTTP server, tens of MiB with the largest binaries.
_BINARY_BYTES = Parameter(3.0 * MIB, 0.6)
UNTOUCHED_BYTES = 3.0 * MIB
LEAST_NON_GO_BYTES = 0.1 * MIB
# Partly filled spans of all size classes, with live heaps of 2 to 4 MiB: 0.5 to 0.9 MiB of slots that stay free.
BEGUN_SPAN_BYTES = 0.7 * MIB
# The heap grows by 4 MiB at a time (``mheap.grow``), and returned pages stay mapped. Mapped less resident, without
# untouched stacks, in 22 programs: 0 to 8 MiB.
_SPARE_BYTES, _SPARE_ERROR_BYTES, _SPARE_ERROR = 3.5 * MIB, 2.2 * MIB, 0.01
# Free slots at the calibrated run's highest heap over free slots at mark end under a limit.
_UNFILLED_AT_PEAK = Parameter(UNFILLED_AT_PEAK, 1.2)

# Anonymous memory outside Go, and written data of the binary, where file pages have a term of their own: 0.1 to 5 MiB.
_OTHER_BYTES = Parameter(0.5 * MIB, 1.4)

_DEVIATIONS = 7  # standard normals of the priors, in the order of ``Parts.at_deviations``
_FILE_DEVIATIONS = 3  # more where measurements tell file pages from anonymous memory
_PEAK_ERROR_BYTES, _PEAK_ERROR = 0.3 * MIB, 0.005  # error of the sum of the parts of a resident peak
_CONTAINER_ERROR_BYTES = 1.0 * MIB  # of a container's memory: pages that another container was charged for
_LIMIT_ERROR_BYTES = 0.3 * MIB  # error of their sum at mark ends
# error of metadata and stacks in the runtime's counts
_COUNTED_ERROR_BYTES, _COUNTED_ERROR = 0.1 * MIB, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of memory outside the heap, arrays of one shape.

    Fields that end in ``_bytes`` are sizes in bytes. Fields that end in ``_share`` are sizes divided by the heap peak.
    """

    metadata_base_bytes: FloatArray
    metadata_share: FloatArray
    unfilled_slot_share: FloatArray  # free slots at mark ends under a limit
    allocated_stack_bytes: FloatArray
    rss_beside_bytes: FloatArray  # may be negative
    resident_stack_bytes: FloatArray
    fragment_share: FloatArray  # free slots and pages at the highest heap
    file_resident_bytes: FloatArray  # with C memory, if no measurement separates the two
    file_hot_share: FloatArray
    kernel_bytes: FloatArray

    @classmethod
    def at_deviations(
        cls,
        deviations: FloatArray,
        priors: Mapping[str, Parameter],
        *,
        scanned_stack_bytes: float,
        file: Parameter | None,
    ) -> Self:
        """The parts at deviations from their priors, shape (7, ...) or (10, ...), standard normal a priori.

        ``file`` is the prior of file pages, with 10 deviations. Without it, file pages and C memory are one part.
        """
        from scipy.special import ndtr  # here: the import takes longer than reading a log

        base, share, slots, stacks, untouched, binary, filled, *file_deviations = deviations

        def at(parameter: Parameter, deviation: FloatArray) -> FloatArray:
            values: FloatArray = parameter.value * np.exp(parameter.rel_sd * deviation)
            return values

        own = np.maximum(at(ALLOCATED_PER_SCANNED, stacks), _LEAST_PER_SCANNED) * scanned_stack_bytes
        touched = _LEAST_TOUCHED ** ndtr(untouched)
        unfilled = at(priors["unfilled_slot_share"], slots)
        if file is None:
            file_bytes = non_go = at(_BINARY_BYTES, binary)
            hot_share, kernel = (
                np.full_like(base, priors["file_hot_share"].value),
                np.full_like(base, KERNEL.value),
            )
        else:
            pages, hot, kernel_deviation = file_deviations
            file_bytes = at(file, pages)
            non_go = file_bytes + at(_OTHER_BYTES, binary)
            hot_share, kernel = (
                np.minimum(at(priors["file_hot_share"], hot), 1.0),
                at(KERNEL, kernel_deviation),
            )
        return cls(
            metadata_base_bytes=at(priors["metadata_base_bytes"], base),
            metadata_share=at(priors["metadata_share"], share),
            unfilled_slot_share=unfilled,
            allocated_stack_bytes=own + OWN_STACK_BYTES,
            rss_beside_bytes=non_go - UNTOUCHED_BYTES,
            resident_stack_bytes=np.maximum(touched * own, scanned_stack_bytes) + OWN_STACK_BYTES,
            fragment_share=unfilled * at(_UNFILLED_AT_PEAK, filled),
            file_resident_bytes=file_bytes,
            file_hot_share=hot_share,
            kernel_bytes=kernel,
        )

    def standardized_residuals(self, evidence: MemoryEvidence, heap_peak_bytes: float) -> FloatArray:
        """(sum of parts - measurement) / standard error, shape (k, ...), for k >= 1 measurements."""
        found = [] if evidence.limited is None else [self._limit_residual(evidence.limited)]
        if evidence.counted is not None:
            found += self._count_residuals(evidence.counted, heap_peak_bytes)
        if evidence.process is not None:
            found += self._process_residuals(evidence.process, heap_peak_bytes)
        return np.stack(found) if found else np.zeros((1, *self.metadata_share.shape))

    def _process_residuals(self, process: ProcessMemory, heap_peak_bytes: float) -> list[FloatArray]:
        """Residuals of RSS or else of anonymous memory, and of the container's memory."""
        found: list[FloatArray] = []
        anonymous = self.anonymous_bytes(heap_peak_bytes)
        if process.rss_peak_bytes is not None:
            found += self._peak_residuals(process, process.rss_peak_bytes, heap_peak_bytes)
        elif process.anonymous_peak_bytes is not None:
            error = _peak_error(process.anonymous_peak_bytes, process.peak_error)
            found.append((anonymous - process.anonymous_peak_bytes) / error)
        if process.container_peak_bytes is not None:
            size = process.container_peak_bytes
            error = math.hypot(_CONTAINER_ERROR_BYTES, _peak_error(size, process.container_error))
            charged = container_bytes(
                anonymous,
                file_bytes=self.file_resident_bytes,
                hot_share=self.file_hot_share,
                kernel_bytes=self.kernel_bytes,
            )
            found.append((charged - size) / error)
        return found

    def anonymous_bytes(self, heap_peak_bytes: float) -> FloatArray:
        """Anonymous memory at the highest heap."""
        return self.rss_bytes(heap_peak_bytes) - self.file_resident_bytes

    def rss_bytes(self, heap_peak_bytes: float) -> FloatArray:
        """Resident memory at the highest heap."""
        return self._outside_arenas(heap_peak_bytes) + self._in_arenas(heap_peak_bytes)

    def _outside_arenas(self, heap_peak_bytes: float) -> FloatArray:
        metadata = self.metadata_base_bytes - BEGUN_SPAN_BYTES + self.metadata_share * heap_peak_bytes
        return metadata + self.rss_beside_bytes

    def _in_arenas(self, heap_peak_bytes: float) -> FloatArray:
        return (1.0 + self.fragment_share) * heap_peak_bytes + BEGUN_SPAN_BYTES + self.resident_stack_bytes

    def _count_residuals(self, counted: CountedMemory, heap_peak_bytes: float) -> list[FloatArray]:
        """Residuals of metadata + stacks, and of free slots at mark end, which include partly filled spans."""
        outside = self.metadata_base_bytes - BEGUN_SPAN_BYTES + self.metadata_share * heap_peak_bytes
        slots = self.unfilled_slot_share * counted.heap_peak_bytes + BEGUN_SPAN_BYTES
        error = math.hypot(_COUNTED_ERROR_BYTES, _COUNTED_ERROR * counted.outside_spans_bytes)
        return [
            (outside + self.allocated_stack_bytes - counted.outside_spans_bytes) / error,
            (slots - counted.unfilled_slot_bytes) / counted.unfilled_error_bytes,
        ]

    def _limit_residual(self, limited: OutsideHeap) -> FloatArray:
        share = self.metadata_share + self.unfilled_slot_share
        outside = self.metadata_base_bytes + self.allocated_stack_bytes + share * limited.heap_peak_bytes
        return (outside - limited.bytes) / math.hypot(limited.error_bytes, _LIMIT_ERROR_BYTES)

    def _peak_residuals(
        self, process: ProcessMemory, rss_peak_bytes: float, heap_peak_bytes: float
    ) -> list[FloatArray]:
        """Residuals of the resident peak; with a memory map: outside the arenas, inside them, and mapped by them."""
        error = _peak_error(rss_peak_bytes, process.peak_error)
        outside, heap = self._outside_arenas(heap_peak_bytes), self._in_arenas(heap_peak_bytes)
        if process.rss_outside_heap_bytes is None or process.heap_mapped_bytes is None:
            return [(outside + heap - rss_peak_bytes) / error]
        resident = rss_peak_bytes - process.rss_outside_heap_bytes
        if process.heap_mapped_bytes < resident - CHUNK_BYTES:  # the map was read before the heap had grown
            return [(outside + heap - rss_peak_bytes) / error]
        untouched = self.allocated_stack_bytes - self.resident_stack_bytes
        spare = math.hypot(_SPARE_ERROR_BYTES, _SPARE_ERROR * heap_peak_bytes)
        return [
            (outside - process.rss_outside_heap_bytes)
            / math.hypot(_PEAK_ERROR_BYTES, process.peak_error * process.rss_outside_heap_bytes),
            (heap - resident) / error,
            (untouched + _SPARE_BYTES - (process.heap_mapped_bytes - resident)) / spare,
        ]

    def parameters(
        self, priors: Mapping[str, Parameter], source: str, origin: ParameterOrigin
    ) -> dict[str, Parameter]:
        """The log-normal parameters fitted to the draws, shape (n,)."""
        draws = {
            "metadata_base_bytes": self.metadata_base_bytes,
            "metadata_share": self.metadata_share,
            "unfilled_slot_share": self.unfilled_slot_share,
            "allocated_stack_bytes": self.allocated_stack_bytes,
        }
        return {
            name: log_normal(values, f"{priors[name].source}; updated by {source}", origin)
            for name, values in draws.items()
        }


def memory_posterior(
    priors: Mapping[str, Parameter],
    *,
    scanned_stack_bytes: float,
    heap_peak_bytes: float,
    evidence: MemoryEvidence,
    file: Parameter | None,
) -> Parts | None:
    """Posterior draws of the parts, shape (n,), given the measurements; None without a measurement.

    ``file`` is the prior of file pages; None if the measurements are of RSS alone (``Parts.at_deviations``). If no draw
    fits all measurements within one standard error, all standard errors are scaled until one does.
    """
    if not evidence.has_sums:
        return None
    dimensions = _DEVIATIONS if file is None else _DEVIATIONS + _FILE_DEVIATIONS

    def parts(deviations: FloatArray) -> Parts:
        return Parts.at_deviations(deviations, priors, scanned_stack_bytes=scanned_stack_bytes, file=file)

    def standardized_residuals(deviations: FloatArray) -> FloatArray:
        return parts(deviations).standardized_residuals(evidence, heap_peak_bytes)

    draws = posterior_draws(standardized_residuals, dimensions)
    widen = float(np.abs(standardized_residuals(draws)).max(axis=0).min())
    if widen > 1.0:
        draws = posterior_draws(lambda deviations: standardized_residuals(deviations) / widen, dimensions)
    return parts(draws)


def _peak_error(size_bytes: float, reading_error: float) -> float:
    """Standard error of the parts' sum against a peak; ``reading_error`` is the relative one of a momentary reading."""
    error = math.hypot(_PEAK_ERROR_BYTES, _PEAK_ERROR * size_bytes)
    return math.hypot(error, reading_error * size_bytes)


def log_normal(values: FloatArray, source: str, origin: ParameterOrigin) -> Parameter:
    """The log-normal parameter with the mean and standard deviation of the logarithms of ``values``."""
    logs = np.log(values)
    return Parameter(math.exp(float(logs.mean())), float(logs.std()), source, origin)
