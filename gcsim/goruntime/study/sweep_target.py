"""What must have been swept before a span may be taken, page by page."""

from typing import Any

from gcsim.goruntime.arithmetic import IntT, maximum, to_float64, truncate_to_int64


def sweep_target_pages(
    pages_per_byte: Any,
    *,
    heap_live_bytes: IntT,
    heap_live_basis_bytes: IntT | int,
    span_bytes: IntT | int,
    caller_swept_pages: IntT | int = 0,
) -> IntT:
    """Pages that must have been swept since the pace was set before a span of ``span_bytes`` may be taken.

    The caller sweeps until the count reaches this; then the pace is 0 if nothing is left to sweep.
    ``caller_swept_pages``: of large objects, already reclaimed for this allocation. Source:
    ``deductSweepCredit``.
    """
    growth_bytes = span_bytes + maximum(heap_live_bytes - heap_live_basis_bytes, 0)
    target: IntT = truncate_to_int64(pages_per_byte * to_float64(growth_bytes))
    return target - caller_swept_pages
