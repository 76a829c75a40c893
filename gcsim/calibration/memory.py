"""Memory that a gctrace does not show: priors by Go version, sharpened by what else the capture knows."""

import math

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.evidence import LITTLE_SCANNED, Evidence
from gcsim.calibration.random_effects import pooled
from gcsim.goruntime.memory import MemoryPrior
from gcsim.workload.parameters import Parameter

# A stack doubles when it is full and halves when less than a quarter is used (Go 1.19+ newstack, shrinkstack), so
# allocated over scanned lies between 1 and 4; the log prints what was scanned, the limit counts what is allocated.
_ALLOCATED_PER_SCANNED = 1.7
_STACKS = "log: 1.7 times the scanned stacks; 1 to 4 is possible"
FloatArray = NDArray[np.float64]

_RESIDENT_ERROR, _RESIDENT_SCATTER = 0.005, 0.01  # of one peak; between runs of one program
_LOG_SD_OF_RANGE = 2.0 * 1.645  # a range given as 5th to 95th percentile, in standard deviations
_SMALL_OBJECTS = "prior: small objects, for the log scans much of its heap"
_LARGE_OBJECTS = "prior: large objects, for the log scans little of its heap"
_UNKNOWN_OBJECTS = "prior: object sizes unknown; gcpacertrace=1 would tell whether the heap is scanned"


def fit_memory(whole: Evidence, *, prior: MemoryPrior, rss_peak_bytes: float | None) -> dict[str, Parameter]:
    """Memory outside the heap, as it counts against GOMEMLIMIT and as it is resident.

    ``whole`` holds every cycle of the log, warm-up included: resident memory peaks over all of them. With a
    measured peak, what is resident beside the heap (text, data, C memory) is what the heap does not explain.
    """
    peak = float(whole.heap_end_bytes.max())
    stacks = float(whole.stack_bytes.max())
    source = f"prior: measured on Go {prior.go}"
    base = _ranged(
        prior.metadata_base_bytes, prior.metadata_base_low_bytes, prior.metadata_base_high_bytes, source
    )
    share = _ranged(prior.metadata_share, prior.metadata_share_low, prior.metadata_share_high, source)
    return {
        "metadata_base_bytes": base,
        "metadata_share": share,
        **_slots(whole),
        "allocated_stack_bytes": Parameter(_ALLOCATED_PER_SCANNED * stacks, 0.3, _STACKS),
        **_resident(peak, stacks, prior, rss_peak_bytes),
    }


def _slots(whole: Evidence) -> dict[str, Parameter]:
    """Free slots that sweeping leaves, by what the log tells of object sizes.

    Measured: 0.01-0.06 of the garbage of large objects, 0.5 to nearly 1 of that of objects under 100 B.
    """
    known = np.isfinite(whole.heap_scan_bytes)
    if not known.any():
        return {
            "slot_garbage_share": Parameter(0.5, 0.6, _UNKNOWN_OBJECTS),
            "unfilled_slot_share": Parameter(0.03, 0.7, _UNKNOWN_OBJECTS),
        }
    scanned = float(whole.heap_scan_bytes[known].sum()) / float(whole.heap_marked_bytes[known].sum())
    if scanned < LITTLE_SCANNED:
        return {
            "slot_garbage_share": Parameter(0.03, 0.7, _LARGE_OBJECTS),
            "unfilled_slot_share": Parameter(0.01, 0.7, _LARGE_OBJECTS),
        }
    return {
        "slot_garbage_share": Parameter(0.8, 0.2, _SMALL_OBJECTS),
        "unfilled_slot_share": Parameter(0.05, 0.4, _SMALL_OBJECTS),
    }


def _resident(
    peak: float, stacks: float, prior: MemoryPrior, rss_peak_bytes: float | None
) -> dict[str, Parameter]:
    ratio = 1.0 + prior.metadata_share
    spread = (prior.resident_error_high - prior.resident_error_low) / _LOG_SD_OF_RANGE
    if rss_peak_bytes is None:
        base = prior.metadata_base_bytes + stacks
        return {
            "rss_base_bytes": Parameter(base, 0.4, f"prior: measured on Go {prior.go}, a small binary"),
            "rss_ratio": Parameter(ratio, max(spread, 0.005), f"prior: measured on Go {prior.go}"),
        }
    base = rss_peak_bytes - ratio * peak
    if base < 0:  # less resident than the prior allows: pages mapped and never touched
        return {
            "rss_base_bytes": Parameter(0.0, 0.0, "capture"),
            "rss_ratio": Parameter(float(np.clip(rss_peak_bytes / peak, 0.1, ratio)), 0.02, "capture"),
        }
    return {
        "rss_base_bytes": Parameter(base, min(0.01 * peak / max(base, 1.0), 0.5), "capture"),
        "rss_ratio": Parameter(ratio, 0.004, "prior, held to the capture's peak"),
    }


def fit_resident(peaks: FloatArray, resident: FloatArray, *, prior: MemoryPrior) -> dict[str, Parameter]:
    """Resident memory as a constant and a ratio to the heap's peak, from captures of one service, shape (k,), k >= 2.

    The ratio starts from the prior of the Go version; the constant is free, but for not being negative.
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
    # the two errors make up for each other at the peaks seen: the whole of it is kept at the ratio only
    base_sd, slope_sd = math.hypot(_RESIDENT_ERROR, law.between), float(law.sds[1])
    return {
        "rss_base_bytes": Parameter(max(base, 0.0) * scale, min(base_sd / max(base, 0.01), 1.0), source),
        "rss_ratio": Parameter(max(slope, 0.1), min(slope_sd / max(slope, 0.1), 1.0), f"prior and {source}"),
    }


def _ranged(value: float, low: float, high: float, source: str) -> Parameter:
    spread = math.log(max(high, value) / max(min(low, value), 1e-6)) / _LOG_SD_OF_RANGE
    return Parameter(value, spread, source)
