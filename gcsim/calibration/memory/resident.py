"""Resident memory of a process: a constant and a ratio to the heap peak, and the part of the constant in file pages."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.memory.file_pages import (
    KERNEL,
    file_pages,
    file_pages_within,
    is_rss_alone,
    origin_of,
)
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.calibration.memory.parts import (
    LEAST_NON_GO_BYTES,
    MEDIAN_TOUCHED,
    UNTOUCHED_BYTES,
    Parts,
    log_normal,
)
from gcsim.calibration.stats.random_effects import pooled
from gcsim.priors.file_pages import FILE_PAGES_OF_ANOTHER_RUN
from gcsim.priors.heap_fragments import HEAP_FRAGMENTS
from gcsim.priors.records import MemoryPrior
from gcsim.service.parameters import Parameter
from gcsim.units import MIB

# relative: error of one peak; scatter between runs of one program
_RESIDENT_ERROR, _RESIDENT_SCATTER = 0.005, 0.01
_FRAGMENTS_ERROR = 0.05  # of the heap peak, where resident memory was not measured
_FRAGMENTS_CHANGE = 0.5  # relative error of fragments at another setting
_BASE_ERROR = 0.5  # relative error of the constant without file pages, where resident memory was not measured
_NON_GO_ERROR_BYTES = 1.0 * MIB  # of C memory less untouched memory
_LOG_SD_OF_RANGE = 2.0 * 1.645  # 5th to 95th percentile, in standard deviations
_MOST_BASE_ERROR = 0.5  # relative, of the constant from a measured peak
_SOURCES = {"capture": "capture", "reading": "reading of memory"}
_LEAST_VARIANCE = 1e-6  # of file pages, relative: below it they are known


def resident_parameters(
    outside: Mapping[str, Parameter],
    *,
    posterior: Parts | None,
    evidence: MemoryEvidence,
    peak: float,
    prior: MemoryPrior,
) -> dict[str, Parameter]:
    """The parameters of resident memory, file pages and kernel memory.

    ``peak`` is the run's highest heap peak. ``posterior`` has draws of the parts of memory given the ``evidence``.
    """
    process, hot = evidence.process, outside["file_hot_share"]
    if process is None or posterior is None or not _is_measured(process):
        return _unknown(outside, file_pages(evidence), prior)
    if is_rss_alone(evidence) and process.rss_peak_bytes is not None:
        return _from_rss(posterior, process.rss_peak_bytes, peak, prior, hot)
    return _from_parts(posterior, process, file_pages(evidence), peak, prior, hot)


def _is_measured(process: ProcessMemory) -> bool:
    peaks = (process.rss_peak_bytes, process.anonymous_peak_bytes, process.container_peak_bytes)
    return any(one is not None for one in peaks)


def _unknown(outside: Mapping[str, Parameter], file: Parameter, prior: MemoryPrior) -> dict[str, Parameter]:
    """The prior of resident memory, for a log without measurements of the process.

    In 33 programs on Go 1.27 at GOGC of 50 and 100, RSS was 10 % less to 23 % more than heap peak + metadata + half
    of the stacks + a small binary. Free slots and pages take 0 to 12 % of the peak. Untouched pages of stacks lower
    RSS. File pages have a prior of their own; ``rss_file_share`` of 1 adds its width to that of RSS.
    """
    go = outside["metadata_base_bytes"].value + MEDIAN_TOUCHED * outside["allocated_stack_bytes"].value
    non_go = max(file.value - UNTOUCHED_BYTES, LEAST_NON_GO_BYTES)
    base = go + non_go
    source = f"prior: measured on Go {prior.go}"
    return {
        "rss_base_bytes": Parameter(base, _BASE_ERROR * go / base, f"{source}, and file pages", "prior"),
        "rss_ratio": Parameter(
            1.0 + prior.metadata_share + HEAP_FRAGMENTS.median, _FRAGMENTS_ERROR, source, "prior"
        ),
        "rss_beside_bytes": Parameter(
            non_go, min(_NON_GO_ERROR_BYTES / non_go, 1.0), "prior: file pages and C memory", "prior"
        ),
        **_file_parameters(file, 1.0, outside["file_hot_share"]),
    }


def _from_rss(
    posterior: Parts, rss_peak_bytes: float, peak: float, prior: MemoryPrior, hot: Parameter
) -> dict[str, Parameter]:
    """The parameters from a measured peak of RSS alone: file pages keep their prior within the rest of RSS.

    Another run has other file pages, by an amount that the measurement does not show.
    """
    source = "prior: resident text, data and C memory; updated by the capture's peak"
    non_go = np.maximum(posterior.rss_beside_bytes, LEAST_NON_GO_BYTES)
    file = file_pages_within(posterior.file_resident_bytes)
    other_pages = _other_pages_bytes(file)
    beside = log_normal(non_go, source, "prior")
    return {
        **_measured(rss_peak_bytes, other_pages, posterior, peak, prior, "capture"),
        "rss_beside_bytes": replace(
            beside,
            rel_sd=max(beside.rel_sd, min(math.hypot(beside.rel_sd, other_pages / beside.value), 1.0)),
        ),
        **_file_parameters(
            log_normal(file, "prior: file pages of real programs; updated by the capture's peak", "prior"),
            0.0,
            hot,
        ),
    }


def _from_parts(
    posterior: Parts, process: ProcessMemory, file: Parameter, peak: float, prior: MemoryPrior, hot: Parameter
) -> dict[str, Parameter]:
    """The parameters from measurements that tell file pages, anonymous or container memory apart."""
    origin = origin_of(process)
    source = _SOURCES[origin]
    rss, pages = posterior.rss_bytes(peak), posterior.file_resident_bytes
    measured = process.rss_peak_bytes if process.peak_error == 0 else None
    follows = _file_share(process, measured, rss, pages)
    known = not file.is_prior
    # the draws of file pages move RSS by ``follows``, and those of measured file pages are of another run
    other_pages = (1.0 - follows if known else 1.0) * _other_pages_bytes(pages)
    own_error = math.hypot(0.0 if measured is not None else float((rss - follows * pages).std()), other_pages)
    non_go = np.maximum(posterior.rss_beside_bytes, LEAST_NON_GO_BYTES)
    size = float(non_go.mean())
    size_at_peak = float(rss.mean()) if measured is None else measured
    resident = _measured(
        size_at_peak,
        own_error,
        posterior,
        peak,
        prior,
        origin,
        least_base=_least_base(posterior, process, measured),
    )
    spread = math.hypot(float((non_go - follows * pages).std()), other_pages)
    updated = f"updated by a {source}"
    return resident | {
        "rss_beside_bytes": Parameter(size, min(spread / size, 1.0), f"prior, {updated}", "prior"),
        "file_resident_bytes": file if known else log_normal(pages, f"{file.source}; {updated}", "prior"),
        "rss_file_share": Parameter(follows, 0.0, "from the measurements of memory", "derived"),
        "file_hot_share": log_normal(posterior.file_hot_share, f"{hot.source}; {updated}", "prior"),
        "kernel_bytes": log_normal(posterior.kernel_bytes, f"{KERNEL.source}; {updated}", "prior"),
    }


def _other_pages_bytes(pages: FloatArray) -> float:
    """The standard deviation of the file pages of another run, in bytes, where a run has ``pages``."""
    return FILE_PAGES_OF_ANOTHER_RUN.rel_sd * float(pages.mean())


def _file_share(process: ProcessMemory, measured: float | None, rss: FloatArray, pages: FloatArray) -> float:
    """The change of RSS with file pages, 0 to 1.

    With peaks of anonymous memory and file pages, another run has this anonymous memory and other file pages. With RSS
    alone, more file pages are less anonymous memory.
    """
    if measured is None:
        return _slope(rss, pages)
    parts = (process.anonymous_peak_bytes, process.file_peak_bytes)
    return 0.0 if any(one is None for one in parts) else 1.0


def _least_base(posterior: Parts, process: ProcessMemory, measured: float | None) -> float:
    """The measured resident memory outside the arenas, and stacks; 0 if the memory map was not read."""
    if measured is None or process.rss_outside_heap_bytes is None:
        return 0.0
    return process.rss_outside_heap_bytes + float(posterior.resident_stack_bytes.mean())


def _slope(values: FloatArray, pages: FloatArray) -> float:
    """The change of ``values`` with file pages over the draws, 0 to 1."""
    variance = float(pages.var())
    if variance < _LEAST_VARIANCE * float(pages.mean()) ** 2:
        return 0.0
    return float(np.clip(np.mean((values - values.mean()) * (pages - pages.mean())) / variance, 0.0, 1.0))


def _file_parameters(file: Parameter, follows: float, hot: Parameter) -> dict[str, Parameter]:
    return {
        "file_resident_bytes": file,
        "rss_file_share": Parameter(follows, 0.0, "from the measurements of memory", "derived"),
        "file_hot_share": hot,
        "kernel_bytes": KERNEL,
    }


def _measured(
    rss_peak_bytes: float,
    own_error: float,
    posterior: Parts,
    peak: float,
    prior: MemoryPrior,
    origin: Literal["capture", "reading"],
    least_base: float = 0.0,
) -> dict[str, Parameter]:
    """A constant and a ratio that reproduce the peak of RSS.

    ``own_error`` is the error of the peak in bytes. Free slots and pages at the peak have a relative error of 0.5 at
    another setting. If the constant would be below ``least_base``, the ratio is smaller instead: not all of the highest
    heap was ever touched, as with buffers that are not filled.
    """
    source = _SOURCES[origin]
    fragments = float(posterior.fragment_share.mean()) * peak
    ratio = 1.0 + prior.metadata_share
    base = rss_peak_bytes - ratio * peak
    if 0 <= base < least_base < rss_peak_bytes:
        base, ratio = least_base, max((rss_peak_bytes - least_base) / peak, 0.1)
    if base < 0:  # less resident than the prior allows: mapped pages were never touched
        return {
            "rss_base_bytes": Parameter(0.0, 0.0, source, origin),
            "rss_ratio": Parameter(
                float(np.clip(rss_peak_bytes / peak, 0.1, ratio)),
                math.hypot(0.02, own_error / rss_peak_bytes),
                source,
                origin,
            ),
        }
    error = math.hypot(0.01 * peak, _FRAGMENTS_CHANGE * fragments)
    most = _MOST_BASE_ERROR
    if own_error:
        error, most = math.hypot(error, own_error), 2.0 * most
    return {
        "rss_base_bytes": Parameter(base, min(error / max(base, 1.0), most), source, origin),
        "rss_ratio": Parameter(ratio, 0.004, f"prior, updated by the {source}'s peak", "prior"),
    }


def fit_resident(peaks: FloatArray, resident: FloatArray, *, prior: MemoryPrior) -> dict[str, Parameter]:
    """Resident memory as a constant and a ratio to heap peak, from k >= 2 captures of one service, arrays (k,), bytes.

    The ratio has the prior of the Go version. The constant has no prior and is at least 0.
    """
    scale = float(resident[0])
    spread = max((prior.resident_error_high - prior.resident_error_low) / _LOG_SD_OF_RANGE, 0.005)
    ratio = 1.0 + prior.metadata_share
    law = pooled(
        resident / scale,
        np.full(peaks.size, _RESIDENT_ERROR),
        np.stack([np.ones(peaks.size), peaks / scale], axis=1),
        prior_means=np.array([0.0, ratio]),
        prior_sds=np.array([1e6, spread * ratio]),
        usual_scatter=_RESIDENT_SCATTER,
    )
    base, slope = (float(x) for x in law.coefficients)
    source = f"{peaks.size} captures"
    # the two errors cancel at the measured peaks: only the ratio keeps its whole error
    base_sd, slope_sd = math.hypot(_RESIDENT_ERROR, law.between), float(law.sds[1])
    return {
        "rss_base_bytes": Parameter(
            max(base, 0.0) * scale, min(base_sd / max(base, 0.01), 1.0), source, "capture"
        ),
        "rss_ratio": Parameter(
            max(slope, 0.1), min(slope_sd / max(slope, 0.1), 1.0), f"prior and {source}", "prior"
        ),
    }
