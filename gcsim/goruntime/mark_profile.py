"""Tricolor marking as a function of progress: white, grey and black shares, and the frontier's width."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import FloatArray, Int64Array
from gcsim.goruntime.object_graph import UNREACHABLE, ObjectGraph, depths

HANDOFF_OBJECTS = 4  # a worker shares its buffer only if it holds more objects than this


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontierSummary:
    """Sums of a graph by distance from the roots; element 0 is the objects that a root points to."""

    scannable_objects: Int64Array  # objects with pointer slots, the width of the frontier
    scannable_bytes: Int64Array  # their slot bytes
    noscan_bytes: Int64Array  # slot bytes of the others
    scan_bytes: Int64Array  # scan work
    garbage_bytes: int  # unreachable, white until the end

    def __post_init__(self) -> None:
        lengths = {len(self.scannable_objects), len(self.scannable_bytes), len(self.noscan_bytes)}
        if lengths != {len(self.scan_bytes)}:
            raise ValueError("a summary's columns must be of one length")


def summarize(graph: ObjectGraph) -> FrontierSummary:
    """The frontier of a graph at each depth; 10^6 objects take half a second for every shape of the graph."""
    depth = depths(graph)
    exists = np.arange(len(graph)) < graph.born
    reachable = (depth != UNREACHABLE) & exists
    at, size, scan = depth[reachable], graph.size_bytes[reachable], graph.scan_bytes[reachable]
    levels = int(at.max()) + 1 if len(at) else 0

    def by_depth(weights: NDArray[np.generic]) -> Int64Array:
        return np.bincount(at, weights=weights, minlength=levels).astype(np.int64)

    return FrontierSummary(
        scannable_objects=by_depth(scan > 0),
        scannable_bytes=by_depth(np.where(scan > 0, size, 0)),
        noscan_bytes=by_depth(np.where(scan > 0, 0, size)),
        scan_bytes=by_depth(scan),
        garbage_bytes=int(graph.size_bytes[exists & ~reachable].sum()),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkProfile:
    """Colours and frontier against progress, with one element at the start of each depth and one at the end.

    Fractions are of the heap's bytes, garbage included, and their sum is 1. The order is breadth first. A runtime that
    marks depth first has fewer grey bytes at the same progress, and never a wider frontier.
    """

    progress: FloatArray  # share of the scan work done, 0 … 1
    white_fraction: FloatArray
    grey_fraction: FloatArray
    black_fraction: FloatArray
    frontier_width: Int64Array  # objects that can be scanned at once; 0 at the end
    scan_bytes: Int64Array  # work of each depth; 0 at the end


def mark_profile(heap: ObjectGraph | FrontierSummary) -> MarkProfile:
    """The profile of a mark phase of this heap without a mutator.

    A noscan object becomes black when it is found (Go 1.19+ ``runtime.greyobject``).
    """
    summary = summarize(heap) if isinstance(heap, ObjectGraph) else heap
    found = _through(summary.noscan_bytes)
    scanned = _before(summary.scannable_bytes)
    grey = np.append(summary.scannable_bytes, 0)
    total = float(found[-1] + scanned[-1] + summary.garbage_bytes) or 1.0
    work = _before(summary.scan_bytes)
    black_fraction, grey_fraction = (found + scanned) / total, grey / total
    return MarkProfile(
        progress=work / work[-1] if work[-1] else np.ones(len(work)),
        white_fraction=1.0 - black_fraction - grey_fraction,
        grey_fraction=grey_fraction,
        black_fraction=black_fraction,
        frontier_width=np.append(summary.scannable_objects, 0),
        scan_bytes=np.append(summary.scan_bytes, 0),
    )


def _before(column: Int64Array) -> Int64Array:
    """The sum of the elements before each element, and the sum of all."""
    return np.concatenate([[0], np.cumsum(column)]).astype(np.int64)


def _through(column: Int64Array) -> Int64Array:
    """The sum of the elements up to each element, and the sum of all again."""
    total = np.cumsum(column)
    return np.append(total, total[-1] if len(total) else 0).astype(np.int64)
