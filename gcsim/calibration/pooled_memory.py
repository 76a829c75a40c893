"""Memory of one service from several logs."""

import numpy as np

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.memory.fit import is_from_limit_goals
from gcsim.calibration.memory.resident import fit_resident
from gcsim.goruntime.versions import rules_for
from gcsim.priors.process_memory import memory_prior
from gcsim.service.parameters import OUTSIDE_HEAP, PROCESS, Parameter


def pooled_outside_heap(logs: list[Calibration]) -> dict[str, Parameter]:
    """Memory outside the heap from the log whose limit goals determine it best; empty if no limit set goals."""
    limited = [one.model.parameters for one in logs if is_from_limit_goals(one.model.parameters)]
    if not limited:
        return {}
    best = min(limited, key=lambda p: p.allocated_stack_bytes.rel_sd * p.allocated_stack_bytes.value)
    return {name: getattr(best, name) for name in OUTSIDE_HEAP}


def pooled_memory(logs: list[Calibration]) -> dict[str, Parameter]:
    """Memory of the process from the first log that measured it; RSS from all captures if there are two or more.

    Empty if no log measured it.
    """
    measured = [one for one in logs if one.model.parameters.memory_source != "prior"]
    if not measured:
        return {}
    first = measured[0].model.parameters
    found = {name: getattr(first, name) for name in PROCESS}
    known = [
        one for one in measured if one.case.trace.info is not None and one.case.trace.info.rss_peak_bytes
    ]
    if len(known) < 2:
        return found
    peaks = np.array([float(evidence_from(one.case.trace).heap_end_bytes.max()) for one in known])
    sizes = [one.case.trace.info.rss_peak_bytes for one in known if one.case.trace.info is not None]
    prior = memory_prior(rules_for(logs[0].model.settings.go).minor)
    return found | fit_resident(peaks, np.array(sizes, dtype=np.float64), prior=prior)
