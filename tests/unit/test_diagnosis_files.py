"""The rules of ``gcsim diagnose`` on side files, jobs, old logs and wrapped logs."""

import json
from pathlib import Path
from typing import Any

import pytest
from gc_logs import GcLog

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.info import CaptureInfo
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.records import Verdicts
from gcsim.units import MIB

LEAK = GcLog(live=lambda t: 20.0 + 2.0 * t)


def found(log: GcLog, folder: Path) -> Verdicts:
    """The diagnosis of a log, with the side file in the folder."""
    (folder / "app.log").write_text(log.text)
    return diagnose_files([str(folder / "app.log")], stated=Overrides(go="1.27"))[0]


def names(verdicts: Verdicts, severity: str | None = None) -> list[str]:
    """The names of the findings, in order."""
    return [one.name for one in verdicts.causes if severity in (None, one.severity)]


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ({"rss_peak_bytes": 300 * MIB, "rss_outside_heap_bytes": 200 * MIB}, "memory-outside-heap"),
        (
            {
                "heap_accounts": HeapAccounts(
                    seconds=tuple(float(n) for n in range(12)),
                    heap_marked_bytes=(30 * MIB,) * 12,
                    heap_live_bytes=(50 * MIB,) * 12,
                    heap_in_use_bytes=(400 * MIB,) * 12,
                    free_slot_bytes=(330 * MIB,) * 12,
                    outside_spans_bytes=(4 * MIB,) * 12,
                )
            },
            "fragmentation",
        ),
    ],
)
def test_a_side_file_shows_memory_next_to_the_heap(info: dict[str, Any], name: str, tmp_path: Path) -> None:
    """Resident memory outside the heap, and free slots by the runtime's own counts."""
    CaptureInfo(gomaxprocs=2, go="1.27", **info).save(tmp_path / "app.log.meta.json")
    assert name in names(found(GcLog(), tmp_path))


def test_a_constant_heap_that_costs_nothing_to_mark_is_named(tmp_path: Path) -> None:
    """The same heap full of pointers is not."""
    plain = GcLog(live=200.0, mark_cpu_per_mib=0.00005, alloc_per_second=150.0)
    assert names(found(plain, tmp_path))[0] == "heap-ballast"
    pointers = GcLog(live=200.0, mark_cpu_per_mib=0.001, alloc_per_second=150.0)
    assert "heap-ballast" not in names(found(pointers, tmp_path))


def test_a_job_that_ends_is_no_leak(tmp_path: Path) -> None:
    """A busy program that ended by itself loads its data; one that a signal stopped may leak."""
    for stopped, expected in ((False, []), (True, ["heap-leak"])):
        info = CaptureInfo(
            gomaxprocs=2, go="1.27", wall_seconds=40.0, cpu_seconds=70.0, exit_status=0, was_stopped=stopped
        )
        info.save(tmp_path / "app.log.meta.json")
        assert names(found(LEAK, tmp_path), "serious") == expected


def test_a_log_without_times_has_no_trend(tmp_path: Path) -> None:
    """Go 1.4 prints neither times nor CPU; the open questions say so."""
    lines = [
        f"gc{n}(8): 5+3+300+2 us, {n} -> {2 * n} MB, 100 (200-100) objects, 5 goroutines, 1/0/0 sweeps, 0(0) handoff,"
        " 0(0) steal, 0/0/0 yields\n"
        for n in range(1, 20)
    ]
    (tmp_path / "old.log").write_text("".join(lines))
    verdicts, _ = diagnose_files([str(tmp_path / "old.log")], stated=Overrides())
    assert names(verdicts, "serious") == []
    assert any("prints no times" in one.question for one in verdicts.unknown)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_wrapped_logs_are_recognized_as_logs(encoding: str, tmp_path: Path) -> None:
    """JSON of a container runtime, lists of bytes, and UTF-16 are not taken for other evidence."""
    lines = LEAK.text.splitlines()
    texts = {
        "docker": "\n".join(json.dumps({"log": line + "\n", "stream": "stderr"}) for line in lines),
        "journald": "\n".join(json.dumps({"MESSAGE": list(line.encode())}) for line in lines),
        "plain": LEAK.text,
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.encode(encoding))
        verdicts, traces = diagnose_files([str(tmp_path / name)], stated=Overrides())
        assert [len(trace.cycles) for trace in traces.values()] == [len(lines)], name
        assert names(verdicts)[0] == "heap-leak"
