"""The record of one collection, and the random factors of its mark phase."""

from dataclasses import dataclass
from typing import NamedTuple

from gcsim.engine.controllers import GcSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One collection; times are ns since the runtime's start, sizes bytes, CPU times ns."""

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
    mutator_bytes: float  # allocation since the last cycle's end
    assists: int
    setting: GcSetting  # in force until the cycle committed, as one lane
    forced: bool = False
    periodic: bool = False

    @property
    def end_ns(self) -> int:
        """End of mark termination."""
        return self.start_ns + self.sweep_term_ns + self.mark_ns + self.mark_term_ns


class MarkFactors(NamedTuple):
    """Factors of one mark phase: its CPU time, its duration, and its allocation."""

    cpu: float
    time: float
    allocated: float
