"""Run a child process: copy its standard error, pass signals on, and keep what it used."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from gcsim.errors import InputError
from gcsim.gctrace.heap_accounts import AccountReader
from gcsim.gctrace.memory_map import MemoryMap, memory_map

PASSED_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
KEYBOARD_SIGNALS = ("SIGINT", "SIGQUIT")
POLL_SECONDS = 0.05
ACCOUNT_SECONDS = 0.02  # between looks at the runtime's own counts, of some 20 us each
# between looks at its memory map: at least so long, or so many looks' time
MAP_SECONDS, MAP_COST = 0.5, 200.0
GATHER_SECONDS = 0.004  # what is written within it is copied together: each wake-up costs CPU
CHUNK_BYTES = 1 << 16
PIPE_BYTES = (
    1 << 20
)  # room for bursts: a full pipe would make the child wait for us while it writes its trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildUsage:
    """What a child that has ended used; ``exit_status`` is 128 + n where signal n killed it."""

    exit_status: int
    wall_seconds: float
    cpu_seconds: float
    rss_peak_bytes: int
    memory: MemoryMap | None  # the highest of each that was seen; None where the kernel tells none


def run_child(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: int | IO[bytes] | None = None,
    on_stderr: Callable[[bytes], None],
    accounts: AccountReader | None = None,
) -> ChildUsage:
    """Run to the end; standard input and output are the child's own, standard error comes in pieces.

    ``accounts`` looks at the child all the while.

    Called in the main thread, it passes SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 on to the
    child. What the child's own children still write to standard error after its end is not waited for.
    Raises InputError where the program cannot be started.
    """
    with _passing_signals() as adopt:
        started = time.monotonic()
        try:
            child = subprocess.Popen(
                list(command), env=dict(env), stdout=stdout, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise InputError(f"{command[0]}: cannot be started ({error.strerror})") from error
        adopt(child.pid)
        assert child.stderr is not None
        with child.stderr as pipe:
            _enlarge(pipe.fileno())
            watch = _Watch(child.pid, started, accounts)
            status, usage = _attend(watch, pipe.fileno(), on_stderr)
        wall_seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)  # reaped here, not by Popen
    code = child.returncode
    return ChildUsage(
        exit_status=128 - code if code < 0 else code,
        wall_seconds=wall_seconds,
        cpu_seconds=usage[0],
        rss_peak_bytes=rss_peak(
            polled_bytes=watch.rss_peak_bytes, reaped_bytes=usage[1], parent_bytes=_own_rss_peak()
        ),
        memory=watch.memory,
    )


def rss_peak(*, polled_bytes: int, reaped_bytes: int, parent_bytes: int) -> int:
    """The child's peak resident memory from the two ways to see it.

    Linux counts what was resident before exec into ``ru_maxrss`` (``exec_mmap``), with vfork all of this
    process: ``reaped_bytes`` is max(child, parent), exact once it is above ``parent_bytes``. Otherwise the
    last poll of the child's high-water mark, at most POLL_SECONDS old, stands: low by what it grew since,
    never high.
    """
    return reaped_bytes if reaped_bytes > parent_bytes or polled_bytes == 0 else polled_bytes


class _Watch:
    """What is looked at while the child runs, each at its own pace."""

    def __init__(self, pid: int, started: float, accounts: AccountReader | None) -> None:
        self.pid = pid
        self.rss_peak_bytes = 0
        self.memory: MemoryMap | None = None
        self.next_look = 0.0
        self._started = started
        self._accounts = accounts
        self._next_poll = 0.0
        self._next_map = started + MAP_SECONDS

    def look(self, now: float) -> None:
        """When ``next_look`` has come."""
        if now >= self._next_poll:
            self.rss_peak_bytes = max(self.rss_peak_bytes, _rss_peak_of(self.pid))
            self._next_poll = now + POLL_SECONDS
        self.next_look = self._next_poll
        if self._accounts is not None and self._accounts.wanted:
            self._accounts.look(self.pid, now - self._started)
            self.next_look = min(self.next_look, now + ACCOUNT_SECONDS)
        if now < self._next_map:
            return
        seen = memory_map(self.pid)
        if seen is not None:
            self.memory = seen.highest(self.memory)
        self._next_map = now + max(MAP_SECONDS, MAP_COST * (time.monotonic() - now))


def _attend(watch: _Watch, pipe: int, on_stderr: Callable[[bytes], None]) -> tuple[int, tuple[float, int]]:
    """Copy and watch to the end: wait status, (CPU seconds, ru_maxrss bytes)."""
    os.set_blocking(pipe, False)
    is_open, pause = True, 0.001
    while True:
        now = time.monotonic()
        if now >= watch.next_look:
            watch.look(now)
        if is_open:
            if select.select([pipe], [], [], max(watch.next_look - time.monotonic(), 0.0))[0]:
                time.sleep(GATHER_SECONDS)
                is_open = _drain(pipe, on_stderr)
                continue
        else:  # standard error is closed: the end is near, as a rule
            time.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS)
        ended, status, usage = os.wait4(watch.pid, os.WNOHANG)
        if ended:
            if is_open:
                _drain(pipe, on_stderr)
            unit = 1 if sys.platform == "darwin" else 1024
            return status, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def _drain(pipe: int, on_stderr: Callable[[bytes], None]) -> bool:
    """Pass on what there is, at most a pipe's fill; False at the end of the stream."""
    for _ in range(PIPE_BYTES // CHUNK_BYTES):
        try:
            piece = os.read(pipe, CHUNK_BYTES)
        except BlockingIOError:
            return True
        if not piece:
            return False
        on_stderr(piece)
    return True


@contextlib.contextmanager
def _passing_signals() -> Iterator[Callable[[int], None]]:
    """Within, signals go to the child whose pid the yielded function is given; earlier ones wait."""
    pid: int | None = None
    waiting: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if pid is None:
            waiting.append(number)
        elif not _keyboard_reaches_child(number):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def adopt(child: int) -> None:
        nonlocal pid
        pid = child
        for number in waiting:
            pass_on(number, None)

    if threading.current_thread() is not threading.main_thread():
        yield adopt  # Python delivers signals to the main thread only
        return
    numbers = [getattr(signal, name) for name in PASSED_SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield adopt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keyboard_reaches_child(number: int) -> bool:
    """The whole foreground group gets Ctrl-C: the child has its own, and a second means "at once"."""
    if signal.Signals(number).name not in KEYBOARD_SIGNALS or not sys.__stdin__ or not sys.__stdin__.isatty():
        return False
    return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()


def _enlarge(pipe: int) -> None:
    with contextlib.suppress(ImportError, OSError):  # Linux only, and the system may set a bound
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _rss_peak_of(pid: int) -> int:
    """VmHWM of a running process; 0 where there is no /proc, or it has ended."""
    try:
        match = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(match[1]) << 10 if match else 0


def _own_rss_peak() -> int:
    return _rss_peak_of(os.getpid())
