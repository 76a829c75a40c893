"""A captured child: exit status, standard error, signals, memory."""

import os
import pty
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from gcsim.capture.child import rss_peak, run_child


@pytest.mark.parametrize(
    ("polled", "reaped", "parent", "peak"),
    [(90, 100, 60, 100), (20, 60, 60, 20), (0, 60, 60, 60), (20, 59, 60, 20), (2000, 6050, 6000, 2000)],
)
def test_peak_memory_leaves_the_parent_out(polled: int, reaped: int, parent: int, peak: int) -> None:
    """ru_maxrss counts only once it is above what this process could have put into it, give or take a little."""
    assert rss_peak(polled_bytes=polled, reaped_bytes=reaped, parent_bytes=parent) == peak


def test_a_small_child_of_a_large_parent_is_small() -> None:
    """The 200 MB that this process touches do not show in the child's peak."""
    ballast = bytearray(os.urandom(1)) * (200 << 20)
    usage = run_child(["sleep", "1"], env=dict(os.environ), on_stderr=lambda _piece: None)
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
        from gcsim.capture.child import run_child
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
        from gcsim.capture.child import run_child
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
        from gcsim.capture.child import run_child
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
