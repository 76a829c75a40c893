"""Memory cgroups of the experiments, and the tables of what ran in them."""

import subprocess
import sys
from pathlib import Path

import pytest
from memory_cgroup import memory_cgroup

from experiments import cgroup
from experiments.cgroup import Peaks, PeakWatch, drop_page_cache, wait_bounded
from experiments.software.cgroup_rows import Row, hot_shares, hot_table, read_rows, settings_table, write_rows
from experiments.software.contained import Contained, End
from gcsim.errors import InputError

MIB = 1 << 20
ALLOCATE = """
import sys, time
kept = bytearray(b"x") * (int(sys.argv[1]) << 20)
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
"""


def python(*arguments: str) -> list[str]:
    """A command that allocates MiB and sleeps seconds."""
    return [sys.executable, "-c", ALLOCATE, *arguments]


def test_a_program_above_its_limit_is_killed_and_counted() -> None:
    """The kernel's SIGKILL, one OOM kill, charges that met the limit, and no folder afterwards."""
    with memory_cgroup(limit_bytes=32 * MIB) as own:
        process = own.start(python("100", "0"))
        assert wait_bounded(process, 30.0, own.kill) == -9
        assert own.oom_kills == 1
        assert own.at_limit > 0
        folder = own.folder
    assert not folder.exists()


def test_a_program_below_its_limit_ends_and_its_peaks_are_known() -> None:
    """Status 0; the anonymous peak holds what the program allocated."""
    with memory_cgroup(limit_bytes=200 * MIB) as own:
        process = own.start(python("60", "0.5"))
        with PeakWatch(own, process.pid) as watch:
            assert wait_bounded(process, 30.0, own.kill) == 0
        assert own.oom_kills == 0
        peak = own.peak_bytes
    assert 60 * MIB <= watch.peaks.anonymous_bytes <= 200 * MIB
    assert peak is None or watch.peaks.anonymous_bytes <= peak <= 200 * MIB
    assert watch.peaks.file_resident_bytes > MIB


def test_a_program_that_does_not_end_is_killed_with_its_cgroup() -> None:
    """After the given time there is no status; a process that nobody waited for goes with the folder."""
    with memory_cgroup(limit_bytes=100 * MIB) as own:
        assert wait_bounded(own.start(python("1", "20")), 0.3, own.kill) is None
        left = own.start(python("1", "20"), stdout=subprocess.PIPE)
        assert left.stdout is not None
        assert left.stdout.readline() == b"ready\n"
    assert not own.folder.exists()
    assert left.wait(10) == -9


def test_dropped_files_are_charged_to_the_next_reader(tmp_path: Path) -> None:
    """A file of 20 MiB that was just written is in nobody's cache, and so in its reader's cgroup."""
    file = tmp_path / "x"
    file.write_bytes(bytes(20 * MIB))
    drop_page_cache([file, tmp_path / "none"])
    with memory_cgroup(limit_bytes=100 * MIB) as own:
        subprocess.run(["sh", "-c", f"echo $$ > {own.processes}; cat {file} > /dev/null"], check=True)
        assert (own.cgroup.now().file_peak_bytes or 0) > 16 * MIB


def test_a_machine_without_cgroups_gives_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names the folder."""
    monkeypatch.setattr(cgroup, "MOUNT_1", tmp_path / "none")
    monkeypatch.setattr(cgroup, "MOUNT_2", tmp_path / "none")
    with (
        pytest.raises(InputError, match=r"no memory cgroup can be made in .*none"),
        cgroup.memory_cgroup(None),
    ):
        pass


def row(share: float | None, answers_hz: float, end: End = "runs") -> Row:
    """A run at 30 MiB of file pages and 20 MiB of other memory."""
    limit = None if share is None else round((20 + 30 * share) * MIB)
    peaks = Peaks(anonymous_bytes=19 * MIB, kernel_bytes=MIB, file_resident_bytes=30 * MIB)
    run = Contained(
        end=end, answers_hz=answers_hz, failures=0, p99_seconds=None if share is None else 0.01, peaks=peaks,
        usage_peak_bytes=limit, at_limit=3, oom_kills=0, read_ahead_kb=128,
    )  # fmt: skip
    return Row(
        label="a",
        name="open loop",
        gogc="50",
        gomemlimit="off",
        repeat=1,
        share=share,
        limit_bytes=limit,
        run=run,
    )


ROWS = [
    row(None, 100.0),
    row(1.0, 98.0),
    row(0.6, 95.0),
    row(0.4, 99.0),
    row(0.4, 40.0),
    row(0.2, 96.0),
    row(0.1, 0.0, "stalls"),
]


def test_the_hot_share_is_the_last_with_speed_and_without_a_stall() -> None:
    """The first limit that is too small decides, whatever runs below it."""
    assert hot_shares(ROWS, 100.0) == (0.6, 0.4)
    assert hot_shares(ROWS[:3], 100.0) == (0.6, None)
    assert "| 30.0 | 60% | 40% | 20% | 10% |" in hot_table(ROWS)


def test_rows_survive_their_file(tmp_path: Path) -> None:
    """A CSV file gives the same rows and tables."""
    rows = [*ROWS, row(0.05, 0.0, "OOM kill")]
    write_rows(rows, tmp_path / "a.csv")
    assert read_rows(tmp_path / "a.csv") == rows
    assert settings_table(read_rows(tmp_path / "a.csv")) == settings_table(rows)
