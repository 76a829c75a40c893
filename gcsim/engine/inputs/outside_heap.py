"""Memory outside the heap that GOMEMLIMIT counts: its parameters and its size, in both engines."""

from dataclasses import dataclass
from typing import Generic

from gcsim.arrays import Real
from gcsim.submodels.process_memory import unfilled_slot_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideHeap(Generic[Real]):
    """The parameters of ``service.parameters.OUTSIDE_HEAP``, as numbers of one run or as arrays of shape (lanes,).

    Both engines' parameters inherit them, so a new one needs a line here and its term in ``outside_heap_bytes``.
    """

    metadata_base_bytes: Real
    metadata_share: Real
    slot_garbage_share: Real
    unfilled_slot_share: Real
    allocated_stack_bytes: Real

    def outside_heap_bytes(self, last_peak_bytes: Real, calibrated_peak_bytes: Real) -> Real:
        """Metadata, stacks, and slots that no allocation fits, at the heap's last peak, bytes."""
        unfilled: Real = unfilled_slot_bytes(
            last_peak_bytes, share=self.unfilled_slot_share, calibrated_peak_bytes=calibrated_peak_bytes
        )
        metadata: Real = self.metadata_base_bytes + self.metadata_share * last_peak_bytes
        outside: Real = metadata + self.allocated_stack_bytes + unfilled
        return outside
