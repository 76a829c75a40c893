"""One collection as it happened, and what differs from one to the next."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.streams import stream
from gcsim.workload.pauses import LEVELS
from gcsim.workload.scatter import Scatter


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


class CycleDraws:
    """What differs from cycle to cycle, drawn from the model's distributions; one stream for each field."""

    def __init__(self, scatter: Scatter, seed: int, replica: int) -> None:
        self._quantiles = {name: np.asarray(values) for name, values in scatter.to_document().items()}
        self._streams = {name: stream(seed, f"des {name}", replica) for name in self._quantiles}

    def quantiles(self, name: str) -> NDArray[np.float64]:
        """The distribution of one of Scatter's fields, at ``LEVELS``."""
        return self._quantiles[name]

    def draw(self, name: str) -> float:
        """One value of one of Scatter's fields."""
        return float(np.interp(self._streams[name].random(), LEVELS, self._quantiles[name]))
