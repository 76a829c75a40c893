"""Size classes, refills and the accounts of heapLive, over their whole range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.goruntime.allocator import refills
from gcsim.goruntime.size_classes import (
    NUM_SIZE_CLASSES,
    SIZE_CLASS_BYTES,
    round_up_size,
    size_class,
    slots_per_span,
    tiny_blocks_per_object,
    tiny_place,
)
from gcsim.goruntime.study.span_accounts import (
    cached_lead_bytes,
    flush_credit_bytes,
    overcharge_bytes,
    refill_charge_bytes,
)
from gcsim.goruntime.study.span_tails import span_tail_bytes
from gcsim.goruntime.versions import rules_for

VERSIONS = st.sampled_from(["1.19", "1.21", "1.22", "1.25", "1.26", "1.27"]).map(rules_for)
SIZES = st.one_of(st.integers(0, 2**17), st.integers(0, 2**40))
CLASSES = np.arange(1, NUM_SIZE_CLASSES, dtype=np.int64)


@given(VERSIONS, st.lists(st.tuples(SIZES, st.booleans()), min_size=1, max_size=50))
def test_sizes_round_alike_alone_and_in_arrays(rules, objects) -> None:  # type: ignore[no-untyped-def]
    """A slot holds its object and no smaller class would; array and scalar form agree."""
    sizes, scan = np.array([size for size, _ in objects]), np.array([pointers for _, pointers in objects])
    classes, slots = size_class(sizes, scan, rules=rules), round_up_size(sizes, scan, rules=rules)
    for size, pointers, number, slot in zip(
        *map(np.ndarray.tolist, (sizes, scan, classes, slots)), strict=True
    ):
        assert size_class(size, pointers, rules=rules) == number
        assert round_up_size(size, pointers, rules=rules) == slot
        assert slot >= size
        assert slot - size < 8192 or slot <= 32768
        if number > 2:
            assert SIZE_CLASS_BYTES[number - 1] < size + 8 * (pointers and size > 512 and rules.alloc_headers)


@given(VERSIONS, st.booleans())
def test_slots_and_tail_make_up_the_span(rules, scan) -> None:  # type: ignore[no-untyped-def]
    """Slots x size + tail is the span, for every class; scalar and array form agree."""
    slots, tails = slots_per_span(CLASSES, scan, rules=rules), span_tail_bytes(CLASSES, scan, rules=rules)
    np.testing.assert_array_equal(slots * SIZE_CLASS_BYTES[CLASSES] + tails, refill_charge_bytes(CLASSES, 0))
    assert [slots_per_span(int(number), scan, rules=rules) for number in CLASSES] == slots.tolist()
    assert slots.min() >= 1
    assert tails.min() >= 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 15), min_size=1, max_size=6, unique=True), st.integers(0, 2**32))
def test_tiny_blocks_per_object_is_the_long_run_of_placing(sizes: list[int], seed: int) -> None:
    """The stationary share of new blocks is what placing 4000 objects one after another comes to."""
    drawn = np.random.default_rng(seed).choice(sizes, 4000)
    offset, blocks = 0, 0
    for size in drawn.tolist():
        offset, new_block = tiny_place(offset, size)
        blocks += new_block
    expected = tiny_blocks_per_object(np.array(sizes), np.full(len(sizes), 1 / len(sizes)))
    assert blocks / 4000 == pytest.approx(expected, abs=0.05)


@given(st.integers(0, 5000), st.integers(0, 200), st.integers(1, 200))
def test_refills_are_what_placing_one_by_one_takes(objects: int, free: int, slots: int) -> None:
    """A P takes a span only when the cached one is full and another object comes; no slot is lost."""
    left, taken = free, 0
    for _ in range(objects):
        if left == 0:
            left, taken = slots, taken + 1
        left -= 1
    assert refills(objects, free, slots) == (taken, left)
    in_arrays = refills(np.array([objects]), np.array([free]), np.array([slots]))
    assert [part.tolist() for part in in_arrays] == [[taken], [left]]


@given(VERSIONS, st.integers(1, 67), st.booleans(), st.integers(0, 10**9))
def test_heap_live_leads_objects_by_less_than_a_span_and_the_tails(rules, number, scan, objects) -> None:  # type: ignore[no-untyped-def]
    """heapLive never runs behind; handing the cached span back leaves only the tails of the spans taken."""
    lead = overcharge_bytes(objects, number, scan, rules=rules)
    taken, free = refills(objects, 0, slots_per_span(number, scan, rules=rules))
    assert taken * refill_charge_bytes(number, 0) == objects * int(SIZE_CLASS_BYTES[number]) + lead
    tails = taken * span_tail_bytes(number, scan, rules=rules)
    assert lead - flush_credit_bytes(number, free) == tails
    assert 0 <= lead - tails < refill_charge_bytes(number, 0)


def test_cached_spans_lead_by_half_a_span_each_and_by_p() -> None:
    """The expected lead is the mean over how far a span is filled, times the Ps."""
    rules, number = rules_for("1.27"), np.array([26])
    scan = np.array([False])
    slots = slots_per_span(26, False, rules=rules)
    one_by_one = [overcharge_bytes(objects, 26, False, rules=rules) for objects in range(1, slots + 1)]
    assert cached_lead_bytes(1, number, scan, rules=rules) == pytest.approx(np.mean(one_by_one))
    assert cached_lead_bytes(16, number, scan, rules=rules) == pytest.approx(16 * np.mean(one_by_one))
