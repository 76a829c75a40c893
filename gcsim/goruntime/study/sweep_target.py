"""What must have been swept before a span may be taken, page by page."""

from typing import Any

from gcsim.arrays import Integer
from gcsim.goruntime.arithmetic import maximum, to_float64, truncate_to_int64


def sweep_target_pages(
    pages_per_byte: Any,
    *,
    heap_live_bytes: Integer,
    heap_live_basis_bytes: Integer | int,
    span_bytes: Integer | int,
    caller_swept_pages: Integer | int = 0,
) -> Integer:
    """Pages that must have been swept since the pace was set before a span of ``span_bytes`` may be taken.

    The caller sweeps until the count reaches this; then the pace is 0 if nothing is left to sweep.
    ``caller_swept_pages``: of large objects, already reclaimed for this allocation. Source:
    ``deductSweepCredit``.
    """
    growth_bytes = span_bytes + maximum(heap_live_bytes - heap_live_basis_bytes, 0)
    target: Integer = truncate_to_int64(pages_per_byte * to_float64(growth_bytes))
    return target - caller_swept_pages
