"""The number of workers that a heap of a given shape keeps busy."""

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.goruntime.mark_profile import HANDOFF_OBJECTS, MarkProfile


def usable_workers(frontier_width: int | Int64Array, workers: int) -> int | Int64Array:
    """The largest number of workers, 1 to ``workers``, that a frontier of so many grey objects can keep busy.

    A worker hands over half of its buffer only if the buffer has more than four objects. Shares therefore end at two or
    three objects. The result is an upper bound for one moment: scanning adds work, and workers steal from a span queue
    (Green Tea) by spans, not by objects. Go 1.19+ ``runtime.gcWork.balance``, ``handoff``.
    """
    width = np.asarray(frontier_width)
    usable = np.where(width > HANDOFF_OBJECTS, np.minimum(width // 2, workers), 1)
    return int(usable) if usable.ndim == 0 else usable.astype(np.int64)


def effective_workers(profile: MarkProfile, workers: int) -> float:
    """Speed-up of a whole mark phase by ``workers`` workers over one worker, 1 (a linked list) to ``workers``.

    Scan time is assumed to be proportional to scan work.
    """
    work = profile.scan_bytes.astype(np.float64)
    time = work / usable_workers(profile.frontier_width, workers)
    return float(work.sum() / time.sum()) if work.any() else 1.0
