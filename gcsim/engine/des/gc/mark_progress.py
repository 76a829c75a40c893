"""Colours while a cycle marks: what is white, grey and black of the heap, by how far marking has come.

A gctrace tells how much is reachable and how much scan work that is, not the shape of the graph. It is taken to be
``_DEPTHS`` deep and equally wide everywhere, so that grey, found and not scanned yet, is a small constant part; a
long list has less of it, a shallow broad tree more. Garbage stays white, what is allocated meanwhile is black.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.goruntime.mark_profile import FrontierSummary, MarkProfile, mark_profile

_DEPTHS = 64
_BYTES = 1 << 20  # of a depth; only shares matter


def even_profile(scannable_share: float) -> MarkProfile:
    """The profile of a reachable heap of which that share of the bytes holds pointers."""
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
    """The heap of one mark phase."""

    profile: MarkProfile
    heap_start_bytes: float
    live_bytes: float  # of these, reachable

    def colours(self, progress: float, heap_live_bytes: float) -> tuple[float, float, float]:
        """(white, grey, black) bytes; their sum is the heap. ``progress`` runs from 0 to 1."""
        grey, black = (
            self.live_bytes * float(np.interp(progress, self.profile.progress, fraction))
            for fraction in (self.profile.grey_fraction, self.profile.black_fraction)
        )
        black += max(heap_live_bytes - self.heap_start_bytes, 0.0)
        return max(heap_live_bytes - grey - black, 0.0), grey, black
