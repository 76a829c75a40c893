"""The memory of a heap over time: objects, spans in use, idle and returned memory, through growth, drops and idling.

A program allocates objects of some kinds at given rates, drops a share of those that it keeps at random places, and
idles. The heap is one of spans: a span stays in use while one of its objects lives. The collector starts at the
latest trigger that the pacer allows, and marks and sweeps at once. Idle memory goes back to the kernel by the goal of
the background scavenger.

Since Go 1.21 the background scavenger leaves a chunk of 4 MiB alone until the collection after the one in which it was
almost full (``scavChunkData.shouldScavenge``). All memory that a sweep frees is taken to be of such chunks.

Error: memory is counted in bytes and has no addresses, so a large object always finds room in idle memory. Marking and
sweeping take no time, so heaps are at most one mark phase's allocation too low.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.goruntime.pacer import heap_minimum_bytes
from gcsim.goruntime.scavenger import NO_GOAL, gc_percent_scavenge_goal_bytes, released_bytes_per_second
from gcsim.goruntime.size_classes import (
    LARGE_CLASS,
    PAGE_BYTES,
    SIZE_CLASS_PAGES,
    round_up_size,
    size_class,
    slots_per_span,
)
from gcsim.goruntime.versions import GoRules
from gcsim.service.objects.spans import Spans
from gcsim.streams import stream

STEP_SECONDS = 0.01
FORCED_SECONDS = 120.0  # forcegcperiod: the longest time without a collection
_TRIGGER = 61 / 64  # of the way from marked to goal: the latest trigger
_GROWTH_BYTES = 4 << 20  # mheap.grow maps whole chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKind:
    """Objects of one size."""

    object_bytes: int
    scan: bool  # whether they hold pointers


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A time in which the program does the same; one rate for each kind of object, bytes per second."""

    seconds: float
    kept: tuple[float, ...]  # allocation that stays reachable
    garbage: tuple[float, ...]  # allocation that dies at once
    dropped: float = 0.0  # share of all kept objects that the program drops when the phase begins
    collects: bool = False  # whether the program then calls runtime.GC


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapSample:
    """The memory of the heap at one time, as ``runtime.MemStats`` has it."""

    seconds: float
    heap_alloc_bytes: float
    heap_in_use_bytes: float
    heap_idle_bytes: float
    heap_released_bytes: float
    cycles: int

    @property
    def heap_resident_bytes(self) -> float:
        """The part of the heap in physical memory: in use, or idle and not returned."""
        return self.heap_in_use_bytes + self.heap_idle_bytes - self.heap_released_bytes


def heap_course(
    kinds: Sequence[ObjectKind],
    phases: Sequence[Phase],
    *,
    gogc: int,
    gomaxprocs: int,
    rules: GoRules,
    seed: int,
    roots_bytes: float = 0.0,
    kept_before_bytes: float = 0.0,
) -> list[HeapSample]:
    """A sample at the end of each second. ``kept_before_bytes`` are of large objects that live all the time."""
    heap = _Heap(
        kinds,
        gogc=gogc,
        gomaxprocs=gomaxprocs,
        rules=rules,
        seed=seed,
        roots_bytes=roots_bytes,
        kept_bytes=kept_before_bytes,
    )
    samples = []
    per_second = round(1.0 / STEP_SECONDS)
    steps = 0
    for phase in phases:
        heap.drop(phase.dropped)
        if phase.collects:
            heap.collect()
        for _ in range(round(phase.seconds / STEP_SECONDS)):
            heap.step(np.array(phase.kept), np.array(phase.garbage))
            steps += 1
            if steps % per_second == 0:
                samples.append(heap.sample(steps * STEP_SECONDS))
    return samples


class _Heap:
    """The state of one heap; counts of objects are by kind."""

    def __init__(
        self,
        kinds: Sequence[ObjectKind],
        *,
        gogc: int,
        gomaxprocs: int,
        rules: GoRules,
        seed: int,
        roots_bytes: float,
        kept_bytes: float,
    ) -> None:
        self._rng = stream(seed, "heap course", 0)
        size = np.array([kind.object_bytes for kind in kinds], dtype=np.int64)
        scan = np.array([kind.scan for kind in kinds])
        number = size_class(size, scan, rules=rules)
        self._slot = round_up_size(size, scan, rules=rules)
        pages = np.where(number == LARGE_CLASS, self._slot // PAGE_BYTES, SIZE_CLASS_PAGES[number])
        self._spans = Spans(
            self._slot, slots_per_span(number, scan, rules=rules), pages * PAGE_BYTES, gomaxprocs=1
        )
        self._release_per_step = released_bytes_per_second(float(gomaxprocs)) * STEP_SECONDS
        self._gogc, self._roots, self._kept = gogc, roots_bytes, kept_bytes
        nothing = np.zeros(len(kinds), dtype=np.int64)
        self._old, self._new = nothing, nothing  # kept objects: of the last sweep, and later ones
        self._owed_kept, self._owed_garbage = np.zeros(len(kinds)), np.zeros(len(kinds))  # parts of objects
        self._marked, self._allocated = 0.0, kept_bytes
        self._free = self._released = 0.0
        self._freed_last = 0.0  # part of free memory that the last sweep freed
        self._waits = rules.scavenger_skips_dense_chunks
        self._in_use = 0.0
        self._goal = self._last_goal = float(heap_minimum_bytes(gogc))
        self._scavenge_goal = float(NO_GOAL)
        self._since_gc = 0.0
        self._cycles = 0

    def drop(self, share: float) -> None:
        """Drops a share of all kept objects at random."""
        if share > 0.0:
            self._old = self._rng.binomial(self._old, 1.0 - share)
            self._new = self._rng.binomial(self._new, 1.0 - share)

    def step(self, kept: FloatArray, garbage: FloatArray) -> None:
        """Allocates for one step, collects if due, and returns memory."""
        self._owed_kept = self._owed_kept + kept * STEP_SECONDS / self._slot
        self._owed_garbage = self._owed_garbage + garbage * STEP_SECONDS / self._slot
        stays, dies = self._owed_kept.astype(np.int64), self._owed_garbage.astype(np.int64)
        self._owed_kept, self._owed_garbage = self._owed_kept - stays, self._owed_garbage - dies
        made: Int64Array = stays + dies
        if made.any():
            self._spans.place(made[np.newaxis, :])
            self._new = self._new + stays
            self._allocated += float(made @ self._slot)
            self._take_pages()
        self._since_gc += STEP_SECONDS
        trigger = self._marked + _TRIGGER * max(self._goal - self._marked, 0.0)
        if self._marked + self._allocated >= trigger or self._since_gc >= FORCED_SECONDS:
            self.collect()
        excess = self._in_use + self._free - self._scavenge_goal
        returned = min(self._release_per_step, max(excess, 0.0), max(self._free - self._freed_last, 0.0))
        self._free -= returned
        self._released += returned

    def sample(self, seconds: float) -> HeapSample:
        """The memory now."""
        return HeapSample(
            seconds=seconds,
            heap_alloc_bytes=self._marked + self._allocated,
            heap_in_use_bytes=self._in_use,
            heap_idle_bytes=self._free + self._released,
            heap_released_bytes=self._released,
            cycles=self._cycles,
        )

    def collect(self) -> None:
        """Marks and sweeps, and sets the goals of the next cycle."""
        at_mark_end = self._in_use
        self._spans.sweep(self._old, self._new, self._rng)
        self._old, self._new = self._old + self._new, np.zeros_like(self._new)
        self._marked, self._allocated = self._kept + float(self._old @ self._slot), 0.0
        self._last_goal = self._goal
        grown = self._marked + (self._marked + self._roots) * self._gogc / 100.0
        self._goal = max(grown, float(heap_minimum_bytes(self._gogc)))
        self._scavenge_goal = float(
            gc_percent_scavenge_goal_bytes(
                int(at_mark_end),
                int(self._goal),
                int(self._last_goal),
                heap_retained_bytes=int(at_mark_end + self._free),
            )
        )
        before = self._free
        self._take_pages()
        self._freed_last = max(self._free - before, 0.0) if self._waits else 0.0
        self._since_gc = 0.0
        self._cycles += 1

    def _take_pages(self) -> None:
        """Follows the spans: pages come from idle memory, then from returned memory, then from the kernel."""
        now = self._kept + float(self._spans.in_use_bytes)
        need = now - self._in_use
        self._in_use = now
        if need <= 0.0:
            self._free -= need
            return
        from_free = min(need, self._free)
        self._freed_last *= 1.0 - from_free / max(self._free, 1.0)
        self._free -= from_free
        need -= from_free
        if need > self._released:
            self._released += -(-(need - self._released) // _GROWTH_BYTES) * _GROWTH_BYTES
        self._released -= need
