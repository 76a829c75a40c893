"""One collection as it happened, and the factors of its mark phase."""

from dataclasses import dataclass
from typing import NamedTuple


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
