"""White, grey and black bytes of the heap as a function of mark progress.

A gctrace logs the reachable bytes and the scan work, but not the shape of the object graph. The engine assumes a graph
of ``_DEPTHS`` levels of equal width. Grey bytes, which are found and not yet scanned, are then a small constant part of
the heap. A long list has fewer grey bytes, a shallow broad tree has more. Garbage stays white. Objects that the
program allocates while marking are black.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.goruntime.mark_profile import FrontierSummary, MarkProfile, mark_profile

_DEPTHS = 64
_BYTES = 1 << 20  # of a depth; only shares matter


def even_profile(scannable_share: float) -> MarkProfile:
    """Mark profile of a graph of equal levels; a share of 0 to 1 of its bytes lies in objects with pointers."""
    scannable = max(round(scannable_share * _BYTES), 1)
    return mark_profile(
        FrontierSummary(
            scannable_objects=np.full(_DEPTHS, 1, dtype=np.int64),
            scannable_bytes=np.full(_DEPTHS, scannable, dtype=np.int64),
            noscan_bytes=np.full(_DEPTHS, _BYTES - min(scannable, _BYTES), dtype=np.int64),
            scan_bytes=np.full(_DEPTHS, scannable, dtype=np.int64),
            garbage_bytes=0,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedHeap:
    """The heap of one mark phase; sizes are bytes."""

    profile: MarkProfile
    heap_start_bytes: float
    live_bytes: float  # the reachable part of heap_start_bytes

    def colours(self, progress: float, heap_live_bytes: float) -> tuple[float, float, float]:
        """(white, grey, black) bytes at a mark progress of 0 to 1; their sum is ``heap_live_bytes``."""
        grey, black = (
            self.live_bytes * float(np.interp(progress, self.profile.progress, fraction))
            for fraction in (self.profile.grey_fraction, self.profile.black_fraction)
        )
        black += max(heap_live_bytes - self.heap_start_bytes, 0.0)
        return max(heap_live_bytes - grey - black, 0.0), grey, black
