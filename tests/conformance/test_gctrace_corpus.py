"""The reader against logs that the public posted: ../shared/gctrace-corpus, read in place where it is there."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gcsim.cycles import NO_HEAP_GOAL, NOT_LOGGED
from gcsim.errors import InputError
from gcsim.gctrace import Trace, format_gctrace, read_processes
from gcsim.gctrace.records import FivePhaseFields, StopTheWorldFields

CORPUS = Path(__file__).parents[3] / "shared" / "gctrace-corpus"
LOGS = sorted(CORPUS.glob("[0-9]*.txt")) if CORPUS.is_dir() else []

# Independent of the package: plain expressions, one per generation, on the text as it stands.
MS = r"([\d.]+)"
PLAIN = {
    "1.6 and later": re.compile(
        rf"gc (\d+) @([\d.]+)s (\d+)%: {MS}\+{MS}\+{MS} ms clock, {MS}\+{MS}/{MS}/{MS}\+{MS} ms cpu, "
        r"(\d+)->(\d+)->(\d+) MB, (\d+) MB goal,(?: (\d+) MB stacks, (\d+) MB globals,)? (\d+) P( \(forced\))?"
    ),
    "1.5": re.compile(
        rf"gc #?(\d+) @([\d.]+)s (\d+)%: {MS}\+{MS}\+{MS}\+{MS}\+{MS} ms clock, ([\d.+/]+) ms cpu, "
        r"(\d+)->(\d+)->(\d+) MB,(?: (\d+) MB goal,)? (\d+) P"
    ),
    "1.2 to 1.4": re.compile(
        r"gc(\d+)\((\d+)\): ([\d+]+) (ms|us) ?, (\d+) -> (\d+) MB,? "
        r"(?:\d+ -> )?(\d+) \((\d+)-(\d+)\) objects,(.*) yields"
    ),
}
LOOKS_LIKE_GC = re.compile(r"gc #?\d+ ?@|gc\d+\(\d+\):")

pytestmark = pytest.mark.skipif(
    not LOGS, reason="the public logs are not beside the project (../shared/gctrace-corpus)"
)


def text_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").replace("-&gt;", "->").split("\n")


def nanoseconds(text: str, unit_ns: int) -> int:
    return round(float(text) * unit_ns)


def size(text: str) -> int:
    return NO_HEAP_GOAL if int(text) > 1 << 40 else int(text) << 20


def row_of(trace: Trace, row: int) -> dict[str, int]:
    names = trace.cycles.__dataclass_fields__
    return {name: int(getattr(trace.cycles, name)[row]) for name in names}


def expected_modern(fields: tuple[str, ...]) -> dict[str, int]:
    times = [nanoseconds(text, 1_000_000) for text in fields[3:11]]
    names = (
        "stw_sweep_term_ns", "mark_ns", "stw_mark_term_ns", "stw_sweep_term_cpu_ns", "assist_cpu_ns",
        "background_cpu_ns", "idle_cpu_ns", "stw_mark_term_cpu_ns",
    )  # fmt: skip
    sizes = ("heap_start_bytes", "heap_end_bytes", "heap_marked_bytes", "heap_goal_bytes")
    return {
        "cycle_number": int(fields[0]),
        "start_ns": nanoseconds(fields[1], 1_000_000_000),
        "utilization_percent": int(fields[2]),
        **dict(zip(names, times, strict=True)),
        **dict(zip(sizes, map(size, fields[11:15]), strict=True)),
        "stack_bytes": size(fields[15]) if fields[15] else NOT_LOGGED,
        "globals_bytes": size(fields[16]) if fields[16] else NOT_LOGGED,
        "gomaxprocs": int(fields[17]),
        "forced": int(bool(fields[18])),
    }


def check_five_phases(fields: tuple[str, ...], trace: Trace, row: int) -> None:
    cycle, older = row_of(trace, row), trace.older
    assert isinstance(older, FivePhaseFields)
    clock = [nanoseconds(text, 1_000_000) for text in fields[3:8]]
    cpu = [nanoseconds(text, 1_000_000) for text in re.split(r"[+/]", fields[8])]
    assert (cycle["cycle_number"], cycle["gomaxprocs"]) == (int(fields[0]), int(fields[13]))
    assert cycle["start_ns"] == nanoseconds(fields[1], 1_000_000_000)
    assert [cycle["stw_sweep_term_ns"], older.scan_ns[row], older.write_barrier_ns[row]] == clock[:3]
    assert [cycle["mark_ns"], cycle["stw_mark_term_ns"]] == [sum(clock[1:4]), clock[4]]
    assert [cycle["stw_sweep_term_cpu_ns"], older.scan_cpu_ns[row], older.write_barrier_cpu_ns[row]] == cpu[
        :3
    ]
    assert cycle["stw_mark_term_cpu_ns"] == cpu[-1]
    own = cpu[3:-1] if len(cpu) == 5 else cpu[4:5]
    assert cycle["background_cpu_ns"] == cpu[1] + cpu[2] + own[0]
    assert [cycle["assist_cpu_ns"], cycle["idle_cpu_ns"]] == ([-1, -1] if len(cpu) == 5 else [cpu[3], cpu[5]])
    heaps = [cycle["heap_start_bytes"], cycle["heap_end_bytes"], cycle["heap_marked_bytes"]]
    assert heaps == [size(text) for text in fields[9:12]]
    assert cycle["heap_goal_bytes"] == (size(fields[12]) if fields[12] else NOT_LOGGED)


def check_stop_the_world(fields: tuple[str, ...], trace: Trace, row: int) -> None:
    cycle, older = row_of(trace, row), trace.older
    assert isinstance(older, StopTheWorldFields)
    phases = [int(text) * (1_000_000 if fields[3] == "ms" else 1_000) for text in fields[2].split("+")]
    logged = [older.phase1_ns, older.phase2_ns, older.phase3_ns, older.phase4_ns][: len(phases)]
    assert [phase[row] for phase in logged] == phases
    assert cycle["stw_mark_term_ns"] == sum(phases)
    assert (cycle["cycle_number"], cycle["gomaxprocs"]) == (int(fields[0]), int(fields[1]))
    assert (cycle["heap_start_bytes"], cycle["heap_marked_bytes"]) == (size(fields[4]), size(fields[5]))
    assert [older.objects[row], older.mallocs[row], older.frees[row]] == [int(text) for text in fields[6:9]]
    tail = [int(number) for number in re.findall(r"\d+", fields[9])]
    names = ["handoffs", "handoff_count", "steals", "steal_count", "proc_yields", "os_yields", "sleeps"]
    assert [getattr(older, name)[row] for name in names] == tail[-7:]


def check(text: str, trace: Trace, row: int) -> None:
    """One cycle of a trace against the text of its line."""
    number = int(trace.cycles.cycle_number[row])
    for name, pattern in PLAIN.items():
        for match in pattern.finditer(text):
            if int(match[1]) != number:
                continue
            if name == "1.6 and later":
                assert row_of(trace, row) == expected_modern(match.groups())
            elif name == "1.5":
                check_five_phases(match.groups(), trace, row)
            else:
                check_stop_the_world(match.groups(), trace, row)
            return
    raise AssertionError(f"no plain reading of gc {number} in {text!r}")


@pytest.mark.parametrize("log", LOGS, ids=[log.stem for log in LOGS])
def test_every_gc_line_is_read_or_reported(log: Path) -> None:
    """Each line that looks like a gc line is in exactly one process with the right fields, or in the report."""
    lines = text_lines(log)
    looks = [i for i, line in enumerate(lines, 1) for _ in LOOKS_LIKE_GC.finditer(line)]
    try:
        traces = read_processes(log)
    except InputError:
        assert not looks, "a log with gc lines must be read"
        return
    read = sorted(int(number) for trace in traces for number in trace.line_numbers)
    reported = [
        o.line_number for o in traces[0].parse_warnings if o.kind.startswith(("broken gc", "reassembled gc"))
    ]
    assert sorted(read + [number for number in reported if number not in read]) == looks
    for trace in traces:
        assert np.all(np.diff(trace.cycles.cycle_number) > 0)
        for row, number in enumerate(trace.line_numbers):
            check(lines[int(number) - 1], trace, row)


@pytest.mark.parametrize("log", LOGS, ids=[log.stem for log in LOGS])
def test_every_other_trace_line_is_kept_or_reported(log: Path) -> None:
    """scvg, scav, pacer and GC forced lines are rows of a process, or stand in the report."""
    lines = text_lines(log)
    try:
        traces = read_processes(log)
    except InputError:
        return
    kept = sum(len(t.scavenges) + len(t.heap_summaries) for t in traces)
    kept += sum(len(t.pacer_starts) + len(t.pacer_ends) + len(t.pacer_ends_before_118) for t in traces)
    kept += sum(len(t.sweeps) for t in traces)
    reported = sum(o.kind in ("broken pacer line", "broken scavenger line") for o in traces[0].parse_warnings)
    plain = sum(bool(re.search(r"scvg-?\d*: (?!GC)|scav \d|pacer: ", line)) for line in lines)
    assert kept + reported == plain
    assert sum(int(t.periodic.sum()) for t in traces) <= sum("GC forced" in line for line in lines)


@pytest.mark.parametrize("log", LOGS, ids=[log.stem for log in LOGS])
def test_each_process_survives_writing(log: Path, tmp_path: Path) -> None:
    """Every process found in a public log is read back equal after writing it in its own format."""
    try:
        traces = read_processes(log)
    except InputError:
        return
    for trace in traces:
        path = tmp_path / "trace.txt"
        path.write_text(format_gctrace(trace), encoding="utf-8")
        assert read_processes(path) == [trace]


def test_the_tally(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what was read from all public logs, and what was reported instead."""
    counts: Counter[str] = Counter()
    for log in LOGS:
        counts["logs"] += 1
        try:
            traces = read_processes(log)
        except InputError:
            counts["logs without gc lines"] += 1
            continue
        counts["processes"] += len(traces)
        for trace in traces:
            counts[f"gc lines of Go {trace.generation}"] += len(trace.cycles)
            counts["gc lines read"] += len(trace.cycles)
        for kind in ("broken gc line", "reassembled gc line", "broken scavenger line", "foreign line"):
            counts[f"{kind}s"] += traces[0].parse_warning_counts.get(kind, 0)
    with capsys.disabled():
        print(
            "\npublic gctrace logs: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        )
    plain = sum(len(LOOKS_LIKE_GC.findall(line)) for log in LOGS for line in text_lines(log))
    assert counts["gc lines read"] + counts["broken gc lines"] == plain
