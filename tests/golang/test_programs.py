"""The programs that we learn from, and the capture of them, on a real Go."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from go_toolchain import GoToolchain

from experiments.capture import CapturedRun, RunPlan, capture_run, load_run, main
from experiments.toolchains import PROGRAMS
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.capture.run import run_capture
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace

MIB = 1 << 20
LIVE_MIB = 12
NAMES = sorted(
    path.parent.name for path in PROGRAMS.glob("*/main.go") if (path.parent.parent / "go.mod").exists()
)
DRIVEN = [name for name in NAMES if "internal/load" in (PROGRAMS / name / "main.go").read_text()]
CLOSED = {"smallapi": ("-rate", "0")}  # at its own rate it would not collect 40 MiB in a second
OPEN_RATES = {"deepstacks": 2000}  # it allocates little; 50 a second is enough for the others to collect
HEAP_MEMORY = ("objects", "unused", "free", "released")  # the rest is metadata and stacks
IN_SUITE = DRIVEN[::6]  # with --large every program runs, in both loops
QUANTILES = ("p50", "p90", "p99", "p999", "max")


def captured(name: str, go: GoToolchain, out: Path, *args: str) -> CapturedRun:
    """A one-second run with a small live set."""
    size = () if name == "tinyheap" else ("-live", f"{LIVE_MIB}MiB")
    plan = RunPlan(
        program=name, go_version=go.version, gogc=80, gomemlimit_bytes=1 << 30, duration_seconds=1.0,
        args=(*size, *args),
    )  # fmt: skip
    return capture_run(plan, out, attempts=1)


def test_the_issue_s_programs_are_there() -> None:
    """One program for each kind of load that validation covers."""
    assert set(DRIVEN) >= {
        "orders", "ptrcache", "blobcache", "deepstacks", "steps", "bursty", "leak", "tinyheap", "idle",
        "jsonapi", "sessions", "logship", "compiler", "smallapi",
        "pages", "search", "tsdb", "broker", "thumbs",
        "query", "graph", "kvstore", "ledger",
        "gateway", "rules", "arena", "tiles",
        "suggest", "mailer", "importer",
        "spans", "fleet",
        "resolver", "forge", "crawler",
        "jobs", "bidder", "btree", "growing",
    }  # fmt: skip


@pytest.mark.parametrize("loop", ["closed", "open"])
@pytest.mark.parametrize("name", DRIVEN)
def test_a_program_reports_in_full(
    name: str, loop: str, go_toolchain: GoToolchain, tmp_path: Path, large: bool
) -> None:
    """Each program runs to its end with complete figures, and its trace and side file read back."""
    if not large and (name not in IN_SUITE or (IN_SUITE.index(name) % 2 == 0) != (loop == "open")):
        pytest.skip("runs with --large")
    rate = 0 if loop == "closed" else OPEN_RATES.get(name, 50)
    run = captured(name, go_toolchain, tmp_path, "-rate", str(rate))
    result, info = run.result, run.info
    assert (result["program"], result["go_version"]) == (name, f"go{go_toolchain.version}")
    assert (result["loop"], result["gomaxprocs"]) == (loop, 2)
    latency = [result["latency_seconds"][q] for q in QUANTILES]
    assert latency == sorted(latency)
    assert latency[0] > 0
    assert result["requests"] > 0
    assert 0 < result["cpu_seconds"] <= 1.05 * info.cpu_seconds
    assert result["load_seconds"] >= 1
    assert 0 < result["ready_seconds"] < info.wall_seconds - result["load_seconds"]
    assert result["rss_peak_bytes"] == pytest.approx(info.rss_peak_bytes, rel=0.25)
    assert result["mapped_peak_bytes"] > 0
    mapped = result["memstats"]["HeapSys"] + result["memstats"]["StackSys"]
    assert info.heap_mapped_bytes is not None  # seen twice a second, before the heap had all it was to have
    assert 0.25 * mapped <= info.heap_mapped_bytes <= mapped + MIB
    assert info.rss_outside_heap_bytes is not None
    assert 3 * MIB < info.rss_outside_heap_bytes < info.rss_peak_bytes
    outside = sum(
        sign * result["metrics"][f"/memory/classes/{name}:bytes"]
        for name, sign in (("total", 1), *((f"heap/{kind}", -1) for kind in HEAP_MEMORY))
    )
    accounts = info.heap_accounts
    assert accounts is not None
    # goroutines and their stacks are gone when the program reports; closely: test_runtime_counts.py
    looks = accounts.outside_spans_bytes[len(accounts.outside_spans_bytes) // 2 :]
    assert 0.5 * min(looks) <= outside <= 1.15 * max(looks)
    assert 0 < max(accounts.heap_marked_bytes) <= result["memstats"]["HeapSys"]
    assert result["metrics"]["/gc/cycles/total:gc-cycles"] >= result["memstats"]["NumGC"]
    slots = sum(count for _, count in result["allocs_by_size"])
    tiny = result["metrics"]["/gc/heap/tiny/allocs:objects"]  # packed into slots, and counted apart
    assert result["memstats"]["Mallocs"] == pytest.approx(slots + tiny, rel=0.02)
    trace = read_gctrace(run.log)
    assert trace.info == info
    assert abs(len(trace.cycles) - result["memstats"]["NumGC"]) <= 1
    assert info.settings.gogc == 80
    assert info.gomemlimit_bytes == 1 << 30
    assert load_run(tmp_path / f"{run.log.name.removesuffix('.log.gz')}.result.json") == run


MOVING = (
    "tinyheap", "deepstacks", "leak", "steps", "sessions", "search", "tsdb",
)  # fmt: skip  # -live is not all, or not at all times


@pytest.mark.usefixtures("only_large")
@pytest.mark.parametrize("name", [n for n in DRIVEN if n not in MOVING])
def test_live_size_is_about_what_was_asked(name: str, go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """What is live when a cycle begins, by the trace, is within a third of -live."""
    cycles = read_gctrace(
        captured(name, go_toolchain, tmp_path, "-live", "40MiB", *CLOSED.get(name, ())).log
    ).cycles
    live = cycles.heap_marked_bytes - (cycles.heap_end_bytes - cycles.heap_start_bytes)
    assert live[-1] / MIB == pytest.approx(40, abs=14)


@pytest.mark.usefixtures("only_large")
def test_an_open_loop_keeps_its_rate_and_its_seed(go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """Arrivals follow the clock, not the service: a Poisson count, equal for equal seeds."""
    counts = {
        seed: [
            captured("orders", go_toolchain, tmp_path, "-rate", "2000", "-seed", seed).result["requests"]
            for _ in range(2)
        ]
        for seed in ("1", "2")
    }
    assert counts["1"][0] == counts["1"][1] != counts["2"][0]
    assert abs(counts["1"][0] - 2000) < 5 * 2000**0.5


@pytest.mark.usefixtures("only_large")
def test_an_overloaded_open_loop_shows_its_queue(go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """No coordinated omission: latency counts from when a request was due, so overload shows in it."""
    result = captured("idle", go_toolchain, tmp_path, "-rate", "4000").result
    assert result["latency_seconds"]["p50"] > 3 * result["service_seconds"]["p50"]
    assert result["load_seconds"] > 1.5


@pytest.mark.usefixtures("only_large")
def test_a_smaller_live_set_collects_more_often(go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """At one rate of allocation, -live sets how often the load collects once the live set is built."""
    cycles = {}
    for size in ("24MiB", "2MiB"):
        result = captured("tinyheap", go_toolchain, tmp_path, "-live", size, "-rate", "1500").result
        cycles[size] = result["memstats"]["NumGC"] - result["at_ready"]["gc_cycles"]
    assert cycles["2MiB"] > 2 * cycles["24MiB"]


def test_a_bad_switch_ends_the_capture_with_the_program_s_words(
    go_toolchain: GoToolchain, tmp_path: Path
) -> None:
    """The harness hands on why the program refused."""
    with pytest.raises(InputError, match="-rate must be 0 or more"):
        captured("orders", go_toolchain, tmp_path, "-rate", "-1")


def test_the_harness_s_command_line_makes_each_run_once(
    go_toolchain: GoToolchain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A matrix of settings becomes files named after them; a second call makes none again."""
    arguments = [
        "--program", "tinyheap", "--go", go_toolchain.version, "--gogc", "100,off", "--gomemlimit", "64MiB",
        "--duration", "300ms", "--out", str(tmp_path), "--lock", str(tmp_path / "lock"), "--attempts", "1",
        "--", "-rate", "2000",
    ]  # fmt: skip
    assert main(arguments) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    stems = {path.name for path in tmp_path.glob("*.result.json")}
    version = go_toolchain.version
    assert stems == {
        f"tinyheap-go{version}-gogc{gogc}-limit64MiB-p2-r1.result.json" for gogc in ("100", "off")
    }
    assert main(arguments) == 0
    assert capsys.readouterr().out == ""


def test_capture_passes_everything_through(go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """Standard output is untouched, standard error is logged, its trace is not shown, a signal ends the child."""
    binary, log = go_toolchain.build(PROGRAMS / "tinyheap"), tmp_path / "trace.log"
    script = (
        "import sys; from pathlib import Path; from gcsim.capture.run import run_capture;"
        "sys.exit(run_capture(sys.argv[2:], Path(sys.argv[1])).exit_status)"
    )
    command = [sys.executable, "-c", script, str(log), str(binary), "-duration", "30s"]
    env = {**os.environ, "GODEBUG": "scavtrace=0,madvdontneed=1", "GOGC": "60", "GOMAXPROCS": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not (log.exists() and b"gc 20 " in log.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert stdout == b""
    assert stderr == b""
    assert b"pacer: " in log.read_bytes()
    assert b"scav " not in log.read_bytes()
    info = CaptureInfo.load(side_file(log))
    assert (info.gogc, info.gomaxprocs, info.exit_status) == (60, 1, 143)
    assert info.go_version == f"go{go_toolchain.version}"
    assert info.command == command[4:]
    assert 0 < info.cpu_seconds <= 1.3 * info.wall_seconds


def test_a_log_that_cannot_be_written_stops_before_the_program_starts(
    go_toolchain: GoToolchain, tmp_path: Path
) -> None:
    """The program must not have run when its capture is refused."""
    mark = tmp_path / "ran"
    binary = go_toolchain.build(
        f'package main\n\nimport "os"\n\nfunc main() {{ os.WriteFile({json.dumps(str(mark))}, nil, 0644) }}\n'
    )
    with pytest.raises(InputError, match="cannot be written"):
        run_capture([str(binary)], tmp_path / "no" / "folder.log")
    assert not mark.exists()
    run_capture([str(binary)], tmp_path / "quiet.log")
    assert mark.exists()
    assert (tmp_path / "quiet.log").read_bytes() == b""
