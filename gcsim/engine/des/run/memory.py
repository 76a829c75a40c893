"""Memory management of a run."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS = (
    200_000  # between two searches for cyclic garbage; Python's default of 700 costs a tenth of a run
)


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Makes Python search rarely for cyclic garbage. A run makes some hundred such objects per GC cycle."""
    before = gc.get_threshold()
    if before[0] > 0:
        gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
