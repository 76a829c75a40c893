"""What a capture adds to the child's environment, what it reads there, and what it leaves beside the log."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.errors import InputError
from gcsim.gctrace.buildinfo import MAGIC, find_go_version, go_version_of
from gcsim.gctrace.capture import gogc_in, gomaxprocs_in, gomemlimit_in, run_capture, traced
from gcsim.gctrace.capture_info import CaptureInfo, side_file
from gcsim.gctrace.child import rss_peak, run_child

INFO = CaptureInfo(
    gogc=None, gomemlimit_bytes=1 << 29, gomaxprocs=2, go_version="go1.27.3", go="1.27", rss_peak_bytes=9,
    start_time="2026-01-02T03:04:05.678+00:00", wall_seconds=10.5, cpu_seconds=19.25, exit_status=143,
    command=["./app", "-x"], foreign_cpu_fraction=None,
)  # fmt: skip


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
    assert gogc_in({"GOGC": text}) == gogc


def test_a_limit_in_another_spelling_is_an_error_before_the_program_starts() -> None:
    """Go itself would stop the program at 512Mi; the message gives the spelling that works."""
    assert gomemlimit_in({"GOMEMLIMIT": "512MiB"}) == 512 << 20
    assert gomemlimit_in({"GOMEMLIMIT": "off"}) is None
    assert gomemlimit_in({}) is None
    with pytest.raises(InputError, match="512MiB"):
        gomemlimit_in({"GOMEMLIMIT": "512Mi"})


def test_gomaxprocs_falls_back_to_the_cores_we_may_use() -> None:
    """An unset, malformed or zero GOMAXPROCS means the process's CPU affinity."""
    cores = len(os.sched_getaffinity(0))
    assert gomaxprocs_in({"GOMAXPROCS": "7"}) == 7
    assert [gomaxprocs_in({"GOMAXPROCS": text}) for text in ("", "0", "x", "-3")] == [cores] * 4


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


@pytest.mark.parametrize(
    ("polled", "reaped", "parent", "peak"),
    [(90, 100, 60, 100), (20, 60, 60, 20), (0, 60, 60, 60), (20, 59, 60, 20)],
)
def test_peak_memory_leaves_the_parent_out(polled: int, reaped: int, parent: int, peak: int) -> None:
    """ru_maxrss counts only once it is above what this process could have put into it."""
    assert rss_peak(polled_bytes=polled, reaped_bytes=reaped, parent_bytes=parent) == peak


def test_a_small_child_of_a_large_parent_is_small() -> None:
    """The 200 MB that this process touches do not show in the child's peak."""
    ballast = bytearray(os.urandom(1)) * (200 << 20)
    usage = run_child(["sleep", "0.2"], env=dict(os.environ), on_stderr=lambda _piece: None)
    assert 0 < usage.rss_peak_bytes < len(ballast) // 4


def test_the_side_file_round_trips(tmp_path: Path) -> None:
    """What is saved beside a log is what is loaded, for a run with every knob off too."""
    path = side_file(tmp_path / "run.log.gz")
    assert path.name == "run.log.gz.meta.json"
    for info in (INFO, replace(INFO, gogc=0, gomemlimit_bytes=None, foreign_cpu_fraction=0.03)):
        info.save(path)
        assert CaptureInfo.load(path) == info


@pytest.mark.parametrize(
    ("name", "value"),
    [("gogc", "100"), ("gomaxprocs", True), ("go_version", None), ("command", "x"), ("go", ...)],
)
def test_a_broken_side_file_is_named_with_its_field(tmp_path: Path, name: str, value: object) -> None:
    """A field of the wrong type or one that is missing ends in one sentence, not in a wrong setting."""
    path = tmp_path / "x.meta.json"
    INFO.save(path)
    record = json.loads(path.read_text())
    record[name] = value
    if value is ...:
        del record[name]
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=rf"x\.meta\.json: {name}\b"):
        CaptureInfo.load(path)
    path.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        CaptureInfo.load(path)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_exit_status_is_a_shell_s(script: str, status: int) -> None:
    """A child's own status comes through, and 128 + n stands for a death by signal n."""
    usage = run_child(["sh", "-c", script], env=dict(os.environ), on_stderr=lambda _piece: None)
    assert usage.exit_status == status


def test_standard_error_comes_whole_and_as_it_is_written() -> None:
    """A megabyte arrives byte for byte; a line is there long before the child ends."""
    pieces: list[tuple[float, bytes]] = []
    script = "echo first >&2; sleep 1; head -c 1000000 /dev/zero >&2"
    run_child(
        ["sh", "-c", script], env=dict(os.environ), on_stderr=lambda p: pieces.append((time.monotonic(), p))
    )
    assert b"".join(piece for _, piece in pieces) == b"first\n" + bytes(1_000_000)
    assert pieces[-1][0] - pieces[0][0] > 0.9


def test_a_grandchild_that_keeps_standard_error_open_is_not_waited_for() -> None:
    """A daemon left behind by the program does not hold the capture up."""
    started = time.monotonic()
    usage = run_child(["sh", "-c", "sleep 20 & exit 3"], env=dict(os.environ), on_stderr=lambda _piece: None)
    assert usage.exit_status == 3
    assert time.monotonic() - started < 10


def test_a_child_that_closes_standard_error_is_waited_for() -> None:
    """The end of the stream is not the end of the child."""
    usage = run_child(
        ["sh", "-c", "exec 2>&-; sleep 0.3; exit 4"], env=dict(os.environ), on_stderr=lambda _p: None
    )
    assert usage.exit_status == 4
    assert usage.wall_seconds > 0.25


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
def test_signals_reach_the_child_once(name: str) -> None:
    """The capturing process survives each signal, and the child's handler decides what follows."""
    script = textwrap.dedent(f"""
        import os, sys
        from gcsim.gctrace.child import run_child
        child = '''
        import signal, sys, time
        got = []
        signal.signal(signal.{name}, lambda *_: got.append(1))
        print("ready", file=sys.stderr, flush=True)
        deadline = time.time() + 20
        while not got and time.time() < deadline: time.sleep(0.01)
        time.sleep(0.2)
        sys.exit(40 + len(got))
        '''
        child = "\\n".join(line.strip() for line in child.splitlines())
        def stderr(piece):
            sys.stdout.write(piece.decode()); sys.stdout.flush()
        usage = run_child([sys.executable, "-c", child], env=dict(os.environ), on_stderr=stderr)
        sys.exit(usage.exit_status)
    """)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, name))
        assert process.wait(30) == 41


def test_handlers_are_put_back_and_threads_may_capture() -> None:
    """The caller's signal handlers stand again afterwards; outside the main thread none are touched."""
    before = signal.getsignal(signal.SIGTERM)
    statuses: list[int] = []

    def run() -> None:
        usage = run_child(["sh", "-c", "exit 5"], env=dict(os.environ), on_stderr=lambda _piece: None)
        statuses.append(usage.exit_status)

    run()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert statuses == [5, 5]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_cannot_be_captured_is_said_in_one_sentence(tmp_path: Path) -> None:
    """No program, a missing one, one that is not executable, one that is not Go's."""
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    log = tmp_path / "log"
    for command, words in [
        ([], "no program"),
        ([str(tmp_path / "missing")], "no such program"),
        (["surely-no-such-program"], "no such program"),
        ([str(plain)], "not an executable"),
        ([str(tmp_path)], "not an executable"),
        ([sys.executable], "not a program built by Go"),
    ]:
        with pytest.raises(InputError, match=words):
            run_capture(command, log)
    plain.chmod(0o755)
    with pytest.raises(InputError, match="not a program built by Go"):
        run_capture([str(plain)], log)
    assert not log.exists()
