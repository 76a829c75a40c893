"""Measurements of one service's memory outside the heap."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Self

from gcsim.capture.elf import BinarySizes
from gcsim.capture.info import CaptureInfo
from gcsim.service.parameters import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """Measured memory of one process, in bytes; None for each that was not measured.

    RSS is anonymous memory plus file pages plus shared memory, each the resident part.
    """

    rss_peak_bytes: float | None = None
    rss_outside_heap_bytes: float | None = None  # outside the heap's arenas
    heap_mapped_bytes: float | None = None
    anonymous_peak_bytes: float | None = None
    file_peak_bytes: float | None = None  # file-mapped: text, read-only data, mapped data files
    shared_peak_bytes: float | None = None  # tmpfs and shared anonymous memory
    container_peak_bytes: float | None = None  # charged to the memory cgroup, less inactive file pages
    peak_error: float = 0.0  # relative standard error of a reading as the peak; 0 for a measured peak
    container_error: float = 0.0  # the same of container_peak_bytes
    heap_peak_bytes: float | None = (
        None  # the heap peak that a reading belongs to; None: the highest of the run
    )

    @classmethod
    def from_capture(cls, info: CaptureInfo | None) -> Self | None:
        """The measurements in a capture's side file; None without a resident peak."""
        if info is None or not info.rss_peak_bytes:
            return None
        return cls(
            rss_peak_bytes=float(info.rss_peak_bytes),
            rss_outside_heap_bytes=info.rss_outside_heap_bytes,
            heap_mapped_bytes=info.heap_mapped_bytes,
            anonymous_peak_bytes=info.anonymous_peak_bytes,
            file_peak_bytes=info.file_peak_bytes,
            shared_peak_bytes=info.shared_peak_bytes,
            container_peak_bytes=None if info.cgroup is None else info.cgroup.working_set_peak_bytes,
        )

    def completed_by(self, other: Self) -> Self:
        """These measurements, with those of ``other`` and their error where this has none."""
        missing = {
            each.name: getattr(other, each.name)
            for each in fields(self)
            if getattr(self, each.name) is None and each.name != "heap_peak_bytes"
        }
        if self.rss_peak_bytes is None and self.anonymous_peak_bytes is None:
            missing["peak_error"] = other.peak_error
            missing["heap_peak_bytes"] = other.heap_peak_bytes
        if self.container_peak_bytes is None:
            missing["container_error"] = other.container_error
        return replace(self, **missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideHeap:
    """Memory that counts against the limit at mark ends outside objects and free pages: a mean over cycles."""

    bytes: float
    error_bytes: float  # standard error
    heap_peak_bytes: float  # of the same cycles, on average


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedMemory:
    """Counted memory at the calibrated setting, in bytes. ``error`` is a standard error."""

    outside_spans_bytes: float  # metadata and stacks near mark ends, on average
    unfilled_slot_bytes: float  # free slots of spans in use at mark end, on average
    unfilled_error_bytes: float
    heap_peak_bytes: float  # at the same mark ends, on average
    slot_garbage_share: float  # share of allocation that fills slots of swept spans, 0 to 1
    slot_garbage_error: float
    recounted_share: float | None = (
        None  # of the live heap: growth of heapLive per cycle that is not allocation
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEvidence:
    """Measurements of one service's memory outside the heap; None for each that is missing.

    ``direct`` are parameters of ``OUTSIDE_HEAP`` that a source measures by themselves, each with its error. A source of
    a new kind needs no other field.
    """

    process: ProcessMemory | None = None
    limited: OutsideHeap | None = None
    counted: CountedMemory | None = None
    binary: BinarySizes | None = None
    read_ahead_kib: int | None = None  # of the binary's disk
    direct: Mapping[str, Parameter] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is at least one measurement; the binary and its disk only narrow priors."""
        return bool(self.direct) or self.has_sums

    @property
    def has_sums(self) -> bool:
        """Whether there is a sum of several parts, which the posterior divides between them."""
        return not (self.process is None and self.limited is None and self.counted is None)
