"""Runs a Go program with its GC traces on, and writes its log and its side file."""

import datetime
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gcsim.capture.buildinfo import go_version_in, go_version_of
from gcsim.capture.child import ChildUsage, run_child
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.capture.log_file import LogFile
from gcsim.capture.log_mark import LogMark
from gcsim.capture.notes import notes_of
from gcsim.capture.own_lines import OwnLines
from gcsim.capture.run_settings import GoProgram, gomaxprocs_from_env, gomemlimit_from_env, traced
from gcsim.capture.side_values import KNOBS
from gcsim.capture.signals import SignalRelay
from gcsim.capture.watch import Family
from gcsim.errors import InputError

PATIENCE_SECONDS = 5.0  # before a note that a wrapper starts no Go program, or that SIGTERM has no effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A finished capture. ``notes`` are sentences about problems."""

    info: CaptureInfo
    side_file: Path | None  # None if the log is not a regular file, or if the side file could not be written
    log_failure: str | None  # the reason why the log is incomplete
    is_stopped: bool  # at the end of the requested duration
    notes: tuple[str, ...]

    @property
    def exit_status(self) -> int:
        """The program's exit status; 0 if the SIGTERM at the end of the requested duration ended it."""
        status = self.info.exit_status or 0
        return 0 if self.is_stopped and status == 128 + 15 else status


def run_capture(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = None,
    echo: bool = True,
    duration_seconds: float | None = None,
    say: Callable[[str], None] = lambda _note: None,
) -> Capture:
    """Runs ``command`` with its GC traces on (see ``traced``); writes ``log`` and ``LOG.meta.json``.

    The log receives standard error. With ``echo``, standard error of gcsim receives the lines that are not trace
    lines. The child keeps standard input and output (``stdout`` as for subprocess). ``env`` is the whole environment,
    by default that of gcsim. Signals are forwarded (see ``run_child``). After ``duration_seconds`` the program gets
    SIGTERM. ``say`` receives sentences while the program runs. A log that fails during the run does not stop the
    program. Raises InputError if the program is missing or not executable, if GOMEMLIMIT is malformed, or if the log
    cannot be written; the old log then stays unchanged.
    """
    if not command:
        raise InputError("no program to capture; write it behind --, as in: gcsim capture -o LOG -- ./app")
    env = dict(os.environ if env is None else env)
    program = _executable(command[0], env)
    go = _go_program(program, env)
    gomemlimit_from_env(env)  # Go stops at a malformed value
    env["GODEBUG"] = traced(env.get("GODEBUG", ""), None if go is None else go.minor)  # go.env is the same
    with SignalRelay() as relay, LogFile(log) as file:
        run = _Run(file=file, say=say, echo=echo, name=command[0], duration_seconds=duration_seconds)
        start_time = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        busy_before = _machine_busy_seconds()
        try:
            usage = run_child(
                [str(program), *command[1:]], env=env, stdout=stdout, on_stderr=run.copy, on_start=file.begin,
                on_look=run.look, relay=relay, stop_after_seconds=duration_seconds, go=go,
            )  # fmt: skip
        except InputError:
            file.abandon()
            raise
        run.finish()
        known = usage.go_programs[0].go if usage.go_programs else go
        info = _info(command, env, known, usage, file, start_time, _foreign_cpu(busy_before, usage))
        side, side_failure = _saved(info, file)
        failure = None if file.failure is None else (file.failure.strerror or str(file.failure))
        notes = notes_of(usage, file, env=env, name=command[0], side_failure=side_failure)
        return Capture(
            info=info, side_file=side, log_failure=failure, is_stopped=usage.is_stopped, notes=tuple(notes)
        )


@dataclass(slots=True, kw_only=True)
class _Run:
    """The handling of standard error and of notes while the program runs."""

    file: LogFile
    say: Callable[[str], None]
    echo: bool
    name: str
    duration_seconds: float | None
    _own: OwnLines = field(default_factory=OwnLines)
    _said: set[str] = field(default_factory=set)

    def copy(self, piece: bytes) -> None:
        """Writes a piece of standard error to the log and echoes the program's own lines."""
        self.file.write(piece)
        if self.file.failure is not None:
            self._once(
                "log",
                f"{self.file.path}: cannot be written further ({self.file.failure.strerror});"
                f" {self.name} continues without its log",
            )
        if self.echo:
            self._show(self._own.add(piece))

    def finish(self) -> None:
        """Echoes the rest of the program's own text."""
        if self.echo:
            self._show(self._own.end())

    def look(self, family: Family, seconds: float) -> None:
        """Gives notes about a run that does not go as expected."""
        if seconds > PATIENCE_SECONDS and not family.go_programs and sys.platform == "linux":
            self._once(
                "no Go",
                f"no Go program has been found under {self.name} yet;"
                " name the Go program itself if this one does not start it",
            )
        if self.duration_seconds is not None and seconds > self.duration_seconds + PATIENCE_SECONDS:
            self._once(
                "slow", f"{self.name} has not ended {PATIENCE_SECONDS:.0f} s after SIGTERM; Ctrl-C reaches it"
            )

    def _show(self, text: bytes) -> None:
        if text:
            self.echo = _echo(text)

    def _once(self, key: str, text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self.say(text)


def _executable(name: str, env: Mapping[str, str]) -> Path:
    """The absolute path of a program. Raises InputError if it is missing or not executable."""
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found:
        return Path(
            found
        ).absolute()  # absolute, because a Path drops "./" and a bare name would be searched on PATH
    if not Path(name).exists():
        raise InputError(f"{name}: no such program; name a Go binary, with its path or on PATH")
    raise InputError(f"{name}: is not an executable file; name a Go binary, or make it executable")


def _go_program(program: Path, env: Mapping[str, str]) -> GoProgram | None:
    """The Go program at a path; None for a possible wrapper of a Go program, which only Linux supports."""
    version = go_version_in(program) if sys.platform == "linux" else go_version_of(program)
    return None if version is None else GoProgram(path=program, go_version=version, env=env)


def _info(
    command: Sequence[str],
    env: Mapping[str, str],
    go: GoProgram | None,
    usage: ChildUsage,
    file: LogFile,
    start_time: str,
    foreign_cpu: float | None,
) -> CaptureInfo:
    """The side file's content."""
    watch = usage.go_programs[0] if usage.go_programs else None
    is_known = go is not None
    accounts = None if watch is None or watch.accounts is None else watch.accounts.accounts
    return CaptureInfo(
        gogc=100 if go is None else go.gogc,
        gomemlimit_bytes=None if go is None else go.gomemlimit_bytes,
        gomaxprocs=file.last_gomaxprocs or gomaxprocs_from_env(env if go is None else go.env),
        go_version=None if go is None else go.go_version,
        go=None if go is None else f"1.{go.minor}",
        rss_peak_bytes=None if go is None else usage.rss_peak_bytes,
        start_time=start_time,
        wall_seconds=usage.wall_seconds,
        cpu_seconds=None if go is None else usage.cpu_seconds,
        exit_status=usage.exit_status,
        was_stopped=usage.is_stopped or usage.is_signalled,
        command=list(command),
        foreign_cpu_fraction=foreign_cpu,
        heap_mapped_bytes=None if usage.memory is None else usage.memory.heap_mapped_bytes,
        rss_outside_heap_bytes=None if usage.memory is None else usage.memory.rss_outside_heap_bytes,
        anonymous_peak_bytes=usage.resident.anonymous_bytes if is_known else None,
        file_peak_bytes=usage.resident.file_bytes if is_known else None,
        shared_peak_bytes=usage.resident.shared_bytes if is_known else None,
        cgroup=usage.cgroup if is_known else None,
        cpu_quota=usage.cpu_quota if is_known else None,
        binary=usage.binary,
        read_ahead_kib=usage.read_ahead_kib,
        heap_accounts=accounts,
        log=LogMark.of(file.head) if file.is_regular else None,
        assumed=KNOBS if go is None else (),
    )


def _saved(info: CaptureInfo, file: LogFile) -> tuple[Path | None, str]:
    """(path of the written side file or None, reason of a failure or an empty text)."""
    if not file.is_regular:
        return None, ""
    side = side_file(file.path)
    try:
        info.save(side)
    except InputError as error:
        return None, str(error)
    return side, ""


def _echo(piece: bytes) -> bool:
    """Writes to standard error of gcsim; returns False if it has no reader."""
    try:
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
    except (OSError, ValueError, AttributeError):
        return False
    return True


def _machine_busy_seconds() -> float | None:
    """Busy CPU seconds of all cores since boot, with steal time; None without /proc."""
    try:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (
            int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _foreign_cpu(busy_before: float | None, usage: ChildUsage) -> float | None:
    """Share of all cores that other processes, gcsim included, used during the run. Its resolution is 10 ms."""
    busy_after = _machine_busy_seconds()
    if busy_before is None or busy_after is None or usage.total_wall_seconds <= 0:
        return None
    foreign = busy_after - busy_before - max(usage.cpu_seconds, usage.total_cpu_seconds)
    return max(0.0, foreign / (usage.total_wall_seconds * (os.cpu_count() or 1)))
