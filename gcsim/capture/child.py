"""Runs a child process: copies its standard error, forwards signals, and measures its resource usage."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from gcsim.capture.cgroup import CgroupMemory
from gcsim.capture.cpu_quota import CpuQuota
from gcsim.capture.elf import BinarySizes
from gcsim.capture.memory_map import MemoryMap
from gcsim.capture.resident import ResidentMemory, own_rss_peak
from gcsim.capture.run_settings import GoProgram
from gcsim.capture.signals import SignalRelay
from gcsim.capture.watch import POLL_SECONDS, Family, ProcessWatch
from gcsim.errors import InputError

GATHER_SECONDS = 0.004  # output of this time is copied together, because each wake-up costs CPU
CHUNK_BYTES = 1 << 16
PIPE_BYTES = 1 << 20  # for bursts: with a full pipe the child would wait while it writes its trace
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
_COUNT_ERROR = 0.02  # of resident memory: each CPU counts some pages separately (percpu_counter)
WRAPPER_SECONDS = 2.0  # a wrapper has this time to end after its program


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildUsage:
    """Resource usage of a child that has ended; ``exit_status`` is 128 + n if signal n killed it.

    If the child was not a Go program or became another program, all fields but the exit status describe the busiest Go
    program found. Its values are then the last ones read while it ran.
    """

    exit_status: int
    total_wall_seconds: float  # of the child
    total_cpu_seconds: float  # of the child, with the children that it has waited for
    wall_seconds: float
    cpu_seconds: float
    rss_peak_bytes: int
    memory: MemoryMap | None  # the maximum of each value read; None without /proc
    resident: ResidentMemory = field(default_factory=ResidentMemory)  # the highest polled value of each kind
    cgroup: CgroupMemory | None = None
    cpu_quota: CpuQuota | None = None
    binary: BinarySizes | None = None
    read_ahead_kib: int | None = None
    go_programs: tuple[ProcessWatch, ...] = ()  # the busiest first; the other fields describe it
    is_wrapper: bool = False  # the child was not a Go program
    is_stopped: bool = False  # by ``stop_after_seconds``
    is_signalled: bool = False  # a signal that stops programs arrived while it ran
    leaves_stderr_open: bool = False  # another process still holds standard error open


class Child:
    """A started program until it is reaped."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", started: float, relay: SignalRelay, go: GoProgram | None
    ) -> None:
        self.pid = process.pid
        self.started = started
        self.family = Family(process.pid, started, go=go, own_group=relay.own_group)
        self.ended: tuple[int, float, int] | None = None  # wait status, CPU seconds, ru_maxrss bytes
        self.ended_at = started
        self.is_stopped = False
        self._relay = relay
        self._stop: signal.Signals | None = None
        self._stopped: list[int] = []  # pids that the stop signal was sent to
        self._stopped_at = 0.0  # the last time at which the last of them ran

    def pass_signals(self) -> None:
        """Forwards received signals to the program."""
        for number in self._relay.take():
            target = self._target
            self._send(target, number)
            if number in STOP_SIGNALS and self.family.is_followed:
                self._stop, self._stopped = signal.Signals(number), [target]

    def stop(self) -> None:
        """Sends SIGTERM, once."""
        if not self.is_stopped:
            self.is_stopped = True
            self._stop, self._stopped = signal.SIGTERM, [self._target]
            self._send(self._target, signal.SIGTERM)

    def stop_wrapper(self, now: float) -> None:
        """Sends the stop signal to a wrapper that continues, or restarts its program, after the program has ended."""
        if self._stop is None or self._is_running(self._stopped[-1]):
            self._stopped_at = now
            return
        if self.family.main_program is None and now < self._stopped_at + WRAPPER_SECONDS:
            return
        is_next = self.ended is None and self.pid not in self._stopped
        target = self.pid if is_next else self._target
        if target not in self._stopped:
            self._stopped.append(target)
            self._send(target, self._stop)

    def _is_running(self, pid: int) -> bool:
        if pid == self.pid:
            return self.ended is None
        return any(watch.pid == pid and not watch.has_ended for watch in self.family.go_programs)

    def has_ended(self) -> bool:
        """Whether the child has ended, and also the Go program that a wrapper has started."""
        if self.ended is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                unit = 1 if sys.platform == "darwin" else 1024
                self.ended = (status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
                self.ended_at = time.monotonic()
                self.family.reaped(self.ended_at)
        if self.ended is None or self.family.main_program is not None:
            return False
        return not self.family.may_start(time.monotonic())

    @property
    def is_signalled(self) -> bool:
        """Whether a signal that stops programs has arrived."""
        return self._relay.has_seen_stop

    @property
    def _target(self) -> int:
        main_program = self.family.main_program
        return self.pid if main_program is None else main_program.pid

    def _send(self, pid: int, number: int) -> None:
        if pid == self.pid and self.ended is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def run_child(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: int | IO[bytes] | None = None,
    on_stderr: Callable[[bytes], None],
    on_start: Callable[[], None] = lambda: None,
    on_look: Callable[[Family, float], None] = lambda _family, _seconds: None,
    relay: SignalRelay | None = None,
    stop_after_seconds: float | None = None,
    go: GoProgram | None = None,
) -> ChildUsage:
    """Runs a command to its end and returns its resource usage.

    The child keeps standard input and output; ``on_stderr`` receives its standard error in pieces. ``go`` describes the
    command if it is a Go program. ``on_start`` is called when the program has started, ``on_look`` at every poll with
    the seconds since the start. In the main thread the function forwards SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and
    SIGUSR2 to the child, or to the Go program that a wrapper has started. An entered ``relay`` holds signals for longer
    than the call. After ``stop_after_seconds`` the function sends SIGTERM. It does not wait for output of other
    processes after the child's end. Raises InputError if the program cannot be started.
    """
    if relay is None:
        with SignalRelay() as own:
            return run_child(
                command, env=env, stdout=stdout, on_stderr=on_stderr, on_start=on_start, on_look=on_look,
                relay=own, stop_after_seconds=stop_after_seconds, go=go,
            )  # fmt: skip
    early = relay.take()
    started = time.monotonic()
    process = _started(command, env, stdout, relay)
    relay.started()
    child = Child(process, started, relay, go)
    for number in early:
        os.kill(child.pid, number)
    on_start()
    assert process.stderr is not None
    with process.stderr as pipe:
        _enlarge(pipe.fileno())
        is_open = _copy_and_poll(child, pipe.fileno(), on_stderr, on_look, stop_after_seconds)
    assert child.ended is not None
    process.returncode = os.waitstatus_to_exitcode(child.ended[0])  # this module reaps the process, not Popen
    return _usage(child, leaves_stderr_open=is_open)


def rss_peak(*, polled_bytes: int, reaped_bytes: int, parent_bytes: int) -> int:
    """The child's peak RSS, bytes, from its high-water mark and from ``ru_maxrss``.

    Linux includes the memory before exec in ``ru_maxrss`` (``exec_mmap``). After vfork this is all of the parent, so
    that ``reaped_bytes`` is max(child, parent). It is exact if it is above ``parent_bytes`` by ``_COUNT_ERROR``.
    Otherwise the result is the last poll of the child's high-water mark, at most POLL_SECONDS old. That value may be
    too low by the growth since then, and is never too high.
    """
    exceeds_parent = reaped_bytes > parent_bytes * (1.0 + _COUNT_ERROR)
    return reaped_bytes if exceeds_parent or polled_bytes == 0 else polled_bytes


def _started(
    command: Sequence[str], env: Mapping[str, str], stdout: int | IO[bytes] | None, relay: SignalRelay
) -> "subprocess.Popen[bytes]":
    """The started process. Raises InputError if it cannot be started."""
    try:
        return subprocess.Popen(
            list(command), env=dict(env), stdout=stdout, stderr=subprocess.PIPE, bufsize=0,
            process_group=0 if relay.own_group else None,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"{command[0]}: cannot be started ({error.strerror})") from error


def _usage(child: Child, *, leaves_stderr_open: bool) -> ChildUsage:
    """The resource usage of a reaped child."""
    assert child.ended is not None
    status, cpu_seconds, reaped_bytes = child.ended
    code = os.waitstatus_to_exitcode(status)
    go_programs = tuple(child.family.go_programs)
    main_program = go_programs[0] if go_programs else child.family.root
    is_root = main_program is child.family.root
    polled = main_program.resident.rss_peak_bytes or 0
    if is_root and not child.family.became_another:
        wall_seconds = child.ended_at - child.started
        peak = rss_peak(polled_bytes=polled, reaped_bytes=reaped_bytes, parent_bytes=own_rss_peak())
    else:
        wall_seconds, cpu_seconds, peak = (
            main_program.last_seen - main_program.started, main_program.cpu_seconds, polled
        )  # fmt: skip
    return ChildUsage(
        exit_status=128 - code if code < 0 else code,
        total_wall_seconds=child.ended_at - child.started,
        is_wrapper=child.family.is_followed,
        total_cpu_seconds=child.ended[1],
        wall_seconds=wall_seconds,
        cpu_seconds=cpu_seconds,
        rss_peak_bytes=peak,
        memory=main_program.memory,
        resident=main_program.resident,
        cgroup=main_program.cgroup.memory,
        cpu_quota=main_program.cpu_quota.quota,
        binary=main_program.binary,
        read_ahead_kib=main_program.read_ahead_kib,
        go_programs=go_programs,
        is_stopped=child.is_stopped,
        is_signalled=child.is_signalled,
        leaves_stderr_open=leaves_stderr_open,
    )


def _copy_and_poll(
    child: Child,
    pipe: int,
    on_stderr: Callable[[bytes], None],
    on_look: Callable[[Family, float], None],
    stop_after_seconds: float | None,
) -> bool:
    """Copies and polls until the child ends; returns whether another process still has standard error open."""
    os.set_blocking(pipe, False)
    is_open, pause = True, 0.001
    while not child.has_ended():
        child.pass_signals()
        now = time.monotonic()
        if stop_after_seconds is not None and now >= child.started + stop_after_seconds:
            child.stop()
        child.stop_wrapper(now)
        if now >= child.family.next_look:
            child.family.look(now)
            on_look(child.family, now - child.started)
        if not is_open:  # standard error is closed: the child usually ends soon
            time.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS)
        elif select.select([pipe], [], [], max(child.family.next_look - time.monotonic(), 0.0))[0]:
            time.sleep(GATHER_SECONDS)
            is_open = _drain(pipe, on_stderr)
    return is_open and _drain(pipe, on_stderr)


def _drain(pipe: int, on_stderr: Callable[[bytes], None]) -> bool:
    """Copies available output, at most the size of a pipe; returns False at the end of the stream."""
    for _ in range(PIPE_BYTES // CHUNK_BYTES):
        try:
            piece = os.read(pipe, CHUNK_BYTES)
        except BlockingIOError:
            return True
        if not piece:
            return False
        on_stderr(piece)
    return True


def _enlarge(pipe: int) -> None:
    """Enlarges a pipe's buffer if the system allows it."""
    with contextlib.suppress(ImportError, OSError):  # Linux only, and the system may have a lower limit
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
