"""The readers of schedtrace, inittrace and execution traces, on the output of real Go (tests/data/runtime-logs)."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from gc_logs import GcLog

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.profiles import execution_trace
from gcsim.diagnosis.profiles.execution_trace import is_parsed_trace, read_execution_trace, trace_of_lines
from gcsim.diagnosis.profiles.runtime_logs import (
    has_init_lines,
    has_sched_lines,
    read_inits,
    read_sched_trace,
)
from gcsim.diagnosis.records import Cause
from gcsim.diagnosis.rules.execution import execution_causes
from gcsim.errors import InputError

DATA = Path(__file__).parents[1] / "data/runtime-logs"
VERSIONS = ("1.21.13", "1.27.3")
HEAD = "M=1 P=0 G=7 "
PARSED = f"""{HEAD}Sync Time=1000000000
{HEAD}RangeBegin Time=1000000000 Name="GC concurrent mark phase" Scope=None
{HEAD}StateTransition Time=1001000000 GoID=9 Waiting->Runnable Reason=""
Stack=
\tmain.main @ 0x1
{HEAD}RangeBegin Time=1001500000 Name="GC mark assist" Scope=Goroutine(7)
{HEAD}RangeEnd Time=1002500000 Name="GC mark assist" Scope=Goroutine(7) Attributes=[]
{HEAD}StateTransition Time=1003000000 GoID=9 Runnable->Running Reason=""
{HEAD}RangeEnd Time=1010000000 Name="GC concurrent mark phase" Scope=None Attributes=[]
{HEAD}StateTransition Time=1011000000 GoID=9 Running->Runnable Reason=""
{HEAD}StateTransition Time=1011500000 GoID=9 Runnable->Running Reason=""
M=1 P=1 G=8 RangeBegin Time=1020000000 Name="stop-the-world (GC mark termination)" Scope=Goroutine(8)
M=1 P=1 G=8 RangeEnd Time=1045000000 Name="stop-the-world (GC mark termination)" Scope=Goroutine(8) Attributes=[]
"""


def text_of(version: str, what: str) -> str:
    """One saved output."""
    return gzip.decompress((DATA / f"go{version}-{what}.txt.gz").read_bytes()).decode()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", ["schedtrace", "scheddetail"])
def test_the_run_queue_of_a_busy_program(version: str, what: str) -> None:
    """Eight endless loops on two Ps: six wait, in the global queue or in those of Ps."""
    text = text_of(version, what)
    assert has_sched_lines(text)
    found = read_sched_trace(text, "x")
    assert set(found.gomaxprocs.tolist()) == {2}
    assert np.median(found.run_queue[1:]) == pytest.approx(6, abs=1)
    assert (np.diff(found.seconds) > 0.15).all()
    assert (found.idle_procs[1:] == 0).all()
    assert bool(found.waiting) == (what == "scheddetail")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_initialization_of_packages(version: str) -> None:
    """Each line has its package, time, bytes and allocations."""
    text = text_of(version, "schedtrace")
    assert has_init_lines(text)
    found = read_inits(text, "x")
    assert len(found) == text.count(" allocs")
    runtime = next(one for one in found if one.package == "runtime")
    assert 0 <= runtime.at_seconds < 1
    assert 0 <= runtime.seconds < 1


def test_texts_without_the_lines() -> None:
    """The sentence says how to print them."""
    with pytest.raises(InputError, match="schedtrace=1000"):
        read_sched_trace("hello", "x")
    with pytest.raises(InputError, match="inittrace=1"):
        read_inits("hello", "x")


def test_diagnose_takes_them_next_to_other_evidence(tmp_path: Path) -> None:
    """A log of the scheduler is no gctrace log."""
    path = tmp_path / "sched.txt"
    path.write_text(text_of("1.27.3", "schedtrace"))
    found, _ = diagnose_files([str(path)], stated=Overrides())
    assert found.files == ({"file": str(path), "kind": "schedtrace and inittrace"},)


@pytest.mark.parametrize("version", VERSIONS)
def test_goroutines_that_wait_for_a_p(version: str, tmp_path: Path) -> None:
    """Eight endless loops on two Ps; with a quota of one CPU, GOMAXPROCS is too high as well."""
    path = tmp_path / "sched.txt"
    path.write_text(text_of(version, "schedtrace"))
    found, _ = diagnose_files([str(path)], stated=Overrides())
    assert [(one.name, one.severity) for one in found.causes] == [("run-queue", "worth knowing")]
    assert found.causes[0].signs[0].line is not None
    found, _ = diagnose_files([str(path)], stated=Overrides(), cpus=1.0)
    assert [(one.name, one.severity) for one in found.causes][:1] == [("gomaxprocs-above-quota", "serious")]
    assert not any(one.name == "gomaxprocs-above-quota" for one in _with_quota(path, 2.0))


def _with_quota(path: Path, cpus: float) -> tuple[Cause, ...]:
    return diagnose_files([str(path)], stated=Overrides(), cpus=cpus)[0].causes


def test_lines_of_the_scheduler_in_a_log(tmp_path: Path) -> None:
    """A service with idle Ps has no long run queue; one without has, next to the findings of its log."""
    for queue, idle, expected in ((0, 1, False), (9, 0, True)):
        lines = [
            f"SCHED {1000 * n}ms: gomaxprocs=2 idleprocs={idle} threads=5 spinningthreads=0 needspinning=0"
            f" idlethreads=1 runqueue={queue} [ 0 0 ] schedticks=[ 1 1 ]\n"
            for n in range(20)
        ]
        (tmp_path / "app.log").write_text(GcLog().text + "".join(lines))
        found, logs = diagnose_files([str(tmp_path / "app.log")], stated=Overrides(go="1.27", gogc=100))
        assert len(logs) == 1
        assert ("run-queue" in [one.name for one in found.causes]) is expected


def test_slow_packages_are_named(tmp_path: Path) -> None:
    """The start of a program whose package loads data; usual packages give no finding."""
    usual = "init runtime @0.03 ms, 0.05 ms clock, 0 bytes, 0 allocs\n"
    (tmp_path / "usual.txt").write_text(usual * 3)
    assert diagnose_files([str(tmp_path / "usual.txt")], stated=Overrides())[0].causes == ()
    slow = "init example.com/geo @2.1 ms, 1900 ms clock, 314572800 bytes, 12 allocs\n"
    (tmp_path / "slow.txt").write_text(usual + slow)
    (cause,) = diagnose_files([str(tmp_path / "slow.txt")], stated=Overrides())[0].causes
    assert (cause.name, cause.severity) == ("slow-start", "worth knowing")
    assert "1.9 s before main starts, most of it in example.com/geo" in cause.sentence
    assert cause.signs[0].text == "example.com/geo takes 1.9 s and allocates 300 MiB"


def test_the_ranges_and_waits_of_a_trace(tmp_path: Path) -> None:
    """Pauses, mark phases, assists, and the waits for a P while GC marks and outside."""
    assert is_parsed_trace(PARSED)
    path = tmp_path / "parsed.txt"
    path.write_text(PARSED)
    found = read_execution_trace(path)
    assert (found.seconds, found.procs, found.is_whole) == (pytest.approx(0.045), 2, True)
    assert [(one.name, one.seconds) for one in found.pauses] == [
        ("GC mark termination", pytest.approx(0.025))
    ]
    assert (found.mark_seconds, found.assist_seconds) == (pytest.approx(0.01), pytest.approx(0.001))
    assert (found.waits_marking, found.waits_outside) == (
        (pytest.approx(0.002),),
        (pytest.approx(0.0005),),
    )
    causes = {cause.name: cause for cause in execution_causes(found)}
    assert set(causes) == {"long-pauses", "assists-slow-program"}
    assert "1 in GC mark termination" in causes["long-pauses"].sentence
    diagnosed, _ = diagnose_files([str(path)], stated=Overrides())
    assert {cause.name for cause in diagnosed.causes} == set(causes)


def test_a_long_trace_is_used_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events beyond the bound are left out, and the record says so."""
    monkeypatch.setattr(execution_trace, "MOST_EVENTS", 3)
    assert not trace_of_lines(PARSED.splitlines(), "x").is_whole


def test_a_trace_needs_the_toolchain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a go command, the sentence says how to convert the file."""
    path = tmp_path / "trace.out"
    path.write_bytes(b"go 1.22 trace\0\0\0" + bytes(100))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match=r"no go command is on PATH; install Go, or run go tool trace -d=parsed"
    ):
        read_execution_trace(path)
    with pytest.raises(InputError, match="holds no event"):
        trace_of_lines(["nothing"], "x")
