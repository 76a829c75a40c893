"""What a capture adds to the child's environment, what it reads there, and what it refuses."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.capture.buildinfo import MAGIC, find_go_version, go_version_of
from gcsim.capture.info import side_file
from gcsim.capture.log_file import LogFile
from gcsim.capture.run import run_capture
from gcsim.capture.run_settings import gogc_from_env, gomaxprocs_from_env, gomemlimit_from_env, traced
from gcsim.errors import InputError


def header(version: str, *, flags: int = 2) -> bytes:
    """Build information as the Go linker writes it: magic, pointer size, flags, padding, length, version."""
    return MAGIC + bytes([8, flags]) + bytes(16) + bytes([len(version)]) + version.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "gctrace=1,gcpacertrace=1,scavtrace=1"),
        ("madvdontneed=1", "gctrace=1,gcpacertrace=1,scavtrace=1,madvdontneed=1"),
        ("gctrace=2", "gcpacertrace=1,scavtrace=1,gctrace=2"),
        ("scavtrace=0,http2debug=1", "gctrace=1,gcpacertrace=1,scavtrace=0,http2debug=1"),
    ],
)
def test_godebug_keeps_what_the_user_set(before: str, after: str) -> None:
    """The traces are added in front of what is there, and a setting that the user made stands."""
    assert traced(before, 25) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "gctrace=1,gcpacertrace=1"),
        ("scavtrace=0", "gctrace=1,gcpacertrace=1,scavtrace=0"),
        ("scavtrace=1", "gctrace=1,scavtrace=1"),
    ],
)
def test_go_that_may_hang_gets_one_of_two_traces(before: str, after: str) -> None:
    """Go 1.27.3 locked up within seconds under gcpacertrace and scavtrace together (see ``traced``)."""
    assert traced(before, 26) == after


@pytest.mark.parametrize(
    ("text", "gogc"),
    [
        ("", 100),
        ("50", 50),
        ("0", 0),
        ("off", None),
        ("-1", None),
        ("abc", 100),
        ("OFF", 100),
        ("99999999999", 100),
    ],
)
def test_gogc_is_read_as_the_runtime_reads_it(text: str, gogc: int | None) -> None:
    """A malformed GOGC is silently 100 and a negative one is off, as in runtime.readGOGC."""
    assert gogc_from_env({"GOGC": text}) == gogc


def test_a_limit_in_another_spelling_is_an_error_before_the_program_starts() -> None:
    """Go itself would stop the program at 512Mi; the message gives the spelling that works."""
    assert gomemlimit_from_env({"GOMEMLIMIT": "512MiB"}) == 512 << 20
    assert gomemlimit_from_env({"GOMEMLIMIT": "off"}) is None
    assert gomemlimit_from_env({}) is None
    with pytest.raises(InputError, match="512MiB"):
        gomemlimit_from_env({"GOMEMLIMIT": "512Mi"})


def test_gomaxprocs_falls_back_to_the_cores_we_may_use() -> None:
    """An unset, malformed or zero GOMAXPROCS means the process's CPU affinity."""
    cores = len(os.sched_getaffinity(0))
    assert gomaxprocs_from_env({"GOMAXPROCS": "7"}) == 7
    assert [gomaxprocs_from_env({"GOMAXPROCS": text}) for text in ("", "0", "x", "-3")] == [cores] * 4


def test_the_version_behind_the_magic_is_found_among_decoys() -> None:
    """The header lies on a 16-byte boundary; the magic alone does not count."""
    decoy = b"x" * 5 + MAGIC + b"y" * (64 - 5 - len(MAGIC))
    no_version = header("something else").ljust(64, b"\0")
    assert find_go_version(decoy + no_version + header("go1.27.3") + b"rest") == "go1.27.3"
    assert find_go_version(decoy + no_version) is None
    assert find_go_version(bytes(3) + header("go1.27.3")) is None
    assert (
        find_go_version(header("devel go1.28-abc123 X:nogreenteagc")) == "devel go1.28-abc123 X:nogreenteagc"
    )


def test_go_1_17_and_older_are_told_apart_from_no_go_at_all(tmp_path: Path) -> None:
    """Their header points at the version instead of holding it; the error says how to get the trace."""
    old = tmp_path / "old"
    old.write_bytes(header("", flags=0) + bytes(64))
    with pytest.raises(InputError, match=r"1\.17 or older"):
        go_version_of(old)
    with pytest.raises(InputError, match="not a program built by Go"):
        go_version_of(Path(sys.executable))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_no_bytes_break_the_search(before: bytes, after: bytes) -> None:
    """Whatever surrounds or follows the magic, the search ends with a version or without one."""
    version = find_go_version(before + MAGIC + after)
    assert version is None or version == "" or "go1." in version


def test_what_cannot_be_captured_is_said_in_one_sentence(tmp_path: Path) -> None:
    """No program, a missing one, one that is not executable; the log of an earlier capture stays."""
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    log = tmp_path / "log"
    side_file(log).write_text("{}")
    for text in (None, "old"):
        if text is not None:
            log.write_text(text)
        for command, words in [
            ([], "no program"),
            ([str(tmp_path / "missing")], "no such program"),
            (["surely-no-such-program"], "no such program"),
            ([str(plain)], "not an executable"),
            ([str(tmp_path)], "not an executable"),
        ]:
            with pytest.raises(InputError, match=words):
                run_capture(command, log)
        assert log.exists() is (text is not None)
    assert log.read_text() == "old"
    assert side_file(log).read_text() == "{}"


def test_a_program_that_cannot_be_started_leaves_the_old_log(tmp_path: Path) -> None:
    """The kernel refuses an executable without a format or with a missing interpreter after the log is open."""
    program, log = tmp_path / "program", tmp_path / "log"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(InputError, match="cannot be started"):
        run_capture([str(program)], log)
    assert not log.exists()
    log.write_text("old")
    with pytest.raises(InputError, match="cannot be started"):
        run_capture([str(program)], log)
    assert log.read_text() == "old"


def test_a_side_file_that_would_stay_stops_the_capture(tmp_path: Path) -> None:
    """A folder of its name cannot be replaced, and the program is not started."""
    log, mark = tmp_path / "log", tmp_path / "ran"
    side_file(log).mkdir()
    with pytest.raises(InputError, match=r"log\.meta\.json: cannot be replaced"):
        run_capture(["touch", str(mark)], log)
    assert not mark.exists()
    assert not log.exists()


def test_two_captures_into_one_log_do_not_mix(tmp_path: Path) -> None:
    """The second is refused, and the first goes on."""
    log = tmp_path / "log"
    with LogFile(log) as first:
        first.begin()
        first.write(b"first\n")
        with pytest.raises(InputError, match="another gcsim capture"):
            run_capture(["true"], log)
        first.write(b"second\n")
    assert log.read_bytes() == b"first\nsecond\n"


def test_a_program_that_is_not_go_s_ends_with_a_note(tmp_path: Path) -> None:
    """Its exit status is kept, and the note says which program to name."""
    done = run_capture(["sh", "-c", "echo out >&2; exit 7"], tmp_path / "log", echo=False)
    assert done.exit_status == 7
    assert (tmp_path / "log").read_bytes() == b"out\n"
    assert len(done.notes) == 1
    assert "no Go program was found in sh" in done.notes[0]
    assert "name the Go program itself" in done.notes[0]
    assert done.info.rss_peak_bytes is None
    assert done.info.assumed == ("gogc", "gomemlimit_bytes")


def test_a_process_that_keeps_standard_error_is_reported(tmp_path: Path) -> None:
    """What it writes later is lost, which a user must know of a daemon."""
    done = run_capture(["sh", "-c", "sleep 20 & exit 3"], tmp_path / "log", echo=False)
    assert any("still has its standard error" in note for note in done.notes)
    assert done.exit_status == 3
    done = run_capture(["sh", "-c", "sleep 20 2>/dev/null & sleep 0.5; exit 3"], tmp_path / "log", echo=False)
    assert not any("still has its standard error" in note for note in done.notes)
