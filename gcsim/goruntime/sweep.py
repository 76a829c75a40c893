"""Sweeping: after marking, each span's dead slots are made free before the next cycle starts.

A background goroutine sweeps when a P has nothing better to do; and whoever takes a fresh span first sweeps
in proportion to heap growth, so that all is swept 1 MiB before the next trigger. The cost falls on allocation
and is in no gctrace line. Sweeping moves memory between states and leaves heapLive alone: wholly dead spans
become free pages (heapInUse falls, heapFree rises); dead slots of other spans stay in use but no longer count
as objects (totalFree), which raises the memory outside the heap that a memory limit's goal subtracts
(``memory.py``).

Source: Go 1.5+ ``gcPaceSweeper``, ``deductSweepCredit``, ``bgsweep``; the same in Go 1.19 to 1.27.
"""

from gcsim.arrays import FloatOrArray, NumberOrArray
from gcsim.goruntime.arithmetic import maximum, to_float64

PAGE_BYTES = 8192  # pageSize of the runtime
SWEEP_MARGIN_BYTES = 1 << 20  # gcPaceSweeper: be done this far before the trigger
# Of the way to the trigger, where all is swept with no P idle: the background sweeper has its turns there too
# (``bgsweep``). A measurement, not a rule: Go 1.27, order service on 2 Ps under limits, 8 to 40 ms after marking, with
# 45 to 110 ms to the trigger
SWEPT_ON_THE_WAY = 0.5
RECLAIM_LOOK_SPANS = 100  # mcentral.cacheSpan spanBudget: unswept spans tried before a fresh one is taken


def sweep_pages_per_byte(
    pages_in_use: NumberOrArray,
    pages_swept: NumberOrArray,
    *,
    trigger_bytes: NumberOrArray,
    heap_live_bytes: NumberOrArray,
) -> FloatOrArray:
    """Pages to sweep per byte of heap growth, set when marking ends; 0 when nothing is left.

    ``pages_in_use`` are all pages in spans, ``pages_swept`` those swept already (0 at mark end). The distance
    to the trigger, less a margin of 1 MiB, is never taken below one page. Source: ``gcPaceSweeper``.
    """
    distance_bytes = maximum(trigger_bytes - heap_live_bytes - SWEEP_MARGIN_BYTES, PAGE_BYTES)
    pages = maximum(pages_in_use - pages_swept, 0)
    return to_float64(pages) / to_float64(distance_bytes)
