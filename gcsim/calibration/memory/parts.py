"""What memory outside the heap is made of: parts drawn from priors, weighed by what a capture or a limit tells."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr

from gcsim.arrays import FloatArray
from gcsim.calibration.memory.counted import CountedMemory
from gcsim.calibration.memory.limit_goals import OutsideHeap
from gcsim.calibration.stats.smc import posterior_draws
from gcsim.capture.info import CaptureInfo
from gcsim.service.parameters import Parameter, ParameterOrigin
from gcsim.submodels.process_memory import UNFILLED_AT_PEAK
from gcsim.units import MIB

# A stack doubles when it is full and halves, once a cycle, where less than a quarter is used (Go 1.19+ newstack,
# shrinkstack); the log prints what was scanned, the limit counts what is allocated. Measured over goroutines that wait
# at 0.4 to 9 KiB and go deeper for each request or not (`experiments/memory_priors.py stacks`): 1.6 to 12.8 times,
# median 3.5. Beside them the runtime's own stacks and each P's cache of free ones are 0.3 MiB.
ALLOCATED_PER_SCANNED = Parameter(
    3.5, 0.6, "prior: stacks allocated for each byte scanned, 1.5 to 12", "prior"
)
_LEAST_PER_SCANNED = 1.05
OWN_STACK_BYTES = 0.3 * MIB
# Pages of stacks are resident once touched: 0.7 to 1 of what is allocated in the runs above, half of it where stacks
# doubled for a little more than they held (64 KiB for 33), less where they were halved since.
_LEAST_TOUCHED = 0.35
MEDIAN_TOUCHED = math.sqrt(_LEAST_TOUCHED)
# Text, data and C memory, less what is mapped and never touched: -1.6 MiB with a binary of 2 MB, -0.6 to 0.7 with five
# times that, 2.7 with an HTTP server, and tens of MiB with the largest ones.
_BINARY_BYTES = Parameter(3.0 * MIB, 0.6)
_UNTOUCHED_BYTES = 3.0 * MIB
_LEAST_BESIDE_BYTES = 0.1 * MIB
BESIDE_BYTES = Parameter(0.4 * MIB, 1.2, "prior: resident text, data and C memory, up to 4 MiB", "prior")
# Spans of each size class that are begun, with live heaps of 2 to 4 MiB: 0.5 to 0.9 MiB of slots that are never filled.
BEGUN_SPAN_BYTES = 0.7 * MIB
# Arenas become usable 4 MiB at a time (``mheap.grow``), and pages given back stay mapped: 0 to 8 MiB more than is
# resident in 22 programs, beside stacks that were never touched.
_SPARE_BYTES, _SPARE_ERROR_BYTES, _SPARE_ERROR = 3.5 * MIB, 2.2 * MIB, 0.01
# Of what stays unfilled at mark end under a limit, the part that was there at the calibrated run's highest heap too.
_UNFILLED_AT_PEAK = Parameter(UNFILLED_AT_PEAK, 1.2)

_DEVIATIONS = 7  # the priors' standard normals, in the order of ``Parts.of``
_PEAK_ERROR_BYTES, _PEAK_ERROR = 0.3 * MIB, 0.005  # of what the drawn parts of a resident peak add up to
_LIMIT_ERROR_BYTES = 0.3 * MIB  # of what they add up to at mark ends
# of metadata and stacks where the runtime's counts were read
_COUNTED_ERROR_BYTES, _COUNTED_ERROR = 0.1 * MIB, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """What was measured of one process's memory, in bytes; None where the map was not looked at."""

    rss_peak_bytes: float
    rss_outside_heap_bytes: float | None = None
    heap_mapped_bytes: float | None = None

    @classmethod
    def by(cls, info: CaptureInfo | None) -> Self | None:
        """What a capture's side file says; None where that is nothing."""
        if info is None or not info.rss_peak_bytes:
            return None
        return cls(
            rss_peak_bytes=float(info.rss_peak_bytes),
            rss_outside_heap_bytes=info.rss_outside_heap_bytes,
            heap_mapped_bytes=info.heap_mapped_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEvidence:
    """What was measured of one service's memory outside its objects; None where it was not."""

    seen: ProcessMemory | None = None
    limited: OutsideHeap | None = None
    counted: CountedMemory | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return not (self.seen is None and self.limited is None and self.counted is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Arrays of one shape. Sizes in bytes, shares of the heap's peak."""

    metadata_base_bytes: FloatArray
    metadata_share: FloatArray
    unfilled_slot_share: FloatArray  # at mark ends under a limit
    allocated_stack_bytes: FloatArray
    rss_beside_bytes: FloatArray  # may be negative
    resident_stack_bytes: FloatArray
    fragment_share: FloatArray  # free slots and pages at the highest heap

    @classmethod
    def of(
        cls, deviations: FloatArray, priors: Mapping[str, Parameter], *, scanned_stack_bytes: float
    ) -> Self:
        """The parts at given deviations from their priors, shape (7, ...), standard normal a priori."""
        base, share, slots, stacks, untouched, binary, filled = deviations

        def at(parameter: Parameter, deviation: FloatArray) -> FloatArray:
            values: FloatArray = parameter.value * np.exp(parameter.rel_sd * deviation)
            return values

        own = np.maximum(at(ALLOCATED_PER_SCANNED, stacks), _LEAST_PER_SCANNED) * scanned_stack_bytes
        touched = _LEAST_TOUCHED ** ndtr(untouched)
        unfilled = at(priors["unfilled_slot_share"], slots)
        return cls(
            metadata_base_bytes=at(priors["metadata_base_bytes"], base),
            metadata_share=at(priors["metadata_share"], share),
            unfilled_slot_share=unfilled,
            allocated_stack_bytes=own + OWN_STACK_BYTES,
            rss_beside_bytes=at(_BINARY_BYTES, binary) - _UNTOUCHED_BYTES,
            resident_stack_bytes=np.maximum(touched * own, scanned_stack_bytes) + OWN_STACK_BYTES,
            fragment_share=unfilled * at(_UNFILLED_AT_PEAK, filled),
        )

    def standardized_residuals(self, told: MemoryEvidence, heap_peak_bytes: float) -> FloatArray:
        """How far the parts are from adding up to what was measured, in standard errors: shape (k, ...).

        One thing was measured at least.
        """
        found = [] if told.limited is None else [self._missed_limit(told.limited)]
        if told.counted is not None:
            found += self._missed_counts(told.counted, heap_peak_bytes)
        if told.seen is not None:
            found += self._missed_peak(told.seen, heap_peak_bytes)
        return np.stack(found)

    def _missed_counts(self, counted: CountedMemory, heap_peak_bytes: float) -> list[FloatArray]:
        """Metadata and stacks; and free slots at mark end, of which spans that are begun are a part."""
        outside = self.metadata_base_bytes - BEGUN_SPAN_BYTES + self.metadata_share * heap_peak_bytes
        slots = self.unfilled_slot_share * counted.heap_peak_bytes + BEGUN_SPAN_BYTES
        error = math.hypot(_COUNTED_ERROR_BYTES, _COUNTED_ERROR * counted.outside_spans_bytes)
        return [
            (outside + self.allocated_stack_bytes - counted.outside_spans_bytes) / error,
            (slots - counted.unfilled_slot_bytes) / counted.unfilled_error_bytes,
        ]

    def _missed_limit(self, limited: OutsideHeap) -> FloatArray:
        share = self.metadata_share + self.unfilled_slot_share
        outside = self.metadata_base_bytes + self.allocated_stack_bytes + share * limited.heap_peak_bytes
        return (outside - limited.bytes) / math.hypot(limited.error_bytes, _LIMIT_ERROR_BYTES)

    def _missed_peak(self, seen: ProcessMemory, heap_peak_bytes: float) -> list[FloatArray]:
        """The resident peak, whole or parted into the heap's arenas and the rest; then what the arenas map."""
        error = math.hypot(_PEAK_ERROR_BYTES, _PEAK_ERROR * seen.rss_peak_bytes)
        beside = self.metadata_base_bytes - BEGUN_SPAN_BYTES + self.metadata_share * heap_peak_bytes
        beside = beside + self.rss_beside_bytes
        heap = (1.0 + self.fragment_share) * heap_peak_bytes + BEGUN_SPAN_BYTES + self.resident_stack_bytes
        if seen.rss_outside_heap_bytes is None or seen.heap_mapped_bytes is None:
            return [(beside + heap - seen.rss_peak_bytes) / error]
        resident = seen.rss_peak_bytes - seen.rss_outside_heap_bytes
        untouched = self.allocated_stack_bytes - self.resident_stack_bytes
        spare = math.hypot(_SPARE_ERROR_BYTES, _SPARE_ERROR * heap_peak_bytes)
        return [
            (beside - seen.rss_outside_heap_bytes) / _PEAK_ERROR_BYTES,
            (heap - resident) / error,
            (untouched + _SPARE_BYTES - (seen.heap_mapped_bytes - resident)) / spare,
        ]

    def parameters(
        self, priors: Mapping[str, Parameter], source: str, origin: ParameterOrigin
    ) -> dict[str, Parameter]:
        """The log-normals that draws, shape (n,), amount to."""
        held = {
            "metadata_base_bytes": self.metadata_base_bytes,
            "metadata_share": self.metadata_share,
            "unfilled_slot_share": self.unfilled_slot_share,
            "allocated_stack_bytes": self.allocated_stack_bytes,
            "rss_beside_bytes": np.maximum(self.rss_beside_bytes, _LEAST_BESIDE_BYTES),
        }
        return {
            name: _log_normal(values, f"{priors[name].source}; held to {source}", origin)
            for name, values in held.items()
        }


def memory_posterior(
    priors: Mapping[str, Parameter],
    *,
    scanned_stack_bytes: float,
    heap_peak_bytes: float,
    told: MemoryEvidence,
) -> Parts | None:
    """Draws of what the parts are, given what was measured; None where nothing was.

    Where no draw comes within a measurement's error, all errors are taken to be so much larger.
    """
    if not told:
        return None

    def parts(deviations: FloatArray) -> Parts:
        return Parts.of(deviations, priors, scanned_stack_bytes=scanned_stack_bytes)

    def standardized_residuals(deviations: FloatArray) -> FloatArray:
        return parts(deviations).standardized_residuals(told, heap_peak_bytes)

    draws = posterior_draws(standardized_residuals, _DEVIATIONS)
    widen = float(np.abs(standardized_residuals(draws)).max(axis=0).min())
    if widen > 1.0:
        draws = posterior_draws(lambda deviations: standardized_residuals(deviations) / widen, _DEVIATIONS)
    return parts(draws)


def _log_normal(values: FloatArray, source: str, origin: ParameterOrigin) -> Parameter:
    logs = np.log(values)
    return Parameter(math.exp(float(logs.mean())), float(logs.std()), source, origin)
