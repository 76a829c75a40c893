"""The tricolor invariant both ways, over random heaps and random mutators, and what marking reports."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.goruntime.mark_profile import mark_profile
from gcsim.goruntime.object_graph import NIL, UNREACHABLE, ObjectGraph, depths
from gcsim.goruntime.study.graphs import binary_tree, linked_list, random_graph
from gcsim.goruntime.study.mark_workers import effective_workers, usable_workers
from gcsim.goruntime.study.span_scan import marked_by_span, span_scan_work_bytes, visit_spans
from gcsim.goruntime.study.tricolor import MarkResult, mark
from gcsim.goruntime.study.write_barriers import (
    DIJKSTRA,
    HYBRID,
    STOP_THE_WORLD,
    Barrier,
    Op,
    barrier_of,
    random_schedule,
)
from gcsim.goruntime.versions import known_versions, rules_for

UNBARRED = Barrier()
DELETION_ONLY = Barrier(shades_old=True)
INSERTION_ONLY = Barrier(shades_new=True)
UNSOUND = {"no barrier": UNBARRED, "no insertion": DELETION_ONLY, "no rescan": INSERTION_ONLY}


@st.composite
def marks(draw: st.DrawFn) -> dict[str, Any]:
    """A small random heap, a random program and a random interleaving of the two."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    graph = random_graph(
        generator,
        objects=draw(st.integers(1, 40)),
        pointers_per_object=draw(st.sampled_from([0.5, 1.0, 1.5, 3.0])),
        noscan_fraction=draw(st.sampled_from([0.0, 0.3])),
        stacks=draw(st.integers(0, 3)),
        stack_slots=draw(st.integers(1, 4)),
        spare=draw(st.integers(0, 10)),
    )
    return {
        "graph": graph,
        "schedule": random_schedule(generator, draw(st.integers(0, 200))),
        "operations_per_step": draw(st.integers(0, 12)),
        "objects_per_step": draw(st.sampled_from([1, 2, 5, None])),
    }


def run(case: dict[str, Any], barrier: Barrier) -> MarkResult:
    return mark(**case, barrier=barrier)


@pytest.mark.parametrize("barrier", [STOP_THE_WORLD, DIJKSTRA, HYBRID])
@given(case=marks())
@settings(max_examples=100, deadline=None)
def test_no_reachable_object_is_lost_with_its_barrier(barrier: Barrier, case: dict[str, Any]) -> None:
    """Whatever the program does between two steps of marking, all that it can reach is black at the end."""
    assert len(run(case, barrier).lost_objects) == 0


def small_case(seed: int) -> dict[str, Any]:
    """A few objects and a busy program: where a barrier with a hole soon shows it."""
    generator = np.random.default_rng(seed)
    graph = random_graph(
        generator, objects=4, pointers_per_object=1.0, noscan_fraction=0.0, stacks=3, stack_slots=3, spare=12
    )
    schedule = random_schedule(generator, 80)
    return {"graph": graph, "schedule": schedule, "operations_per_step": 16, "objects_per_step": 1}


@pytest.mark.parametrize("missing", list(UNSOUND))
def test_a_lost_object_is_found_without_the_barrier(missing: str) -> None:
    """Leave out any part of the barrier and a search finds a program that hides an object from the mark."""
    cases = (small_case(seed) for seed in range(20_000))
    case = next((case for case in cases if len(run(case, UNSOUND[missing]).lost_objects)), None)
    assert case is not None
    assert len(run(case, HYBRID).lost_objects) == 0
    assert len(run(case, DIJKSTRA).lost_objects) == 0


def case_of(graph: ObjectGraph, steps: list[tuple[int, ...]]) -> dict[str, Any]:
    """All steps run together, after the first root job and before the next."""
    schedule = np.array(steps, dtype=np.int64)
    return {"graph": graph, "schedule": schedule, "operations_per_step": len(steps), "objects_per_step": 1}


def hidden_behind_a_scanned_stack() -> dict[str, Any]:
    """Goroutine 0 loads the only pointer to object 2 onto its scanned stack and deletes it in object 1."""
    graph = ObjectGraph(
        first_slot=np.array([0, 1, 2, 3]),
        slots=np.array([1, 2, NIL]),
        size_bytes=np.array([0, 16, 32]),
        globals_=np.array([0]),
        stacks=np.array([[NIL, NIL]]),
        born=3,
    )
    wait = (Op.DROP, 0, 0, 0, 0)
    steps = [(Op.GLOBAL, 0, 0, 0, 0), (Op.LOAD, 0, 0, 0, 0), (Op.LOAD, 0, 1, 0, 0), (Op.DELETE, 0, 0, 0, 0)]
    return case_of(graph, [wait] * 4 + steps) | {"operations_per_step": 4}


def hidden_in_a_black_object() -> dict[str, Any]:
    """A goroutine moves the only pointer to object 0 from its unscanned stack into a new, black object."""
    graph = ObjectGraph(
        first_slot=np.array([0, 1, 2]),
        slots=np.array([NIL, NIL]),
        size_bytes=np.array([32, 16]),
        globals_=np.zeros(0, dtype=np.int64),
        stacks=np.array([[0, NIL]]),
        born=1,
    )
    return case_of(graph, [(Op.ALLOCATE, 0, 1, 0, 0), (Op.STORE, 0, 0, 1, 0), (Op.DROP, 0, 0, 0, 0)])


def test_a_constructed_program_hides_an_object_behind_a_scanned_stack() -> None:
    """The deletion shade alone, or a second scan of the stack, finds what this program hides."""
    case = hidden_behind_a_scanned_stack()
    for unsound in (UNBARRED, INSERTION_ONLY):
        assert run(case, unsound).lost_objects.tolist() == [2]
    for sound in (DELETION_ONLY, DIJKSTRA, HYBRID):
        assert len(run(case, sound).lost_objects) == 0
    assert run(case, HYBRID).barrier_shaded_bytes == 32
    # two stack slots and the object that the second scan finds
    assert run(case, DIJKSTRA).stopped_scan_bytes == 2 * 8 + 8


def test_a_constructed_program_hides_an_object_in_a_black_one() -> None:
    """Without the insertion shade, a store from an unscanned stack into a black object hides its target."""
    case = hidden_in_a_black_object()
    for unsound in (UNBARRED, DELETION_ONLY):
        assert run(case, unsound).lost_objects.tolist() == [0]
    for sound in (INSERTION_ONLY, DIJKSTRA, HYBRID):
        assert len(run(case, sound).lost_objects) == 0
    assert run(case, HYBRID).allocated_black_bytes == 16


@pytest.mark.parametrize("barrier", [STOP_THE_WORLD, DIJKSTRA, HYBRID])
@given(case=marks())
@settings(max_examples=100, deadline=None)
def test_what_marking_reports_adds_up(barrier: Barrier, case: dict[str, Any]) -> None:
    """Colours cover the heap at each step, black never shrinks, and what is black is live or floating."""
    result = run(case, barrier)
    total = result.white_bytes + result.grey_bytes + result.black_bytes
    graph, after = case["graph"], result.after
    assert total[0] >= graph.heap_bytes
    assert total[-1] == graph.heap_bytes + result.allocated_black_bytes == after.heap_bytes
    assert np.all(np.diff(result.black_bytes) >= 0)
    assert min(result.white_bytes.min(), result.grey_bytes.min()) >= 0
    assert result.grey_bytes[-1] == result.frontier_width[-1] == 0
    live = int(after.size_bytes[depths(after) != UNREACHABLE].sum())
    assert result.marked_bytes == live + result.floating_bytes
    assert result.barrier_shaded_bytes + result.allocated_black_bytes <= result.marked_bytes


@given(case=marks())
@settings(max_examples=100, deadline=None)
def test_nothing_floats_while_the_world_stands_still(case: dict[str, Any]) -> None:
    """To Go 1.4 a collection leaves no garbage, runs no program and allocates nothing."""
    result = run(case, STOP_THE_WORLD)
    assert result.floating_bytes == result.operations_while_marking == result.allocated_black_bytes == 0
    assert np.array_equal(result.after.slots, case["graph"].slots)


@given(case=marks())
@settings(max_examples=100, deadline=None)
def test_only_dijkstras_barrier_scans_with_the_world_stopped(case: dict[str, Any]) -> None:
    """From 1.8 mark termination scans nothing: the second pause no longer grows with the stacks."""
    assert run(case, HYBRID).stopped_scan_bytes == 0
    assert run(case, DIJKSTRA).stopped_scan_bytes >= 8 * case["graph"].stacks.size


def test_each_version_has_its_barrier() -> None:
    """The version table and the three barriers say the same."""
    for go in known_versions():
        rules, barrier = rules_for(go), barrier_of(rules_for(go))
        assert barrier.world_stopped is not rules.concurrent
        assert barrier.rescans_stacks is rules.stack_rescan


@given(case=marks())
@settings(max_examples=100, deadline=None)
def test_the_profile_is_the_mark_without_a_mutator(case: dict[str, Any]) -> None:
    """Depth by depth, mark_profile has the frontier, the colours and the work of a whole-frontier mark."""
    graph = replace(case["graph"], stacks=case["graph"].stacks[:1])  # so that the roots are complete at once
    result, profile = mark(graph, barrier=STOP_THE_WORLD), mark_profile(graph)
    roots = len(graph.stacks)  # steps before the last root job's
    steps = slice(roots, roots + len(profile.frontier_width))
    assert result.frontier_width[steps].tolist() == profile.frontier_width.tolist()
    heap = max(graph.heap_bytes, 1)
    np.testing.assert_allclose(profile.black_fraction[-1] * heap, result.marked_bytes, atol=1e-6)
    assert int(profile.scan_bytes.sum()) == result.scan_work_bytes
    total = profile.white_fraction + profile.grey_fraction + profile.black_fraction
    np.testing.assert_allclose(total, 1.0)


@given(st.integers(0, 10**9), st.integers(1, 512))
def test_usable_workers_agree_on_scalars_and_arrays(width: int, workers: int) -> None:
    """Never none, never more than there are, never more than one for a handful, and the same for arrays."""
    one = usable_workers(width, workers)
    assert 1 <= one <= workers
    assert width > 4 or one == 1
    assert usable_workers(np.array([width, width + 1]), workers)[0] == one  # type: ignore[index]


def test_a_list_marks_with_one_worker_and_a_tree_with_all() -> None:
    """The shape of the heap decides whether more workers help."""
    assert effective_workers(mark_profile(linked_list(10_000)), 8) == 1.0
    assert effective_workers(mark_profile(binary_tree(16)), 8) > 7.9


@given(levels=st.integers(1, 12), workers=st.integers(1, 64))
@settings(deadline=None)
def test_more_workers_never_slow_a_mark(levels: int, workers: int) -> None:
    """The speed-up lies between one and the number of workers and grows with it."""
    profile = mark_profile(binary_tree(levels))
    speed = effective_workers(profile, workers)
    assert 1.0 <= speed <= workers
    assert effective_workers(profile, workers + 1) >= speed


@given(case=marks(), spans_at_once=st.sampled_from([1, 3, 64]))
@settings(max_examples=100, deadline=None)
def test_spans_mark_what_objects_mark(case: dict[str, Any], spans_at_once: int) -> None:
    """Marking by the span scans every reachable object with pointers exactly once."""
    graph = case["graph"]
    visits = visit_spans(graph, np.arange(len(graph)) // 4, spans_at_once=spans_at_once)
    reachable = (depths(graph) != UNREACHABLE) & (graph.scan_bytes > 0)
    assert int(visits.objects.sum()) == int(reachable.sum())
    assert visits.objects.sum() == 0 or visits.objects.max() <= 4


def test_a_denser_heap_scans_more_objects_a_span() -> None:
    """The fewer live objects a span holds, the less Green Tea has to batch."""
    batches = []
    for spread in (1, 4, 16, 64):
        generator = np.random.default_rng(7)
        graph = random_graph(
            generator, objects=20_000 // spread, pointers_per_object=4.0, noscan_fraction=0.0
        )
        place = generator.permutation(20_000)[: len(graph)]
        batches.append(visit_spans(graph, place // 125).mean_objects)
    assert batches == sorted(batches, reverse=True)
    assert batches[0] > 10 > 3 > batches[-1] >= 1.0


def test_scan_work_counts_whole_slots_on_the_dense_path_only() -> None:
    """168 slots of 48 bytes, one leading pointer each: an eighth of them, 21, is where the unit changes."""
    found = np.array([1, 2, 20, 21, 168])
    unit = {"slots_per_span": 168, "slot_bytes": 48, "pointer_bytes": 8}
    assert span_scan_work_bytes(found, **unit, rules=rules_for("1.25")).tolist() == (found * 8).tolist()  # type: ignore[union-attr]
    expected = [8, 16, 160, 21 * 48, 168 * 48]
    assert span_scan_work_bytes(found, **unit, rules=rules_for("1.26")).tolist() == expected  # type: ignore[union-attr]
    assert [span_scan_work_bytes(int(n), **unit, rules=rules_for("1.26")) for n in found] == expected
    alone = {"slots_per_span": 15, "slot_bytes": 512, "pointer_bytes": 8}
    assert span_scan_work_bytes(1, **alone, rules=rules_for("1.26")) == 8  # one mark is scanned alone


def test_which_objects_go_by_the_span() -> None:
    """16 to 512 bytes from 1.26, none before."""
    sizes = np.array([8, 16, 512, 576])
    assert marked_by_span(sizes, rules_for("1.26")).tolist() == [False, True, True, False]  # type: ignore[union-attr]
    assert not marked_by_span(64, rules_for("1.25"))
