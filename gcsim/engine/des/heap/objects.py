"""The object-level view of a run: the allocated objects, drawn in bulk between events.

The follower advances ``service.objects.object_heap`` by the run's allocated bytes at each begin and end of marking. It
does not change the run. The run's live heap comes from the model, the view's live heap from its kinds of objects.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gcsim.engine.des.heap.machine import Machine
from gcsim.goruntime.versions import GoRules
from gcsim.service.objects.kinds_file import Objects
from gcsim.service.objects.object_heap import ObjectHeap
from gcsim.service.objects.pool_users import Pool
from gcsim.streams import stream

_BUILT_IN_LIFETIMES = 4.0  # longest finite lifetimes; the heap is then within 2 % of a steady one
_MAX_BUILT_LIVE_HEAPS = 64.0


class ObjectRecord(NamedTuple):
    """The objects of one collection; sizes are bytes of slots."""

    cycle: int
    start_ns: int
    allocated_bytes: int  # since the last mark end
    garbage_bytes: int  # found dead by this collection
    floating_bytes: int  # died while it marked and stays until the next
    live_bytes: int
    marked_bytes: int
    scannable_bytes: int
    heap_in_use_bytes: int  # spans, once swept
    fragmentation_bytes: int  # the part of heap in use that no object occupies


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectView:
    """The document of ``gcsim simulate --objects-out``."""

    assumed: bool
    slot_bytes: list[int]  # by span class
    pointers: list[bool]
    live_bytes_by_age: list[list[int]]  # mean over mark ends, by (collections survived, span class)
    cycles: list[ObjectRecord]
    pools: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The JSON document: one column per field of the cycles, one row per age."""
        return {
            "assumed": self.assumed,
            "span_classes": [
                {"slot_bytes": size, "pointers": pointers}
                for size, pointers in zip(self.slot_bytes, self.pointers, strict=True)
            ],
            "live_bytes_by_age": self.live_bytes_by_age,
            "cycles": {name: [row[i] for row in self.cycles] for i, name in enumerate(ObjectRecord._fields)},
            "pools": self.pools,
        }


class ObjectFollower:
    """Advances an ObjectHeap by a machine's allocation."""

    def __init__(
        self, machine: Machine, objects: Objects, *, rules: GoRules, gomaxprocs: int, seed: int
    ) -> None:
        self._machine, self._objects, self._rules = machine, objects, rules
        self._gomaxprocs, self._seed = gomaxprocs, seed
        rng = stream(seed, "des objects")
        self.heap = ObjectHeap(objects.kinds, rules=rules, gomaxprocs=gomaxprocs, rng=rng)
        self._unplaced_bytes = 0.0
        self._followed_bytes, self._followed_ns = 0.0, 0
        self._since_end_bytes = self._condemned_bytes = 0
        self._rows: list[ObjectRecord] = []
        classes = len(self.heap.mix.class_slots)
        self._by_age = np.zeros((len(self.heap.live_bytes_by_age()), classes))
        self._mark_start_ns = 0

    def build(self, live_bytes: float, bytes_per_second: float) -> None:
        """Builds the heap of a program that has run for some time, with a collection per half a live heap allocated."""
        means = [
            kind.lifetime.mean * (bytes_per_second if kind.lifetime.clock == "seconds" else 1.0)
            for kind in self._objects.kinds
            if math.isfinite(kind.lifetime.mean)
        ]
        step = 0.5 * live_bytes
        size = min(_BUILT_IN_LIFETIMES * max(means, default=0.0), _MAX_BUILT_LIVE_HEAPS * live_bytes)
        for _ in range(math.ceil(size / step)):
            self._allocate(step, step / bytes_per_second)
            self.heap.begin_mark()
            self.heap.end_mark()
            self.heap.sweep()

    def follow_from(self, now_ns: int) -> None:
        """Starts to follow the run's allocation at ``now_ns``."""
        self._followed_bytes, self._followed_ns = self._machine.allocated_bytes, now_ns

    def begin_mark(self, now_ns: int) -> None:
        """Begins a mark phase, which finds all objects that are dead now."""
        self._advance(now_ns)
        self._mark_start_ns = now_ns
        self._condemned_bytes = self.heap.begin_mark()

    def end_mark(self, now_ns: int, cycle: int, epoch_ns: int) -> None:
        """Ends a mark phase and sweeps at once, because the view is read only in the next cycle."""
        self._advance(now_ns)
        marked = self.heap.end_mark()
        self.heap.sweep()
        by_age = self.heap.live_bytes_by_age()
        self._by_age += by_age
        self._rows.append(
            ObjectRecord(
                cycle=cycle,
                start_ns=self._mark_start_ns - epoch_ns,
                allocated_bytes=self._since_end_bytes,
                garbage_bytes=self._condemned_bytes,
                floating_bytes=marked.floating_bytes,
                live_bytes=int(by_age.sum()),
                marked_bytes=marked.heap_marked_bytes,
                scannable_bytes=marked.scannable_bytes,
                heap_in_use_bytes=self.heap.heap_in_use_bytes,
                fragmentation_bytes=self.heap.fragmentation_bytes,
            )
        )
        self._since_end_bytes = 0

    def _advance(self, now_ns: int) -> None:
        size, elapsed = self._machine.allocated_bytes - self._followed_bytes, now_ns - self._followed_ns
        self._followed_bytes, self._followed_ns = self._machine.allocated_bytes, now_ns
        self._since_end_bytes += self._allocate(size, elapsed * 1e-9)

    def _allocate(self, size: float, seconds: float) -> int:
        """Allocates whole objects of ``size`` bytes together; a rest is added to the next call."""
        self._unplaced_bytes += size
        count = max(int(self._unplaced_bytes / self.heap.mix.mean_slot_bytes), 0)
        made = self.heap.allocate(count, seconds=seconds)
        self._unplaced_bytes -= made
        return made

    def view(self) -> ObjectView:
        """The view of all cycles followed."""
        mix, cycles = self.heap.mix, max(len(self._rows), 1)
        return ObjectView(
            assumed=self._objects.assumed,
            slot_bytes=mix.class_slot_bytes.tolist(),
            pointers=mix.class_scan.tolist(),
            live_bytes_by_age=np.round(self._by_age / cycles).astype(np.int64).tolist(),
            cycles=self._rows,
            pools=[self._pool(pool) for pool in self._objects.pools],
        )

    def _pool(self, pool: Pool) -> dict[str, Any]:
        """A sync.Pool's hit share and misses, at the run's mean time between collections."""
        starts = np.array([row.start_ns for row in self._rows], dtype=np.float64)
        document: dict[str, Any] = {"name": pool.name, "hit_share": None, "misses_per_second": None}
        if starts.size > 1:
            period_s = float(np.diff(starts).mean()) * 1e-9
            hits = pool.hit_share(period_s, gomaxprocs=self._gomaxprocs, rules=self._rules, seed=self._seed)
            document["hit_share"] = hits
            document["misses_per_second"] = pool.gets_per_second * (1.0 - hits)
        return document
