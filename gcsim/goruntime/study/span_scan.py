"""Green Tea marking by spans: scan work by path, and the objects that a span visit finds.

Objects of 16 to 512 bytes are in one-page spans. The first pointer to an object marks it and queues its span, unless
the span is in a queue already. A worker that takes the span scans all objects that are marked and not scanned. Go
1.26+ ``runtime.tryDeferToSpanScan``, ``runtime.scanSpan``.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import BoolArray, Int64Array
from gcsim.goruntime.object_graph import NIL, ObjectGraph
from gcsim.goruntime.study.graphs import slot_indices
from gcsim.goruntime.versions import GoRules

MIN_SPAN_OBJECT_BYTES = 16
MAX_SPAN_OBJECT_BYTES = 512
DENSE_SHARE = 8  # the vector path needs 1/8 of the span's slots


def marked_by_span(size_bytes: int | Int64Array, rules: GoRules) -> bool | BoolArray:
    """Whether an object of this slot size goes through a span queue. ``gcUsesSpanInlineMarkBits``."""
    size = np.asarray(size_bytes)
    small = rules.green_tea & (size >= MIN_SPAN_OBJECT_BYTES) & (size <= MAX_SPAN_OBJECT_BYTES)
    return bool(small) if small.ndim == 0 else small


def scans_dense(
    objects: int | Int64Array, slots_per_span: int | Int64Array, rules: GoRules
) -> bool | BoolArray:
    """Whether a span visit with ``objects`` objects to scan uses the vector path.

    It needs at least two objects and an eighth of the slots (rounded down), on a processor with AVX-512. A single
    object is scanned alone. Go 1.26+ ``runtime.scanSpan``.
    """
    found = np.asarray(objects)
    dense = rules.green_tea_vector & (found >= 2) & (found >= np.asarray(slots_per_span) // DENSE_SHARE)
    return bool(dense) if dense.ndim == 0 else dense


def span_scan_work_bytes(
    objects: int | Int64Array,
    *,
    slots_per_span: int | Int64Array,
    slot_bytes: int | Int64Array,
    pointer_bytes: int | Int64Array,
    rules: GoRules,
) -> int | Int64Array:
    """Scan work of one span visit: whole slots on the vector path, up to the last pointer otherwise.

    ``pointer_bytes`` is the offset past an object's last pointer. From Go 1.26 on, the same heap has more scan work
    on a machine with vectors. Scan work and cons/mark before and after this version cannot be compared.
    """
    per_object = np.where(scans_dense(objects, slots_per_span, rules), slot_bytes, pointer_bytes)
    work = np.asarray(objects) * per_object
    return int(work) if work.ndim == 0 else work.astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanVisits:
    """The visits of one mark phase by spans, in order of the queue."""

    span: Int64Array
    objects: Int64Array  # scanned at this visit

    @property
    def mean_objects(self) -> float:
        """Mean number of objects scanned per visit; 0 without visits."""
        return float(self.objects.mean()) if len(self.objects) else 0.0


def visit_spans(graph: ObjectGraph, span_of: Int64Array, *, spans_at_once: int = 1) -> SpanVisits:
    """The visits of a mark phase with a first-in first-out queue of spans and no mutator.

    ``span_of`` gives the span of each object; noscan objects are marked and never queued.
    ``spans_at_once`` spans are taken from the queue together, as by this number of workers.
    """
    return _SpanMarking(graph, span_of).run(spans_at_once)


class _SpanMarking:
    """Mark and scan bits by object, and the queue of spans."""

    def __init__(self, graph: ObjectGraph, span_of: Int64Array) -> None:
        self.graph, self.span_of = graph, span_of
        self.scannable = graph.scan_bytes > 0
        self.members = np.argsort(span_of, kind="stable")
        self.first_member = np.concatenate([[0], np.cumsum(np.bincount(span_of))]).astype(np.int64)
        self.marked = np.zeros(len(graph), dtype=np.bool_)
        self.scanned = np.zeros(len(graph), dtype=np.bool_)
        self.queued = np.zeros(len(self.first_member) - 1, dtype=np.bool_)
        self.queue: list[int] = []

    def run(self, spans_at_once: int) -> SpanVisits:
        """Marks until the queue is empty."""
        self._mark(self.graph.roots)
        head = 0
        spans: list[Int64Array] = []
        counts: list[Int64Array] = []
        while head < len(self.queue):
            visited = np.array(self.queue[head : head + spans_at_once], dtype=np.int64)
            head += len(visited)
            spans.append(visited)
            counts.append(self._scan(visited))
        empty = [np.zeros(0, dtype=np.int64)]
        return SpanVisits(span=np.concatenate(spans or empty), objects=np.concatenate(counts or empty))

    def _scan(self, visited: Int64Array) -> Int64Array:
        """Scans the marked and not scanned objects of the spans; returns their number in each span."""
        self.queued[visited] = False
        members = self.members[slot_indices(self.first_member, visited)]
        width = np.diff(self.first_member)[visited]
        grey = self.marked[members] & ~self.scanned[members] & self.scannable[members]
        owner = np.repeat(np.arange(len(visited)), width)
        found = members[grey]
        self.scanned[found] = True
        self._mark(self.graph.slots[slot_indices(self.graph.first_slot, found)])
        return np.bincount(owner[grey], minlength=len(visited)).astype(np.int64)

    def _mark(self, pointers: Int64Array) -> None:
        """Marks the targets and queues the spans of white ones, in order of discovery."""
        targets = pointers[pointers != NIL]
        targets = targets[~self.marked[targets] & self.scannable[targets]]
        self.marked[targets] = True
        spans = self.span_of[targets]
        spans = spans[~self.queued[spans]]
        if len(spans):
            _, first = np.unique(spans, return_index=True)
            fresh = spans[np.sort(first)]
            self.queued[fresh] = True
            self.queue.extend(fresh.tolist())
