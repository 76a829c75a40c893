"""The memory of a heap through growth, scattered drops and idling."""

import pytest

from experiments.changes.scatter import main
from gcsim.goruntime.versions import rules_for
from gcsim.submodels.heap_course import HeapSample, ObjectKind, Phase, heap_course
from gcsim.units import MIB

KINDS = (ObjectKind(object_bytes=128, scan=False), ObjectKind(object_bytes=65536, scan=False))
SPAN_SLOTS = 64  # of 128 B in a page of 8 KiB, without inline mark bits
RULES = rules_for("1.25")


def course(dropped: float, *, kept: tuple[float, float] = (5.0 * MIB, 5.0 * MIB)) -> list[HeapSample]:
    """Ten seconds of growth, five with garbage after the drop, and 130 s of idling."""
    phases = (
        Phase(seconds=10.0, kept=kept, garbage=(0.0, 0.0)),
        Phase(seconds=5.0, kept=(0.0, 0.0), garbage=(0.0, 40.0 * MIB), dropped=dropped),
        Phase(seconds=130.0, kept=(0.0, 0.0), garbage=(0.0, 0.0)),
    )
    return heap_course(KINDS, phases, gogc=100, gomaxprocs=2, rules=RULES, seed=1)


def test_every_byte_has_one_place() -> None:
    """Objects are in spans in use; the heap's address space never falls; returned memory is idle."""
    samples = course(0.8)
    mapped = [one.heap_in_use_bytes + one.heap_idle_bytes for one in samples]
    assert mapped == sorted(mapped)
    for one in samples:
        assert one.heap_alloc_bytes <= one.heap_in_use_bytes + 1
        assert 0.0 <= one.heap_released_bytes <= one.heap_idle_bytes + 1


@pytest.mark.parametrize("dropped", [0.5, 0.8, 0.9])
def test_scattered_deaths_keep_spans_of_small_objects(dropped: float) -> None:
    """After the forced collection a span is free if all of its objects are dead: dropped ** slots of it."""
    last = course(dropped)[-1]
    small, large = 50.0 * MIB * (1.0 - dropped**SPAN_SLOTS), 50.0 * MIB * (1.0 - dropped)
    left = 100.0 * MIB * (1.0 - dropped)
    spread = 65536 * (800 * dropped * (1.0 - dropped)) ** 0.5  # of 800 large objects
    assert last.heap_alloc_bytes == pytest.approx(left, abs=3.0 * spread)
    assert last.heap_in_use_bytes == pytest.approx(small + large, rel=0.05)


def test_idle_memory_goes_back_to_the_kernel() -> None:
    """The scavenger keeps a tenth more than its goal; garbage of an idle program waits for the forced collection."""
    samples = course(0.9)
    settled, forced = samples[30], samples[-1]
    assert settled.heap_resident_bytes < 0.75 * max(one.heap_resident_bytes for one in samples)
    assert forced.cycles == settled.cycles + 1
    assert forced.heap_alloc_bytes < settled.heap_alloc_bytes


def test_the_page_has_today_s_prediction() -> None:
    """docs/explanation/heap-over-time.md is what the committed runs give."""
    assert main(["page", "--check"]) == 0
