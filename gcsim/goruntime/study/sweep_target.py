"""The number of pages that must be swept before a goroutine may take a span."""

from gcsim.arrays import FloatOrArray, IntOrArray, NumberOrArray
from gcsim.goruntime.arithmetic import maximum, to_float64, truncate_to_int64


def sweep_target_pages(
    pages_per_byte: FloatOrArray,
    *,
    heap_live_bytes: IntOrArray,
    heap_live_basis_bytes: IntOrArray,
    span_bytes: IntOrArray,
    caller_swept_pages: IntOrArray = 0,
) -> NumberOrArray:
    """The number of swept pages that an allocation of ``span_bytes`` waits for, counted since the pace was set.

    The caller sweeps until the count reaches this number. ``caller_swept_pages`` is the pages of large objects that the
    caller has already reclaimed for this allocation. Source: ``deductSweepCredit``.
    """
    growth_bytes = span_bytes + maximum(heap_live_bytes - heap_live_basis_bytes, 0)
    target = truncate_to_int64(pages_per_byte * to_float64(growth_bytes))
    return target - caller_swept_pages
