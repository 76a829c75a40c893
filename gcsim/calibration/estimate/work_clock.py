"""The clock of a program's work: the bytes that it has allocated, cycle by cycle."""

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.service.growth import GrowthClock


def mean_rate(evidence: Evidence) -> float:
    """Mean allocation, bytes/s, over the log."""
    length = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    return float(np.maximum(period_bytes(evidence), 1.0).sum()) / max(length, 1e-9)


def clock_seconds(evidence: Evidence, clock: GrowthClock) -> FloatArray:
    """Each cycle's start by a clock; of work it is the bytes allocated since the first cycle, over their mean rate."""
    if clock == "time":
        since: FloatArray = evidence.start_seconds - evidence.start_seconds[0]
        return since
    worked = np.concatenate([[0.0], np.cumsum(np.maximum(period_bytes(evidence), 1.0))])
    length = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    seconds: FloatArray = worked * length / worked[-1]
    return seconds


def period_bytes(evidence: Evidence) -> FloatArray:
    """Bytes allocated from each cycle's start to the next, shape (n - 1,); at the median rate across lost lines."""
    allocated = np.maximum(evidence.allocated_between_bytes, 0.0) + evidence.allocated_bytes[:-1]
    if evidence.follows.all() or not evidence.follows.any():
        return allocated
    seconds = np.maximum(np.diff(evidence.start_seconds), 1e-9)
    usual = float(np.median((allocated / seconds)[evidence.follows]))
    return np.where(evidence.follows, allocated, usual * seconds)
