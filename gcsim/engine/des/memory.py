"""The heap goal and the trigger as the process stands: the pacer's state, the memory limit, free slots."""

from dataclasses import dataclass

from gcsim.engine.des.parameters import RunParameters
from gcsim.goruntime.memory import free_slot_bytes, heap_in_use_after_sweep_bytes, limited_trigger_bytes
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes
from gcsim.goruntime.pacer import trigger_bytes
from gcsim.goruntime.pacer_state import PacerState
from gcsim.units import MAX_INT64

_SHARE_ROUNDS = 2
_MIN_SHARE, _MAX_SHARE = 45 / 64, 61 / 64  # Go 1.19+ gcControllerState.trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryView:
    """Memory after a cycle; sizes in bytes."""

    parameters: RunParameters
    pacer: PacerState
    heap_peak_bytes: float  # heap in use when marking ended

    @property
    def limited(self) -> bool:
        return self.parameters.memory_limit_bytes < MAX_INT64

    @property
    def in_use_after_sweep_bytes(self) -> float:
        """Heap in use once all is swept."""
        return float(
            heap_in_use_after_sweep_bytes(
                self.pacer.heap_marked_bytes,
                max(self.heap_peak_bytes, self.pacer.heap_marked_bytes),
                slot_garbage=self.parameters.slot_garbage_share,
            )
        )

    @property
    def outside_bytes(self) -> float:
        """Metadata, stacks, and slots that no allocation fits."""
        p = self.parameters
        peak = max(self.heap_peak_bytes, self.pacer.heap_marked_bytes)
        return (
            p.metadata_base_bytes
            + (p.metadata_share + p.unfilled_slot_share) * peak
            + p.allocated_stack_bytes
        )

    def limit_goal_bytes(self, heap_live_bytes: float, *, swept_share: float = 1.0) -> int:
        """The limit's goal when the heap stands at ``heap_live_bytes``."""
        if not self.limited:
            return MAX_INT64
        free = free_slot_bytes(
            heap_live_bytes,
            heap_in_use_after_sweep_bytes=self.in_use_after_sweep_bytes,
            swept_share=swept_share,
        )
        return memory_limit_heap_goal_bytes(
            self.pacer.heap_marked_bytes,
            self.parameters.memory_limit_bytes,
            int(self.outside_bytes + free),
            0,
            rules=self.pacer.rules,
        )

    def heap_goal_bytes(self, heap_live_bytes: float, triggered_bytes: int | None = None) -> int:
        """The goal in force; ``triggered_bytes`` while marking."""
        return self.pacer.heap_goal_bytes(self.limit_goal_bytes(heap_live_bytes), triggered_bytes)

    def trigger_bytes(self) -> int:
        """The heap size at which the next cycle starts: where the growing heap meets its trigger."""
        by_percent = self.pacer.trigger_bytes(MAX_INT64)
        return min(by_percent, self._limit_trigger_bytes()) if self.limited else by_percent

    def _limit_trigger_bytes(self) -> int:
        pacer, rules = self.pacer, self.pacer.rules
        marked, in_use = pacer.heap_marked_bytes, self.in_use_after_sweep_bytes
        headroom = 0 if rules.limit_headroom_percent else rules.limit_headroom_min_bytes
        trigger = goal = marked
        share = _MIN_SHARE
        for _ in range(_SHARE_ROUNDS):  # the trigger's share of the way depends on the goal there
            trigger = int(
                limited_trigger_bytes(
                    marked,
                    self.parameters.memory_limit_bytes - self.outside_bytes - headroom,
                    heap_in_use_after_sweep_bytes=in_use,
                    trigger_share=share,
                    headroom_share=rules.limit_headroom_percent / 100.0,
                )
            )
            goal = self.limit_goal_bytes(trigger)
            asked = trigger_bytes(marked, goal, pacer.runway_bytes, 0)
            share = min(max((asked - marked) / max(goal - marked, 1), _MIN_SHARE), _MAX_SHARE)
        return min(trigger, goal)
