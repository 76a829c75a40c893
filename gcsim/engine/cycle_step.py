"""One GC cycle of many runs: the record that both engines pass to the summary."""

from dataclasses import dataclass

from gcsim.arrays import FloatArray
from gcsim.engine.controllers import GcSetting
from gcsim.submodels.mark_phase import MarkPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleStep:
    """One cycle of each lane, in the terms of gctrace; arrays of shape (lanes,)."""

    start_seconds: FloatArray
    trigger_bytes: FloatArray
    heap_start_bytes: FloatArray
    heap_end_bytes: FloatArray
    heap_marked_bytes: FloatArray
    heap_goal_bytes: FloatArray
    phase: MarkPhase
    limited_seconds: FloatArray  # with the GC CPU limiter on
    mutator_bytes: FloatArray  # allocation since the last cycle's end
    setting: GcSetting  # in force until the cycle committed
