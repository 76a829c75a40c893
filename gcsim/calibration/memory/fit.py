"""Memory outside the heap: priors by Go version, updated by the capture's measurements."""

import math
from collections.abc import Mapping
from dataclasses import replace

from gcsim.calibration.evidence import LITTLE_SCANNED, Evidence
from gcsim.calibration.memory.file_pages import file_pages, hot_share, is_rss_alone, origin_of
from gcsim.calibration.memory.measurements import CountedMemory, MemoryEvidence
from gcsim.calibration.memory.parts import (
    ALLOCATED_PER_SCANNED,
    BEGUN_SPAN_BYTES,
    OWN_STACK_BYTES,
    memory_posterior,
)
from gcsim.calibration.memory.resident import resident_parameters
from gcsim.priors.records import MemoryPrior
from gcsim.service.parameters import RECOUNT_BASE_SHARE, Parameter, ParameterOrigin, Parameters
from gcsim.submodels.process_memory import recount_base_share

_LOG_SD_OF_RANGE = 2.0 * 1.645  # 5th to 95th percentile, in standard deviations
_LIMIT_GOALS = "the limit's goals"
_COUNTS = "the runtime's own counts"
# Relative error at other settings: 17 programs, free slots counted under limits against those at GOGC=100
_SLOTS_ERROR, _UNFILLED_ERROR = 0.25, 0.45
_LEAST_SLOT_GARBAGE = 0.02
_LEAST_ERROR = 1e-3  # relative, of a parameter in a weighted mean
_SMALL_OBJECTS = "prior: small objects (the log scans much of its heap)"
_LARGE_OBJECTS = "prior: large objects (the log scans little of its heap)"
_UNKNOWN_OBJECTS = "prior: object sizes unknown; gcpacertrace=1 shows how much of the heap is scanned"
SLOTS_SMALL_OBJECTS = Parameter(0.2, 1.1, _SMALL_OBJECTS, "prior")
SLOTS_UNKNOWN_SIZES = Parameter(0.12, 1.3, _UNKNOWN_OBJECTS, "prior")


def fit_memory(
    whole: Evidence, *, prior: MemoryPrior, evidence: MemoryEvidence, heap_at_end_bytes: float = 0.0
) -> dict[str, Parameter]:
    """The parameters of memory outside the heap: counted against GOMEMLIMIT, and resident.

    ``whole`` holds every cycle of the log, warm-up included, because the resident peak is over all of them. A job ends
    with a heap of ``heap_at_end_bytes``, which may be higher than at any collection. The posterior divides the
    measured memory between metadata, stacks, slots that stay free, and the binary.
    """
    peak = max(float(whole.heap_end_bytes.max()), heap_at_end_bytes)
    if heap_at_end_bytes and evidence.process is not None and evidence.process.heap_peak_bytes is not None:
        # a reading of a job is of its highest memory, as "time -v" prints it
        evidence = replace(evidence, process=replace(evidence.process, heap_peak_bytes=peak))
    stacks = float(whole.stack_bytes.max())
    outside = _metadata(whole, prior) | slot_priors(whole)
    outside["allocated_stack_bytes"] = _allocated_stacks(stacks)
    outside["recount_base_share"] = Parameter(RECOUNT_BASE_SHARE, 0.0, "prior: development programs", "prior")
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
    outside = {**outside, "file_hot_share": hot_share(evidence.read_ahead_kib)}
    outside |= {name: weighted_mean(outside[name], measured) for name, measured in evidence.direct.items()}
    if evidence.process is not None and evidence.process.heap_peak_bytes is not None:
        peak = evidence.process.heap_peak_bytes
    posterior = memory_posterior(
        outside,
        scanned_stack_bytes=stacks,
        heap_peak_bytes=peak,
        evidence=evidence,
        file=None if is_rss_alone(evidence) else file_pages(evidence),
    )
    if posterior is not None:
        outside |= posterior.parameters(outside, *_source(evidence))
    if evidence.counted is not None:
        outside |= _counted_slots(evidence.counted, outside["unfilled_slot_share"])
        if evidence.counted.recounted_share is not None:
            share = recount_base_share(
                evidence.counted.recounted_share, slot_garbage=outside["slot_garbage_share"].value
            )
            outside["recount_base_share"] = Parameter(share, 0.0, f"log; {_COUNTS}", "capture")
    return outside | resident_parameters(
        outside, posterior=posterior, evidence=evidence, peak=peak, prior=prior
    )


def weighted_mean(prior: Parameter, measured: Parameter) -> Parameter:
    """The log-normal posterior of a parameter that was measured by itself: weights are inverse squared errors."""
    first, second = (max(one.rel_sd, _LEAST_ERROR) ** -2 for one in (prior, measured))
    mean = (first * math.log(prior.value) + second * math.log(measured.value)) / (first + second)
    source = f"{prior.source}; updated by {measured.source}"
    return Parameter(math.exp(mean), (first + second) ** -0.5, source, measured.origin)


def _source(evidence: MemoryEvidence) -> tuple[str, ParameterOrigin]:
    """The measurement that updates the priors, in words, and the origin of the updated parameters."""
    if evidence.limited is not None:
        return _LIMIT_GOALS, "limit goals"
    if evidence.counted is not None:
        return _COUNTS, "prior"
    is_reading = evidence.process is not None and origin_of(evidence.process) == "reading"
    return "a reading of memory" if is_reading else "the capture's peak", "prior"


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


def _ranged(value: float, low: float, high: float, source: str) -> Parameter:
    spread = math.log(max(high, value) / max(min(low, value), 1e-6)) / _LOG_SD_OF_RANGE
    return Parameter(value, spread, source, "prior")
