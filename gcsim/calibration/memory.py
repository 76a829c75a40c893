"""Memory that a gctrace does not show: priors, sharpened by what else the capture knows."""

import numpy as np

from gcsim.calibration.evidence import Evidence
from gcsim.units import MIB
from gcsim.workload.parameters import Parameter

_RSS_RATIO = 1.06
_RSS_BASE_BYTES = 7.0 * MIB
_NON_HEAP_BASE_BYTES = 4.0 * MIB
_NON_HEAP_RATIO = 0.05


def fit_memory(whole: Evidence, *, rss_peak_bytes: float | None) -> dict[str, Parameter]:
    """Memory outside the heap, as it counts against GOMEMLIMIT and as it is resident.

    ``whole`` holds every cycle of the log, warm-up included: resident memory peaks over all of them.
    """
    peak = float(whole.heap_end_bytes.max())
    ratio, base, base_sd, source = _RSS_RATIO, _RSS_BASE_BYTES, 0.3, "prior"
    if rss_peak_bytes is not None and rss_peak_bytes > 0:
        base = rss_peak_bytes - ratio * peak
        if base < MIB:  # less resident than the prior allows: the ratio gives way
            base = MIB
            ratio = max((rss_peak_bytes - base) / peak, 0.3)
        base_sd, source = 0.05, "capture"
    return {
        "non_heap_bytes": Parameter(_NON_HEAP_BASE_BYTES, 0.3, "prior"),
        "non_heap_ratio": Parameter(_NON_HEAP_RATIO, 0.3, "prior"),
        "rss_base_bytes": Parameter(float(np.clip(base, 0.0, None)), base_sd, source),
        "rss_ratio": Parameter(ratio, 0.02, source),
    }
