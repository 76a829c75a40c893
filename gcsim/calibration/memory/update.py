"""Updates a calibrated model with readings of memory."""

import math
from dataclasses import replace

from gcsim.calibration.memory.findings import memory_findings
from gcsim.calibration.memory.fit import updated_memory
from gcsim.calibration.memory.measurements import ProcessMemory
from gcsim.calibration.memory.readings.source import HeapOfRun, MemoryReadings
from gcsim.engine.simulate import simulate
from gcsim.engine.summary.intervals import Z90
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate
from gcsim.priors.process_memory import memory_prior
from gcsim.service.assessment import NOT_MEASURED, Assessment, by_severity
from gcsim.service.model import Model
from gcsim.service.parameters import OUTSIDE_HEAP, Parameters

_GOALS_APART = 1.2  # a goal above the mean peak, or below it, in a steady service


def has_measured_memory(model: Model) -> bool:
    """Whether the model's resident memory is measured: readings then say nothing new."""
    return model.parameters.memory_source != "prior"


def with_memory_readings(model: Model, readings: MemoryReadings) -> Model:
    """The model with memory outside the heap updated by readings at its calibrated load and settings.

    The model does not hold its log. It predicts the run's highest heap peak, and its parameters are the priors of the
    update. A model with measured memory stays as it is. Raises InputError if the model contradicts a reading.
    """
    if has_measured_memory(model) or not readings:
        return model
    parameters = model.parameters
    (run,) = simulate(model, [model.settings], duration_seconds=model.duration_seconds)
    mean, highest = run.metrics["heap_peak_mean_bytes"].value, run.metrics["heap_peak_bytes"].value
    evidence = readings.measurements_at(
        HeapOfRun(
            where="the model",
            least_live_bytes=parameters.live_bytes.value * float(model.profile.live_factor.min()),
            goals_bytes=(mean / _GOALS_APART, highest * _GOALS_APART),
            mean_peak_bytes=mean,
            highest_peak_bytes=highest,
            slot_garbage_share=parameters.slot_garbage_share,
            unfilled_slot_share=parameters.unfilled_slot_share,
        )
    )
    if evidence.process is not None:
        evidence = replace(
            evidence, process=_with_peak_error(evidence.process, run.metrics["heap_peak_bytes"])
        )
    found = updated_memory(
        {name: getattr(parameters, name) for name in OUTSIDE_HEAP},
        peak=highest,
        stacks=parameters.stack_bytes.value,
        prior=memory_prior(rules_for(model.settings.go).minor),
        evidence=evidence,
    )
    # allocation was estimated with this share of slots, from the log
    found["slot_garbage_share"] = parameters.slot_garbage_share
    assessment = model.assessment
    updated = replace(parameters, **found)
    if assessment is not None:
        assessment = _with_memory(assessment, updated)
    return replace(model, parameters=updated, assessment=assessment)


def _with_peak_error(process: ProcessMemory, peak: Estimate) -> ProcessMemory:
    """The readings with errors that include the error of the predicted heap peak."""
    error = (peak.high - peak.low) / (2.0 * Z90 * peak.value)
    return replace(
        process,
        peak_error=math.hypot(process.peak_error, error),
        container_error=math.hypot(process.container_error, error),
    )


def _with_memory(assessment: Assessment, parameters: Parameters) -> Assessment:
    """The assessment with the finding about this memory in place of the old one."""
    kept = tuple(finding for finding in assessment.findings if finding.kind != NOT_MEASURED)
    new = tuple(memory_findings(parameters.memory_source, parameters.file_resident_bytes))
    return replace(assessment, findings=by_severity(kept + new))
