"""``gcsim capture`` records the kinds of memory of a real Go program, and its memory cgroup."""

import os
import subprocess
from pathlib import Path

import pytest
from capture_app import PROGRAM, capture
from go_toolchain import GoToolchain
from memory_cgroup import MemoryCgroup, memory_cgroup

from gcsim.calibration.memory.measurements import ProcessMemory
from gcsim.capture.elf import BinarySizes, binary_sizes
from gcsim.capture.info import CaptureInfo, side_file

MIB = 1 << 20


@pytest.fixture(scope="module")
def app(go_toolchain: GoToolchain) -> Path:
    """The program of this module, which keeps 4 MiB."""
    return go_toolchain.build(PROGRAM)


def test_resident_memory_by_kind(app: Path, tmp_path: Path) -> None:
    """The kinds add up to the resident peak, and the file pages are at most the binary's."""
    log = tmp_path / "a.log"
    assert capture(log, app, "-duration", "1s").returncode == 0
    info = CaptureInfo.load(side_file(log))
    assert info.rss_peak_bytes is not None
    assert info.anonymous_peak_bytes is not None
    assert info.file_peak_bytes is not None
    assert info.binary is not None
    assert info.anonymous_peak_bytes > 4 * MIB
    assert info.shared_peak_bytes == 0
    assert 0 < info.file_peak_bytes <= info.binary.file_bytes + MIB
    together = info.anonymous_peak_bytes + info.file_peak_bytes
    assert together == pytest.approx(info.rss_peak_bytes, rel=0.1)
    measured = ProcessMemory.from_capture(info)
    assert measured is not None
    assert measured.anonymous_peak_bytes == info.anonymous_peak_bytes
    assert measured.file_peak_bytes == info.file_peak_bytes


def test_a_cgroup_of_its_own_is_recorded(app: Path, tmp_path: Path) -> None:
    """A shell that joins a cgroup and becomes the program: its usage and limit are the program's."""
    log = tmp_path / "a.log"
    with memory_cgroup(limit_bytes=200 * MIB) as own:
        assert capture(log, "sh", "-c", f"echo $$ > {own.processes}; exec {app} -duration 1s").returncode == 0
    info = CaptureInfo.load(side_file(log))
    assert info.cgroup is not None
    assert info.cgroup.limit_bytes == 200 * MIB
    assert info.cgroup.working_set_peak_bytes is not None
    assert info.cgroup.usage_peak_bytes is not None
    assert info.cgroup.anonymous_peak_bytes is not None
    assert info.anonymous_peak_bytes is not None
    assert info.cgroup.anonymous_peak_bytes == pytest.approx(info.anonymous_peak_bytes, rel=0.2)
    assert info.cgroup.anonymous_peak_bytes <= info.cgroup.usage_peak_bytes < 100 * MIB
    measured = ProcessMemory.from_capture(info)
    assert measured is not None
    assert measured.container_peak_bytes == info.cgroup.working_set_peak_bytes


def test_a_shared_cgroup_gives_its_limit_only(app: Path, tmp_path: Path) -> None:
    """Another process's memory is not the program's."""
    log = tmp_path / "a.log"
    with memory_cgroup(limit_bytes=200 * MIB) as own, _another_process_in(own):
        assert capture(log, "sh", "-c", f"echo $$ > {own.processes}; exec {app} -duration 1s").returncode == 0
    info = CaptureInfo.load(side_file(log))
    assert info.cgroup is not None
    assert info.cgroup.limit_bytes == 200 * MIB
    assert info.cgroup.usage_peak_bytes is None
    measured = ProcessMemory.from_capture(info)
    assert measured is not None
    assert measured.container_peak_bytes is None


def _another_process_in(cgroup: MemoryCgroup) -> "subprocess.Popen[bytes]":
    """A process that waits in a cgroup until its standard input is closed."""
    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    cgroup.processes.write_text(f"{other.pid}\n")
    return other


def test_the_parts_of_a_binary(app: Path) -> None:
    """A static Go program has text, constants and data; its debug information is not loaded."""
    sizes = binary_sizes(app)
    assert sizes is not None
    assert not sizes.is_dynamic
    assert min(sizes.text_bytes, sizes.read_only_bytes, sizes.data_bytes, sizes.zeroed_bytes) > 0
    assert 0.3 * app.stat().st_size < sizes.file_bytes < app.stat().st_size
    c_library_user = binary_sizes(Path("/bin/sh"))
    assert c_library_user is not None
    assert c_library_user.is_dynamic


def test_what_is_no_binary_has_no_parts(app: Path, tmp_path: Path) -> None:
    """A script, an empty file, a cut header, and a program without its program headers."""
    data = app.read_bytes()
    for cut in (b"", b"#!/bin/sh\n" * 20, data[:20], data[:64], data[:64].replace(b"\x40", b"\xff")):
        path = tmp_path / "x"
        path.write_bytes(cut)
        assert binary_sizes(path) is None
    assert isinstance(binary_sizes(app), BinarySizes)
    assert os.access(app, os.X_OK)


def test_the_heap_of_a_program_that_grows_is_followed(go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """The mapped heap holds the resident one, although the program grows until it ends."""
    log = tmp_path / "a.log"
    assert capture(log, go_toolchain.build(_GROWS)).returncode == 0
    info = CaptureInfo.load(side_file(log))
    assert info.heap_mapped_bytes is not None
    assert info.anonymous_peak_bytes is not None
    assert info.anonymous_peak_bytes > 100 * MIB
    assert info.heap_mapped_bytes > 0.9 * info.anonymous_peak_bytes
    assert info.read_ahead_kib is None or info.read_ahead_kib >= 0


@pytest.mark.parametrize(("options", "was_stopped"), [((), False), (("--duration", "200ms"), True)])
def test_the_end_of_the_program_is_recorded(
    app: Path, tmp_path: Path, options: tuple[str, ...], was_stopped: bool
) -> None:
    """By itself, or by the SIGTERM of --duration."""
    log = tmp_path / "a.log"
    capture(log, app, "-duration", "1s", options=options)
    assert CaptureInfo.load(side_file(log)).was_stopped is was_stopped


_GROWS = """
package main

import "time"

// Keeps all that it allocates: 128 MiB in about a second, then ends.
func main() {
	var keep [][]byte
	for k := 0; k < 128; k++ {
		piece := make([]byte, 1<<20)
		for i := range piece {
			piece[i] = 1
		}
		keep = append(keep, piece)
		time.Sleep(6 * time.Millisecond)
	}
	if len(keep) == 0 {
		panic("empty")
	}
}
"""
