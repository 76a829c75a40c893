"""What the reader makes of wrapped, torn, mixed and useless logs."""

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

from gcsim.cycles import NO_HEAP_GOAL
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace, read_processes, write_gctrace

FIRST = (
    "gc 1 @0.017s 2%: 0.067+9.5+0.052 ms clock, 0.13+5.1/3.8/6.3+0.10 ms cpu, "
    "84->99->49 MB, 99 MB goal, 0 MB stacks, 1 MB globals, 2 P"
)
SECOND = (
    "gc 2 @2.533s 25%: 0.010+12+0 ms clock, 0.020+0/11/0.5+0 ms cpu, "
    "90->95->50 MB, 98 MB goal, 0 MB stacks, 1 MB globals, 2 P (forced)"
)


def read(text: str) -> Trace:
    return read_gctrace(io.StringIO(text))


def line(number: int, milliseconds: int, procs: int = 2) -> str:
    return (
        f"gc {number} @{milliseconds / 1000:.3f}s 2%: 0.067+9.5+0.052 ms clock, 0.13+5.1/3.8/6.3+0.10 ms cpu, "
        f"84->99->49 MB, 99 MB goal, 0 MB stacks, 1 MB globals, {procs} P"
    )


BARE = read(f"{FIRST}\n{SECOND}\n")


def test_fields_are_integers_in_bytes_and_nanoseconds() -> None:
    """0.067 ms is 67000 ns and 84 MB is 84 MiB, exactly."""
    cycles = BARE.cycles
    assert cycles.stw_sweep_term_ns.tolist() == [67_000, 10_000]
    assert cycles.mark_ns.tolist() == [9_500_000, 12_000_000]
    assert cycles.start_ns.tolist() == [17_000_000, 2_533_000_000]
    assert cycles.heap_start_bytes.tolist() == [84 << 20, 90 << 20]
    assert cycles.forced.tolist() == [False, True]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text, i: f"2024-01-01T00:00:0{i}.123456789Z stderr F {text}",
        lambda text, i: json.dumps({"log": text + "\n", "stream": "stderr", "time": f"2024-01-01T00:00:0{i}Z"}),
        lambda text, _: json.dumps({"log": text + "\n", "stream": "stderr"}).replace(">", "\\u003e"),
        lambda text, i: json.dumps({"ts": 1700000000.5 + i, "level": "info", "msg": text}),
        lambda text, i: f"Jan  {i} 10:11:12 host app[4242]: {text}",
        lambda text, i: f"2019-04-03T06:43:5{i}.839512Z\tinfo\t{text}",
        lambda text, _: f"[pod/web-7d9f8b/app] {text}",
        lambda text, _: f"\x1b[33mapp_1  |\x1b[0m {text}\x1b[K",
        lambda text, _: f'<span class="line">{text.replace(">", "&gt;")}</span>',
        lambda text, _: f"\t// {text}   ",
        lambda text, i: f"BenchmarkSort{'AB'[i]}-16         \t{text}",
        lambda text, _: f"{text}\r",
        lambda text, _: f"{text}2024/01/01 00:00:00 the next writer's line",
    ],
    ids=["cri", "docker", "docker-escaped", "zap-json", "journald", "zap", "kubectl", "colours", "html", "comment",
         "benchmark", "crlf", "glued"],
)  # fmt: skip
def test_wrappers_change_nothing(wrap: object) -> None:
    """A shipper's wrapper around each line gives the same trace, one line or a thousand at a time."""
    assert callable(wrap)
    assert read(f"{wrap(FIRST, 0)}\n{wrap(SECOND, 1)}\n") == BARE
    bare = [line(n, 20 * n) for n in range(1, 60)]
    wrapped = [wrap(text, i % 2) for i, text in enumerate(bare)]
    assert read("\n".join(wrapped)) == read("\n".join(bare))


@pytest.mark.parametrize(
    "cut", ["gc ", "@", "@0.017", "%", "2%: ", "0.067", "9.5", "+", " ms clock, ", "->", " MB, "]
)
def test_a_line_torn_by_another_writer_is_put_together(cut: str) -> None:
    """Between any two of the runtime's writes a log line may land, with digits in front."""
    at = FIRST.index(cut) + len(cut)
    torn = f"{FIRST[:at]}2020/03/02 11:22:38 ===> 12 loops\n{FIRST[at:]}\n{SECOND}\n"
    trace = read(torn)
    assert trace == BARE
    assert trace.parse_warning_counts["reassembled gc line"] == 1


@pytest.mark.parametrize("cut", ["gc 1", "s 2", "84", "99", "0 MB stacks, 1"])
def test_a_number_that_may_have_taken_a_date_s_digits_is_not_guessed(cut: str) -> None:
    """ "gc 1" and "2020/03/02" look like cycle 12020; before a letter, the number is whole."""
    at = FIRST.index(cut) + len(cut)
    assert read(
        f"{FIRST[:at]}2020/03/02 11:22:38 hello\n{FIRST[at:]}\n{SECOND}\n"
    ).cycles.cycle_number.tolist() == [2]
    assert read(f"{FIRST[:at]}hello 12\n{FIRST[at:]}\n{SECOND}\n") == BARE


def test_a_line_torn_twice_is_put_together() -> None:
    """Three pieces over three lines."""
    first, second = FIRST.index("0.017"), FIRST.index(" ms cpu")
    torn = f"{FIRST[:first]}hello\n{FIRST[first:second]}world 1\n{FIRST[second:]}\n{SECOND}\n"
    assert read(torn) == BARE


@pytest.mark.parametrize("width", [40, 61, 80, 100])
def test_a_line_wrapped_by_a_terminal_is_put_together(width: int) -> None:
    """A break at a fixed width may fall inside a number or a word."""
    wrapped = "\n".join(FIRST[i : i + width] for i in range(0, len(FIRST), width))
    assert read(f"{wrapped}\n{SECOND}\n") == BARE


def test_a_torn_line_with_two_readings_is_reported_only() -> None:
    """Digits that may belong to either writer are not guessed at."""
    at = FIRST.index("84->") + 2
    text = f"{SECOND}\n{FIRST[: at - 1]}4->1\n{FIRST[at:]}\n"
    trace = read(text)
    assert trace.cycles.cycle_number.tolist() == [2]
    assert [o.line_number for o in trace.parse_warnings if o.kind == "broken gc line"] == [2, 3]


@pytest.mark.parametrize(
    "broken",
    ["gc 25 @0.109s 0%: 0", FIRST.replace("17s 2%: 0", "17s 020"), FIRST.replace("0.067+", "0.0.67+"),
     FIRST.replace("84->", "->"), FIRST[:-2], FIRST.replace("84", "1" * 30)],
    ids=["cut", "overwritten", "two points", "no number", "no P", "thirty digits"],
)  # fmt: skip
def test_broken_lines_are_reported_by_number(broken: str) -> None:
    """Alone or among many of their shape, broken lines are left out and named."""
    text = "\n".join(
        [*(line(n, 20 * n) for n in range(1, 31)), broken, *(line(n, 20 * n) for n in range(31, 61))]
    )
    trace = read(text)
    assert len(trace.cycles) == 60
    assert [(o.kind, o.line_number) for o in trace.parse_warnings] == [("broken gc line", 31)]


def test_a_thousand_useless_lines_are_read_to_the_end() -> None:
    """Foreign and broken lines of every make, then one whole line."""
    rng = np.random.default_rng(7)
    alphabet = np.array(list("gc @%:+->MBP ms0123456789./scvgpacer"))
    noise = ["".join(rng.choice(alphabet, int(rng.integers(0, 90)))) for _ in range(500)]
    halves = [FIRST[: int(rng.integers(12, 140))] for _ in range(500)]
    trace = read("\n".join([*noise, *halves, "", SECOND]))
    assert trace.cycles.cycle_number.tolist()[-1] == 2
    assert trace.line_numbers[-1] == 1002
    said = sum(trace.parse_warning_counts.values())
    assert said >= 1000


def test_goals_that_mean_off() -> None:
    """Whatever a version prints for no goal reads as one value."""
    for goal in (17592186044415, 8796093022207, 8532210231531):
        trace = read(FIRST.replace("99 MB goal", f"{goal} MB goal"))
        assert trace.cycles.heap_goal_bytes.tolist() == [NO_HEAP_GOAL]


def test_the_two_minute_collections_are_marked() -> None:
    """GC forced precedes its cycle from Go 1.5 on, and scvg's follows it before."""
    trace = read(f"{FIRST}\nGC forced\n{SECOND}\n")
    assert trace.periodic.tolist() == [False, True]
    old = (
        "gc1(1): 5+1+470+0 us, 30 -> 30 MB, 2709 (2943-234) objects, 45/2/0 sweeps,"
        " 0(0) handoff, 0(0) steal, 0/0/0 yields"
    )
    assert read(f"{old}\nscvg1: GC forced\n").periodic.tolist() == [True]


def test_processes_one_after_the_other_and_interleaved() -> None:
    """Numbering and time separate a restarted program from one that runs beside it."""
    long = [line(n, 1000 * n) for n in range(100, 140)]
    short = [line(n, 5 * n) for n in (1, 2, 3)]
    again = [line(n, 7 * n) for n in (1, 2, 3)]
    mixed = [*long[:20], short[0], long[20], *short[1:], *long[21:], *again]
    traces = read_processes(io.StringIO("\n".join(mixed)))
    assert [t.cycles.cycle_number.tolist() for t in traces] == [list(range(100, 140)), [1, 2, 3], [1, 2, 3]]
    chosen = read("\n".join(mixed))
    assert len(chosen.cycles) == 40
    assert [o.line_number for o in chosen.parse_warnings if o.kind == "other process"] == [21, 44]


def test_replicas_are_told_apart_by_their_prefix() -> None:
    """Two pods that started together differ only in their name."""
    a = [f"[pod/web-0/app] {line(n, 20 * n)}" for n in range(1, 9)]
    b = [f"[pod/web-1/app] {line(n, 20 * n + 5)}" for n in range(1, 9)]
    mixed = [text for pair in zip(a, b, strict=True) for text in pair]
    mixed[4:6] = mixed[5:3:-1]
    traces = read_processes(io.StringIO("\n".join(mixed)))
    assert [np.unique(t.cycles.start_ns // 1_000_000 % 20).tolist() for t in traces] == [[0], [5]]


def test_pacer_and_scavenger_lines_belong_to_their_cycles() -> None:
    """The plan and the result come before their gc line, the sweep and the scavenge after; none is lost."""
    start = "pacer: assist ratio=+1.232155e+000 (scan 1 MB in 70->71 MB) workers=2+0.25"
    end = (
        "pacer: 38% CPU (25 exp.) for 1048576+2048+4096 B work (1050000 B exp.) in 99000000 B -> 103809024 B"
        " (∆goal -12345, cons/mark 0.8630123)"
    )
    sweep = (
        "pacer: sweep done at heap size 29MB; allocated 0MB during sweep;"
        " swept 3752 pages at +6.183550e-004 pages/byte"
    )
    scavenge = "scav 128 KiB work (bg), 200 KiB work (eager), 94712 KiB now, 99% util"
    trace = read("\n".join([start, end, FIRST, sweep, scavenge, start, end, sweep, SECOND, start]))
    assert trace.pacer_starts.cycle_index.tolist() == [0, 1, 2]
    assert trace.pacer_ends.cycle_index.tolist() == [0, 1]
    assert trace.sweeps.cycle_index.tolist() == [0, 1]  # the second was over before its gc line was printed
    assert trace.scavenges.cycle_index.tolist() == [0]
    assert trace.pacer_ends.heap_goal_bytes.tolist() == [103809024 + 12345] * 2
    assert trace.pacer_ends.cons_mark.tolist() == [0.8630123] * 2
    assert trace.sweeps.pages_per_byte.tolist() == [6.183550e-4] * 2
    assert not trace.parse_warnings


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, a packed file, PowerShell's UTF-16, an open file and standard input hold the same trace."""
    text = f"{FIRST}\n{SECOND}\n"
    path = tmp_path / "gc.log"
    for data in (text.encode(), gzip.compress(text.encode()), b"\xff\xfe" + text.encode("utf-16-le")):
        path.write_bytes(data)
        assert read_gctrace(path) == BARE
        assert read_gctrace(str(path)) == BARE
        assert read_gctrace(io.BytesIO(data)) == BARE
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert read_gctrace("-") == BARE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (bytes(range(256)) * 50, "binary"),
        (b"hello\nworld\n", "GODEBUG=gctrace=1"),
        (b"hello\n", "GOGC=off"),
        (b"gc 1 @0.01s 0%: 0\n", "line 1"),
        (gzip.compress(FIRST.encode() * 100, mtime=0)[:-20], "gzip"),
    ],
)
def test_useless_logs_get_one_clear_sentence(data: bytes, says: str, tmp_path: Path) -> None:
    """The sentence names the file and the mend."""
    path = tmp_path / "useless.log"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says) as error:
        read_gctrace(path)
    assert "useless.log" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_unwritable_outputs(tmp_path: Path) -> None:
    """A path that is not there, a folder, and an output folder that is not there."""
    with pytest.raises(InputError, match="no such file"):
        read_gctrace(tmp_path / "none.log")
    with pytest.raises(InputError, match="folder"):
        read_gctrace(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        write_gctrace(BARE, tmp_path / "none" / "out.log")


def test_writing_for_another_go_version(tmp_path: Path) -> None:
    """Go 1.16's line has no stacks and globals; a line cannot be printed from fields that are not there."""
    path = tmp_path / "out.log"
    write_gctrace(BARE.cycles, path, go="1.16")
    assert path.read_text().splitlines()[0] == FIRST.replace(" 0 MB stacks, 1 MB globals,", "")
    with pytest.raises(InputError, match="stack_bytes"):
        write_gctrace(read_gctrace(path), path, go="1.27")
    assert read_gctrace(path).generation == "1.6"
