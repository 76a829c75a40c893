"""Memory outside the heap from metrics: the account that the runtime gives of its memory at each scrape.

A scrape has spans in use, objects, and memory outside spans (``go_memstats_heap_inuse_bytes``, ``_heap_alloc_bytes``,
``_sys_bytes`` less ``_heap_sys_bytes``). Its place in its cycle follows from the time since the last collection.

Resident memory is that of an earlier, higher heap, whose pages the scavenger has not returned yet. The part outside the
heap's arenas does not depend on it.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.counted import counted_memory
from gcsim.calibration.memory.measurements import MemoryEvidence
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.scrapes.series import ALLOCATED, Series
from gcsim.settings import Settings

FEWEST_SCRAPES = 5  # after sweeping
_OF_ARENAS = ("heap_sys", "heap_released", "stack_inuse")
_SIZES = ("heap_inuse", "heap_alloc", "sys", "heap_sys")


@dataclass(frozen=True, slots=True)
class ScrapedAccounts:
    """The accounts of the scrapes as a source of evidence."""

    accounts: HeapAccounts | None

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The counted memory near mark ends."""
        del settings
        return MemoryEvidence(
            counted=counted_memory(self.accounts, cycles, fewest=FEWEST_SCRAPES, is_scraped=True)
        )


def accounts_of(series: Series, *, first_seconds: float) -> HeapAccounts | None:
    """The accounts of the scrapes; None for metrics without them. The first scrape is at ``first_seconds``."""
    sizes = [series.first_of(f"go_memstats_{name}_bytes") for name in _SIZES]
    last, allocated = series.first_of("go_memstats_last_gc_time_seconds"), series.first_of(*ALLOCATED)
    if last is None or allocated is None or any(one is None for one in sizes):
        return None
    in_use, objects, whole, spans = (np.asarray(one, dtype=np.float64) for one in sizes)
    waited = series.seconds - last
    waited = waited - min(
        float(np.nanmin(waited)), 0.0
    )  # the service's clock may be ahead of that of the scrapes
    rate = np.diff(allocated) / np.maximum(np.diff(series.seconds), 1e-9)
    grown = waited * np.concatenate([rate[:1], rate])
    columns: tuple[FloatArray, ...] = (
        series.seconds - series.seconds[0] + first_seconds, np.zeros(len(series)), grown, in_use, in_use - objects,
        whole - spans,
    )  # fmt: skip
    known = np.all([np.isfinite(one) for one in columns], axis=0) & (in_use >= objects) & (whole > spans)
    if not known.any():
        return None
    seconds, *counts = (one[known] for one in columns)
    marked, live, used, free, outside = (tuple(int(one) for one in column) for column in counts)
    return HeapAccounts(
        seconds=tuple(float(one) for one in seconds),
        heap_marked_bytes=marked,
        heap_live_bytes=live,
        heap_in_use_bytes=used,
        free_slot_bytes=free,
        outside_spans_bytes=outside,
    )


def outside_arenas_bytes(series: Series) -> float | None:
    """The resident memory outside the arenas of the heap, the median of the scrapes; None for metrics without it.

    Arenas hold spans, stacks and free pages; all but released pages are taken as resident.
    """
    names = ("process_resident_memory_bytes", *(f"go_memstats_{name}_bytes" for name in _OF_ARENAS))
    found = [series.first_of(name) for name in names]
    if any(one is None for one in found):
        return None
    resident, spans, released, stacks = (np.asarray(one, dtype=np.float64) for one in found)
    outside = resident - (spans - released + stacks)
    known = outside[np.isfinite(outside)]
    median = float(np.median(known)) if known.size else 0.0
    return median if median > 0 else None
