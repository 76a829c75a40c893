"""What is written is read back, for every generation of the format."""

import io
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsim.cycles import NO_HEAP_GOAL, NOT_LOGGED, CycleTable
from gcsim.gctrace import Trace, format_gctrace, quantize_cycles, read_gctrace, read_processes
from gcsim.gctrace.formats import CYCLES, Token
from gcsim.gctrace.numbers import format_ns_as_ms, quantize_ms
from gcsim.gctrace.records import (
    Columns,
    FivePhaseFields,
    HeapSummaries,
    PacerEnds,
    PacerEndsBefore118,
    PacerStarts,
    Scavenges,
    StopTheWorldFields,
    Sweeps,
)

GENERATIONS = tuple(CYCLES)
MIB = 1 << 20
WHOLE_MIB = st.one_of(st.integers(0, 9), st.integers(0, 1 << 39)).map(lambda mib: mib * MIB)
DURATIONS = st.one_of(st.just(0), st.integers(0, 20_000_000), st.integers(0, 10**15))
COUNTS = st.integers(0, 10**15)


def column(draw: st.DrawFn, values: st.SearchStrategy[Any], count: int) -> np.ndarray[Any, Any]:
    return np.array(draw(st.lists(values, min_size=count, max_size=count)))


def rising(
    draw: st.DrawFn, values: st.SearchStrategy[int], count: int, first: int = 0
) -> np.ndarray[Any, Any]:
    return first + np.cumsum(column(draw, values, count))


@st.composite
def cycle_tables(draw: st.DrawFn, min_size: int = 1, scale: int = 1) -> CycleTable:
    """Any cycles of one process; ``scale`` is the least unit of sizes."""
    count = draw(st.integers(min_size, 12))
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for field in fields(CycleTable):
        if field.name == "forced":
            columns[field.name] = column(draw, st.booleans(), count)
        elif field.name.endswith("_bytes"):
            columns[field.name] = column(
                draw, st.integers(0, 1 << 50).map(lambda size: size // scale * scale), count
            )
        else:
            columns[field.name] = column(draw, DURATIONS if field.name.endswith("_ns") else COUNTS, count)
    columns["cycle_number"] = rising(draw, st.integers(1, 3), count)
    columns["start_ns"] = rising(draw, st.integers(0, 10**12), count)
    if draw(st.booleans()):
        columns["heap_goal_bytes"][0] = NO_HEAP_GOAL
    return CycleTable(**columns)


def printed_value(draw: st.DrawFn, token: Token, count: int) -> np.ndarray[Any, Any]:
    """A column of values that the runtime can print for a field."""
    if token.number is None:
        return column(draw, st.booleans(), count)
    if token.number.kind == "mib":
        return column(draw, WHOLE_MIB, count)
    if token.number.kind == "ms":
        return quantize_ms(column(draw, DURATIONS, count))
    if token.number.kind == "us":
        return column(draw, st.integers(0, 10**9), count) * 1_000
    if token.number.kind == "seconds":
        return rising(draw, st.integers(0, 10**6), count) * 1_000_000
    return column(draw, COUNTS, count)


def floats(shortest: bool) -> st.SearchStrategy[float]:
    finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200)
    return finite if shortest else finite.map(lambda value: float(f"{value:.6e}"))


@st.composite
def tables(draw: st.DrawFn, kind: type[Columns], first: int, last: int, shortest: bool) -> Any:
    """Rows of a table that belong to the cycles first..last."""
    count = draw(st.integers(0, 4))
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for field in fields(kind):
        name = field.name
        if name == "cycle_index":
            columns[name] = np.sort(column(draw, st.integers(first, last), count).astype(np.int64))
        elif "float" in str(field.type):
            columns[name] = column(draw, floats(shortest), count).astype(np.float64)
        elif "bool" in str(field.type):
            columns[name] = column(draw, st.booleans(), count).astype(np.bool_)
        elif name.endswith("_bytes") and kind not in (PacerEnds, PacerEndsBefore118):
            columns[name] = column(draw, WHOLE_MIB, count).astype(np.int64)
        else:
            columns[name] = column(draw, COUNTS, count).astype(np.int64)
    if kind is PacerEnds:
        columns["past_goal_bytes"] -= 5 * 10**14
    if kind is Scavenges:
        choice = draw(st.integers(0, 2))
        columns["number"][:] = columns["number"] if choice == 0 else NOT_LOGGED
        columns["eager_bytes"][:] = columns["eager_bytes"] if choice == 1 else NOT_LOGGED
    if kind is HeapSummaries:
        released = np.arange(count) % 2 == draw(st.integers(0, 1))
        for name in ("inuse_bytes", "idle_bytes", "sys_bytes", "released_bytes", "consumed_bytes"):
            columns[name][released] = NOT_LOGGED
        columns["newly_released_bytes"][~released] = NOT_LOGGED
    return kind.build(count, columns)


@st.composite
def traces(draw: st.DrawFn, generation: str) -> Trace:
    """A trace as a process of that generation could have printed it."""
    count = draw(st.integers(1, 10))
    shortest = generation == "1.18"
    raw = {t.name: printed_value(draw, t, count) for t in CYCLES[generation].fields}
    raw["cycle_number"] = rising(draw, st.integers(1, 2), count)
    if "mallocs" in raw:
        raw["mallocs"] = rising(draw, st.integers(0, 10**9), count)
    cycles, older = from_printed(generation, raw, count)
    last = count - 1
    others: dict[str, Any] = {"scavenges": draw(tables(Scavenges, -1, last, shortest))}
    if generation != "1.18":
        others["heap_summaries"] = draw(tables(HeapSummaries, -1, last, shortest))
    if generation in ("1.5", "1.6", "1.18"):
        others["pacer_starts"] = draw(tables(PacerStarts, 0, count, shortest))
        others["sweeps"] = draw(tables(Sweeps, -1, last, shortest))
        if shortest:
            others["pacer_ends"] = draw(tables(PacerEnds, 0, count, shortest))
        else:
            others["pacer_ends_before_118"] = draw(tables(PacerEndsBefore118, 0, count, shortest))
    return Trace(
        generation=generation,
        cycles=cycles,
        older=older,
        periodic=column(draw, st.booleans(), count),
        leak_check=raw.get("leak_check", np.zeros(count, np.bool_)),
        **others,
    )


def from_printed(
    generation: str, raw: dict[str, np.ndarray[Any, Any]], count: int
) -> tuple[CycleTable, StopTheWorldFields | FivePhaseFields | None]:
    from gcsim.gctrace.assemble import cycles_from_lines

    return cycles_from_lines(generation, raw, count)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_written_trace_reads_back_equal(generation: str) -> None:
    """read(write(trace)) == trace, whatever a process of that Go may have logged."""

    @settings(max_examples=30, deadline=None)
    @given(trace=traces(generation))
    def check(trace: Trace) -> None:
        assert read_gctrace(io.StringIO(format_gctrace(trace))) == trace

    check()


@settings(max_examples=80, deadline=None)
@given(cycles=cycle_tables())
def test_quantized_cycles_are_what_is_read_back(cycles: CycleTable) -> None:
    """quantize(cycles) == read(write(cycles)), and quantizing again changes nothing."""
    quantized = quantize_cycles(cycles)
    assert read_gctrace(io.StringIO(format_gctrace(cycles))).cycles == quantized
    assert quantize_cycles(quantized) == quantized


@given(duration_ns=st.one_of(st.integers(0, 10**5), st.integers(0, 10**18)))
def test_a_duration_keeps_what_was_printed(duration_ns: int) -> None:
    """The scalar and the text agree: reading the printed ms gives quantize_ms."""
    whole, _, fraction = format_ns_as_ms(duration_ns).partition(".")
    assert int(whole + fraction) * 10 ** (6 - len(fraction)) == quantize_ms(duration_ns)


@settings(max_examples=30, deadline=None)
@given(trace=traces("1.18"), seed=st.integers(0, 1000))
def test_lines_read_together_and_alone_say_the_same(trace: Trace, seed: int) -> None:
    """A different word before each line hides its shape, so that each is read alone; repeats are read together."""
    lines = format_gctrace(trace).splitlines() * 9
    together = read_processes(io.StringIO("\n".join(lines)))
    words = ("".join(chr(97 + (i * 7919 + seed) // 26**k % 26) for k in range(5)) for i in range(len(lines)))
    alone = read_processes(
        io.StringIO("\n".join(f"<{word}> {line}" for word, line in zip(words, lines, strict=True)))
    )
    assert together == alone
    assert together[0].gc_lines_in_log == alone[0].gc_lines_in_log == 9 * len(trace.cycles)
