"""The write barriers of all Go versions, and a mutator that writes pointers through one of them.

White objects are not marked, grey objects are marked and not scanned, black objects are marked and scanned. A mutator
could store the only pointer to a white object in a black one. A write barrier prevents this: it shades (marks and
queues) the pointers that the mutator moves. Design and proof of the present barrier:
go.dev/design/17503-eliminate-rescan; ``runtime.mbarrier.go``.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import Int64Array
from gcsim.goruntime.object_graph import NIL
from gcsim.goruntime.versions import GoRules

WHITE, GREY, BLACK = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """A write barrier: the pointers that a write shades, and whether stacks are scanned again.

    Writes to a goroutine's own stack have no barrier in any version.
    """

    world_stopped: bool = False  # nothing is written while marking
    shades_old: bool = False  # Yuasa: the pointer that is overwritten
    shades_new: bool = False  # Dijkstra: the pointer that is written
    rescans_stacks: bool = False  # stacks are scanned again with the world stopped


STOP_THE_WORLD = Barrier(world_stopped=True)  # to Go 1.4
DIJKSTRA = Barrier(shades_new=True, rescans_stacks=True)  # 1.5–1.7 writebarrierptr
# 1.8+ gcWriteBarrier. The published algorithm shades the new pointer only while the writer's stack is grey. The runtime
# always shades both, because its buffer holds old and new; this module does the same.
HYBRID = Barrier(shades_old=True, shades_new=True)


def barrier_of(rules: GoRules) -> Barrier:
    """The barrier of a Go version."""
    return {"none": STOP_THE_WORLD, "dijkstra": DIJKSTRA, "hybrid": HYBRID}[rules.write_barrier]


class Op(IntEnum):
    """One operation of a goroutine g on its stack slots and on the objects that they point to.

    A schedule is an integer array (operations, 5) of rows (op, g, a, b, f). Numbers are taken modulo the number of
    goroutines, slots or fields, and an operation through a nil pointer does nothing. Every array is therefore a legal
    program.
    """

    LOAD = 0  # stack[a] = stack[b].field[f]
    STORE = 1  # stack[b].field[f] = stack[a], through the barrier
    DELETE = 2  # stack[b].field[f] = nil, through the barrier
    DROP = 3  # stack[a] = nil
    ALLOCATE = 4  # stack[a] = a new object, black while marking
    GLOBAL = 5  # stack[a] = address of globals f
    SEND = 6  # stack of goroutine f, slot b = stack[a], through the barrier (1.19+ runtime.sendDirect)


def random_schedule(generator: np.random.Generator, count: int) -> Int64Array:
    """A random schedule of ``count`` operations; all kinds are equally likely."""
    kinds = generator.integers(0, len(Op), count)
    return np.column_stack([kinds, generator.integers(0, 1 << 16, (count, 4))]).astype(np.int64)


@dataclass(slots=True, kw_only=True, eq=False)
class MutableHeap:
    """A heap during marking: copies of an ObjectGraph's slots and stacks, and colours."""

    first_slot: Int64Array
    slots: Int64Array
    size_bytes: Int64Array
    globals_: Int64Array
    stacks: Int64Array
    color: NDArray[np.uint8]
    next_object: int  # the first object that does not exist yet


@dataclass(slots=True, kw_only=True)
class MutatorReport:
    """The effects of a batch of operations."""

    shaded: list[int]  # objects turned grey by the barrier, to be queued
    shaded_bytes: int = 0  # with noscan objects, which become black at once
    allocated_bytes: int = 0
    operations: int = 0  # that had an effect


def run_mutator(heap: MutableHeap, schedule: Int64Array, barrier: Barrier, *, marking: bool) -> MutatorReport:
    """Applies a program's pointer writes to ``heap`` in order, and returns counts of their effects.

    Colours change only while ``marking``.
    """
    mutator = _Mutator(heap, barrier, marking=marking)
    for operation in schedule.tolist():
        mutator.apply(*operation)
    return mutator.report


class _Mutator:
    """A mutator with scalar access to the arrays through memoryviews, several times faster than NumPy's."""

    def __init__(self, heap: MutableHeap, barrier: Barrier, *, marking: bool) -> None:
        self.heap = heap
        self.first_slot, self.slots = heap.first_slot.data, heap.slots.data
        self.size_bytes, self.color = heap.size_bytes.data, heap.color.data
        self.stacks = heap.stacks.data
        self.shades_old = marking and barrier.shades_old
        self.shades_new = marking and barrier.shades_new
        self.birth_color = BLACK if marking else WHITE
        self.report = MutatorReport(shaded=[])

    def apply(self, kind: int, goroutine: int, a: int, b: int, f: int) -> None:
        """Applies one operation (``Op``)."""
        count, depth = self.heap.stacks.shape
        if count == 0 or depth == 0:
            return
        g, a, b = goroutine % count, a % depth, b % depth
        if kind == Op.LOAD:
            slot = self._slot(self.stacks[g, b], f)
            self._put(g, a, NIL if slot == NIL else self.slots[slot])
        elif kind in (Op.STORE, Op.DELETE):
            slot = self._slot(self.stacks[g, b], f)
            if slot != NIL:
                self._write(slot, self.stacks[g, a] if kind == Op.STORE else NIL)
        elif kind == Op.DROP:
            self._put(g, a, NIL)
        elif kind == Op.ALLOCATE:
            self._allocate(g, a)
        elif kind == Op.GLOBAL and len(self.heap.globals_):
            self._put(g, a, int(self.heap.globals_[f % len(self.heap.globals_)]))
        elif kind == Op.SEND:
            self._send(f % count, b, self.stacks[g, a])

    def _slot(self, target: int, field: int) -> int:
        """Index of a field of the object; NIL without an object or a field."""
        if target == NIL:
            return NIL
        start, end = self.first_slot[target], self.first_slot[target + 1]
        return int(start + field % (end - start)) if end > start else NIL

    def _put(self, g: int, a: int, pointer: int) -> None:
        self.stacks[g, a] = pointer
        self.report.operations += 1

    def _write(self, slot: int, pointer: int) -> None:
        self._barrier(self.slots[slot], pointer)
        self.slots[slot] = pointer
        self.report.operations += 1

    def _send(self, g: int, slot: int, pointer: int) -> None:
        self._barrier(self.stacks[g, slot], pointer)
        self._put(g, slot, pointer)

    def _barrier(self, old: int, new: int) -> None:
        if self.shades_old:
            self._shade(old)
        if self.shades_new:
            self._shade(new)

    def _shade(self, target: int) -> None:
        """Marks a white object; noscan objects become black at once. Go 1.19+ ``runtime.greyobject``."""
        if target == NIL or self.color[target] != WHITE:
            return
        self.report.shaded_bytes += self.size_bytes[target]
        if self.first_slot[target] == self.first_slot[target + 1]:
            self.color[target] = BLACK
            return
        self.color[target] = GREY
        self.report.shaded.append(target)

    def _allocate(self, g: int, a: int) -> None:
        """Allocates a new object, black while marking. Go 1.19+ ``runtime.gcmarknewobject``."""
        born = self.heap.next_object
        if born == len(self.heap.size_bytes):
            return
        self.heap.next_object = born + 1
        self.color[born] = self.birth_color
        self.report.allocated_bytes += self.size_bytes[born]
        self._put(g, a, born)
