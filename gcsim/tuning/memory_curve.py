"""GC cores of one service against the memory of its container: points at the pessimistic end, and their lower hull.

In a given memory the cheapest setting is GOGC=off under the highest limit that fits (``tuning.choose``). So the points
are runs with GOGC=off at limits from a little above the live heap up. The memory of a point is the smallest container
in which ``recommend`` accepts its run: at the 95th percentile, with the margin, and with room for memory that
GOMEMLIMIT does not count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.constraints import container_for
from gcsim.tuning.feasible import MOST_GC_CPU, keeps_limit
from gcsim.tuning.memory_budget import memory_budget
from gcsim.tuning.savings import gc_cores
from gcsim.tuning.search import whole_mib

# Limits over the memory that Go counts with the live heap alone: dense where GC CPU falls steeply
_LADDER = (*np.geomspace(1.05, 8.0, 13).tolist(), *np.geomspace(8.0, 64.0, 7)[1:].tolist())
_PIECES = 16  # of the curve between two points: equal services get nearly equal parts
_THUMB_SHARE = 0.9  # of the equal share: GOMEMLIMIT of the rule that a division is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCurve:
    """The lower hull of one service: memory rises, and cores fall ever more slowly; arrays of one length."""

    memory_bytes: FloatArray  # of one replica's container, whole MiB
    cores: FloatArray  # of GC in one replica, for today's work
    today: Run
    thumb: Run  # GOGC=100 and a limit of 0.9 x the equal share
    square_root_weight: (
        float  # sqrt(allocation rate x CPU time of a cycle): bytes of extra heap, up to a factor
    )

    @property
    def fits(self) -> bool:
        """Whether the service fits into any memory."""
        return self.memory_bytes.size > 0

    @property
    def least_bytes(self) -> float:
        """The smallest container."""
        return float(self.memory_bytes[0])

    def cores_at(self, memory_bytes: float) -> float:
        """GC cores in a container, between the points by straight lines; NaN below the smallest container."""
        if not self.fits or memory_bytes < self.least_bytes:
            return math.nan
        return float(np.interp(memory_bytes, self.memory_bytes, self.cores))

    def gain_at(self, memory_bytes: float) -> float:
        """Cores that one more byte saves; 0 at the end of the curve."""
        place = int(np.searchsorted(self.memory_bytes, memory_bytes, side="right"))
        if not 0 < place < self.memory_bytes.size:
            return 0.0
        saved = self.cores[place - 1] - self.cores[place]
        return float(saved / (self.memory_bytes[place] - self.memory_bytes[place - 1]))


def memory_curve(model: Model, base: Settings, equal_bytes: float, plan: Plan) -> MemoryCurve:
    """The curve of a service; ``base`` is today's setting, ``equal_bytes`` an equal share of the node."""
    known = model.parameters
    live_bytes = known.metadata_base_bytes.value + known.allocated_stack_bytes.value
    live_bytes += (1.0 + known.metadata_share.value) * known.live_bytes.value
    limits = list(dict.fromkeys(whole_mib(share * live_bytes) for share in _LADDER))
    ladder = [replace(base, gogc=None, gomemlimit_bytes=limit) for limit in limits]
    thumb = replace(base, gogc=100, gomemlimit_bytes=whole_mib(_THUMB_SHARE * equal_bytes))
    settings = list(dict.fromkeys([base, thumb, *ladder]))
    runs = dict(zip(settings, simulate(model, settings, plan), strict=True))
    not_counted = memory_budget(model, seed=plan.seed).not_counted.high
    points = [
        (container_for(runs[one], not_counted), gc_cores(runs[one], like=runs[base]))
        for one in ladder
        if _is_kept(runs[one])
    ]
    memory, cores = lower_hull(between(*lower_hull(points)))
    return MemoryCurve(
        memory_bytes=memory,
        cores=cores,
        today=runs[base],
        thumb=runs[thumb],
        square_root_weight=math.sqrt(known.alloc_bytes_per_second.value * known.mark_cpu_seconds.value),
    )


def between(memory: FloatArray, cores: FloatArray) -> list[tuple[float, float]]:
    """The points of a hull and ``_PIECES`` - 1 points between two of them, on a power of the memory."""
    found = []
    steps = np.linspace(0.0, 1.0, _PIECES, endpoint=False)
    for place in range(memory.size - 1):
        ends = slice(place, place + 2)
        x = np.exp(np.interp(steps, (0.0, 1.0), np.log(memory[ends])))
        if cores[place + 1] > 0.0:
            y = np.exp(np.interp(steps, (0.0, 1.0), np.log(cores[ends])))
        else:
            y = np.interp(x, memory[ends], cores[ends])
        x[0], y[0] = memory[place], cores[place]  # exact: a logarithm rounds
        found += list(zip(x.tolist(), y.tolist(), strict=True))
    return [*found, *zip(memory[-1:].tolist(), cores[-1:].tolist(), strict=True)]


def lower_hull(points: Sequence[tuple[float, float]]) -> tuple[FloatArray, FloatArray]:
    """The convex, falling part of the lower hull of (memory, cores), from the least memory to the least cores."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if hull and y >= hull[-1][1]:
            continue
        if hull and x == hull[-1][0]:
            hull.pop()
        while len(hull) >= 2 and _slope(hull[-2], (x, y)) <= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append((x, y))
    memory, cores = (np.array([point[axis] for point in hull], dtype=np.float64) for axis in (0, 1))
    return memory, cores


def _slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


def _is_kept(run: Run) -> bool:
    """Whether the run keeps its limit and leaves half of the CPU to the program."""
    return keeps_limit(run) and run.metrics["gc_cpu_fraction"].high <= MOST_GC_CPU
