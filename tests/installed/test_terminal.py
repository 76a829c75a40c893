"""On a terminal: prose of its width, and a cursor that is visible again after Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest
from installed_script import TIMEOUT_SECONDS, Installed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(
    installed: Installed,
    arguments: list[str],
    *,
    columns: int,
    interrupt_after_seconds: float | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """The exit status, and all that a terminal of that width was sent."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    unset = ("COLUMNS", "LINES", "NO_COLOR")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [installed.script, *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=installed.folder,
        env={**environment, "TERM": "xterm", **(env or {})},
    )  # fmt: skip
    os.close(theirs)
    started, sent = time.monotonic(), interrupt_after_seconds is None
    shown = bytearray()
    os.set_blocking(ours, False)
    while process.poll() is None:
        assert time.monotonic() - started < TIMEOUT_SECONDS
        if not sent and time.monotonic() - started > (interrupt_after_seconds or 0.0):
            process.send_signal(signal.SIGINT)
            sent = True
        shown += _read(ours)
        time.sleep(0.02)
    while more := _read(ours):
        shown += more
    os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    """What has come; nothing at the end, which Linux reports as an error."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


@pytest.mark.parametrize("columns", [60, 200])
def test_prose_has_the_width_of_the_terminal(columns: int, installed: Installed) -> None:
    """Of 100 columns at most, where lines get hard to read."""
    arguments = ["recommend", "order-service", "--memory", "512Mi", "--duration", "20s", "--replicas", "2"]
    status, shown = on_a_terminal(installed, arguments, columns=columns)
    assert status == 0, shown
    text = _COLOURS.sub("", shown)
    prose = text[text.index("Constraints: memory") :].split("\n\n")[0].splitlines()
    assert len(prose) > 2
    assert 0.7 * min(columns, 100) < max(map(len, prose)) <= min(columns, 100)


def test_only_a_terminal_gets_escape_codes_and_none_with_no_color(installed: Installed) -> None:
    """A pipe gets none, and with NO_COLOR the terminal has the text of the pipe."""
    arguments = ["--quiet", "simulate", "order-service", "--duration", "5s", "--replicas", "2"]
    status, shown = on_a_terminal(installed, arguments, columns=100)
    assert status == 0, shown
    assert _COLOURS.search(shown)
    piped = installed.run(*arguments)
    assert "\x1b" not in piped.stdout + piped.stderr
    _, plain = on_a_terminal(installed, arguments, columns=100, env={"NO_COLOR": "1"})
    assert plain == piped.stdout


def test_an_interrupt_shows_the_cursor_again(installed: Installed) -> None:
    """After the progress bar hid it; the last line says what happened."""
    grid = ["--gogc", "25:800:60", "--gomemlimit", "128MiB:2GiB:40", "--replicas", "100"]
    status, shown = on_a_terminal(
        installed, ["sweep", "order-service", *grid], columns=80, interrupt_after_seconds=2.5
    )
    assert status == 130, shown
    assert "Traceback" not in shown
    assert "gcsim: interrupted" in shown
    assert shown.rfind("\x1b[?25h") >= shown.rfind("\x1b[?25l")
