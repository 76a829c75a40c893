"""Sweeping: after marking, the runtime frees the dead slots of each span before the next cycle starts.

A background goroutine sweeps while a P is idle. A goroutine that takes a fresh span first sweeps in proportion to heap
growth, so that all spans are swept 1 MiB before the next trigger. Allocation pays this cost, which no gctrace line
contains. Sweeping changes the state of memory but not heapLive. Spans without live objects become free pages (heapInUse
falls, heapFree rises). Dead slots of other spans stay in use but no longer count as objects (totalFree). This raises
the memory outside the heap, which a memory limit's goal subtracts (``submodels.process_memory``).

Source: Go 1.5+ ``gcPaceSweeper``, ``deductSweepCredit``, ``bgsweep``; the same in Go 1.19 to 1.27.
"""

from gcsim.arrays import FloatOrArray, NumberOrArray
from gcsim.goruntime.arithmetic import maximum, to_float64

PAGE_BYTES = 8192  # pageSize of the runtime
SWEEP_MARGIN_BYTES = 1 << 20  # gcPaceSweeper: sweeping ends this far before the trigger
# Share of the way to the trigger after which all spans are swept with no P idle, because the background sweeper has its
# turns too (``bgsweep``). A measurement, not a rule: Go 1.27, order service on 2 Ps under limits, 8 to 40 ms after
# marking, with 45 to 110 ms to the trigger
SWEPT_ON_THE_WAY = 0.5
RECLAIM_LOOK_SPANS = 100  # mcentral.cacheSpan spanBudget: unswept spans tried before a P takes a fresh one


def sweep_pages_per_byte(
    pages_in_use: NumberOrArray,
    pages_swept: NumberOrArray,
    *,
    trigger_bytes: NumberOrArray,
    heap_live_bytes: NumberOrArray,
) -> FloatOrArray:
    """The sweep pace, set when marking ends: pages to sweep per byte of heap growth; 0 if none is left.

        (pages_in_use - pages_swept) / max(trigger - heap_live - 1 MiB, one page)

    ``pages_in_use`` is the number of pages in spans, ``pages_swept`` the number swept already (0 at mark end). Source:
    ``gcPaceSweeper``.
    """
    distance_bytes = maximum(trigger_bytes - heap_live_bytes - SWEEP_MARGIN_BYTES, PAGE_BYTES)
    pages = maximum(pages_in_use - pages_swept, 0)
    return to_float64(pages) / to_float64(distance_bytes)
