"""What a capture adds to the child's environment, what it reads there, and what it leaves beside the log."""

import gzip
import os
import pty
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.errors import InputError
from gcsim.gctrace.buildinfo import MAGIC, find_go_version, go_version_of
from gcsim.gctrace.capture import gogc_in, gomaxprocs_in, gomemlimit_in, run_capture, traced
from gcsim.gctrace.capture_info import side_file
from gcsim.gctrace.child import rss_peak, run_child
from gcsim.gctrace.log_file import LogFile
from gcsim.gctrace.own_lines import OwnLines


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
    assert "no Go program was seen in sh" in done.notes[0]
    assert "name the Go program itself" in done.notes[0]
    assert done.info.rss_peak_bytes is None
    assert done.info.assumed == ("gogc", "gomemlimit_bytes")


def test_a_process_that_keeps_standard_error_is_reported(tmp_path: Path) -> None:
    """What it writes later is lost, which a user must know of a daemon."""
    done = run_capture(["sh", "-c", "sleep 20 & exit 3"], tmp_path / "log", echo=False)
    assert any("still has its standard error" in note for note in done.notes)
    assert done.exit_status == 3
    done = run_capture(["sh", "-c", "sleep 20 2>/dev/null & exit 3"], tmp_path / "log", echo=False)
    assert not any("still has its standard error" in note for note in done.notes)


def test_a_process_that_floods_standard_error_does_not_hold_the_capture_up() -> None:
    """The program's end is seen while another process keeps the pipe full."""
    started = time.monotonic()
    usage = run_child(
        ["sh", "-c", "(timeout 20 yes >&2) & sleep 0.3; exit 6"],
        env=dict(os.environ),
        on_stderr=lambda _piece: None,
    )
    assert usage.exit_status == 6
    assert usage.leaves_stderr_open
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("group", [True, False])
def test_a_stop_reaches_the_program_once(name: str, group: bool) -> None:
    """Whether the whole group is signalled (CI, systemd), twice at once (timeout), or gcsim alone."""
    script = textwrap.dedent(f"""
        import os, sys
        from gcsim.gctrace.child import run_child
        child = "import signal, sys, time; got = [];" \\
            "signal.signal(signal.{name}, lambda *_: got.append(1)); print('ready', file=sys.stderr, flush=True);" \\
            "end = time.time() + 20\\nwhile not got and time.time() < end: time.sleep(0.01)\\n" \\
            "time.sleep(0.4); sys.exit(40 + len(got))"
        def stderr(piece):
            sys.stdout.write(piece.decode()); sys.stdout.flush()
        usage = run_child([sys.executable, "-c", child], env=dict(os.environ), on_stderr=stderr)
        sys.exit(usage.exit_status)
    """)
    number = getattr(signal, name)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if group:
            os.kill(process.pid, number)
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
        assert process.wait(30) == 41


@pytest.mark.parametrize("sent", ["keyboard", "kill"])
def test_in_a_terminal_the_keyboard_s_signal_is_not_doubled(sent: str) -> None:
    """Ctrl-C reaches the whole foreground group; a kill of gcsim alone is passed on."""
    script = textwrap.dedent("""
        import os, sys
        from gcsim.gctrace.child import run_child
        child = "import signal, sys, time; got = [];" \\
            "signal.signal(signal.SIGINT, lambda *_: got.append(1)); print('ready', file=sys.stderr, flush=True);" \\
            "end = time.time() + 20\\nwhile not got and time.time() < end: time.sleep(0.01)\\n" \\
            "time.sleep(0.4); sys.exit(40 + len(got))"
        def stderr(piece):
            os.write(1, piece)
        usage = run_child([sys.executable, "-c", child], env=dict(os.environ), on_stderr=stderr)
        os._exit(usage.exit_status)
    """)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", script])
    output = b""
    while b"ready" not in output:
        output += os.read(terminal, 1024)
    if sent == "keyboard":
        os.write(terminal, b"\x03")
    else:
        os.kill(pid, signal.SIGINT)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 41


GC_LINE = (
    b"gc 7 @0.600s 2%: 0.018+1.2+0.003 ms clock, 0.036+0.1/0.2/0.3+0.006 ms cpu, 3->4->1 MB, 4 MB goal,"
    b" 0 MB stacks, 0 MB globals, 2 P\n"
)
TRACE_LINES = [
    GC_LINE,
    GC_LINE.replace(b"2 P", b"2 P (forced)"),
    GC_LINE.replace(b"2%:", b"2% (checking for goroutine leaks):"),
    b"GC forced\n",
    b"pacer: assist ratio=0.7609941107527899 (scan 0 MB in 11->11 MB) workers=0+0.25\n",
    b"pacer: assist ratio=+1.439397e+000 (scan 0 MB in 3->4 MB) workers=2++0.000000e+000\n",
    "pacer: 25% CPU (25 exp.) for 52480+2120+153290 B work (153290 B exp.) in 4087808 B -> 4153344 B"
    " (∆goal -40960, cons/mark +1.100000e+000)\n".encode(),
    b"pacer: sweep done at heap size 3MB; allocated 0MB during sweep; swept 448 pages at +1.4e-004 pages/byte\n",
    b"scav 8 KiB work (bg), 0 KiB work (eager), 3000 KiB now, 94% util\n",
    b"scav 8 KiB work (bg), 0 KiB work (eager), 3000 KiB now, 94% util (forced)\n",
]
OWN_LINES = [
    b"listening on :8080\n",
    b"gc 5 is my own line\n",
    b"pacer: mine\n",
    b"app gc 1 @ start\n",
    GC_LINE[:60] + b"torn by a log line\n",
    b"\n",
    b"\x00\xff\r\n",
]


@given(st.lists(st.sampled_from(TRACE_LINES + OWN_LINES), max_size=12), st.data())
def test_only_whole_trace_lines_are_kept_from_the_terminal(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the pipe cuts the text, the program's own lines come out in full and in order."""
    text = b"".join(lines) + data.draw(st.sampled_from([b"", b"Password: ", b"gc 1 @0.0"]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    own, shown = OwnLines(), b""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        shown += own.add(text[start:end])
    shown += own.end()
    expected = b"".join(line for line in lines if line in OWN_LINES) + text[len(b"".join(lines)) :]
    assert shown == expected


def test_a_prompt_without_a_newline_is_shown_at_once() -> None:
    """A line that cannot become a trace line is not held back."""
    assert OwnLines().add(b"Password: ") == b"Password: "
    assert OwnLines().add(b"first\ng") == b"first\n"


def test_a_real_trace_is_all_trace_lines() -> None:
    """Committed captures of several Go versions hold nothing that would be shown, but for the programs' own lines."""
    logs = sorted((Path(__file__).parents[2] / "experiments").rglob("*-r1.log.gz"))[::97]
    assert len(logs) > 5
    for log in logs:
        own = OwnLines()
        shown = own.add(gzip.decompress(log.read_bytes())) + own.end()
        assert not any(line.startswith((b"gc ", b"pacer: ", b"scav ")) for line in shown.split(b"\n")), log
