"""A heap simulated by kinds of objects: their allocation, deaths, marking and sweeping.

The heap advances objects in bulk. The kinds of n new objects, and the survivors among them at the end of a step, are
one multinomial draw, *exact* for any n and any step with even allocation within the step (see ``lifetimes``). Deaths of
older objects are binomial and also exact.

Approximations: a tiny block (pointer-free objects below 16 B) lives as long as one of its objects, although in Go the
last one keeps it; survivors are placed on spans at random (see ``spans``); marking uses a snapshot of the reachable
objects at its start, so floating garbage is slightly too high, because Go does not mark an object that dies before its
stack is scanned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.goruntime.size_classes import (
    LARGE_CLASS,
    PAGE_BYTES,
    SIZE_CLASS_PAGES,
    TINY_BLOCK_BYTES,
    round_up_size,
    size_class,
    slots_per_span,
    tiny_blocks_per_object,
)
from gcsim.goruntime.versions import GoRules
from gcsim.service.objects.lifetimes import Lifetime, survivors
from gcsim.service.objects.spans import Spans

AGES = 8  # numbers of survived collections; the last includes all larger numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKind:
    """One kind of object that a program allocates; ``weight`` is its share of all objects, in any unit."""

    size_bytes: int
    scan: bool  # holds pointers
    weight: float
    lifetime: Lifetime
    scannable_bytes: int = 0  # bytes up to the end of the last pointer

    def __post_init__(self) -> None:
        if self.size_bytes < 1 or not self.weight > 0:
            raise ValueError(
                f"size_bytes and weight of an object must be above 0, got {self.size_bytes}, {self.weight}"
            )
        if not 0 <= self.scannable_bytes <= (self.size_bytes if self.scan else 0):
            raise ValueError(f"{self.scannable_bytes} scannable bytes do not fit this object")


class ObjectMix:
    """Kinds of objects with sizes rounded to slots, constant during a simulation. Arrays by kind."""

    def __init__(self, kinds: Sequence[ObjectKind], *, rules: GoRules) -> None:
        if not kinds:
            raise ValueError("a heap needs at least one kind of object")
        kinds = [kind for lifetime in _lifetimes(kinds) for kind in kinds if kind.lifetime == lifetime]
        self.lifetimes = _lifetimes(kinds)
        self.lifetime_of = np.array([self.lifetimes.index(kind.lifetime) for kind in kinds])
        sizes = np.array([kind.size_bytes for kind in kinds], dtype=np.int64)
        scan = np.array([kind.scan for kind in kinds], dtype=np.bool_)
        weights = np.array([kind.weight for kind in kinds]) * _blocks_per_object(kinds)
        self.probability = weights / weights.sum()
        self.scannable_bytes = np.array([kind.scannable_bytes for kind in kinds], dtype=np.int64)
        self.slot_bytes = round_up_size(sizes, scan, rules=rules)
        classes = size_class(sizes, scan, rules=rules)
        # A span class is a size class with or without pointers; each large size stands for itself.
        keys = np.stack([classes, scan.astype(np.int64), self.slot_bytes])
        unique, inverse = np.unique(keys, axis=1, return_inverse=True)
        self.span_class_of: Int64Array = inverse.reshape(-1).astype(np.int64)
        self.size_class, pointers, self.class_slot_bytes = unique
        self.class_scan = pointers == 1
        self.class_slots = slots_per_span(self.size_class, self.class_scan, rules=rules)
        small_span = SIZE_CLASS_PAGES[self.size_class] * PAGE_BYTES
        self.class_span_bytes = np.where(self.size_class == LARGE_CLASS, self.class_slot_bytes, small_span)

    @property
    def mean_slot_bytes(self) -> float:
        return float(self.probability @ self.slot_bytes)

    def by_span_class(self, by_kind: Int64Array) -> Int64Array:
        """Counts by kind (last axis), summed by span class."""
        total = np.zeros((*by_kind.shape[:-1], len(self.class_slots)), dtype=np.int64)
        np.add.at(total.T, self.span_class_of, by_kind.T)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The result of one mark phase, in bytes of slots."""

    heap_marked_bytes: int  # reachable at the start of marking, plus allocation since
    condemned_bytes: int  # unreachable at the start of marking; the sweeper frees them
    floating_bytes: int  # of the marked bytes: dead at mark end
    scannable_bytes: int  # of the marked bytes: up to each object's last pointer


class ObjectHeap:
    """A Go heap between its control events: ``allocate`` steps, ``begin_mark``, ``end_mark``, ``sweep``.

    At any moment, for each span class: allocated = live + garbage + unswept + freed (counts of objects).
    """

    def __init__(
        self, kinds: Sequence[ObjectKind], *, rules: GoRules, gomaxprocs: int, rng: np.random.Generator
    ) -> None:
        self.mix = ObjectMix(kinds, rules=rules)
        self.rng = rng
        self.gomaxprocs = gomaxprocs
        self.heap_live_bytes = 0
        self.heap_marked_bytes = 0
        mix, classes = self.mix, len(self.mix.class_slots)
        # Alive, by lifetime: counts by (kind with this lifetime, phase, age in collections).
        self._alive = [
            np.zeros((int(np.sum(mix.lifetime_of == index)), lifetime.phases, AGES), dtype=np.int64)
            for index, lifetime in enumerate(mix.lifetimes)
        ]
        # By (whether made since the last mark end, span class).
        self._garbage = np.zeros((2, classes), dtype=np.int64)
        self._condemned = np.zeros((2, classes), dtype=np.int64)
        self.allocated_objects = np.zeros(classes, dtype=np.int64)
        self.freed_objects = np.zeros(classes, dtype=np.int64)
        self._unswept = np.zeros(classes, dtype=np.int64)
        self._spans = Spans(
            mix.class_slot_bytes, mix.class_slots, mix.class_span_bytes, gomaxprocs=gomaxprocs
        )

    def allocate(self, objects: int, *, seconds: float) -> int:
        """Allocates ``objects`` (0 or more) evenly over ``seconds``, while older ones die; returns bytes of slots.

        heapLive grows by the spans that the Ps take for the objects.
        """
        size = objects * self.mix.mean_slot_bytes
        self._age_and_kill(seconds, size)
        made = self._draw(objects, seconds, size)
        by_class = self.mix.by_span_class(made)
        self.allocated_objects += by_class
        spread = np.full(self.gomaxprocs, 1 / self.gomaxprocs)
        self.heap_live_bytes += self._spans.place(self.rng.multinomial(by_class, spread).T)
        return int(by_class @ self.mix.class_slot_bytes)

    def begin_mark(self) -> int:
        """Begins marking; objects that are dead now are not marked. Returns their bytes."""
        if self._condemned.any():
            raise ValueError("marking has begun already")
        self._condemned, self._garbage = self._garbage, np.zeros_like(self._garbage)
        return self._bytes(self._condemned.sum(axis=0))

    def end_mark(self) -> Marked:
        """Ends marking: sets heapLive to the marked bytes and ages every object by one collection."""
        condemned, before = self._condemned, self._objects_by_age()
        self._spans.sweep(before[0] - condemned[0], before[1] - condemned[1], self.rng)
        self._unswept += condemned.sum(axis=0)
        self._condemned = np.zeros_like(condemned)
        self._garbage = np.stack([self._garbage.sum(axis=0), np.zeros_like(self._garbage[1])])
        for alive in self._alive:
            alive[:, :, -1] += alive[:, :, -2]
            alive[:, :, 1:-1] = alive[:, :, :-2]
            alive[:, :, 0] = 0
        live, floating = self.live_bytes, self._bytes(self._garbage[0])
        self.heap_marked_bytes = self.heap_live_bytes = live + floating
        return Marked(
            heap_marked_bytes=live + floating,
            condemned_bytes=self._bytes(condemned.sum(axis=0)),
            floating_bytes=floating,
            scannable_bytes=self.scannable_bytes,
        )

    def sweep(self) -> int:
        """Frees the unswept objects; returns the bytes of their slots."""
        freed, self._unswept = self._unswept, np.zeros_like(self._unswept)
        self.freed_objects += freed
        return self._bytes(freed)

    @property
    def live_objects(self) -> Int64Array:
        """Live objects by span class."""
        return self.mix.by_span_class(self._alive_by_kind())

    @property
    def garbage_objects(self) -> Int64Array:
        """Dead objects that no finished mark phase has found, by span class."""
        dead: Int64Array = (self._garbage + self._condemned).sum(axis=0)
        return dead

    @property
    def unswept_objects(self) -> Int64Array:
        """Objects that a mark phase found dead and ``sweep`` has not freed, by span class."""
        return self._unswept.copy()

    @property
    def live_bytes(self) -> int:
        return self._bytes(self.live_objects)

    @property
    def garbage_bytes(self) -> int:
        return self._bytes(self.garbage_objects)

    @property
    def scannable_bytes(self) -> int:
        """Bytes up to the last pointer of all live objects."""
        return int(self._alive_by_kind() @ self.mix.scannable_bytes)

    @property
    def heap_in_use_bytes(self) -> int:
        """Bytes of spans with objects, as after sweeping."""
        return self._spans.in_use_bytes

    @property
    def fragmentation_bytes(self) -> int:
        """Bytes of spans in use without objects: free slots, span tails, bitmaps in spans."""
        return self.heap_in_use_bytes - self.live_bytes - self.garbage_bytes

    def live_bytes_by_age(self) -> Int64Array:
        """Live bytes by (survived collections, span class); the last age is AGES - 1 or more."""
        by_kind = np.concatenate([alive.sum(axis=1) for alive in self._alive])
        size: Int64Array = self.mix.by_span_class(by_kind.T) * self.mix.class_slot_bytes
        return size

    def _age_and_kill(self, seconds: float, size: float) -> None:
        """Advances live objects by one step; dead ones become garbage."""
        deaths = []
        for index, lifetime in enumerate(self.mix.lifetimes):
            alive = self._alive[index]
            passed = lifetime.phases_passed(seconds if lifetime.clock == "seconds" else size)
            self._alive[index] = survivors(alive, passed, self.rng)
            deaths.append((alive - self._alive[index]).sum(axis=1))
        by_kind = np.concatenate(deaths)
        self._garbage[0] += self.mix.by_span_class(by_kind[:, 1:].sum(axis=1))
        self._garbage[1] += self.mix.by_span_class(by_kind[:, 0])

    def _draw(self, objects: int, seconds: float, size: float) -> Int64Array:
        """New objects by kind, from one draw of the kind and of the phase at the end of the step, or death."""
        chances = [
            lifetime.phase_at_end(seconds if lifetime.clock == "seconds" else size)
            for lifetime in self.mix.lifetimes
        ]
        fates = [np.append(chance, max(1 - chance.sum(), 0.0)) for chance in chances]
        cells = [
            fates[index] * share
            for index, share in zip(self.mix.lifetime_of, self.mix.probability, strict=True)
        ]
        flat = np.concatenate(cells)
        drawn = self.rng.multinomial(objects, flat / flat.sum())
        made, died, at = [], [], 0
        for alive in self._alive:
            kinds, phases, _ = alive.shape
            block = drawn[at : at + kinds * (phases + 1)].reshape(kinds, phases + 1)
            at += block.size
            alive[:, :, 0] += block[:, :-1]
            made.append(block.sum(axis=1))
            died.append(block[:, -1])
        self._garbage[1] += self.mix.by_span_class(np.concatenate(died))
        return np.concatenate(made)

    def _alive_by_kind(self) -> Int64Array:
        return np.concatenate([alive.sum(axis=(1, 2)) for alive in self._alive])

    def _objects_by_age(self) -> Int64Array:
        """Occupied slots by (allocated since the last mark end, span class), dead objects included."""
        young = np.concatenate([alive[:, :, 0].sum(axis=1) for alive in self._alive])
        old = self._alive_by_kind() - young
        alive = np.stack([self.mix.by_span_class(old), self.mix.by_span_class(young)])
        return alive + self._garbage + self._condemned

    def _bytes(self, objects: Int64Array) -> int:
        return int(objects @ self.mix.class_slot_bytes)


def _lifetimes(kinds: Sequence[ObjectKind]) -> list[Lifetime]:
    """The distinct lifetimes, in order of first use."""
    return list(dict.fromkeys(kind.lifetime for kind in kinds))


def _blocks_per_object(kinds: Sequence[ObjectKind]) -> FloatArray:
    """Slots per object of each kind: 1, or less for tiny objects, which share blocks."""
    tiny = np.array([not kind.scan and kind.size_bytes < TINY_BLOCK_BYTES for kind in kinds])
    if not tiny.any():
        return np.ones(len(kinds))
    sizes = np.array([kind.size_bytes for kind in kinds], dtype=np.int64)[tiny]
    weights = np.array([kind.weight for kind in kinds])[tiny]
    return np.where(tiny, tiny_blocks_per_object(sizes, weights / weights.sum()), 1.0)
