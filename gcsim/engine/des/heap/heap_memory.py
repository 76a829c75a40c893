"""A process's memory: objects, unswept garbage, free slots, free pages, and resident bytes.

The memory classes are those of the runtime (``submodels.process_memory``), as quantities without addresses. A constant
share of allocation fills free slots (``free_slot_bytes``). The rest takes resident free pages, then fresh pages. A real
heap is fragmented and takes some fresh pages while free pages are left. Between two peaks the resident memory of this
model is therefore a lower bound.
"""

from dataclasses import dataclass

from gcsim.engine.des.run.parameters import RunParameters
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes, overage_bytes
from gcsim.goruntime.pacer_state import PacerState
from gcsim.units import MAX_INT64

_SEARCH_BYTES = 1024  # accuracy of a trigger: below the allocator's page size


@dataclass(slots=True)
class HeapMemory:
    """The memory of a process, in bytes. Garbage is unswept memory that the last mark phase found dead."""

    parameters: RunParameters
    heap_live_bytes: float  # the runtime's heapLive: marked, and allocated since
    heap_peak_bytes: float  # heap in use when marking ended
    garbage_bytes: float = 0.0
    span_tail_recount_bytes: float = 0.0  # growth of heapLive since the start that is no allocation
    freed_bytes: float = 0.0  # by sweeping, since the start
    free_slot_bytes: float = 0.0  # of spans in use
    heap_free_bytes: float = 0.0  # pages free and resident
    unswept_bytes: float = 0.0  # of spans
    unswept_slot_bytes: float = 0.0  # free slots in these spans, not usable until they are swept
    _slot_share: float = 0.0
    _garbage_per_span_byte: float = 0.0
    _slots_per_span_byte: float = 0.0

    def __post_init__(self) -> None:
        self._slot_share = min(self.parameters.slot_garbage_share, 1.0)

    @property
    def heap_in_use_bytes(self) -> float:
        """Bytes of spans in use: objects, unswept dead objects, and free slots."""
        return self.heap_live_bytes + self.garbage_bytes + self.free_slot_bytes + self.unswept_slot_bytes

    @property
    def outside_bytes(self) -> float:
        """Memory that holds no objects, as of the last heap peak: metadata, stacks, slots that no allocation fits."""
        p = self.parameters
        return p.outside_heap_bytes(self.heap_peak_bytes, p.calibrated_peak_bytes)

    @property
    def heap_retained_bytes(self) -> float:
        """Heap in use and resident free pages."""
        return self.heap_in_use_bytes + self.heap_free_bytes

    @property
    def mapped_ready_bytes(self) -> float:
        """mappedReady, the memory that GOMEMLIMIT limits."""
        return self.heap_retained_bytes + self.outside_bytes

    @property
    def resident_bytes(self) -> float:
        """Resident memory (RSS): calibrated base + calibrated ratio x retained heap."""
        return self.parameters.rss_base_bytes + self.parameters.rss_ratio * self.heap_retained_bytes

    def allocate(self, size: float) -> None:
        """Allocates ``size`` bytes: a share in free slots, the rest in free pages, then in fresh pages."""
        self.heap_live_bytes += size
        in_slots = min(self._slot_share * size, self.free_slot_bytes)
        self.free_slot_bytes -= in_slots
        self.heap_free_bytes -= min(size - in_slots, self.heap_free_bytes)

    def recount(self, size: float) -> None:
        """Adds recounted span tails to heapLive. As they count as objects, heap in use is a few percent too large."""
        self.span_tail_recount_bytes += size
        self.allocate(size)

    def end_mark(self, marked_bytes: float) -> None:
        """Ends a mark phase: unmarked memory becomes garbage and all spans become unswept."""
        assert self.unswept_bytes == 0.0, "a cycle begins when all is swept"
        self.heap_peak_bytes = self.heap_live_bytes
        marked_bytes = min(marked_bytes, self.heap_live_bytes)  # the trigger is rounded to whole bytes
        self.garbage_bytes = self.heap_live_bytes - marked_bytes
        self.heap_live_bytes = marked_bytes
        self.unswept_slot_bytes, self.free_slot_bytes = self.free_slot_bytes, 0.0
        self.unswept_bytes = self.heap_in_use_bytes
        self._garbage_per_span_byte = self.garbage_bytes / max(self.unswept_bytes, 1.0)
        self._slots_per_span_byte = self.unswept_slot_bytes / max(self.unswept_bytes, 1.0)

    @property
    def reclaimed_per_span_byte(self) -> float:
        """Bytes that sweeping frees per byte of spans."""
        return self._garbage_per_span_byte + self._slots_per_span_byte

    def sweep(self, span_bytes: float) -> None:
        """Sweeps spans of ``span_bytes``: their garbage and unused slots become free slots or free pages.

        A constant share lies in spans that stay in use and becomes free slots. The rest becomes free pages.
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
        """Returns free pages to the kernel."""
        self.heap_free_bytes -= min(size, self.heap_free_bytes)

    # goal and trigger

    def limit_goal_bytes(self, pacer: PacerState, heap_live_bytes: float, swept_bytes: float = 0.0) -> int:
        """The memory limit's heap goal when heapLive is ``heap_live_bytes`` and ``swept_bytes`` more are swept."""
        if pacer.memory_limit_bytes == MAX_INT64:
            return MAX_INT64
        swept = min(swept_bytes, self.unswept_bytes)
        freed = self._slot_share * self.reclaimed_per_span_byte * swept
        grown = heap_live_bytes - self.heap_live_bytes
        slots = max(self.free_slot_bytes + freed - self._slot_share * grown, 0.0)
        slots += max(self.unswept_slot_bytes - self._slots_per_span_byte * swept, 0.0)
        non_heap = int(self.outside_bytes + slots)
        # free pages are returned before an allocation passes the limit, so that only the heap counts
        overage = overage_bytes(int(heap_live_bytes) + non_heap, pacer.memory_limit_bytes)
        return memory_limit_heap_goal_bytes(
            pacer.heap_marked_bytes, pacer.memory_limit_bytes, non_heap, overage, rules=pacer.rules
        )

    def heap_goal_bytes(
        self, pacer: PacerState, heap_live_bytes: float, triggered_bytes: int | None = None
    ) -> int:
        """The heap goal in force; ``triggered_bytes`` is given while marking."""
        return pacer.heap_goal_bytes(self.limit_goal_bytes(pacer, heap_live_bytes), triggered_bytes)

    def trigger_now_bytes(self, pacer: PacerState) -> int:
        """The trigger at the present heap size; under a memory limit it moves while the heap grows."""
        return pacer.trigger_bytes(self.limit_goal_bytes(pacer, self.heap_live_bytes))

    def next_trigger_bytes(self, pacer: PacerState, *, swept_per_byte: float) -> int:
        """The heap size at which the growing heap reaches its trigger and the next cycle starts.

        Without a memory limit it is the trigger of GOGC's goal. With one, ``swept_per_byte`` bytes of spans are swept
        while the heap grows by a byte. Sweeping makes free slots, which lower the goal from the memory limit.
        Allocation fills them again, which raises it.
        """
        latest = pacer.trigger_bytes(MAX_INT64)
        if pacer.memory_limit_bytes == MAX_INT64:
            return latest

        def meets(heap: int) -> bool:
            swept = swept_per_byte * (heap - self.heap_live_bytes)
            return heap >= pacer.trigger_bytes(self.limit_goal_bytes(pacer, heap, swept))

        low = int(self.heap_live_bytes)
        high = min(latest, max(pacer.memory_limit_bytes, low))
        while high - low > _SEARCH_BYTES:
            middle = (low + high) // 2
            low, high = (low, middle) if meets(middle) else (middle, high)
        return low if meets(low) else high
