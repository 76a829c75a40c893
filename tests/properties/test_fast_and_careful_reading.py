"""The fast path (lines of one shape, in columns) and the careful one (one line at a time) read the same."""

import io
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.gctrace import read_processes
from gcsim.gctrace.formats import ALL, Template
from gcsim.gctrace.lines import parse_line
from gcsim.gctrace.numbers import Number
from gcsim.gctrace.rows import LINE, ORDER, PREFIX_END, PREFIX_START, RowStore
from gcsim.gctrace.shapes import PADDING, Numbers, learn_shape

NUMBER = re.compile(rb"[0-9.]+")
ODD_NUMBERS = (
    b"0", b"1", b"2", b"12", b"007", b"1.5", b"0.018", b"10.25", b"1.2345", b"0.600.797", b"0.180.039", b"0.002.046",
    b"600.797", b".5", b"5.", b".", b"1..2", b"123456789", b"12345678.123", b"1234567890123456", b"12345678901234567",
    b"1234567890.123", b"1234567890123.123", b"1" * 18, b"1" * 19, b"1" * 30, b"17592186044415",
    b"8796093022207", b"00000000.000", b"0.0000001",
)  # fmt: skip
SPELLINGS = {"ms": b"0.018", "seconds": b"12.345", "float": b"1.5", "number_or_none": b"3", "signed": b"-42"}


def sample(template: Template) -> bytes:
    """A line of a template that is read."""
    text = b""
    for token in template.tokens:
        number: Number | None = token.number
        text += SPELLINGS.get(number.kind, b"17") if number else token.text.encode()
    return text


def changed(line: bytes, rng: random.Random) -> bytes:
    """The line with other digits and points in the places of its numbers, which keeps its shape."""
    share = rng.choice((0.05, 0.3))

    def other(match: re.Match[bytes]) -> bytes:
        if rng.random() > share:
            return match[0]
        if rng.random() < 0.5:
            return rng.choice(ODD_NUMBERS)
        text = bytearray(match[0])
        at = rng.randrange(len(text) + 1)
        text[at : at + rng.randrange(2)] = rng.choice((b".", b"0", b"7", b"39", b".."))
        return bytes(text) or b"0"

    return NUMBER.sub(other, line)


@pytest.mark.parametrize("template", ALL, ids=lambda t: f"{t.table}-{t.generation or t.text[:14]}")
def test_both_paths_read_the_same(template: Template) -> None:
    """Whatever numbers stand in lines of a shape, the fast path takes what the careful one reads, or nothing."""

    @settings(max_examples=25, deadline=None)
    @given(
        seed=st.integers(0, 2**32), prefix=st.sampled_from([b"", b"2026/11/29 20:00:00.5 ", b"app 7: ", b"1"])
    )
    def check(seed: int, prefix: bytes) -> None:
        rng = random.Random(seed)
        first = prefix + sample(template)
        entries, verdict = parse_line(first)
        if verdict != "read":
            return
        shape = learn_shape(first, entries)
        if shape is None:
            return
        lines = [first, *(changed(first, rng) for _ in range(40))]
        block = b" " * PADDING + b"\n".join(lines) + b"\n"
        store = RowStore()
        numbers = Numbers.find(block)
        careful = store.add_lines(shape, numbers, np.arange(len(lines)), 0, -PADDING)
        assert 0 not in careful
        fast = store.table([entry.template for entry in entries])
        offsets = (numbers.line_starts - PADDING).tolist()
        for row, order in enumerate(fast[ORDER].tolist()):
            line = lines[order // LINE]
            found, verdict = parse_line(line)
            assert verdict == "read", line
            entry = found[order % LINE]
            assert len(found) == len(entries)
            assert {name: fast[name][row].item() for name in entry.values} == entry.values, line
            if template.table != "cycles":
                continue
            start = offsets[order // LINE]
            assert (int(fast[PREFIX_START][row]) - start, int(fast[PREFIX_END][row]) - start) == (
                found[order % LINE - 1].match.end() if order % LINE else 0,
                entry.match.start(),
            )

    check()


def test_a_number_with_two_points_is_broken_among_many_lines() -> None:
    """0.600.797 is not 6,000.797, and no number of another spelling is."""
    tail = "2%: 0.018+1.2+0.003 ms clock, 0.036+0.14/1.2/0.10+0.006 ms cpu, 31->36->11 MB, 40 MB goal, 2 P"
    lines = [f"gc {n} @{n / 10:.3f}s {tail}" for n in range(1, 12)]
    lines[5] = lines[5].replace("@0.600s", "@0.600.797s")
    (trace,) = read_processes(io.BytesIO("\n".join(lines).encode()))
    assert trace.cycles.cycle_number.tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert trace.parse_warning_counts == {"broken gc line": 1, "gap in numbering": 1}
