"""The CPU quota of a captured program: the kernel's files, the side file, and the finding."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from gc_logs import GcLog

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.cpu_quota import CpuQuota, parse_cpu_max, parse_cpu_stat
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.errors import InputError

VERSION_2 = "usage_usec 10\nnr_periods 200\nnr_throttled 150\nthrottled_usec 3000000\nnr_bursts 0\n"
VERSION_1 = "nr_periods 200\nnr_throttled 150\nthrottled_time 3000000000\n"


@pytest.mark.parametrize("text", [VERSION_2, VERSION_1])
def test_both_versions_of_cpu_stat(text: str) -> None:
    """The same counts."""
    found = parse_cpu_stat(text)
    assert found is not None
    assert (found.periods, found.throttled_periods, found.throttled_seconds) == (200, 150, 3.0)
    assert math.isnan(found.cpus)


def test_other_texts_are_no_cpu_stat() -> None:
    """Such as the stat of a memory cgroup, or of a cgroup without a quota."""
    assert parse_cpu_stat("anon 5\nfile 7\n") is None
    assert parse_cpu_stat("usage_usec 10\n") is None


@pytest.mark.parametrize(
    ("text", "cpus"), [("60000 100000\n", 0.6), ("max 100000", None), ("5", None), ("5 0", None)]
)
def test_cpu_max(text: str, cpus: float | None) -> None:
    """A quota, none, and other texts."""
    assert parse_cpu_max(text) == cpus


@pytest.mark.parametrize(
    "record", [7, {"cpus": 0}, {"cpus": "1"}, {"cpus": 1, "periods": -1}, {"periods": 1}]
)
def test_a_malformed_quota_is_refused(record: object) -> None:
    """The reader of side files names the key."""
    with pytest.raises(InputError, match="cpu_quota"):
        CpuQuota.from_json(record)


def test_the_side_file_keeps_the_quota(tmp_path: Path) -> None:
    """And a file without one has none."""
    quota = CpuQuota(cpus=0.6, periods=200, throttled_periods=150, throttled_seconds=3.0)
    info = CaptureInfo(gomaxprocs=8, go="1.27")
    for one in (info, replace(info, cpu_quota=quota)):
        one.save(tmp_path / "x.json")
        assert CaptureInfo.load(tmp_path / "x.json") == one


@pytest.mark.parametrize("source", ["side file", "cpu.stat and cpu.max", "option"])
def test_gomaxprocs_above_the_quota_is_found(source: str, tmp_path: Path) -> None:
    """Whichever evidence states the quota."""
    log = tmp_path / "app.log"
    log.write_text(GcLog(procs=8).text)
    files, cpus = [str(log)], None
    if source == "side file":
        quota = CpuQuota(cpus=0.6, periods=200, throttled_periods=150)
        CaptureInfo(gomaxprocs=8, go="1.27", cpu_quota=quota).save(side_file(log))
    elif source == "option":
        cpus = 0.6
    else:
        for name, text in (("cpu.stat", VERSION_2), ("cpu.max", "60000 100000\n")):
            (tmp_path / name).write_text(text)
            files.append(str(tmp_path / name))
    found, _ = diagnose_files(files, stated=Overrides(), cpus=cpus)
    assert (found.causes[0].name, found.causes[0].severity) == ("gomaxprocs-above-quota", "serious")


def test_a_quota_that_gomaxprocs_fits_is_no_finding(tmp_path: Path) -> None:
    """Two Ps on two CPUs, never throttled."""
    log = tmp_path / "app.log"
    log.write_text(GcLog().text)
    (tmp_path / "cpu.stat").write_text("nr_periods 200\nnr_throttled 0\nthrottled_usec 0\n")
    found, _ = diagnose_files([str(log), str(tmp_path / "cpu.stat")], stated=Overrides(), cpus=2.0)
    assert [one.name for one in found.causes] == ["gc-not-the-problem"]
