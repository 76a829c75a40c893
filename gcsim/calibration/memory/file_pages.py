"""File pages and kernel memory of a process: their priors, and the prior that measurements and a binary give."""

import math
from typing import Literal

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.capture.elf import BinarySizes
from gcsim.priors.file_pages import (
    FILE_HOT_SHARE,
    FILE_HOT_SHARE_LARGE_READ_AHEAD,
    FILE_HOT_SHARE_SMALL_READ_AHEAD,
    FILE_OF_BINARY,
    FILE_PAGES_OF_ANOTHER_RUN,
    FILE_RESIDENT_BYTES,
    KERNEL_BYTES,
    LARGE_READ_AHEAD_KIB,
    SMALL_READ_AHEAD_KIB,
)
from gcsim.priors.records import LogNormalPrior
from gcsim.service.parameters import Parameter
from gcsim.streams import stream
from gcsim.units import MIB

_LEAST_BYTES = 64 * 1024.0
_LIBRARY_BYTES = 2.0 * MIB  # the C library and its linker, where the binary needs them


def _prior(record: LogNormalPrior, source: str) -> Parameter:
    return Parameter(record.median, record.rel_sd, source, "prior")


KERNEL = _prior(KERNEL_BYTES, "prior: page tables, kernel stacks and slab")
FILE_RESIDENT = _prior(FILE_RESIDENT_BYTES, "prior: binary and mapped files of real programs")


def hot_share(read_ahead_kib: int | None) -> Parameter:
    """The share of file pages that the kernel cannot reclaim without a stall, by the read-ahead of the disk."""
    source = "prior: share of file pages that a program uses all the time"
    if read_ahead_kib is None or SMALL_READ_AHEAD_KIB < read_ahead_kib < LARGE_READ_AHEAD_KIB:
        return _prior(FILE_HOT_SHARE, source)
    if read_ahead_kib <= SMALL_READ_AHEAD_KIB:
        return _prior(FILE_HOT_SHARE_SMALL_READ_AHEAD, f"{source}, on a disk with a small read-ahead")
    return _prior(FILE_HOT_SHARE_LARGE_READ_AHEAD, f"{source}, on a disk with a large read-ahead")


def origin_of(process: ProcessMemory) -> Literal["capture", "reading"]:
    """The origin of parameters that these measurements give."""
    is_reading = process.peak_error > 0 or (
        process.rss_peak_bytes is None and process.anonymous_peak_bytes is None
    )
    return "reading" if is_reading else "capture"


def file_pages(evidence: MemoryEvidence) -> Parameter:
    """Resident file and shared pages: measured, or from the binary's sizes, or from other programs."""
    measured = None if evidence.process is None else _measured_bytes(evidence.process)
    if measured is not None and evidence.process is not None:
        origin = origin_of(evidence.process)
        return Parameter(max(measured, _LEAST_BYTES), FILE_PAGES_OF_ANOTHER_RUN.rel_sd, origin, origin)
    return FILE_RESIDENT if evidence.binary is None else _of_binary(evidence.binary)


def is_rss_alone(evidence: MemoryEvidence) -> bool:
    """Whether nothing measured divides the process's RSS into anonymous memory and file pages."""
    process = evidence.process
    if process is None:
        return True
    others = (process.anonymous_peak_bytes, process.file_peak_bytes, process.container_peak_bytes)
    return evidence.binary is None and process.peak_error == 0 and all(one is None for one in others)


def file_pages_within(non_go_bytes: FloatArray) -> FloatArray:
    """Draws of file pages given draws of file pages and C memory together, shape (n,).

    The prior of file pages, cut off at the sum. RSS alone does not tell file pages from C memory. C memory is
    anonymous, so that the kernel cannot reclaim it: to take all of the sum for file pages would be too optimistic.
    """
    from scipy.special import ndtr, ndtri  # here: the import takes longer than reading a log

    most = np.log(np.maximum(non_go_bytes, _LEAST_BYTES) / FILE_RESIDENT.value) / FILE_RESIDENT.rel_sd
    levels = stream(0, "file pages").random(most.size) * ndtr(most)
    deviations = np.maximum(ndtri(np.maximum(levels, 1e-300)), -8.0)
    return np.minimum(FILE_RESIDENT.value * np.exp(FILE_RESIDENT.rel_sd * deviations), non_go_bytes)


def _measured_bytes(process: ProcessMemory) -> float | None:
    if process.file_peak_bytes is not None:
        return process.file_peak_bytes + (process.shared_peak_bytes or 0.0)
    if process.rss_peak_bytes is not None and process.anonymous_peak_bytes is not None:
        return process.rss_peak_bytes - process.anonymous_peak_bytes
    return None


def _of_binary(binary: BinarySizes) -> Parameter:
    mapped = binary.text_bytes + binary.read_only_bytes
    size = FILE_OF_BINARY.median * mapped + (_LIBRARY_BYTES if binary.is_dynamic else 0.0)
    if not math.isfinite(size) or size < _LEAST_BYTES:
        return FILE_RESIDENT
    return Parameter(size, FILE_OF_BINARY.rel_sd, "prior: text and constants of the binary", "prior")
