"""Readings of memory joined: which one counts, with which error."""

from dataclasses import replace

import pytest

from gcsim.calibration.memory.measurements import ProcessMemory
from gcsim.calibration.memory.readings.combine import process_memory, refuse_contradictions
from gcsim.calibration.memory.readings.kernel import memory_stat_reading
from gcsim.calibration.memory.readings.reading import GoMemory, Reading
from gcsim.calibration.memory.readings.source import HeapOfRun, counted_reading
from gcsim.errors import InputError
from gcsim.service.parameters import Parameter

MIB = 1 << 20
HEAP = 100.0 * MIB
STATUS = Reading(
    origin="status", rss_bytes=110 * MIB, rss_peak_bytes=130 * MIB, anonymous_bytes=90 * MIB,
    file_bytes=20 * MIB, shared_bytes=0,
)  # fmt: skip
RSS = Reading(origin="--rss", rss_bytes=112 * MIB)
RUN = HeapOfRun(
    where="the log", least_live_bytes=50 * MIB, goals_bytes=(90 * MIB, 110 * MIB), mean_peak_bytes=HEAP,
    highest_peak_bytes=120 * MIB, slot_garbage_share=Parameter(0.2, 1.1),
    unfilled_slot_share=Parameter(0.055, 0.75),
)  # fmt: skip
GO = GoMemory(
    sys_bytes=150 * MIB, heap_sys_bytes=140 * MIB, heap_idle_bytes=55 * MIB, heap_inuse_bytes=85 * MIB,
    heap_released_bytes=20 * MIB, heap_alloc_bytes=70 * MIB, next_gc_bytes=100 * MIB,
)  # fmt: skip


def joined(*readings: Reading) -> ProcessMemory:
    """The memory of one process from its readings."""
    found = process_memory(readings, heap_range_bytes=(HEAP, HEAP))
    assert found is not None
    return found


def test_what_was_above_the_moment_was_anonymous() -> None:
    """A high-water mark is the peak of the run; file pages stay, so that the rest of the peak is anonymous."""
    found = joined(STATUS)
    assert found.rss_peak_bytes == 130 * MIB
    assert found.anonymous_peak_bytes == 110 * MIB
    assert found.file_peak_bytes == 20 * MIB
    assert found.heap_peak_bytes is None
    assert found.peak_error < joined(RSS).peak_error


def test_a_moment_belongs_to_the_retained_heap() -> None:
    """It is a little below the peak, with an error."""
    found = joined(replace(STATUS, rss_peak_bytes=None))
    assert found.heap_peak_bytes == HEAP
    assert found.rss_peak_bytes is not None
    assert 110 * MIB < found.rss_peak_bytes < 113 * MIB
    assert found.anonymous_peak_bytes is not None
    assert 90 * MIB < found.anonymous_peak_bytes < 93 * MIB
    assert found.peak_error > 0


def test_the_heap_of_a_moment_is_between_the_usual_and_the_highest() -> None:
    """A rare high cycle may or may not be in the reading: its heap is the middle, and the error is larger."""
    narrow = joined(RSS)
    wide = process_memory([RSS], heap_range_bytes=(HEAP, 2.0 * HEAP))
    assert wide is not None
    assert wide.heap_peak_bytes == 1.5 * HEAP
    assert wide.peak_error > narrow.peak_error


def test_a_high_water_mark_takes_precedence() -> None:
    """In any order; the sum of another reading does not replace the parts."""
    assert joined(RSS, STATUS) == joined(STATUS, RSS) == joined(STATUS)


def test_usage_less_inactive_pages_is_the_working_set() -> None:
    """A usage alone has reclaimable pages in it, and a larger error."""
    usage = Reading(origin="memory.current", usage_bytes=200 * MIB)
    alone = joined(usage)
    both = joined(usage, Reading(origin="memory.stat", inactive_file_bytes=60 * MIB))
    assert alone.container_peak_bytes == 200 * MIB
    assert both.container_peak_bytes == pytest.approx(140 * MIB, rel=0.02)
    assert both.container_error < alone.container_error


def test_memory_stat_of_both_versions() -> None:
    """Version 2 has kernel memory, and a sum of its parts before Linux 5.18."""
    new = memory_stat_reading("anon 100\nfile 50\ninactive_file 30\nkernel 7\nslab 5\n", "x")
    old = memory_stat_reading("anon 100\nfile 50\ninactive_file 30\nkernel_stack 2\nslab 5\n", "x")
    first = memory_stat_reading(
        "rss 1\ntotal_rss 100\ntotal_cache 50\ntotal_inactive_file 30\ninactive_file 1\n", "x"
    )
    assert [one and one.working_set_bytes for one in (new, old, first)] == [127, 127, 120]
    assert [one and one.container_anonymous_bytes for one in (new, old, first)] == [100, 100, 100]
    assert memory_stat_reading("anon 100\nfile 50\n", "x") is None


def test_a_capture_counts_before_a_reading() -> None:
    """A reading completes it with what it does not have, and with that error only."""
    capture = ProcessMemory(rss_peak_bytes=1.0, anonymous_peak_bytes=0.5)
    reading = joined(RSS, Reading(origin="--working-set", working_set_bytes=115 * MIB))
    found = capture.completed_by(reading)
    assert (found.rss_peak_bytes, found.anonymous_peak_bytes, found.peak_error) == (1.0, 0.5, 0.0)
    assert found.heap_peak_bytes is None
    assert found.container_peak_bytes == reading.container_peak_bytes
    assert found.container_error == reading.container_error
    assert ProcessMemory(container_peak_bytes=1.0).completed_by(reading).heap_peak_bytes == HEAP


@pytest.mark.parametrize(
    "other",
    [
        Reading(origin="other", rss_bytes=200 * MIB),
        Reading(origin="other", container_anonymous_bytes=10 * MIB),
        Reading(origin="other", working_set_bytes=70 * MIB),
        Reading(origin="other", usage_bytes=70 * MIB),
    ],
)
def test_contradictions_name_both_readings(other: Reading) -> None:
    """In one sentence."""
    with pytest.raises(InputError, match=r"(status.*other|other.*status)"):
        refuse_contradictions([STATUS, other])
    refuse_contradictions([STATUS, replace(other, rss_bytes=None, container_anonymous_bytes=80 * MIB,
                                           working_set_bytes=120 * MIB, usage_bytes=150 * MIB)])  # fmt: skip


def test_free_slots_are_divided_by_what_is_still_to_come() -> None:
    """15 MiB of free slots: all stay free at the heap goal, and some are filled earlier in the cycle."""
    at_goal = counted_reading(replace(GO, heap_alloc_bytes=GO.heap_alloc_bytes, next_gc_bytes=70 * MIB), RUN)
    earlier = counted_reading(GO, RUN)
    assert at_goal.unfilled_slot_bytes == pytest.approx(15 * MIB, rel=0.01)
    assert 2 * MIB < earlier.unfilled_slot_bytes < 13 * MIB
    assert earlier.unfilled_error_bytes > at_goal.unfilled_error_bytes
    assert earlier.outside_spans_bytes == 10 * MIB
    # the sum is what the runtime counted
    filled = earlier.slot_garbage_share * 30 * MIB
    assert earlier.unfilled_slot_bytes + filled == pytest.approx(15 * MIB, rel=0.1)
