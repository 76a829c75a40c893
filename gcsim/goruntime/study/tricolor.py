"""Tricolor marking of an object graph while a mutator changes it.

The simulation scans grey objects breadth first, many at once. The runtime's workers go depth first from their own
buffers, so that the runtime has fewer grey objects. This module measures the width of the frontier, the largest
number of objects that different workers could scan at once. It scans each object at once. A mutator that acts between
two slots of an object can also act between two objects.
"""

from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.goruntime.object_graph import NIL, POINTER_BYTES, UNREACHABLE, ObjectGraph, depths
from gcsim.goruntime.study.graphs import slot_indices
from gcsim.goruntime.study.write_barriers import BLACK, GREY, WHITE, Barrier, MutableHeap, run_mutator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkResult:
    """One cycle's marking. Arrays have one element a step: after each root job or piece of the frontier.

    Bytes are slot bytes of heap objects that exist (globals are none). ``lost_objects`` are reachable
    when marking ends but white: memory that a real collector would free under the program's feet.
    """

    white_bytes: Int64Array
    grey_bytes: Int64Array
    black_bytes: Int64Array
    frontier_width: Int64Array  # grey objects after the step
    scan_work_bytes: int  # pointer slots of objects scanned, globals included, stacks not
    stack_scan_bytes: int  # pointer slots of stacks, a second scan included
    stopped_scan_bytes: int  # scan work done with the world stopped at mark termination (1.5–1.7)
    barrier_shaded_bytes: int
    allocated_black_bytes: int
    floating_bytes: int  # marked, yet unreachable when marking ends: garbage until the next cycle
    lost_objects: Int64Array
    operations_while_marking: int
    after: ObjectGraph  # the heap when marking ends

    @property
    def marked_bytes(self) -> int:
        """heapMarked of this cycle, with black allocation and floating garbage."""
        return int(self.black_bytes[-1])


def mark(
    graph: ObjectGraph,
    schedule: Int64Array | None = None,
    *,
    barrier: Barrier,
    operations_per_step: int = 0,
    objects_per_step: int | None = None,
) -> MarkResult:
    """The result of marking the graph; ``operations_per_step`` operations of ``schedule`` run after each step.

    Root jobs come first: the globals, then one stack per step with its goroutine stopped. Then each step scans at
    most ``objects_per_step`` grey objects (None: the whole frontier). Marking ends when no object is grey, even if
    operations are left. 10^6 objects take about half a second with a wide frontier; a frontier of width w costs a
    Python step per w objects. Raises ValueError for ``objects_per_step`` below 1.
    """
    if objects_per_step is not None and objects_per_step < 1:
        raise ValueError("objects_per_step must be at least 1, or None for the whole frontier")
    run = _Marking(graph, barrier)
    operations = np.zeros((0, 5), dtype=np.int64) if schedule is None else schedule
    per_step = 0 if barrier.world_stopped else operations_per_step
    while not run.finished:
        run.step(objects_per_step)
        run.mutate(operations[:per_step])
        operations = operations[per_step:]
    if barrier.rescans_stacks:
        run.rescan_stacks()
    return run.result()


class _Marking:
    """State of one mark: a mutable heap, its colours, the grey queue and the record of each step."""

    def __init__(self, graph: ObjectGraph, barrier: Barrier) -> None:
        self.barrier = barrier
        self.graph = graph
        self.heap = MutableHeap(
            first_slot=graph.first_slot,
            slots=graph.slots.copy(),
            size_bytes=graph.size_bytes,
            globals_=graph.globals_,
            stacks=graph.stacks.copy(),
            color=np.zeros(len(graph), dtype=np.uint8),
            next_object=graph.born,
        )
        self.queue = np.zeros(0, dtype=np.int64)
        self.next_root = -1  # -1: globals, then stacks 0 …
        self.ticket = np.zeros(len(graph), dtype=np.int64)
        self.total_bytes, self.grey_bytes, self.black_bytes = graph.heap_bytes, 0, 0
        self.scan_work = self.stack_scan = self.stopped_scan = 0
        self.shaded_bytes = self.allocated_bytes = self.operations = 0
        self.record: list[tuple[int, int, int, int]] = []

    @property
    def finished(self) -> bool:
        """Whether all roots are scanned and no object is grey."""
        return self.next_root == len(self.heap.stacks) and len(self.queue) == 0

    def step(self, objects_per_step: int | None) -> None:
        """Does one root job, or scans the next part of the frontier if no root is left."""
        if self.next_root < len(self.heap.stacks):
            self._scan_root(self.next_root)
            self.next_root += 1
        else:
            self._scan_objects(objects_per_step)
        self._record_step()

    def mutate(self, operations: Int64Array) -> None:
        """Runs operations of the program with the write barrier on."""
        if len(operations) == 0:
            return
        report = run_mutator(self.heap, operations, self.barrier, marking=True)
        shaded = np.array(report.shaded, dtype=np.int64)
        queued_bytes = int(self.heap.size_bytes[shaded].sum())
        self.grey_bytes += queued_bytes
        self.black_bytes += report.shaded_bytes - queued_bytes + report.allocated_bytes
        self.total_bytes += report.allocated_bytes
        self.queue = np.concatenate([self.queue, shaded])
        self.shaded_bytes += report.shaded_bytes
        self.allocated_bytes += report.allocated_bytes
        self.operations += report.operations

    def rescan_stacks(self) -> None:
        """Scans every stack again with the world stopped, and all objects found (mark termination of 1.5–1.7)."""
        before = self.scan_work + self.stack_scan
        for stack in range(len(self.heap.stacks)):
            self._scan_root(stack)
        while len(self.queue):
            self._scan_objects(None)
        self.stopped_scan = self.scan_work + self.stack_scan - before
        self._record_step()

    def _scan_root(self, root: int) -> None:
        if root < 0:
            self._shade(self.heap.globals_)
            return
        self.stack_scan += self.heap.stacks.shape[1] * POINTER_BYTES
        self._shade(self.heap.stacks[root])

    def _scan_objects(self, limit: int | None) -> None:
        scanned, self.queue = self.queue[:limit], self.queue[len(self.queue) if limit is None else limit :]
        slots = slot_indices(self.heap.first_slot, scanned)
        self.heap.color[scanned] = BLACK
        scanned_bytes = int(self.heap.size_bytes[scanned].sum())
        self.grey_bytes -= scanned_bytes
        self.black_bytes += scanned_bytes
        self.scan_work += len(slots) * POINTER_BYTES
        self._shade(self.heap.slots[slots])

    def _shade(self, pointers: Int64Array) -> None:
        """Marks the white targets; noscan objects become black at once."""
        targets = pointers[pointers != NIL]
        targets = targets[self.heap.color[targets] == WHITE]
        numbers = np.arange(len(targets))
        self.ticket[targets] = numbers
        targets = targets[self.ticket[targets] == numbers]  # each target once
        scannable = self.heap.first_slot[targets + 1] > self.heap.first_slot[targets]
        self.heap.color[targets] = np.where(scannable, GREY, BLACK)
        sizes = self.heap.size_bytes[targets]
        grey_bytes = int(sizes[scannable].sum())
        self.grey_bytes += grey_bytes
        self.black_bytes += int(sizes.sum()) - grey_bytes
        self.queue = np.concatenate([self.queue, targets[scannable]])

    def _record_step(self) -> None:
        """Records the colours after a step."""
        white = self.total_bytes - self.grey_bytes - self.black_bytes
        self.record.append((white, self.grey_bytes, self.black_bytes, len(self.queue)))

    def result(self) -> MarkResult:
        """The result at the end of marking."""
        self._record_step()
        white, grey, black, width = np.array(self.record, dtype=np.int64).T
        heap = self.heap
        after = replace(self.graph, slots=heap.slots, stacks=heap.stacks, born=heap.next_object)
        reachable = depths(after) != UNREACHABLE
        exists = np.arange(len(after)) < after.born
        marked = (heap.color == BLACK) & exists
        return MarkResult(
            white_bytes=white,
            grey_bytes=grey,
            black_bytes=black,
            frontier_width=width,
            scan_work_bytes=self.scan_work,
            stack_scan_bytes=self.stack_scan,
            stopped_scan_bytes=self.stopped_scan,
            barrier_shaded_bytes=self.shaded_bytes,
            allocated_black_bytes=self.allocated_bytes,
            floating_bytes=int(heap.size_bytes[marked & ~reachable].sum()),
            lost_objects=np.flatnonzero(reachable & ~marked),
            operations_while_marking=self.operations,
            after=after,
        )
