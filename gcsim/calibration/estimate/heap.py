"""Live heap, roots and heap growth of a log, each with its standard error."""

import math

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.calibration.evidence import BELOW_A_MIB, LOG, Evidence
from gcsim.calibration.stats.standard_error import printing_error, standard_error
from gcsim.service.parameters import Parameter
from gcsim.submodels.heap_growth import heap_growth
from gcsim.units import MIB

# slope of log live heap per doubling of the bytes allocated between collections: ten programs at GOGC 25 to 800
LIVE_PER_DOUBLING = Parameter(1.0, 0.003, "prior: measured on Go 1.27, 0.995 to 1.004 by program", "prior")
_LEAST_LIVE_BYTES = 64.0 * 1024  # live heap of the runtime itself, for a heap printed as 0 MB
_BELOW_A_MIB = Parameter(BELOW_A_MIB, 1.0, "prior: less than 1 MiB printed", "prior")


def fit_heap(evidence: Evidence, live_trend: FloatArray) -> dict[str, Parameter]:
    """The parameters of live heap, roots and heap growth.

    ``live_trend`` is the factor of growth on the live heap at each cycle; 1 without growth. It is no error of the mean.
    """
    live = evidence.live_bytes
    mean = max(float(live.mean()), _LEAST_LIVE_BYTES)
    error = math.hypot(standard_error(live / live_trend), _live_printing(evidence)) / mean
    sizes = {
        "live_bytes": Parameter(mean, min(error, 1.0), LOG),
        "live_per_doubling": LIVE_PER_DOUBLING,
        "stack_bytes": _roots(evidence.stack_bytes, evidence.exact),
        "globals_bytes": _roots(evidence.globals_bytes, evidence.exact),
    }
    return {**sizes, "mark_cpu_heap_ratio": _growth(evidence, sizes)}


def _growth(evidence: Evidence, sizes: dict[str, Parameter]) -> Parameter:
    """Heap growth of the mean peak over the mean live heap. Each peak is paired with the live heap one cycle before."""
    live, peak = evidence.live_bytes, evidence.heap_end_bytes
    roots = sizes["stack_bytes"].value + sizes["globals_bytes"].value
    reachable, reached = max(float(live.mean()) + roots, 1.0), float(peak.mean()) + roots
    ratio = max(float(heap_growth(float(peak.mean()), float(live.mean()), roots)), 1.0)
    each = standard_error(peak[1:] / reached - live[:-1] / reachable)
    unpaired = math.hypot(float(peak.std()) / reached, float(live.std()) / reachable) / len(evidence)
    of_roots = math.hypot(
        *(sizes[name].value * sizes[name].rel_sd for name in ("stack_bytes", "globals_bytes"))
    )
    printed = math.hypot(
        printing_error(peak, evidence.heap_step_bytes) * (1.0 / reachable - 1.0 / reached),
        printing_error(evidence.heap_start_bytes, evidence.heap_step_bytes) / reachable,
        printing_error(evidence.heap_marked_bytes, evidence.marked_step_bytes) / reachable,
        of_roots * (1.0 / reachable - 1.0 / reached),
    )
    return Parameter(ratio, min(math.hypot(each, unpaired, printed), 1.0), LOG)


def _live_printing(evidence: Evidence) -> float:
    """The error that truncation leaves in the mean of h2 - (h1 - h0), in bytes."""
    return math.hypot(
        printing_error(evidence.heap_start_bytes, evidence.heap_step_bytes),
        printing_error(evidence.heap_end_bytes, evidence.heap_step_bytes),
        printing_error(evidence.heap_marked_bytes, evidence.marked_step_bytes),
    )


def _roots(values: FloatArray, exact: BoolArray) -> Parameter:
    """Stacks or globals; a prior if the log always prints less than 1 MB."""
    mean = float(values.mean())
    if mean <= 0:
        return Parameter(0.0, 0.0, LOG)
    if not exact.any() and float(values.max()) <= BELOW_A_MIB:
        return _BELOW_A_MIB
    if (
        not exact.any() and float(np.ptp(values)) == 0
    ):  # one printed value throughout: log-uniform within its step
        low, high = mean - 0.5 * MIB, mean + 0.5 * MIB
        return Parameter(math.sqrt(low * high), math.log(high / low) / math.sqrt(12.0), LOG)
    printed = printing_error(values, np.where(exact, 0.0, MIB))
    return Parameter(mean, min(math.hypot(standard_error(values), printed) / mean, 1.0), LOG)
