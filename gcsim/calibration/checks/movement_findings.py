"""Findings about growth, steps and trends, and about sizes that printing hides."""

import math
from collections.abc import Iterator

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.checks.growth import growing_parts, growth_findings
from gcsim.calibration.estimate.live_growth import compared_forms
from gcsim.calibration.estimate.work_clock import clock_seconds
from gcsim.calibration.evidence import HALF_MIB, Evidence
from gcsim.calibration.log_case import LogCase
from gcsim.calibration.stats.standard_error import printing_error
from gcsim.calibration.window import WARM_SHARE
from gcsim.service.assessment import Finding
from gcsim.service.growth import LiveGrowth
from gcsim.submodels.live_growth import central_course
from gcsim.units import format_gogc, format_mib, format_seconds

_FEW_CYCLES = 30  # fewer do not show steps
TOO_FEW_CYCLES = 6  # the pacer uses five
_MOVED = 0.15  # relative change between thirds of the window
_SIGMAS = 4.0
_PRINTED_FACTOR = 2.0  # times the printing error: smallest allocation of a cycle that printing shows


def movement_findings(case: LogCase) -> Iterator[Finding]:
    """Findings about growth of live heap and stacks, and about unsteady live heap and allocation rate."""
    evidence, model = case.evidence, case.model
    ratio = float(evidence.heap_end_bytes.mean()) / max(float(evidence.live_bytes.mean()), 1.0)
    gogc = format_gogc(case.log.settings.gogc)
    growth = growing_parts(evidence)
    fitted = LiveGrowth.none() if model is None else model.growth
    live_bytes = float(evidence.live_bytes.mean())
    yield from growth_findings(growth, fitted, live_bytes=live_bytes, peak_ratio=max(ratio, 1.0), gogc=gogc)
    if model is None:
        return
    if fitted.extrapolates:
        yield _compared(evidence, fitted)
        yield from _start_up_alone(evidence, fitted)
    grows = not fitted.is_none or any(part.what == "live heap" for part in growth)
    if not grows and _moved(evidence.live_bytes):
        yield _unsteady("live heap", evidence.live_bytes, model.profile.live_factor, model.loop)
    rates = allocation_rates(evidence)
    if _moved(rates):
        yield _unsteady("allocation rate", rates, model.profile.alloc_factor, model.loop)


def _start_up_alone(evidence: Evidence, fitted: LiveGrowth) -> Iterator[Finding]:
    """A finding if few of the cycles lie after the fill-up of the live heap: the log shows little of the load."""
    if fitted.form != "levels off":
        return
    clock = clock_seconds(evidence, fitted.clock)
    course = central_course(fitted).factor(clock, np.zeros(clock.size, dtype=np.int64))
    filled = np.flatnonzero(course >= WARM_SHARE * course[-1])
    after = clock.size - int(filled[0])
    if after >= _FEW_CYCLES:
        return
    seconds = float(evidence.start_seconds[filled[0]] - evidence.start_seconds[0])
    yield Finding(
        "warm-up",
        "distrust" if after < TOO_FEW_CYCLES else "care",
        f"{after} of {clock.size} cycles lie after the live heap has filled up, which takes {format_seconds(seconds)}:"
        " the log shows the start, and little of the load after it; log for longer",
    )


def _compared(evidence: Evidence, fitted: LiveGrowth) -> Finding:
    """The forms of growth that calibration compared, the chosen one first."""
    forms = compared_forms(evidence.live_bytes, clock_seconds(evidence, fitted.clock))
    parts = [
        f"'{each.form}' leaves {format_mib(each.residual_bytes)} per cycle ({100 * each.probability:.0f} % probable)"
        for each in forms
    ]
    by = "the program's work" if fitted.clock == "work" else "time"
    return Finding("growth", "note", f"forms of the live heap's growth by {by}: {', '.join(parts)}")


def _unsteady(what: str, values: FloatArray, factors: FloatArray, loop: str) -> Finding:
    moved = f"the {what} moved by {100 * _swing(values):.0f} % between thirds of the log"
    if float(np.ptp(factors)) > 0:
        return Finding(
            "not steady", "note", f"{moved}; predictions replay that movement, once per length of the log"
        )
    if what == "allocation rate" and loop == "closed":
        cause = "because the program ran faster or slower; if its work is steady, repeat on a quiet machine"
    else:
        cause = "and the model holds only the mean; log one whole period of the load"
    return Finding("not steady", "care", f"{moved}, {cause}")


def printing_findings(case: LogCase) -> Iterator[Finding]:
    """A finding if printing in whole MiB hides the allocation of a cycle."""
    evidence = case.evidence
    if len(evidence) < 2 or bool(evidence.exact.all()):
        return
    each = evidence.allocated_between_bytes + evidence.allocated_bytes[1:]
    error = math.hypot(
        printing_error(evidence.heap_start_bytes, evidence.heap_step_bytes),
        printing_error(evidence.heap_marked_bytes, evidence.marked_step_bytes),
        evidence.allocated_printing_error,
    )
    mean = max(float(each.mean()), 0.0)
    if mean >= _PRINTED_FACTOR * error:
        return
    most = (mean + 2.0 * HALF_MIB) * (len(evidence) - 1) / max(case.seconds, 1e-9)
    yield Finding(
        "printing precision",
        "distrust",
        "heap sizes, printed in whole MiB, barely change between cycles: the program allocates between 0 and"
        f" {format_mib(most)}/s; log with gcsim capture, whose pacer lines give sizes to the byte",
    )


def allocation_rates(evidence: Evidence) -> FloatArray:
    """Bytes allocated per second from each cycle's end to the next one's, marking included; shape (n - 1,)."""
    allocated = evidence.allocated_between_bytes + evidence.allocated_bytes[1:]
    return np.asarray(allocated / np.maximum(np.diff(evidence.end_seconds), 1e-9), dtype=np.float64)


def _parts(values: FloatArray, count: int) -> FloatArray:
    return np.array([float(part.mean()) for part in np.array_split(values, count)])


def _moved(values: FloatArray) -> bool:
    """Whether thirds of the values differ by more than their scatter explains."""
    if values.size < _FEW_CYCLES:
        return False
    within = np.concatenate([part - part.mean() for part in np.array_split(values, 3)])
    error = float(within.std()) * math.sqrt(3.0 * 3.0 / values.size)  # successive cycles are correlated
    return _swing(values) > _MOVED and float(np.ptp(_parts(values, 3))) > _SIGMAS * error


def _swing(values: FloatArray) -> float:
    return float(np.ptp(_parts(values, 3))) / max(float(values.mean()), 1.0)
