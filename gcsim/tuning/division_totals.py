"""GC cores of several divisions of one node: the best one, the square-root rule, equal parts, and today's settings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.tuning.division import divide, square_root_division, total_cores
from gcsim.tuning.feasible import container_peak, is_feasible
from gcsim.tuning.memory_curve import MemoryCurve
from gcsim.tuning.savings import gc_cores
from gcsim.units import GIB

_MORE_GIB = (1, 2, 4, 8)  # of a larger node


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One way to divide the node: GC cores and memory of all services, and the replicas that do not fit."""

    name: str
    cores: float  # NaN if a service does not fit
    memory_bytes: float  # of all containers; of today's settings the sum of the pessimistic peaks
    unfit: int

    def to_json(self) -> dict[str, object]:
        """The JSON document; ``cores`` is null if a service does not fit."""
        return {
            "name": self.name,
            "cores": self.cores,
            "memory_bytes": self.memory_bytes,
            "unfit": self.unfit,
        }


def totals_of(
    curves: Sequence[MemoryCurve], replicas: Sequence[int], given: FloatArray, memory_bytes: int
) -> tuple[Total, ...]:
    """The totals at GOGC=off under the highest limit that fits, for three divisions; the rule of thumb; today."""
    counts = np.array(replicas, dtype=np.float64)
    equal = memory_bytes / sum(replicas)
    divisions = {
        "this division": given,
        "square-root rule": square_root_division(curves, replicas, memory_bytes),
        "equal parts": np.full(len(curves), equal),
    }
    found = []
    for name, memory in divisions.items():
        unfit = [
            count
            for curve, count, size in zip(curves, replicas, memory.tolist(), strict=True)
            if math.isnan(curve.cores_at(size))
        ]
        found.append(
            Total(
                name=f"{name}, GOGC=off",
                cores=total_cores(curves, replicas, memory),
                memory_bytes=float((counts * memory).sum()),
                unfit=sum(unfit),
            )
        )
    return (*found, _thumb(curves, replicas, equal), _today(curves, replicas))


def saved_by_more(
    curves: Sequence[MemoryCurve], replicas: Sequence[int], memory_bytes: int
) -> tuple[tuple[int, float], ...]:
    """The GiB of a larger node, and the cores that they save by the curves."""

    def cores(memory: float) -> float:
        return total_cores(curves, replicas, divide(curves, replicas, memory))

    now = cores(memory_bytes)
    return tuple((gib, now - cores(memory_bytes + gib * GIB)) for gib in _MORE_GIB)


def _thumb(curves: Sequence[MemoryCurve], replicas: Sequence[int], equal: float) -> Total:
    pairs = list(zip(curves, replicas, strict=True))
    unfit = sum(count for curve, count in pairs if not is_feasible(curve.thumb, int(equal)))
    cores = sum(count * gc_cores(curve.thumb, like=curve.today) for curve, count in pairs)
    return Total(
        name="equal parts, limit 0.9",
        cores=math.nan if unfit else cores,
        memory_bytes=equal * sum(replicas),
        unfit=unfit,
    )


def _today(curves: Sequence[MemoryCurve], replicas: Sequence[int]) -> Total:
    pairs = list(zip(curves, replicas, strict=True))
    return Total(
        name="today's settings",
        cores=sum(count * gc_cores(curve.today) for curve, count in pairs),
        memory_bytes=sum(count * container_peak(curve.today).high for curve, count in pairs),
        unfit=0,
    )
