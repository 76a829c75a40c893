"""Object graphs of given shapes, for experiments with marking."""

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.goruntime.object_graph import NIL, ObjectGraph


def slot_indices(first_slot: Int64Array, objects: Int64Array) -> Int64Array:
    """Indices into ``slots`` of all slots of the given objects, object by object."""
    starts = first_slot[objects]
    counts = first_slot[objects + 1] - starts
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()), dtype=np.int64)


def linked_list(length: int, *, size_bytes: int = 16) -> ObjectGraph:
    """A linked list; its frontier has width 1."""
    index = np.arange(length, dtype=np.int64)
    return ObjectGraph.from_edges(
        index[:-1], index[1:], size_bytes=np.full(length, size_bytes), roots=index[:1]
    )


def binary_tree(levels: int, *, size_bytes: int = 16) -> ObjectGraph:
    """A full binary tree of 2^levels - 1 objects; its frontier doubles at each step."""
    count = 2**levels - 1
    child = np.arange(1, count, dtype=np.int64)
    root = np.zeros(1, dtype=np.int64)
    return ObjectGraph.from_edges((child - 1) // 2, child, size_bytes=np.full(count, size_bytes), roots=root)


def random_graph(
    generator: np.random.Generator,
    *,
    objects: int,
    pointers_per_object: float = 2.0,
    noscan_fraction: float = 0.3,
    stacks: int = 4,
    stack_slots: int = 4,
    spare: int = 0,
) -> ObjectGraph:
    """A graph of random sizes and pointers; object 0 is the globals, ``spare`` more objects can be allocated."""
    counts = generator.poisson(pointers_per_object, objects + spare)
    counts[generator.random(objects + spare) < noscan_fraction] = 0
    counts[0] = max(int(counts[0]), 4)
    first_slot = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    slots = generator.integers(NIL, objects, int(first_slot[-1]), dtype=np.int64)
    slots[first_slot[objects] :] = NIL
    sizes = 8 * np.maximum(counts, 1) + 8 * generator.integers(0, 8, objects + spare)
    sizes[0] = 0
    return ObjectGraph(
        first_slot=first_slot,
        slots=slots,
        size_bytes=sizes.astype(np.int64),
        globals_=np.zeros(1, dtype=np.int64),
        stacks=generator.integers(NIL, objects, (stacks, stack_slots), dtype=np.int64),
        born=objects,
    )
