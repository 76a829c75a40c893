"""The spans of a heap by class: Ps fill their slots, sweeping frees slots.

The module keeps counts, not addresses. Between two mark ends only cursors move; at mark end the contents of all spans
are computed in one array. Spans that sweeping leaves partly free are used before new ones (``mcentral.cacheSpan``), in
random order. Survivors are distributed over the slots at random. In real programs neighbouring objects die together, so
real heaps have slightly fewer partly free spans.
"""

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.goruntime.allocator import refills


class Spans:
    """All spans of a heap, by span class: bytes per slot, slots per span, bytes per span."""

    def __init__(
        self, slot_bytes: Int64Array, slots: Int64Array, span_bytes: Int64Array, *, gomaxprocs: int
    ) -> None:
        self.slot_bytes, self.slots, self.span_bytes = slot_bytes, slots, span_bytes
        self._tail_bytes = span_bytes - slots * slot_bytes
        self._cached_free = np.zeros((gomaxprocs, len(slots)), dtype=np.int64)
        # Since the last sweep, by class: empty spans taken, open spans taken.
        self._fresh = np.zeros(len(slots), dtype=np.int64)
        self._open_taken = np.zeros(len(slots), dtype=np.int64)
        # By span, class after class, in each the open spans first: class, survivors of the last sweep.
        self._class = np.zeros(0, dtype=np.int64)
        self._used = np.zeros(0, dtype=np.int64)
        self._index_spans()

    @property
    def count(self) -> Int64Array:
        """Spans in use by class."""
        return self._swept + self._fresh

    @property
    def in_use_bytes(self) -> int:
        """Bytes of all spans in use: heapInUse."""
        return int(self.count @ self.span_bytes)

    def place(self, objects: Int64Array) -> int:
        """Places ``objects`` by (P, class); returns the growth of heapLive in bytes."""
        charge = 0
        for cached_free, new in zip(self._cached_free, objects, strict=True):
            spans, gained = self._take_open_spans(np.maximum(new - cached_free, 0))
            fresh, left = refills(new, cached_free + gained, self.slots)
            self._fresh += fresh
            cached_free[:] = left
            charge += int(gained @ self.slot_bytes + spans @ self._tail_bytes + fresh @ self.span_bytes)
        return charge

    def sweep(self, old: Int64Array, new: Int64Array, rng: np.random.Generator) -> None:
        """Sweeps all spans at mark end: by class, ``old`` objects of the last sweep and ``new`` later ones stay.

        The sweep flushes the caches and frees empty spans. Lazy sweeping gives the same free slots.
        """
        span_class, used, made = self._contents()
        kept = _thin(used, span_class, old, rng) + _thin(made, span_class, new, rng)
        shuffled = rng.permutation(np.flatnonzero(kept))
        full = kept[shuffled] == self.slots[span_class[shuffled]]
        key = (2 * span_class[shuffled] + full).astype(np.int16)
        order = shuffled[np.argsort(key, kind="stable")]
        self._class, self._used = span_class[order], kept[order]
        self._cached_free[:] = 0
        self._fresh[:] = 0
        self._open_taken[:] = 0
        self._index_spans()

    def _contents(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Per span: its class, objects of the last sweep, objects allocated since."""
        classes = np.arange(len(self.slots))
        span_class = np.concatenate([self._class, np.repeat(classes, self._fresh)])
        used = np.concatenate([self._used, np.zeros(int(self._fresh.sum()), dtype=np.int64)])
        made = self.slots[span_class] - used
        place_in_class = np.arange(len(self._class)) - self._start[self._class]
        made[: len(self._class)][place_in_class >= self._open_taken[self._class]] = 0
        order = np.argsort(span_class.astype(np.int16), kind="stable")
        span_class, used, made = span_class[order], used[order], made[order]
        # Slots still free in caches hold no object: subtract them from the spans taken last in each class.
        running = np.cumsum(made)
        last = np.append(0, running)[np.searchsorted(span_class, classes, side="right")]
        unused = self._cached_free.sum(axis=0)[span_class] - (last[span_class] - running)
        return span_class, used, made - np.clip(unused, 0, made)

    def _index_spans(self) -> None:
        """Computes the cumulative free slots of the open spans, class after class."""
        classes = len(self.slots)
        self._swept = np.bincount(self._class, minlength=classes)
        self._start = np.cumsum(self._swept) - self._swept
        free = self.slots[self._class] - self._used
        self._open_count = np.bincount(self._class[free > 0], minlength=classes)
        self._open_start = np.cumsum(self._open_count) - self._open_count
        self._open_sum = np.append(0, np.cumsum(free[free > 0]))

    def _take_open_spans(self, missing: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Takes open spans for ``missing`` objects, or all of them; returns (spans, free slots) by class."""
        at = self._open_start + self._open_taken
        end = np.searchsorted(self._open_sum, self._open_sum[at] + missing, side="left")
        end = np.where(missing > 0, np.minimum(end, self._open_start + self._open_count), at)
        self._open_taken += end - at
        return end - at, self._open_sum[end] - self._open_sum[at]


def _thin(counts: Int64Array, group: Int64Array, totals: Int64Array, rng: np.random.Generator) -> Int64Array:
    """Random numbers of kept objects by span: at most ``counts`` in each span, ``totals`` in each group of spans.

    ``counts`` and ``group`` have one element per span. ``group`` is the sorted index of the span's group in ``totals``.
    The caller ensures that no total exceeds the sum of ``counts`` in its group.

    The function draws a binomial number for each span. Then it adds or removes single objects at random until the sum
    of each group equals its total.
    """
    sums = _sum_by(group, counts, len(totals))
    share = totals / np.maximum(sums, 1)
    kept: Int64Array = rng.binomial(counts, share[group])
    while (difference := totals - _sum_by(group, kept, len(totals))).any():
        sign = np.sign(difference)[group]
        room = np.flatnonzero(np.where(sign > 0, kept < counts, (sign < 0) & (kept > 0)))
        rooms = np.bincount(group[room], minlength=len(totals))
        picks = np.minimum(np.abs(difference), rooms)
        first = np.repeat(np.cumsum(rooms) - rooms, picks)
        spread = (rng.random(len(first)) * np.repeat(rooms, picks)).astype(np.int64)
        chosen = np.unique(room[first + spread])  # a double pick counts once; the next round corrects it
        kept[chosen] += sign[chosen]
    return kept


def _sum_by(group: Int64Array, values: Int64Array, groups: int) -> Int64Array:
    """The exact sums of ``values`` by sorted ``group``."""
    running: Int64Array = np.append(0, np.cumsum(values))
    return np.diff(running[np.searchsorted(group, np.arange(groups + 1))])
