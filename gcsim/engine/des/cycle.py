"""One collection as it happened, and what differs from one to the next."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcsim.streams import stream
from gcsim.workload.pauses import LEVELS
from gcsim.workload.scatter import MARK_FACTORS, Scatter

_LEAST_FACTOR = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One collection as it happened; ns since the runtime's start, bytes, CPU ns."""

    number: int
    start_ns: int
    sweep_term_ns: int
    mark_ns: int
    mark_term_ns: int
    assist_ns: float
    background_ns: float
    idle_mark_ns: float
    trigger_bytes: int
    heap_start_bytes: float
    heap_end_bytes: float
    heap_marked_bytes: float
    heap_goal_bytes: int
    live_bytes: float
    limited_ns: int
    mutator_bytes: float  # allocated since the last cycle's end
    assists: int
    forced: bool = False
    periodic: bool = False

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.sweep_term_ns + self.mark_ns + self.mark_term_ns


class MarkFactors(NamedTuple):
    """What one mark phase is multiplied by."""

    cpu: float
    time: float
    allocated: float


class CycleDraws:
    """What differs from cycle to cycle, drawn from the model's distributions; one stream for each field."""

    def __init__(self, scatter: Scatter, seed: int, replica: int) -> None:
        self._scatter = scatter
        self._quantiles = scatter.distributions
        self._streams = {
            name: stream(seed, f"des {name}", replica) for name in self._quantiles if name not in MARK_FACTORS
        }
        self._marking = stream(seed, "des marking", replica)
        self.most_allocated_black = float(scatter.most_allocated_black)

    def quantiles(self, name: str) -> NDArray[np.float64]:
        """The distribution of one of Scatter's fields, at ``LEVELS``."""
        return self._quantiles[name]

    def draw(self, name: str) -> float:
        """One value of one of Scatter's fields but for marking's."""
        return float(np.interp(self._streams[name].random(), LEVELS, self._quantiles[name]))

    def draw_marking(self) -> MarkFactors:
        """Of the next mark phase."""
        cpu, time, allocated = self._scatter.draw_marking(self._marking, 1)[:, 0]
        return MarkFactors(max(float(cpu), _LEAST_FACTOR), max(float(time), _LEAST_FACTOR), float(allocated))
