"""Usual sizes of containers: eight per doubling, in whole MiB, such as 512, 576 and 640 MiB."""

import math

from gcsim.units import LEAST_MEMORY_BYTES, MIB

_STEPS_PER_DOUBLING = 8


def container_size(needed_bytes: float) -> int:
    """The smallest usual size of at least ``needed_bytes``."""
    needed = max(needed_bytes, float(LEAST_MEMORY_BYTES))
    step = _step(needed)
    return math.ceil(needed / step) * step


def next_larger(size_bytes: int) -> int:
    """The usual size after a usual size."""
    return size_bytes + _step(size_bytes)


def next_smaller(size_bytes: int) -> int:
    """The usual size before a usual size, at least the least memory of a Go program."""
    return max(size_bytes - _step(size_bytes - 1), LEAST_MEMORY_BYTES)


def _step(size_bytes: float) -> int:
    """The distance of usual sizes at a size: an eighth of the power of two below it."""
    return max(int(2.0 ** math.floor(math.log2(max(size_bytes, 1.0)))) // _STEPS_PER_DOUBLING, MIB)
