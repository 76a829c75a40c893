"""Damaged and shuffled logs whose right reading is known."""

import io
import random
import subprocess
import sys

import pytest
from damaged_logs import BARE, LOG, gc, numbers, read

from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace


def torn(cut: str, *, after: str = "", line: int = 2) -> str:
    """Three lines of which one is broken behind a text, where another writer may print."""
    text = gc(line)
    at = text.index(cut) + len(cut)
    return f"{gc(line - 1)}\n{text[:at]}{after}\n{text[at:]}\n{gc(line + 1)}\n"


# Torn lines.


@pytest.mark.parametrize(
    "cut", ["0.", "0.01", "0.018", "+1", "+1.", "0.003 m", "36", "36->1", "MB st", "0.2"]
)
def test_a_line_broken_anywhere_is_read_as_printed_or_not_at_all(cut: str) -> None:
    """The point of a number may end the first piece, and 0.018 ms is never 18 ms."""
    (trace,) = read(torn(cut))
    assert trace.cycles == BARE[0].cycles.select(slice(0, 3)) or trace.cycles.cycle_number.tolist() == [1, 3]


def test_a_line_broken_at_its_decimal_point_is_put_together() -> None:
    """A piece that ends with "0." continues in the next line."""
    (trace,) = read(torn("%: 0."))
    assert trace.cycles.stw_sweep_term_ns.tolist() == [18_000] * 3
    assert trace.parse_warning_counts["reassembled gc line"] == 1


@pytest.mark.parametrize(
    ("cut", "digits"), [("clock, ", "12"), ("36->", "7"), ("->36->", "12"), ("gc ", "471"), ("goal, ", "3")]
)
def test_another_writer_s_number_is_not_glued_to_ours(cut: str, digits: str) -> None:
    """A line of digits in the middle of a gc line changes none of its numbers; in doubt the line is not read."""
    (trace,) = read(torn(cut, after=digits, line=20))
    rows = trace.cycles.cycle_number.tolist()
    assert rows in ([19, 20, 21], [19, 21])
    assert len({int(size) for size in trace.cycles.heap_end_bytes}) == 1
    assert set(trace.cycles.stw_sweep_term_cpu_ns.tolist()) == {36_000}


def test_the_cycles_around_decide_between_two_numbers() -> None:
    """gc 471, then 20: between gc 19 and gc 21 it is gc 20, and alone it is not read."""
    assert numbers(f"{gc(19)}\n470\ngc 471\n{gc(20)[3:]}\n472\n{gc(21)}\n") == [[19, 20, 21]]
    with pytest.raises(InputError, match="whole"):
        read(f"470\ngc 471\n{gc(20)[3:]}\n472\n")


def test_digits_in_front_of_a_number_are_another_writer_s() -> None:
    """gc 47120 between gc 19 and gc 21 is gc 20; a process that lost many lines keeps its numbers."""
    (trace,) = read("\n".join([gc(19), gc(20).replace("gc 20", "gc 47120"), gc(21)]))
    assert trace.cycles.cycle_number.tolist() == [19, 20, 21]
    assert trace.parse_warning_counts == {"digits before a number": 1}
    assert numbers("\n".join([gc(19), gc(120), gc(121)])) == [[19, 120, 121]]


def test_no_piece_is_used_twice() -> None:
    """Two torn lines in a row are two cycles."""
    assert numbers(f"{gc(1)}\ngc 2\n{gc(2)[4:]}\ngc \n{gc(3)[3:]}\n") == [[1, 2, 3]]


def test_one_line_without_its_end_and_the_next_without_its_beginning_are_not_one() -> None:
    """The missing number shows that two lines were lost."""
    first, second = gc(2).index("ms cpu"), gc(3).index("ms cpu")
    assert numbers(f"{gc(1)}\n{gc(2)[:first]}\n{gc(3)[second:]}\n{gc(4)}\n") == [[1, 4]]


def test_a_forced_cycle_stays_forced() -> None:
    """Its mark may be broken, or torn off by another writer's line."""
    for text in (f"{gc(2)} (for\nced)", f"{gc(2)}hello\n (forced)", f"{gc(2)}\n (forced)"):
        (trace,) = read(f"{gc(1)}\n{text}\n{gc(3)}")
        assert trace.cycles.forced.tolist() == [False, True, False]
        assert trace.parse_warning_counts["reassembled gc line"] == 1


def test_the_pieces_of_a_joined_line_are_of_one_format() -> None:
    """A beginning of Go 1.18 and an end of Go 1.6 make no line."""
    text = gc(2)
    (trace,) = read(f"{gc(1)}\n{text[: text.index('s, 0 MB globals')]}\n2 P\n{gc(3)}")
    assert (trace.generation, trace.cycles.cycle_number.tolist()) == ("1.18", [1, 3])


@pytest.mark.parametrize("width", [30, 64, 80, 100, 119])
def test_a_log_broken_at_a_width_is_read_whole(width: int) -> None:
    """All lines have the terminal's width, so that a number at its edge is broken, not another writer's."""
    wrapped = "\n".join(line[i : i + width] for line in LOG for i in range(0, len(line), width))
    assert read(wrapped) == BARE


# Long lines.


def test_a_line_holds_any_number_of_gc_lines() -> None:
    """Four lines of 100 gc lines are one process, each cycle with the number of its line."""
    (trace,) = read("\n".join(" | ".join(gc(100 * k + i) for i in range(1, 101)) for k in range(4)))
    assert trace.cycles.cycle_number.tolist() == list(range(1, 401))
    assert trace.line_numbers.tolist() == [1 + i // 100 for i in range(400)]


LONG = {
    "gc words above a broken line": "gc " * 100_000 + "\ngc 1 @ P\n",
    "several processes in one line": " ".join(f"p{i % 5} {gc(1 + i // 5)}" for i in range(4_000)),
    "old line ends": "\r".join(gc(i) for i in range(1, 4_000)),
    "an image's name in each line": "\n".join(f"{'gcr.io ' * 300}{gc(i)[:60]}" for i in range(1, 300)),
    "backslashes": "\\" * 1_000_000 + "u003",
    "blanks": "gc" + " " * 1_000_000 + "(forced",
}


@pytest.mark.parametrize("name", LONG)
def test_time_grows_with_the_log(name: str) -> None:
    """A megabyte of anything is read, or refused, within a bound that only quadratic time exceeds."""
    code = (
        "import io, sys\nfrom gcsim.errors import InputError\nfrom gcsim.gctrace import read_processes\n"
        "try: read_processes(io.BytesIO(sys.stdin.buffer.read()))\nexcept InputError: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], input=LONG[name].encode(), timeout=60, check=False)
    assert done.returncode == 0, name


# Order and copies.


def test_the_newest_line_may_come_first() -> None:
    """An export in falling order is the same trace, and says so."""
    (trace,) = read("\n".join(reversed(LOG)))
    assert [trace] == BARE
    assert trace.parse_warning_counts == {"newest line first": 1}
    two = [*(gc(n) for n in range(1, 6)), *(gc(n, 0.01 * n) for n in range(1, 4))]
    assert numbers("\n".join(reversed(two))) == [[1, 2, 3], [1, 2, 3, 4, 5]]


def test_pacer_lines_keep_their_cycle_in_an_export_newest_first() -> None:
    """What was printed before a gc line stands after it there."""
    start = "pacer: assist ratio=0.5 (scan 1 MB in {0}->71 MB) workers=2+0.25"
    lines = [text for n in range(1, 6) for text in (start.format(n), gc(n))]
    (trace,) = read("\n".join(reversed(lines)))
    assert trace == read("\n".join(lines))[0]
    assert trace.pacer_starts.cycle_index.tolist() == [0, 1, 2, 3, 4]


def test_identical_lines_are_one_cycle() -> None:
    """Two dumps that overlap, in either order, are one trace."""
    for text in (LOG[:6] + LOG[3:], LOG[3:] + LOG[:6], [line for line in LOG for _ in range(2)]):
        (trace,) = read("\n".join(text))
        assert [trace] == BARE
        assert trace.repeated_gc_lines_in_log == len(text) - 9
        assert trace.parse_warning_counts["repeated gc line"] == len(text) - 9


def test_equal_lines_of_two_pods_are_two_cycles() -> None:
    """A prefix that marks several lines is a writer's."""
    pods = [f"[pod/web-{pod}] {line}" for line in LOG for pod in (0, 1)]
    assert numbers("\n".join(pods)) == [list(range(1, 10))] * 2


def test_swapped_and_shuffled_lines_are_sorted() -> None:
    """Neighbours swapped by a sort, pages in the wrong order, and lines in any order are one process."""
    swapped = [*LOG[:3], LOG[4], LOG[3], *LOG[5:]]
    pages = [*LOG[3:6], *LOG[:3], *LOG[6:]]
    shuffled = random.Random(3).sample(LOG, 9)
    for text in (swapped, pages, shuffled):
        (trace,) = read("\n".join(text))
        assert [trace] == BARE
        assert "gc line out of order" in trace.parse_warning_counts
    gap = [gc(n) for n in (1, 2, 4, 3, 5, 30, 31, 33, 32)]
    assert numbers("\n".join(gap)) == [[1, 2, 3, 4, 5, 30, 31, 32, 33]]


def test_a_restart_is_not_sorted_into_the_run_before() -> None:
    """Numbers that begin again below later ones are another process."""
    late, early = [gc(n, n) for n in range(100, 110)], [gc(n, 0.01 * n) for n in range(1, 8)]
    assert numbers("\n".join(late + early)) == [list(range(100, 110)), list(range(1, 8))]


def test_a_trace_knows_what_the_whole_log_held() -> None:
    """A message about few cycles can say how many lines were read, and in how many processes."""
    trace = read_gctrace(io.StringIO("\n".join([*LOG, *LOG[:2], *(gc(n, 0.01 * n) for n in (1, 2))])))
    assert (trace.gc_lines_in_log, trace.repeated_gc_lines_in_log, trace.processes_in_log) == (13, 2, 2)
    assert trace.log_counts == "13 gc lines (2 of them copies) read, in 2 processes"
