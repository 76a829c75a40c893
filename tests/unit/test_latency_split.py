"""The delays of requests by GC in ``gcsim diagnose``, and the reader of execution traces of its study."""

from pathlib import Path

import pytest
from gc_logs import GcLog

from experiments.latency.exec_trace import trace_times
from experiments.latency.split import PAGE, RUNS, tables
from experiments.tables import stated_table
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.latency import LatencySplit

BUSY = GcLog(live=60.0, alloc_per_second=200.0, mark_cpu_per_mib=0.004, idle_share=0.0)


def splits(log: GcLog, folder: Path) -> tuple[LatencySplit, ...]:
    """The splits of a log."""
    (folder / "app.log").write_text(log.text)
    return diagnose_files([str(folder / "app.log")], stated=Overrides(go="1.27", gogc=100))[0].latency


def test_an_arrival_waits_for_half_of_the_squared_pauses(tmp_path: Path) -> None:
    """Pauses twice as long stop twice the time, and cost an arrival four times the wait."""
    (short,) = splits(GcLog(pause_ms=1.0), tmp_path)
    (long,) = splits(GcLog(pause_ms=2.0), tmp_path)
    assert long.stopped_wait_seconds == pytest.approx(4.0 * short.stopped_wait_seconds, rel=0.1)
    assert long.stopped_share == pytest.approx(2.0 * short.stopped_share, rel=0.15)


def test_requests_queue_behind_mark_phases_that_leave_no_processor_idle(tmp_path: Path) -> None:
    """Longer mark phases make longer queues; with idle Ps there is none."""
    (busy,) = splits(BUSY, tmp_path)
    (longer,) = splits(
        GcLog(live=60.0, alloc_per_second=200.0, mark_cpu_per_mib=0.005, idle_share=0.0), tmp_path
    )
    four = GcLog(live=60.0, alloc_per_second=200.0, mark_cpu_per_mib=0.004, idle_share=0.3, procs=4)
    (idle,) = splits(four, tmp_path)
    assert idle.queue_wait_seconds == 0.0
    assert not busy.queue_wait_seconds <= 0.0
    assert not longer.queue_wait_seconds < busy.queue_wait_seconds


def test_fractional_workers_stop_all_ps_at_once(tmp_path: Path) -> None:
    """On two Ps, also with idle Ps: mark phases twice as long make each wait four times as long."""
    logs = (
        GcLog(live=60.0, alloc_per_second=100.0, mark_cpu_per_mib=cpu, idle_share=0.3)
        for cpu in (0.0004, 0.0008)
    )
    short, long = (splits(log, tmp_path)[0] for log in logs)
    assert short.queue_by_workers == long.queue_by_workers == 1.0
    assert long.queue_wait_seconds == pytest.approx(4.0 * short.queue_wait_seconds, rel=0.1)
    # the runtime's own steps: a worker starts at its goal of a quarter, and stops at 1.2 times that
    period, mark = 0.65, 0.048  # seconds, of the shorter log
    now, marked, squares = 1e-6, 0.0, 0.0
    while now < mark:
        stop = (0.3 * now - marked) / 0.7
        squares, marked, now = squares + stop**2, marked + stop, (marked + stop) / 0.25
    # the phase ends anywhere between two starts: the sum is between that up to the last start and 1.65 times that
    assert short.queue_wait_seconds == pytest.approx(squares / (2.0 * period), rel=0.5)


def test_assists_are_a_share_of_what_goroutines_run(tmp_path: Path) -> None:
    """Twice the assists are at most twice the share, and more than the share without."""
    (some,) = splits(GcLog(assist_share=0.1), tmp_path)
    (more,) = splits(GcLog(assist_share=0.2), tmp_path)
    assert some.assist_share < more.assist_share <= 2.0 * some.assist_share
    assert some.assist_share_marking > some.assist_share


def test_a_log_with_few_cycles_has_no_split(tmp_path: Path) -> None:
    """Their delays have no mean."""
    assert splits(GcLog(seconds=8.0), tmp_path) == ()


def test_times_of_workers_are_read_from_an_execution_trace() -> None:
    """A worker runs 1 s, assists 1 s, waits 2 s for a P while GC marks, and blocks; the sweeper does not count."""
    lines = [
        'M=1 P=0 G=-1 StateTransition Time=1000000000 GoID=7 Undetermined->Running Reason=""',
        'M=1 P=0 G=7 RangeBegin Time=2000000000 Name="GC mark assist" Scope=Goroutine(7)',
        'M=1 P=0 G=7 RangeEnd Time=3000000000 Name="GC mark assist" Scope=Goroutine(7) Attributes=[]',
        'M=1 P=0 G=3 RangeBegin Time=3000000000 Name="GC concurrent mark phase" Scope=None',
        'M=1 P=0 G=7 StateTransition Time=3000000000 GoID=7 Running->Runnable Reason="preempted"',
        'M=1 P=0 G=3 StateTransition Time=4000000000 GoID=3 Running->Runnable Reason="runtime.Gosched"',
        'M=1 P=0 G=-1 StateTransition Time=5000000000 GoID=7 Runnable->Running Reason=""',
        'M=1 P=0 G=7 StateTransition Time=5000000000 GoID=7 Running->Waiting Reason="chan receive"',
    ]
    stacks = {7: "main.serve", 3: "runtime.bgsweep"}
    for goroutine, function in stacks.items():
        at = next(i for i, line in enumerate(lines) if f"GoID={goroutine} Running->" in line) + 1
        lines[at:at] = ["TransitionStack=", f"\t{function} @ 0x1", "", "Stack=", "\tmain.serve @ 0x1", ""]
    found = trace_times(lines, "main.serve")
    assert (found.count, found.seconds, found.marking, found.stopped) == pytest.approx((1, 4.0, 2.0, 0.0))
    times = found.workers
    assert (times.running, times.assisting, times.ready_marking) == pytest.approx((1.0, 1.0, 2.0))
    assert times.ready_else == 0.0


def test_the_page_has_the_figures_of_the_committed_runs() -> None:
    """Their logs and measurements are in the repository."""
    for name, text in tables(RUNS).items():
        assert stated_table(PAGE, name) == text
