"""How many workers a heap of a shape keeps busy."""

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.goruntime.mark_profile import HANDOFF_OBJECTS, MarkProfile


def usable_workers(frontier_width: int | Int64Array, workers: int) -> int | Int64Array:
    """The largest number of ``workers`` that a frontier of that many grey objects can keep busy, at least 1.

    A worker hands over half of its buffer only when more than four objects are in it, so that shares end
    up with two or three objects each. An upper bound: scanning makes new work meanwhile, and a span queue
    (Green Tea) is stolen from by the span, not by the object. Go 1.19+ ``runtime.gcWork.balance``,
    ``handoff``.
    """
    width = np.asarray(frontier_width)
    usable = np.where(width > HANDOFF_OBJECTS, np.minimum(width // 2, workers), 1)
    return int(usable) if usable.ndim == 0 else usable.astype(np.int64)


def effective_workers(profile: MarkProfile, workers: int) -> float:
    """Speed-up over one worker of a whole mark by ``workers``: work over the time it takes them.

    Between 1 (a linked list) and ``workers``; scan time is taken as proportional to scan work.
    """
    work = profile.scan_bytes.astype(np.float64)
    time = work / usable_workers(profile.frontier_width, workers)
    return float(work.sum() / time.sum()) if work.any() else 1.0
