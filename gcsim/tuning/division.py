"""The division of one memory among services so that the sum of GC cores is least.

The curves are convex, so the best division gives each next byte to the service that saves most by it: at the end all
services save the same by one more byte, apart from those at an end of their curve.
"""

from collections.abc import Sequence

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.tuning.memory_curve import MemoryCurve
from gcsim.units import GIB, MIB

LEAST_GAIN = 0.01 / GIB  # cores per byte: memory that saves less is left free
_STEPS = 200  # of a bisection


def least_total(curves: Sequence[MemoryCurve], replicas: Sequence[int]) -> float:
    """The memory of all services in their smallest containers, bytes."""
    return sum(count * curve.least_bytes for curve, count in zip(curves, replicas, strict=True))


def divide(
    curves: Sequence[MemoryCurve], replicas: Sequence[int], memory_bytes: float, *, least_gain: float = 0.0
) -> FloatArray:
    """The memory of one replica of each service, whole MiB; the node must hold the smallest containers.

    Memory that saves ``least_gain`` cores per byte or less is left free.
    """
    given = np.array([curve.least_bytes for curve in curves])
    counts = np.array(replicas, dtype=np.float64)
    service = np.concatenate([np.full(curve.memory_bytes.size - 1, i) for i, curve in enumerate(curves)])
    size = np.concatenate([np.diff(curve.memory_bytes) for curve in curves])
    gain = np.concatenate([-np.diff(curve.cores) for curve in curves]) / size
    order = np.lexsort((service, -gain))
    order = order[gain[order] > least_gain]
    needed = size[order] * counts[service[order]]
    before = np.cumsum(needed) - needed
    left = memory_bytes - least_total(curves, replicas)
    share = np.clip((left - before) / needed, 0.0, 1.0)
    np.add.at(given, service[order], share * size[order])
    whole: FloatArray = np.floor(given / MIB) * MIB
    return whole


def square_root_division(
    curves: Sequence[MemoryCurve], replicas: Sequence[int], memory_bytes: float
) -> FloatArray:
    """The memory of one replica of each service by the square-root rule (MemBalancer, arXiv 2204.10455).

    Each service gets its smallest container and extra heap in proportion to sqrt(live x allocation rate / mark speed),
    up to the end of its curve.
    """
    least = np.array([curve.least_bytes for curve in curves])
    most = np.array([float(curve.memory_bytes[-1]) for curve in curves])
    weights = np.array([curve.square_root_weight for curve in curves])
    counts = np.array(replicas, dtype=np.float64)

    def at(factor: float) -> FloatArray:
        memory: FloatArray = np.minimum(least + factor * weights, most)
        return memory

    low, high = 0.0, float(((most - least) / weights).max()) + 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        fits = float((counts * at(middle)).sum()) <= memory_bytes
        low, high = (middle, high) if fits else (low, middle)
    return at(low)


def total_cores(curves: Sequence[MemoryCurve], replicas: Sequence[int], given: FloatArray) -> float:
    """GC cores of all replicas; NaN if a service does not fit."""
    parts = zip(curves, replicas, given.tolist(), strict=True)
    return sum(count * curve.cores_at(memory) for curve, count, memory in parts)
