"""Attaches to a Go program that already runs: follows its GC trace, and observes its memory in /proc (Linux)."""

import datetime
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gcsim.capture.info import CaptureInfo, side_file
from gcsim.capture.log_file import LogFile
from gcsim.capture.log_mark import LogMark
from gcsim.capture.process_tree import age_seconds, descendants_of, go_program_of, program_of, stat_of
from gcsim.capture.run_settings import GoProgram, is_traced
from gcsim.capture.watch import ProcessWatch
from gcsim.errors import InputError
from gcsim.interrupts import Terminated

LOOK_SECONDS = 0.05
_PIECE = 1 << 16
_GC_LINE = re.compile(rb"gc \d+ @")
_LINE_START_BYTES = 16  # kept of a piece, because a line may begin in it and end in the next
_FEW_LINES = 20  # gc lines: calibration needs some
_SAVE_IT = "save it as a file and give that with --log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A finished observation."""

    info: CaptureInfo
    side_file: Path
    log: Path | None  # None if the log could not be read
    is_early: bool  # a signal ended it
    has_ended: bool  # the process has ended
    gc_lines: int


class Follower:
    """A log file that another process writes, from its end on; rotation and truncation are followed."""

    def __init__(self, path: Path) -> None:
        """Opens the file. Raises OSError."""
        self.path = path
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def pieces(self) -> Iterator[bytes]:
        """The bytes since the last call."""
        while piece := self._file.read(_PIECE):
            yield piece
        try:
            current, own = self.path.stat(), os.fstat(self._file.fileno())
        except OSError:
            return  # rotated, and not created again yet
        if not os.path.samestat(current, own):
            self._file.close()
            self._file = self.path.open("rb")
        elif own.st_size < self._file.tell():
            self._file.seek(0)


def attach(
    pid: int, output: Path, *, log: Path | None, seconds: float | None, say: Callable[[str], None]
) -> Attached:
    """Observes a process for a time, or until it ends or a signal arrives; writes the log and ``LOG.meta.json``.

    ``log`` is the file with the process's trace; without it, the file behind the process's standard error. If neither
    can be read, only the side file is written, and ``say`` receives the reason. Raises InputError if the process cannot
    be observed, or if a given log cannot be read.
    """
    go = _go_program(pid)
    with ExitStack() as opened:
        follower = _follower(pid, go, log, output, say)
        file = None
        if follower is not None:
            opened.callback(follower.close)
            file = opened.enter_context(LogFile(output))
            file.begin()
        run = _Run(pid=pid, go=go, follower=follower, file=file)
        try:
            run.watch_until(seconds)
            is_early = False
        except (KeyboardInterrupt, Terminated):
            is_early = True
        run.copy()
        info = run.info()
        side = side_file(output)
        info.save(side)
    if file is not None and file.failure is not None:
        say(f"{output}: cannot be written further ({file.failure.strerror}); the log is incomplete")
    elif file is not None and run.gc_lines < _FEW_LINES:
        say(
            f"{run.gc_lines} gc lines arrived in {info.wall_seconds:.0f} s, which is little; write a longer --for, or"
            " calibrate the program's whole log"
        )
    return Attached(
        info=info, side_file=side, log=None if file is None else output, is_early=is_early,
        has_ended=run.watch.has_ended, gc_lines=run.gc_lines,
    )  # fmt: skip


class _Run:
    """One observation."""

    def __init__(self, *, pid: int, go: GoProgram, follower: Follower | None, file: LogFile | None) -> None:
        self.gc_lines = 0
        self.watch = ProcessWatch(
            pid,
            time.monotonic() - age_seconds(pid),
            go,
            program_of(pid),
            lambda: [pid, *descendants_of(pid, own_group=False)],
        )
        self._go = go
        self._follower = follower
        self._file = file
        self._started = time.monotonic()
        self._start_time = datetime.datetime.now(datetime.UTC)
        stat_before = stat_of(pid)
        self._cpu_before = 0.0 if stat_before is None else stat_before.cpu_seconds
        self._rest = b""

    def watch_until(self, seconds: float | None) -> None:
        """Polls until the process ends, or for a time."""
        while not self.watch.has_ended and (seconds is None or time.monotonic() - self._started < seconds):
            now = time.monotonic()
            if now >= self.watch.next_look:
                self.watch.look(now)
            self.copy()
            time.sleep(LOOK_SECONDS)

    def copy(self) -> None:
        """Copies the new part of the log."""
        if self._follower is None or self._file is None:
            return
        for piece in self._follower.pieces():
            self._file.write(piece)
            joined = self._rest + piece
            self.gc_lines += len(_GC_LINE.findall(joined)) - len(_GC_LINE.findall(self._rest))
            self._rest = joined[-_LINE_START_BYTES:]

    def info(self) -> CaptureInfo:
        """The side file's content."""
        watch, file, go = self.watch, self._file, self._go
        return CaptureInfo(
            gogc=go.gogc,
            gomemlimit_bytes=go.gomemlimit_bytes,
            gomaxprocs=None if file is None else file.last_gomaxprocs,
            go_version=go.go_version,
            go=f"1.{go.minor}",
            rss_peak_bytes=watch.resident.rss_peak_bytes,
            start_time=self._start_time.isoformat(timespec="milliseconds"),
            wall_seconds=round(time.monotonic() - self._started, 3),
            cpu_seconds=max(watch.cpu_seconds - self._cpu_before, 0.0),
            was_stopped=True,  # the process goes on: it is no job that has ended
            heap_mapped_bytes=None if watch.memory is None else watch.memory.heap_mapped_bytes,
            rss_outside_heap_bytes=None if watch.memory is None else watch.memory.rss_outside_heap_bytes,
            anonymous_peak_bytes=watch.resident.anonymous_bytes,
            file_peak_bytes=watch.resident.file_bytes,
            shared_peak_bytes=watch.resident.shared_bytes,
            cgroup=watch.cgroup.memory,
            cpu_quota=watch.cpu_quota.quota,
            binary=watch.binary,
            read_ahead_kib=watch.read_ahead_kib,
            heap_accounts=None if watch.accounts is None else watch.accounts.accounts,
            log=LogMark.of(file.head) if file is not None and file.is_regular else None,
        )


def _go_program(pid: int) -> GoProgram:
    """The Go program that a process runs. Raises InputError with the reason if it cannot be observed."""
    if sys.platform != "linux":
        raise InputError(
            "--pid reads /proc, which only Linux has; use --url, or start the program with capture"
        )
    if stat_of(pid) is None:
        raise InputError(f"--pid: no process {pid} runs here; in a container, give the pid inside it")
    if not program_of(pid):
        raise InputError(
            f"--pid: process {pid} may not be read; run gcsim as its user or as root (kernel threads have no program)"
        )
    go = go_program_of(pid)
    if go is None:
        raise InputError(
            f"--pid: process {pid} runs {program_of(pid)}, which is no Go program; name the Go program"
        )
    return go


def _follower(
    pid: int, go: GoProgram, log: Path | None, output: Path, say: Callable[[str], None]
) -> Follower | None:
    """The follower of the log; None, after a note, if there is no file to follow. Raises InputError for a given log."""
    if not is_traced(go.env.get("GODEBUG", "")):
        say(
            f"process {pid} was started without GODEBUG=gctrace=1, so it writes no gc lines; start it again with"
            " GODEBUG=gctrace=1, or use gcsim capture --url"
        )
        if log is None:
            return None
    path = log
    if path is None:
        path, reason = _standard_error(pid)
        if path is None:
            say(f"its log cannot be read: {reason}")
            return None
    if output.exists() and path.exists() and output.samefile(path):
        raise InputError(f"{output}: is the log that the process writes; choose another log with -o")
    try:
        return Follower(path)
    except OSError as error:
        if log is not None:
            raise InputError(
                f"{log}: cannot be read ({error.strerror}); give the program's log with --log"
            ) from error
        say(f"its log cannot be read: {path} ({error.strerror}); run gcsim as its user or as root")
        return None


def _standard_error(pid: int) -> tuple[Path | None, str]:
    """(the file behind a process's standard error, else the reason why there is none)."""
    link = Path(f"/proc/{pid}/fd/2")
    try:
        name = str(link.readlink())
        kind = link.stat().st_mode
    except OSError as error:
        return (
            None,
            f"its standard error may not be looked at ({error.strerror}); run gcsim as its user or as root",
        )
    if stat.S_ISREG(kind):
        # inside a container the name is of its own file system: the link reaches the file
        named = Path(name)
        try:
            is_here = named.exists() and named.samefile(link)
        except OSError:
            is_here = False
        return (named if is_here else link), ""
    if stat.S_ISFIFO(kind):
        return None, (
            "its standard error is a pipe, which only its reader can read; take the log from that reader, such as"
            f" kubectl logs POD or docker logs, {_SAVE_IT}"
        )
    if stat.S_ISSOCK(kind):
        return None, (
            "its standard error is a socket, as systemd's; run journalctl -f -o cat _PID="
            f"{pid} > app.log at the same time, and give --log app.log"
        )
    if name == "/dev/null":
        return None, "its standard error is discarded (/dev/null); start it again with 2>app.log"
    return None, f"its standard error is a terminal ({name}); start it again with 2>app.log"
