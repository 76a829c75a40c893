"""Records of measured constants."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPrior:
    """Memory of one Go version outside the heap, measured; ``process_memory.py`` has the values.

    Metadata (span and heap bitmaps, mspans, mark bits, page and arena tables, work buffers, profiling
    buckets) grew in a straight line with heap in use in every program, within ``metadata_error_bytes``. The
    share depends on how many objects and spans a byte of heap is made of: low is that of large objects, high
    that of small ones.
    """

    go: str
    metadata_base_bytes: int
    metadata_base_low_bytes: int
    metadata_base_high_bytes: int
    metadata_share: float  # of heap in use
    metadata_share_low: float
    metadata_share_high: float
    metadata_error_bytes: int  # standard deviation about one program's own line
    resident_error_low: float  # peak RSS / ``resident_peak_bytes`` - 1, 5th percentile over programs
    resident_error: float  # median
    resident_error_high: float  # 95th percentile
