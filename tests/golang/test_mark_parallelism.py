"""Ask a real Go how many workers a heap's shape lets mark at once, and what its span visits find."""

import os
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gcsim.arrays import Int64Array
from gcsim.goruntime.mark_profile import mark_profile
from gcsim.goruntime.object_graph import NIL, ObjectGraph
from gcsim.goruntime.study.graphs import binary_tree, linked_list
from gcsim.goruntime.study.mark_workers import effective_workers
from gcsim.goruntime.study.span_scan import scans_dense, visit_spans
from gcsim.goruntime.versions import rules_for

if TYPE_CHECKING:
    from go_toolchain import GoToolchain

LEVELS = 20
SLOTS_PER_SPAN = 165  # of 48 bytes with pointers, 1.26+

PROGRAM = """\
package main

import (
	"os"
	"runtime"
)

type node struct {
	left, right *node
	_           [4]uintptr
}

func tree(levels int) *node {
	if levels == 0 {
		return nil
	}
	return &node{left: tree(levels - 1), right: tree(levels - 1)}
}

func list(length int) *node {
	var head *node
	for i := 0; i < length; i++ {
		head = &node{left: head}
	}
	return head
}

func main() {
	heap := list(1 << 20)
	if os.Args[1] == "tree" {
		heap = tree(20)
	}
	for i := 0; i < 9; i++ {
		runtime.GC()
	}
	runtime.KeepAlive(heap)
}
"""


def trace(go: "GoToolchain", shape: str, level: int) -> str:
    """What gctrace prints for nine collections of a list or a tree on two Ps."""
    env = {"GODEBUG": f"gctrace={level}", "GOGC": "off", "GOMAXPROCS": "2"}
    return go.run(PROGRAM, [shape], env).stderr


def workers_seen(log: str) -> float:
    """Worker time over mark wall time, the most of its cycles: a busy machine only lowers it."""
    found = re.findall(r": [\d.]+\+([\d.]+)\+[\d.]+ ms clock, [\d.]+\+[\d.]+/([\d.]+)/([\d.]+)\+", log)
    ratios = [(float(b) + float(idle)) / float(wall) for wall, b, idle in found]
    assert len(ratios) >= 6  # the program may end in the middle of a line
    return max(ratios)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two workers need two processors")
def test_a_real_list_marks_with_one_worker_and_a_tree_with_two(go_toolchain: "GoToolchain") -> None:
    """Worker time over wall time of a real mark is what the frontier's width predicts."""
    shapes: dict[str, ObjectGraph] = {"list": linked_list(1 << LEVELS), "tree": binary_tree(LEVELS)}
    for shape, graph in shapes.items():
        predicted = effective_workers(mark_profile(graph), 2)
        assert workers_seen(trace(go_toolchain, shape, 1)) == pytest.approx(predicted, rel=0.25), shape


def post_order(levels: int) -> Int64Array:
    """Order in which tree() allocates the nodes of a heap-numbered full tree: children first."""
    start, place = np.zeros((2, 2**levels - 1), dtype=np.int64)
    for level in range(levels):
        nodes, subtree = np.arange(2**level - 1, 2 ** (level + 1) - 1), 2 ** (levels - level) - 1
        place[nodes] = start[nodes] + subtree - 1
        if level < levels - 1:
            start[2 * nodes + 1], start[2 * nodes + 2] = start[nodes], start[nodes] + subtree // 2
    return place


def tree_of_nodes(levels: int) -> ObjectGraph:
    """The program's tree: two pointer slots in every node, nil in the leaves."""
    count = 2**levels - 1
    child = np.arange(1, 2 * count + 1, dtype=np.int64)
    return ObjectGraph(
        first_slot=2 * np.arange(count + 1, dtype=np.int64),
        slots=np.where(child < count, child, NIL),
        size_bytes=np.full(count, 48),
        globals_=np.zeros(0, dtype=np.int64),
        stacks=np.zeros((1, 1), dtype=np.int64),
        born=count,
    )


def test_span_visits_find_what_real_span_visits_find(go_toolchain: "GoToolchain") -> None:
    """Objects scanned alone, span visits and dense visits of a real mark lie within a few percent of ours."""
    line = r"scan: class 48B (\d+)\+(\d+)\+(\d+)=\d+ objs, (\d+)\+(\d+)="
    found = np.array(re.findall(line, trace(go_toolchain, "tree", 2)), dtype=np.int64)
    if len(found) == 0:
        pytest.skip("this Go marks without Green Tea, whose span statistics gctrace=2 prints")
    alone, _, dense_objects, sparse, dense = np.median(found[3:], axis=0)
    visits = visit_spans(tree_of_nodes(LEVELS), post_order(LEVELS) // SLOTS_PER_SPAN).objects
    assert (visits == 1).sum() == pytest.approx(alone, rel=0.05)
    assert (visits > 1).sum() == pytest.approx(sparse + dense, rel=0.05)
    if dense:  # on a processor with AVX-512
        takes_vector_path = scans_dense(visits, SLOTS_PER_SPAN, rules_for("1.27"))
        assert np.sum(takes_vector_path) == pytest.approx(dense, rel=0.05)
        assert visits[takes_vector_path].sum() == pytest.approx(dense_objects, rel=0.05)
