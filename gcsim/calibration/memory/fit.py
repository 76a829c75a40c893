"""Memory outside the heap: priors by Go version, updated by the capture's measurements."""

import math
from collections.abc import Mapping

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import LITTLE_SCANNED, Evidence
from gcsim.calibration.memory.measurements import CountedMemory, MemoryEvidence
from gcsim.calibration.memory.parts import (
    ALLOCATED_PER_SCANNED,
    BEGUN_SPAN_BYTES,
    MEDIAN_TOUCHED,
    OWN_STACK_BYTES,
    RSS_NON_GO_BYTES,
    memory_posterior,
)
from gcsim.calibration.stats.random_effects import pooled
from gcsim.priors.records import MemoryPrior
from gcsim.service.parameters import Parameter, ParameterOrigin, Parameters

_RESIDENT_ERROR, _RESIDENT_SCATTER = (
    0.005,
    0.01,
)  # relative: error of one peak; scatter between runs of one program
_FRAGMENTS, _FRAGMENTS_ERROR = 0.025, 0.05  # of the heap peak, where resident memory was not measured
_FRAGMENTS_CHANGE = 0.5  # relative error of fragments at another setting
_LOG_SD_OF_RANGE = 2.0 * 1.645  # 5th to 95th percentile, in standard deviations
_LIMIT_GOALS = "the limit's goals"
_COUNTS = "the runtime's own counts"
# Relative error at other settings: 17 programs, free slots counted under limits against those at GOGC=100
_SLOTS_ERROR, _UNFILLED_ERROR = 0.25, 0.45
_LEAST_SLOT_GARBAGE = 0.02
_SMALL_OBJECTS = "prior: small objects (the log scans much of its heap)"
_LARGE_OBJECTS = "prior: large objects (the log scans little of its heap)"
_UNKNOWN_OBJECTS = "prior: object sizes unknown; gcpacertrace=1 shows how much of the heap is scanned"
SLOTS_SMALL_OBJECTS = Parameter(0.2, 1.1, _SMALL_OBJECTS, "prior")
SLOTS_UNKNOWN_SIZES = Parameter(0.12, 1.3, _UNKNOWN_OBJECTS, "prior")


def fit_memory(whole: Evidence, *, prior: MemoryPrior, evidence: MemoryEvidence) -> dict[str, Parameter]:
    """The parameters of memory outside the heap: counted against GOMEMLIMIT, and resident.

    ``whole`` holds every cycle of the log, warm-up included, because the resident peak is over all of them. The
    posterior divides the measured memory between metadata, stacks, slots that stay free, and the binary.
    """
    peak = float(whole.heap_end_bytes.max())
    stacks = float(whole.stack_bytes.max())
    outside = _metadata(whole, prior) | slot_priors(whole)
    outside["allocated_stack_bytes"] = _allocated_stacks(stacks)
    outside["rss_beside_bytes"] = RSS_NON_GO_BYTES
    return updated_memory(outside, peak=peak, stacks=stacks, prior=prior, evidence=evidence)


def updated_memory(
    outside: Mapping[str, Parameter],
    *,
    peak: float,
    stacks: float,
    prior: MemoryPrior,
    evidence: MemoryEvidence,
) -> dict[str, Parameter]:
    """The parameters of memory outside the heap, updated by measurements, and those of resident memory.

    ``outside`` are the parameters before the update, ``peak`` is the run's highest heap peak and ``stacks`` its scanned
    stacks, in bytes.
    """
    outside = dict(outside)
    if evidence.process is not None and evidence.process.heap_peak_bytes is not None:
        peak = evidence.process.heap_peak_bytes
    posterior = memory_posterior(outside, scanned_stack_bytes=stacks, heap_peak_bytes=peak, evidence=evidence)
    if posterior is not None:
        outside |= posterior.parameters(outside, *_source(evidence))
    if evidence.counted is not None:
        outside |= _counted_slots(evidence.counted, outside["unfilled_slot_share"])
    rss_peak = None if evidence.process is None else evidence.process.rss_peak_bytes
    if rss_peak is None or posterior is None:
        return outside | _resident_unknown(outside, prior)
    fragments = float(posterior.fragment_share.mean()) * peak
    return outside | _resident(peak, fragments, prior, rss_peak)


def _source(evidence: MemoryEvidence) -> tuple[str, ParameterOrigin]:
    """The measurement that updates the priors, in words, and the origin of the updated parameters."""
    if evidence.limited is not None:
        return _LIMIT_GOALS, "limit goals"
    return "the capture's peak" if evidence.counted is None else _COUNTS, "prior"


def _counted_slots(counted: CountedMemory, unfilled: Parameter) -> dict[str, Parameter]:
    """Parameters of free slots from counts; their errors include the change at another setting."""
    share = max(counted.slot_garbage_share, _LEAST_SLOT_GARBAGE)
    error = max(counted.slot_garbage_error, _LEAST_SLOT_GARBAGE) / share
    source = f"log; {_COUNTS}"
    return {
        "slot_garbage_share": Parameter(share, min(math.hypot(_SLOTS_ERROR, error), 1.0), source, "capture"),
        "unfilled_slot_share": Parameter(
            unfilled.value, math.hypot(_UNFILLED_ERROR, unfilled.rel_sd), source, "capture"
        ),
    }


def is_from_limit_goals(parameters: Parameters) -> bool:
    """Whether heap goals under a memory limit updated memory outside the heap."""
    return parameters.allocated_stack_bytes.origin == "limit goals"


def _metadata(whole: Evidence, prior: MemoryPrior) -> dict[str, Parameter]:
    """The runtime's own memory with partly filled spans. Small objects need more metadata than large ones."""
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


def slot_priors(whole: Evidence) -> dict[str, Parameter]:
    """Priors of free slots after sweeping, by the object sizes that the log implies.

    Counted in 26 programs on Go 1.27:

    - share of allocation that fills slots of swept spans: 0 to 1/3 with large objects, 0 to 3/4 with small ones;
    - free slots at mark end over heap peak: 0.01 to 0.02 with large objects, 0.03 to 0.15 with small ones.
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
    """Allocated stacks: a multiple of the scanned stacks, plus the runtime's own stacks."""
    ratio = ALLOCATED_PER_SCANNED
    mean = ratio.value * scanned_bytes + OWN_STACK_BYTES
    return Parameter(mean, ratio.rel_sd * ratio.value * scanned_bytes / mean, ratio.source, "prior")


def _resident_unknown(outside: dict[str, Parameter], prior: MemoryPrior) -> dict[str, Parameter]:
    """The prior of resident memory, for a log without measurements of the process.

    In 33 programs on Go 1.27 at GOGC of 50 and 100, RSS was 10 % less to 23 % more than heap peak + metadata + half
    of the stacks + a small binary. Free slots and pages take 0 to 12 % of the peak; text and data of an HTTP server
    take 5 MiB. Untouched pages of stacks lower RSS.
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
    """A constant and a ratio that reproduce the measured peak.

    ``fragments`` are the bytes of free slots and pages at that peak; their relative error at another setting is 0.5.
    """
    ratio = 1.0 + prior.metadata_share
    base = rss_peak_bytes - ratio * peak
    if base < 0:  # less resident than the prior allows: mapped pages were never touched
        return {
            "rss_base_bytes": Parameter(0.0, 0.0, "capture", "capture"),
            "rss_ratio": Parameter(
                float(np.clip(rss_peak_bytes / peak, 0.1, ratio)), 0.02, "capture", "capture"
            ),
        }
    error = math.hypot(0.01 * peak, _FRAGMENTS_CHANGE * fragments)
    return {
        "rss_base_bytes": Parameter(base, min(error / max(base, 1.0), 0.5), "capture", "capture"),
        "rss_ratio": Parameter(ratio, 0.004, "prior, updated by the capture's peak", "prior"),
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


def _ranged(value: float, low: float, high: float, source: str) -> Parameter:
    spread = math.log(max(high, value) / max(min(low, value), 1e-6)) / _LOG_SD_OF_RANGE
    return Parameter(value, spread, source, "prior")
