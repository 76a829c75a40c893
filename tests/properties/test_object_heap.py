"""Conservation and chance in the allocation loop."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.lifetimes import Lifetime
from gcsim.service.objects.object_heap import ObjectHeap, ObjectKind
from gcsim.service.objects.spans import Spans
from gcsim.streams import stream

LIFETIMES = st.one_of(
    st.just(Lifetime.at_once()),
    st.just(Lifetime.for_ever()),
    st.builds(Lifetime, mean=st.floats(1e-4, 10.0), phases=st.integers(1, 5)),
    st.builds(Lifetime, mean=st.floats(1e3, 1e9), clock=st.just("bytes"), phases=st.integers(1, 3)),
)
KINDS = st.lists(
    st.builds(
        ObjectKind,
        size_bytes=st.one_of(st.integers(1, 2048), st.integers(1, 100_000)),
        scan=st.booleans(),
        weight=st.floats(0.01, 1.0),
        lifetime=LIFETIMES,
    ),
    min_size=1,
    max_size=8,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("allocate"), st.integers(0, 3000)), st.tuples(st.just("collect"), st.booleans())
    ),
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(KINDS, STEPS, st.sampled_from(["1.21", "1.25", "1.27"]), st.integers(1, 5), st.integers(0, 2**32))
def test_every_object_is_live_garbage_unswept_or_freed(kinds, steps, go, gomaxprocs, seed) -> None:  # type: ignore[no-untyped-def]
    """By class, after every step; heapLive covers what is alive, spans cover all objects not freed."""
    heap = ObjectHeap(kinds, rules=rules_for(go), gomaxprocs=gomaxprocs, rng=stream(seed, "objects"))

    def check() -> None:
        in_heap = heap.live_objects + heap.garbage_objects
        assert (heap.allocated_objects == in_heap + heap.unswept_objects + heap.freed_objects).all()
        assert min(heap.live_objects.min(), heap.garbage_objects.min(), heap.freed_objects.min()) >= 0
        assert heap.heap_live_bytes >= heap.live_bytes
        assert heap.fragmentation_bytes >= 0
        assert heap.live_bytes_by_age().sum() == heap.live_bytes

    for step, argument in steps:
        if step == "allocate":
            before = heap.heap_live_bytes
            made = heap.allocate(argument, seconds=argument * 1e-5)
            assert heap.heap_live_bytes - before >= made - gomaxprocs * heap.mix.class_span_bytes.sum()
        else:
            condemned = heap.begin_mark()
            check()
            heap.allocate(500 * argument, seconds=1e-3)
            marked = heap.end_mark()
            assert marked.condemned_bytes == condemned
            assert marked.heap_marked_bytes == heap.live_bytes + marked.floating_bytes == heap.heap_live_bytes
            check()
            assert heap.sweep() == condemned
        check()


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.lists(st.floats(0, 1), min_size=5, max_size=5),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
def test_spans_lose_no_slot(slots: list[int], survival: list[float], gomaxprocs: int, seed: int) -> None:
    """What sweeping leaves free is filled to the last slot before a new span is taken, and charged as such."""
    rng = np.random.default_rng(seed)
    per_span = np.array(slots, dtype=np.int64)
    slot_bytes = np.full(len(slots), 64, dtype=np.int64)
    spans = Spans(slot_bytes, per_span, per_span * 64 + 32, gomaxprocs=gomaxprocs)
    alive = np.zeros(len(slots), dtype=np.int64)
    for share in survival:
        made = rng.integers(0, 400, (gomaxprocs, len(slots)))
        spans.place(made)
        assert (spans.count * per_span >= alive + made.sum(axis=0)).all()
        old, new = rng.binomial(alive, share), rng.binomial(made.sum(axis=0), share)
        spans.sweep(old, new, rng)
        alive = old + new
        assert (spans.count >= -(-alive // per_span)).all()
        assert (spans.count <= alive).all()
    free = spans.count * per_span - alive
    before = spans.count
    only_one = np.zeros((gomaxprocs, len(slots)), dtype=np.int64)
    only_one[0] = free
    assert spans.place(only_one) >= free.sum() * 64
    np.testing.assert_array_equal(spans.count, before)
    only_one[0] = 1
    assert spans.place(only_one) == int((per_span * 64 + 32).sum())
    np.testing.assert_array_equal(spans.count, before + 1)


@given(st.floats(1e-3, 50), st.integers(1, 8), st.floats(1e-3, 5), st.floats(1e-3, 5))
def test_two_steps_are_one_step(mean: float, phases: int, first: float, second: float) -> None:
    """Chapman and Kolmogorov: moving on twice has the chances of moving on once; survival is Erlang's."""
    lifetime = Lifetime(mean=mean, phases=phases)
    twice = np.convolve(lifetime.phases_passed(first), lifetime.phases_passed(second))[:phases]
    np.testing.assert_allclose(twice, lifetime.phases_passed(first + second), rtol=1e-9, atol=1e-12)
    survival = stats.gamma.sf(first, phases, scale=mean / phases)
    assert lifetime.phases_passed(first).sum() == pytest.approx(survival, abs=1e-9)
    during = [
        integrate.quad(lambda t, p=p: lifetime.phases_passed(t)[p], 0, min(first, 60 * mean), limit=200)[0]
        / first
        for p in range(phases)
    ]
    np.testing.assert_allclose(lifetime.phase_at_end(first), during, rtol=1e-6, atol=1e-9)


def steady_heap(seed: int, gomaxprocs: int = 2) -> ObjectHeap:
    """Garbage, requests of 5 ms and a cache turned over every 64 MiB of allocation."""
    kinds = [
        ObjectKind(size_bytes=size, scan=scan, weight=weight / size, lifetime=lifetime)
        for size, scan in ((9, False), (32, True), (96, False), (640, True), (5000, False), (50_000, False))
        for lifetime, weight in (
            (Lifetime.at_once(), 0.7),
            (Lifetime(mean=0.005, phases=3), 0.2),
            (Lifetime(mean=64 << 20, clock="bytes"), 0.1),
        )
    ]
    return ObjectHeap(kinds, rules=rules_for("1.27"), gomaxprocs=gomaxprocs, rng=stream(seed, "objects"))


@pytest.mark.parametrize("steps", [1, 20])
def test_live_heap_does_not_depend_on_the_length_of_a_step(steps: int) -> None:
    """After 400 ms of steady allocation, requests and cache hold what Little's law says, in 1 step or 20."""
    objects, seconds = 1_000_000, 0.4
    live = []
    for seed in range(40):
        heap = steady_heap(seed)
        for _ in range(steps):
            heap.allocate(objects // steps, seconds=seconds / steps)
        live.append(heap.live_bytes)
    turned_over = objects * heap.mix.mean_slot_bytes / (64 << 20)
    alive_at_end = [0.0, 0.005 / seconds, (1 - np.exp(-turned_over)) / turned_over]  # share, by lifetime
    mix = heap.mix
    expected = objects * (mix.probability * mix.slot_bytes) @ np.array(alive_at_end)[mix.lifetime_of]
    assert np.mean(live) == pytest.approx(expected, rel=0.02)  # the mean's own scatter is 0.6 %


def digest_of_a_run(seed: int) -> str:
    """Everything visible after ten collections, in one hash."""
    heap, seen = steady_heap(seed), hashlib.sha256()
    for _ in range(10):
        heap.allocate(50_000, seconds=0.01)
        heap.begin_mark()
        heap.allocate(5_000, seconds=0.001)
        marked = heap.end_mark()
        heap.sweep()
        seen.update(repr((marked, heap.heap_in_use_bytes, heap.live_bytes_by_age().tolist())).encode())
    return seen.hexdigest()


def test_the_same_seed_gives_the_same_heap() -> None:
    """Byte for byte, and another seed another one."""
    assert digest_of_a_run(1) == digest_of_a_run(1)
    assert digest_of_a_run(1) != digest_of_a_run(2)
