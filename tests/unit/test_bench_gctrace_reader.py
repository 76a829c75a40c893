"""The reader's benchmark runs, and its logs are what they claim to be."""

import io

import pytest

from benchmarks.bench_gctrace_reader import logs, main
from gcsim.gctrace import read_gctrace


def test_benchmark_prints_both_speeds_and_their_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    """A smoke size of the benchmark, no speed asserted."""
    speeds = main(lines=400, repeats=1)
    assert len(speeds) == 4
    assert all(speed.reader > 0 and speed.plain_loop > 0 for speed in speeds)
    assert "ratio" in capsys.readouterr().out


def test_benchmark_logs_are_read_whole() -> None:
    """No line of them is broken: what is timed is reading, not reporting."""
    for name, data in logs(400).items():
        trace = read_gctrace(io.BytesIO(data))
        assert not trace.parse_warnings, name
        assert len(trace.cycles) == {"three of four foreign": 100, "all traces on": 80}.get(name, 400)
    assert len(trace.pacer_starts) == len(trace.pacer_ends) == len(trace.sweeps) == len(trace.scavenges) == 80
