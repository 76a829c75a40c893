"""Where a process's bytes are: objects, garbage not yet swept, free slots, free pages, and what the kernel holds.

The runtime's memory classes as ``submodels.process_memory`` has them, as quantities without addresses: allocation fills
free slots in proportion (``free_slot_bytes``), then free pages that are resident, then others. Real heaps are
fragmented, so theirs takes some fresh pages while free ones are left: resident memory here is a lower bound between
two peaks.
"""

from dataclasses import dataclass

from gcsim.engine.des.run.parameters import RunParameters
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes
from gcsim.goruntime.pacer_state import PacerState
from gcsim.submodels.process_memory import unfilled_slot_bytes
from gcsim.units import MAX_INT64

_SEARCH_BYTES = 1024  # a trigger is found to less than the allocator's page


@dataclass(slots=True)
class HeapMemory:
    """All in bytes. ``garbage`` is what the last mark phase found dead, as far as it is not swept yet."""

    parameters: RunParameters
    heap_live_bytes: float  # the runtime's heapLive: marked, and allocated since
    heap_peak_bytes: float  # heap in use when marking ended
    garbage_bytes: float = 0.0
    span_tail_recount_bytes: float = 0.0  # of heapLive's growth since the start: nobody allocated them
    freed_bytes: float = 0.0  # by sweeping, since the start
    free_slot_bytes: float = 0.0  # of spans in use
    heap_free_bytes: float = 0.0  # pages free and resident
    unswept_bytes: float = 0.0  # of spans
    unswept_slot_bytes: float = 0.0  # slots of these that are free, and out of reach until they are swept
    _slot_share: float = 0.0
    _garbage_per_span_byte: float = 0.0
    _slots_per_span_byte: float = 0.0

    def __post_init__(self) -> None:
        self._slot_share = min(self.parameters.slot_garbage_share, 1.0)

    @property
    def limited(self) -> bool:
        return self.parameters.memory_limit_bytes < MAX_INT64

    @property
    def heap_in_use_bytes(self) -> float:
        """Bytes of spans: objects, dead ones not swept among them, and free slots."""
        return self.heap_live_bytes + self.garbage_bytes + self.free_slot_bytes + self.unswept_slot_bytes

    @property
    def outside_bytes(self) -> float:
        """Metadata, stacks, and slots that no allocation fits: never there for objects."""
        p, peak = self.parameters, self.heap_peak_bytes
        unfilled: float = unfilled_slot_bytes(
            peak, share=p.unfilled_slot_share, calibrated_peak_bytes=p.calibrated_peak_bytes
        )
        return p.metadata_base_bytes + p.metadata_share * peak + p.allocated_stack_bytes + unfilled

    @property
    def heap_retained_bytes(self) -> float:
        """Heap in use and free pages, as far as resident."""
        return self.heap_in_use_bytes + self.heap_free_bytes

    @property
    def mapped_ready_bytes(self) -> float:
        """What GOMEMLIMIT limits."""
        return self.heap_retained_bytes + self.outside_bytes

    @property
    def resident_bytes(self) -> float:
        """As the kernel counts it: the calibrated base, and the calibrated ratio for each byte of retained heap."""
        return self.parameters.rss_base_bytes + self.parameters.rss_ratio * self.heap_retained_bytes

    def allocate(self, size: float) -> None:
        """Objects of ``size`` bytes: their share into free slots, the rest into free pages, fresh pages."""
        self.heap_live_bytes += size
        in_slots = min(self._slot_share * size, self.free_slot_bytes)
        self.free_slot_bytes -= in_slots
        self.heap_free_bytes -= min(size - in_slots, self.heap_free_bytes)

    def recount(self, size: float) -> None:
        """Ends of spans count again; taken for objects from here on, which holds a few percent too much in use."""
        self.span_tail_recount_bytes += size
        self.allocate(size)

    def end_mark(self, marked_bytes: float) -> None:
        """Everything is unswept, and what is not marked is garbage."""
        assert self.unswept_bytes == 0.0, "a cycle begins when all is swept"
        self.heap_peak_bytes = self.heap_live_bytes
        marked_bytes = min(marked_bytes, self.heap_live_bytes)  # whole bytes of the trigger's rounding
        self.garbage_bytes = self.heap_live_bytes - marked_bytes
        self.heap_live_bytes = marked_bytes
        self.unswept_slot_bytes, self.free_slot_bytes = self.free_slot_bytes, 0.0
        self.unswept_bytes = self.heap_in_use_bytes
        self._garbage_per_span_byte = self.garbage_bytes / max(self.unswept_bytes, 1.0)
        self._slots_per_span_byte = self.unswept_slot_bytes / max(self.unswept_bytes, 1.0)

    @property
    def reclaimed_per_span_byte(self) -> float:
        """Bytes that sweeping makes free, for each byte of spans."""
        return self._garbage_per_span_byte + self._slots_per_span_byte

    def sweep(self, span_bytes: float) -> None:
        """Spans of that size are swept: what is dead or free in them becomes free slots, or free pages.

        A share of it lies in spans that live on, and the rest makes whole spans free.
        """
        swept = min(span_bytes, self.unswept_bytes)
        garbage = min(self._garbage_per_span_byte * swept, self.garbage_bytes)
        slots = min(self._slots_per_span_byte * swept, self.unswept_slot_bytes)
        self.unswept_bytes -= swept
        if self.unswept_bytes <= 0.5:
            self.unswept_bytes, garbage, slots = 0.0, self.garbage_bytes, self.unswept_slot_bytes
        self.garbage_bytes -= garbage
        self.unswept_slot_bytes -= slots
        self.freed_bytes += garbage
        self.free_slot_bytes += self._slot_share * (garbage + slots)
        self.heap_free_bytes += (1.0 - self._slot_share) * (garbage + slots)

    def release(self, size: float) -> None:
        """Free pages go back to the kernel."""
        self.heap_free_bytes -= min(size, self.heap_free_bytes)

    # goal and trigger

    def limit_goal_bytes(self, pacer: PacerState, heap_live_bytes: float, swept_bytes: float = 0.0) -> int:
        """The limit's goal when the heap has grown to ``heap_live_bytes``, ``swept_bytes`` of spans from now."""
        if not self.limited:
            return MAX_INT64
        swept = min(swept_bytes, self.unswept_bytes)
        made = self._slot_share * self.reclaimed_per_span_byte * swept
        grown = heap_live_bytes - self.heap_live_bytes
        slots = max(self.free_slot_bytes + made - self._slot_share * grown, 0.0)
        slots += max(self.unswept_slot_bytes - self._slots_per_span_byte * swept, 0.0)
        return memory_limit_heap_goal_bytes(
            pacer.heap_marked_bytes,
            self.parameters.memory_limit_bytes,
            int(self.outside_bytes + slots),
            0,
            rules=pacer.rules,
        )

    def heap_goal_bytes(
        self, pacer: PacerState, heap_live_bytes: float, triggered_bytes: int | None = None
    ) -> int:
        """The goal in force; ``triggered_bytes`` while marking."""
        return pacer.heap_goal_bytes(self.limit_goal_bytes(pacer, heap_live_bytes), triggered_bytes)

    def trigger_now_bytes(self, pacer: PacerState) -> int:
        """The trigger as the heap stands; a limit's moves while the heap grows."""
        return pacer.trigger_bytes(self.limit_goal_bytes(pacer, self.heap_live_bytes))

    def next_trigger_bytes(self, pacer: PacerState, *, swept_per_byte: float) -> int:
        """The heap size at which the next cycle starts: where the growing heap meets its trigger.

        ``swept_per_byte`` of spans are swept for each byte that the heap grows. Free slots that sweeping makes
        bring a limit's goal down, and allocation fills them again.
        """
        latest = pacer.trigger_bytes(MAX_INT64)
        if not self.limited:
            return latest

        def meets(heap: int) -> bool:
            swept = swept_per_byte * (heap - self.heap_live_bytes)
            return heap >= pacer.trigger_bytes(self.limit_goal_bytes(pacer, heap, swept))

        low = int(self.heap_live_bytes)
        high = min(latest, max(self.parameters.memory_limit_bytes, low))
        while high - low > _SEARCH_BYTES:
            middle = (low + high) // 2
            low, high = (low, middle) if meets(middle) else (middle, high)
        return low if meets(low) else high
