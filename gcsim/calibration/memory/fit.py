"""Memory that a gctrace does not show: priors by Go version, sharpened by what else the capture knows."""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import LITTLE_SCANNED, Evidence
from gcsim.calibration.memory.counted import CountedMemory
from gcsim.calibration.memory.parts import (
    ALLOCATED_PER_SCANNED,
    BEGUN_SPAN_BYTES,
    BESIDE_BYTES,
    MEDIAN_TOUCHED,
    OWN_STACK_BYTES,
    MemoryEvidence,
    memory_posterior,
)
from gcsim.calibration.stats.random_effects import pooled
from gcsim.priors.records import MemoryPrior
from gcsim.service.parameters import Parameter, ParameterOrigin, Parameters

_RESIDENT_ERROR, _RESIDENT_SCATTER = 0.005, 0.01  # of one peak; between runs of one program
_FRAGMENTS, _FRAGMENTS_ERROR = 0.025, 0.05  # of a peak that nobody measured
_FRAGMENTS_ELSEWHERE = 0.5  # how far the fragments of one peak may be off at another setting
_LOG_SD_OF_RANGE = 2.0 * 1.645  # a range given as 5th to 95th percentile, in standard deviations
_LIMIT_GOALS = "the limit's goals"
_COUNTS = "the runtime's own counts"
# Of 17 programs whose free slots were counted under limits too, against those at GOGC=100
_SLOTS_ELSEWHERE, _UNFILLED_ELSEWHERE = 0.25, 0.45
_LEAST_SLOT_GARBAGE = 0.02
OUTSIDE_HEAP = (
    "metadata_base_bytes", "metadata_share", "slot_garbage_share", "unfilled_slot_share", "allocated_stack_bytes"
)  # fmt: skip
_SMALL_OBJECTS = "prior: small objects, for the log scans much of its heap"
_LARGE_OBJECTS = "prior: large objects, for the log scans little of its heap"
_UNKNOWN_OBJECTS = "prior: object sizes unknown; gcpacertrace=1 would tell whether the heap is scanned"
SLOTS_SMALL_OBJECTS = Parameter(0.2, 1.1, _SMALL_OBJECTS, "prior")
SLOTS_UNKNOWN_SIZES = Parameter(0.12, 1.3, _UNKNOWN_OBJECTS, "prior")


def fit_memory(whole: Evidence, *, prior: MemoryPrior, told: MemoryEvidence) -> dict[str, Parameter]:
    """Memory outside the heap, as it counts against GOMEMLIMIT and as it is resident.

    ``whole`` holds every cycle of the log, warm-up included: resident memory peaks over all of them. What was seen of
    the process beside the heap, and what a limit left out of its goals, is shared out among what it can be: metadata,
    stacks, slots that stay free, the binary.
    """
    peak = float(whole.heap_end_bytes.max())
    stacks = float(whole.stack_bytes.max())
    outside = _metadata(whole, prior) | _slots(whole)
    outside["allocated_stack_bytes"] = _allocated_stacks(stacks)
    outside["rss_beside_bytes"] = BESIDE_BYTES
    held = memory_posterior(outside, scanned_stack_bytes=stacks, heap_peak_bytes=peak, told=told)
    if held is not None:
        outside |= held.parameters(outside, *_source(told))
    if told.counted is not None:
        outside |= _counted_slots(told.counted, outside["unfilled_slot_share"])
    if told.seen is None or held is None:
        return outside | _resident_unknown(outside, prior)
    fragments = float(held.fragment_share.mean()) * peak
    return outside | _resident(peak, fragments, prior, told.seen.rss_peak_bytes)


def _source(evidence: MemoryEvidence) -> tuple[str, ParameterOrigin]:
    """The measurement that updates the priors, in words, and the origin of the updated parameters."""
    if evidence.limited is not None:
        return _LIMIT_GOALS, "limit goals"
    return "the capture's peak" if evidence.counted is None else _COUNTS, "prior"


def _counted_slots(counted: CountedMemory, unfilled: Parameter) -> dict[str, Parameter]:
    """Free slots as they were counted, with how far they may be off at another setting."""
    share = max(counted.slot_garbage_share, _LEAST_SLOT_GARBAGE)
    error = max(counted.slot_garbage_error, _LEAST_SLOT_GARBAGE) / share
    source = f"log; {_COUNTS}"
    return {
        "slot_garbage_share": Parameter(
            share, min(math.hypot(_SLOTS_ELSEWHERE, error), 1.0), source, "capture"
        ),
        "unfilled_slot_share": Parameter(
            unfilled.value, math.hypot(_UNFILLED_ELSEWHERE, unfilled.rel_sd), source, "capture"
        ),
    }


def is_from_limit_goals(parameters: Parameters) -> bool:
    """Whether memory outside the heap was held to goals that a limit set."""
    return parameters.allocated_stack_bytes.origin == "limit goals"


def _metadata(whole: Evidence, prior: MemoryPrior) -> dict[str, Parameter]:
    """The runtime's own memory, spans that are begun among it; small objects need more of it than large ones."""
    source = f"prior: measured on Go {prior.go}"
    base = _ranged(
        prior.metadata_base_bytes, prior.metadata_base_low_bytes, prior.metadata_base_high_bytes, source
    )
    low, middle, high = prior.metadata_share_low, prior.metadata_share, prior.metadata_share_high
    share = _ranged(middle, low, high, source)
    if whole.scanned_share is not None:
        large = _holds_large_objects(whole)
        of_kind = f"{source}, {'large' if large else 'small'} objects"
        share = Parameter(low, 0.5, of_kind, "prior") if large else Parameter(middle, 0.15, of_kind, "prior")
    return {
        "metadata_base_bytes": Parameter(base.value + BEGUN_SPAN_BYTES, base.rel_sd, source, "prior"),
        "metadata_share": share,
    }


def _holds_large_objects(whole: Evidence) -> bool:
    return whole.scanned_share is not None and whole.scanned_share < LITTLE_SCANNED


def _slots(whole: Evidence) -> dict[str, Parameter]:
    """Free slots that sweeping leaves, by what the log tells of object sizes.

    Counted in 26 programs on Go 1.27: of what is allocated, none to a third fills slots of swept spans where objects
    are large, none to three quarters where they are small; at mark end 0.01 to 0.02 of the peak are free slots of
    large objects, 0.03 to 0.15 of small ones.
    """
    if whole.scanned_share is None:
        return {
            "slot_garbage_share": SLOTS_UNKNOWN_SIZES,
            "unfilled_slot_share": Parameter(0.04, 0.9, _UNKNOWN_OBJECTS, "prior"),
        }
    if _holds_large_objects(whole):
        return {
            "slot_garbage_share": Parameter(0.03, 1.2, _LARGE_OBJECTS, "prior"),
            "unfilled_slot_share": Parameter(0.012, 0.8, _LARGE_OBJECTS, "prior"),
        }
    return {
        "slot_garbage_share": SLOTS_SMALL_OBJECTS,
        "unfilled_slot_share": Parameter(0.055, 0.75, _SMALL_OBJECTS, "prior"),
    }


def _allocated_stacks(scanned_bytes: float) -> Parameter:
    """Allocated stacks from scanned ones, the runtime's own added; the more there are, the more is unknown."""
    ratio = ALLOCATED_PER_SCANNED
    mean = ratio.value * scanned_bytes + OWN_STACK_BYTES
    return Parameter(mean, ratio.rel_sd * ratio.value * scanned_bytes / mean, ratio.source, "prior")


def _resident_unknown(outside: dict[str, Parameter], prior: MemoryPrior) -> dict[str, Parameter]:
    """Resident memory where nothing but the log is there.

    In 33 programs on Go 1.27, at GOGC of 50 and 100, it was 10 % less to 23 % more than the heap's peak, metadata,
    half of the stacks and a small binary: free slots and pages take 0 to 12 % of the peak, an HTTP server's text and
    data 5 MiB. Stacks that were never touched make it less.
    """
    base = sum(
        outside[name].value for name in ("metadata_base_bytes", "allocated_stack_bytes", "rss_beside_bytes")
    )
    base -= (1.0 - MEDIAN_TOUCHED) * outside["allocated_stack_bytes"].value
    source = f"prior: measured on Go {prior.go}"
    return {
        "rss_base_bytes": Parameter(base, 0.5, source, "prior"),
        "rss_ratio": Parameter(1.0 + prior.metadata_share + _FRAGMENTS, _FRAGMENTS_ERROR, source, "prior"),
    }


def _resident(
    peak: float, fragments: float, prior: MemoryPrior, rss_peak_bytes: float
) -> dict[str, Parameter]:
    """A constant and a ratio that give the measured peak back.

    ``fragments``, free slots and pages at that peak, may be half as many or more at another setting.
    """
    ratio = 1.0 + prior.metadata_share
    base = rss_peak_bytes - ratio * peak
    if base < 0:  # less resident than the prior allows: pages mapped and never touched
        return {
            "rss_base_bytes": Parameter(0.0, 0.0, "capture", "capture"),
            "rss_ratio": Parameter(
                float(np.clip(rss_peak_bytes / peak, 0.1, ratio)), 0.02, "capture", "capture"
            ),
        }
    error = math.hypot(0.01 * peak, _FRAGMENTS_ELSEWHERE * fragments)
    return {
        "rss_base_bytes": Parameter(base, min(error / max(base, 1.0), 0.5), "capture", "capture"),
        "rss_ratio": Parameter(ratio, 0.004, "prior, held to the capture's peak", "prior"),
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
        "rss_base_bytes": Parameter(
            max(base, 0.0) * scale, min(base_sd / max(base, 0.01), 1.0), source, "capture"
        ),
        "rss_ratio": Parameter(
            max(slope, 0.1), min(slope_sd / max(slope, 0.1), 1.0), f"prior and {source}", "prior"
        ),
    }


def _ranged(value: float, low: float, high: float, source: str) -> Parameter:
    spread = math.log(max(high, value) / max(min(low, value), 1e-6)) / _LOG_SD_OF_RANGE
    return Parameter(value, spread, source, "prior")
