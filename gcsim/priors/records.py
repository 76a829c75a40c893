"""Record types of measured constants."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPrior:
    """Measured memory outside the heap of one Go version; ``process_memory.py`` has the values.

    metadata = ``metadata_base_bytes`` + ``metadata_share`` x heap in use, within ``metadata_error_bytes`` in every
    program. Metadata are span and heap bitmaps, mspans, mark bits, page and arena tables, work buffers and profiling
    buckets. The share depends on the number of objects and spans per byte of heap: low for large objects, high for
    small objects.
    """

    go: str
    metadata_base_bytes: int
    metadata_base_low_bytes: int
    metadata_base_high_bytes: int
    metadata_share: float  # of heap in use
    metadata_share_low: float
    metadata_share_high: float
    metadata_error_bytes: int  # standard deviation about the line of one program
    resident_error_low: float  # peak RSS / ``resident_peak_bytes`` - 1, 5th percentile over programs
    resident_error: float  # median
    resident_error_high: float  # 95th percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormalPrior:
    """A measured constant that differs between programs, with a log-normal distribution over them."""

    median: float
    rel_sd: float  # standard deviation of the logarithm over programs
    unit: str
    definition: str  # a formula in measured quantities
    experiment: str  # the measurements that gave the numbers
