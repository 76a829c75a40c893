"""The memory cgroup of a process: where it is, what counts in it, and when it holds the program alone."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gcsim.capture import cgroup
from gcsim.capture.cgroup import CgroupMemory, CgroupWatch, cgroup_of, parse_memory_stat

MIB = 1 << 20
PID = os.getpid()
V1_STAT = "cache 1\nrss 2\ntotal_cache 31457280\ntotal_rss 20971520\ntotal_inactive_file 10485760\n"
V2_STAT = "anon 20971520\nfile 31457280\ninactive_file 10485760\nslab 5\n"
V1_FILES = {"memory.usage_in_bytes": str(55 * MIB), "memory.stat": V1_STAT, "cgroup.procs": f"{PID}\n"}
V2_FILES = {"memory.current": str(55 * MIB), "memory.stat": V2_STAT, "cgroup.procs": f"{PID}\n"}
PEAKS = CgroupMemory(
    usage_peak_bytes=55 * MIB, working_set_peak_bytes=45 * MIB, anonymous_peak_bytes=20 * MIB,
    file_peak_bytes=30 * MIB,
)  # fmt: skip


def files(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes text files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


def a_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, version: int, path: str, root: str = "/"
) -> Path:
    """A /proc in which this process is in the cgroup ``path``; returns the folder where the hierarchy is mounted."""
    mount, proc = tmp_path / "mount", tmp_path / "proc"
    mount.mkdir()
    line = f"0::{path}\n" if version == 2 else f"5:cpu,cpuacct:/elsewhere\n4:memory:{path}\n0::/\n"
    kind = "cgroup2 cgroup2 rw" if version == 2 else "cgroup cgroup rw,memory"
    for pid in (str(PID), "self"):
        files(proc / pid, {"cgroup": line, "mountinfo": f"22 1 0:2 / / rw - ext4 /dev/root rw\n"
                           f"35 31 0:32 {root} {mount} rw,relatime shared:5 - {kind}\n"})  # fmt: skip
    monkeypatch.setattr(cgroup, "_PROC", proc)
    return mount


def peaks(strangers: bool = False) -> CgroupMemory | None:
    """What a watch of this process reports after one poll."""
    watch = CgroupWatch(PID, lambda: [] if strangers else [os.getppid()])
    watch.look(1.0)
    watch.look(2.0)
    return watch.memory


@pytest.mark.parametrize(
    ("version", "texts", "limit"), [(1, V1_FILES, "memory.limit_in_bytes"), (2, V2_FILES, "memory.max")]
)
def test_usage_and_the_tightest_limit_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, texts: dict[str, str], limit: str
) -> None:
    """Both versions give usage, working set, anonymous and file memory, and the lowest limit up to the mount."""
    mount = a_system(tmp_path, monkeypatch, version=version, path="/pods/app")
    none = "max" if version == 2 else "9223372036854771712"
    files(mount / "pods" / "app", {**texts, limit: none})
    files(mount / "pods", {limit: str(256 * MIB)})
    files(mount.parent, {limit: str(1 * MIB)})  # outside the hierarchy
    found = peaks()
    assert found == CgroupMemory(limit_bytes=256 * MIB, **{n: getattr(PEAKS, n) for n in PEAKS.__slots__[1:]})
    files(mount / "pods" / "app", {limit: str(64 * MIB)})
    assert peaks() != found
    assert getattr(peaks(), "limit_bytes", None) == 64 * MIB


def test_a_container_sees_its_own_part_of_the_hierarchy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is relative to the mounted part, or starts at it in a namespace of its own."""
    mount = a_system(tmp_path, monkeypatch, version=1, path="/docker/abc/inner", root="/docker/abc")
    files(mount / "inner", V1_FILES)
    found = cgroup_of(PID)
    assert found is not None
    assert found.folder == mount / "inner"


def test_a_namespace_of_its_own_is_no_root_cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 2 in a container: the path is "/", and the folder has a usage."""
    files(a_system(tmp_path, monkeypatch, version=2, path="/"), V2_FILES)
    assert peaks() == PEAKS


def test_the_root_cgroup_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no limit and holds the whole machine: release_agent marks it in version 1."""
    files(
        a_system(tmp_path, monkeypatch, version=1, path="/"),
        V1_FILES | {"release_agent": "", "memory.stat": ""},
    )
    assert peaks() is None


def test_a_cgroup_with_other_processes_gives_its_limit_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that the program did not start uses memory of the cgroup; one that has ended does not count."""
    mount = a_system(tmp_path, monkeypatch, version=2, path="/app")
    texts = V2_FILES | {"memory.max": str(64 * MIB)}
    files(mount / "app", texts | {"cgroup.procs": f"{PID}\n{os.getppid()}\n{2**22 + 1}\n"})
    assert getattr(peaks(), "usage_peak_bytes", None) == 55 * MIB
    assert peaks(strangers=True) == CgroupMemory(limit_bytes=64 * MIB)
    files(mount / "app", texts | {"cgroup.procs": f"{PID}\n0\n"})  # 0: outside this pid namespace
    assert peaks() == CgroupMemory(limit_bytes=64 * MIB)
    files(mount / "app", texts)
    files(mount / "app" / "sidecar" / "x", {"cgroup.procs": "0\n"})
    assert peaks() == CgroupMemory(limit_bytes=64 * MIB)


def test_missing_and_damaged_files_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that cannot be read is None; a memory.stat keeps its good lines."""
    mount = a_system(tmp_path, monkeypatch, version=2, path="/app")
    files(mount / "app", {"memory.current": "many", "memory.max": "some", "cgroup.procs": f"{PID}"})
    assert peaks() == CgroupMemory()
    assert parse_memory_stat("anon 5\nfile\nx y\nanon_thp -3\nslab 1 2\n") == {"anon": 5}


def test_without_proc_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on other systems."""
    monkeypatch.setattr(cgroup, "_PROC", tmp_path)
    assert cgroup_of(PID) is None
    assert peaks() is None
