"""A heap as a graph: objects, their pointer slots, and the roots, in arrays.

The slots of all objects are in one array (compressed rows): object i owns
``slots[first_slot[i]:first_slot[i + 1]]``. Pointer slots are assumed to come first in the object. Its scan work, up to
the last pointer (Go 1.19+ ``runtime.scanobject``), is then 8 bytes per slot. An object without slots is noscan and has
no scan work.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import Int64Array

NIL = -1
POINTER_BYTES = 8
UNREACHABLE = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObjectGraph:
    """n objects, g of them globals, and s goroutine stacks of k pointer slots each.

    ``globals_`` are objects for the data and bss sections. They are always reachable, the program writes them through
    the write barrier like the heap, and they have no heap bytes (size 0). Objects from index ``born`` on do not exist
    yet. A mutator that allocates takes them in order.
    """

    first_slot: Int64Array  # (n + 1,) non-decreasing from 0
    slots: Int64Array  # (m,) object index or NIL
    size_bytes: Int64Array  # (n,) slot size, 0 for globals
    globals_: Int64Array  # (g,) object indices
    stacks: Int64Array  # (s, k) object index or NIL
    born: int  # objects that exist at the start, 0 … n

    def __post_init__(self) -> None:
        count = len(self.size_bytes)
        if self.first_slot.shape != (count + 1,) or self.first_slot[0] != 0:
            raise ValueError("first_slot must have one element more than size_bytes and start at 0")
        if np.any(np.diff(self.first_slot) < 0) or self.first_slot[-1] != len(self.slots):
            raise ValueError("first_slot must not decrease and must end at the number of slots")
        if not 0 <= self.born <= count or self.stacks.ndim != 2:
            raise ValueError("born must lie in 0 … n and stacks must be a table")
        for pointers in (self.slots[: self.first_slot[self.born]], self.stacks.ravel(), self.globals_):
            if len(pointers) and (pointers.min() < NIL or pointers.max() >= self.born):
                raise ValueError("a pointer must be NIL or the index of an object that exists")
        if np.any(self.slots[self.first_slot[self.born] :] != NIL):
            raise ValueError("an object that does not exist yet has nil pointers only")

    def __len__(self) -> int:
        return len(self.size_bytes)

    @property
    def scan_bytes(self) -> Int64Array:
        """Scan work of each object, shape (n,), bytes."""
        return np.diff(self.first_slot) * POINTER_BYTES

    @property
    def heap_bytes(self) -> int:
        """Bytes of the objects that exist at the start."""
        return int(self.size_bytes[: self.born].sum())

    @property
    def roots(self) -> Int64Array:
        """The indices of globals and of objects that a stack points to, each once."""
        return np.unique(np.concatenate([self.globals_, self.stacks[self.stacks != NIL]]))

    @classmethod
    def from_edges(
        cls,
        source: Int64Array,
        target: Int64Array,
        *,
        size_bytes: Int64Array,
        roots: Int64Array,
        stacks: int = 1,
    ) -> Self:
        """A graph with one slot per edge; the stacks take the roots in turn."""
        order = np.argsort(source, kind="stable")
        first_slot = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=len(size_bytes)))])
        depth = -(-max(len(roots), 1) // stacks)
        table = np.full(depth * stacks, NIL, dtype=np.int64)
        table[: len(roots)] = roots
        return cls(
            first_slot=first_slot.astype(np.int64),
            slots=np.asarray(target, dtype=np.int64)[order],
            size_bytes=np.asarray(size_bytes, dtype=np.int64),
            globals_=np.zeros(0, dtype=np.int64),
            stacks=table.reshape(depth, stacks).T.copy(),
            born=len(size_bytes),
        )


def depths(graph: ObjectGraph) -> Int64Array:
    """Steps from the nearest root to each object, shape (n,): 0 for a root's target, UNREACHABLE for garbage.

    The method is a breadth-first search from one node that points to every root. A list of 10^6 objects takes no longer
    than a tree of 10^6.
    """
    from scipy.sparse import csr_array  # here: the event engine needs this module, but not its searches
    from scipy.sparse.csgraph import breadth_first_order

    count = len(graph)
    live = graph.slots != NIL
    kept = np.concatenate([[0], np.cumsum(live)])[graph.first_slot]
    roots = graph.roots
    columns = np.concatenate([graph.slots[live], roots])
    rows = np.concatenate([kept, [len(columns)]])
    matrix = csr_array((np.ones(len(columns), dtype=np.int8), columns, rows), shape=(count + 1, count + 1))
    order, parent = breadth_first_order(matrix, count, directed=True, return_predecessors=True)
    return _depths_of_tree(order, parent, count)


def _depths_of_tree(order: NDArray[np.int32], parent: NDArray[np.int32], root: int) -> Int64Array:
    """Depth below the root's children, by pointer jumping in log2(depth) rounds of array arithmetic."""
    depth = np.full(root + 1, UNREACHABLE, dtype=np.int64)
    depth[order] = 1
    depth[root] = 0
    jump = np.where(parent < 0, root, parent).astype(np.int64)
    jump[root] = root
    active = order[1:].astype(np.int64)
    while len(active):
        depth[active], jump[active] = depth[active] + depth[jump[active]], jump[jump[active]]
        active = active[jump[active] != root]
    depth[order[1:]] -= 1
    return depth[:root]
