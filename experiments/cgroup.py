"""Memory cgroups and CPU quotas for runs of real programs, version 1 or 2 (Linux, as root)."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from gcsim.capture.cgroup import VERSION_1, VERSION_2, Cgroup, parse_memory_stat
from gcsim.capture.resident import resident_memory
from gcsim.errors import InputError

MOUNT_1, MOUNT_2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_CPU_MOUNT_1 = MOUNT_2 / "cpu"
_POLL_SECONDS = 0.03
_PERIOD_US = 100_000


class _Control(NamedTuple):
    """The names, in one cgroup version, of the files that a run needs and that are not in ``gcsim.capture.cgroup``."""

    peak: str
    swap: str  # "0" in it keeps the cgroup from swapping


# memory.memsw.limit_in_bytes would do too, but a charge that fails there is counted nowhere
_CONTROL_1 = _Control("memory.max_usage_in_bytes", "memory.swappiness")
_CONTROL_2 = _Control("memory.peak", "memory.swap.max")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCgroup:
    """One cgroup of our own, below the root."""

    cgroup: Cgroup
    is_second: bool

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.cgroup.folder

    @property
    def processes(self) -> Path:
        """The file that a pid is written to."""
        return self.folder / "cgroup.procs"

    @property
    def peak_bytes(self) -> int | None:
        """The highest charge; None where the kernel keeps none (version 2 before Linux 5.19)."""
        return _number(self.folder / (_CONTROL_2 if self.is_second else _CONTROL_1).peak)

    @property
    def kernel_bytes(self) -> int:
        """The kernel memory that is charged now."""
        if self.is_second:
            return self._stat("memory.stat").get("kernel", 0)
        return _number(self.folder / "memory.kmem.usage_in_bytes") or 0

    @property
    def anonymous_bytes(self) -> int:
        """The anonymous memory that is charged now."""
        return self._stat("memory.stat").get(self.cgroup.files.anonymous, 0)

    @property
    def at_limit(self) -> int:
        """How often a charge met the limit: ``memory.failcnt``, or ``max`` of ``memory.events``."""
        if self.is_second:
            return self._stat("memory.events").get("max", 0)
        return _number(self.folder / "memory.failcnt") or 0

    @property
    def oom_kills(self) -> int:
        """How many processes the kernel killed at the limit."""
        return self._stat("memory.events" if self.is_second else "memory.oom_control").get("oom_kill", 0)

    def start(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Starts a command in the cgroup; the options are those of ``subprocess.Popen``.

        A shell joins the cgroup and becomes the command, so that all that the command touches is charged to it.
        """
        join = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.processes)]
        return subprocess.Popen([*join, *command], **options)

    def kill(self) -> None:
        """Kills all processes of the cgroup."""
        for pid in self.cgroup.processes() - {0}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _stat(self, name: str) -> Mapping[str, int]:
        return parse_memory_stat((self.folder / name).read_text())


@contextlib.contextmanager
def memory_cgroup(limit_bytes: int | None) -> Iterator[MemoryCgroup]:
    """A new memory cgroup, removed afterwards with all of its processes; None is no limit.

    Raises InputError with the reason where this machine lets us make none.
    """
    is_second = (MOUNT_2 / "cgroup.controllers").exists()
    top = MOUNT_2 if is_second else MOUNT_1
    files, control = (VERSION_2, _CONTROL_2) if is_second else (VERSION_1, _CONTROL_1)
    folder = top / f"gcsim-{os.getpid()}-{time.monotonic_ns()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise InputError(f"no memory cgroup can be made in {top}: {error.strerror}") from None
    own = MemoryCgroup(cgroup=Cgroup(folder, top, files), is_second=is_second)
    try:
        if not (folder / files.limit).exists():
            raise InputError(f"the memory controller is not enabled for cgroups below {top}")
        if limit_bytes is not None:
            (folder / files.limit).write_text(str(limit_bytes))
            if (folder / control.swap).exists():
                (folder / control.swap).write_text("0")
        yield own
    finally:
        _remove(own)


def _remove(own: MemoryCgroup) -> None:
    """Kills what is left and removes the folder, which the kernel allows once the last process is gone."""
    for _ in range(200):
        own.kill()
        with contextlib.suppress(OSError):
            own.folder.rmdir()
        if not own.folder.exists():
            return
        time.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The highest polled values, in bytes."""

    anonymous_bytes: int = 0
    kernel_bytes: int = 0
    file_resident_bytes: int = 0  # RssFile + RssShmem of the process

    def higher(self, other: "Peaks") -> "Peaks":
        """The larger of each."""
        return Peaks(
            anonymous_bytes=max(self.anonymous_bytes, other.anonymous_bytes),
            kernel_bytes=max(self.kernel_bytes, other.kernel_bytes),
            file_resident_bytes=max(self.file_resident_bytes, other.file_resident_bytes),
        )


class PeakWatch:
    """Polls a cgroup with one process in a thread, while the ``with`` block runs."""

    def __init__(self, own: MemoryCgroup, pid: int) -> None:
        self._own, self._pid = own, pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peaks = Peaks()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            memory = resident_memory(self._pid)
            self.peaks = self.peaks.higher(
                Peaks(
                    anonymous_bytes=self._own.anonymous_bytes,
                    kernel_bytes=self._own.kernel_bytes,
                    file_resident_bytes=(memory.file_bytes or 0) + (memory.shared_bytes or 0),
                )
            )


@contextlib.contextmanager
def cpu_quota(cpus: float | None) -> Iterator[list[str]]:
    """The words before a command that start it under a CPU quota; empty without a quota."""
    if cpus is None:
        yield []
        return
    is_first = _CPU_MOUNT_1.is_dir()
    folder = (_CPU_MOUNT_1 if is_first else MOUNT_2) / f"gcsim-cpu-{os.getpid()}"
    folder.mkdir()
    try:
        if is_first:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(int(cpus * _PERIOD_US)))
        else:
            (folder / "cpu.max").write_text(f"{int(cpus * _PERIOD_US)} {_PERIOD_US}")
        yield ["/bin/sh", "-c", f'echo $$ > {folder / "cgroup.procs"} && exec "$@"', "sh"]
    finally:
        folder.rmdir()


def drop_page_cache(files: Iterable[Path]) -> None:
    """Drops the pages of files that no running process maps, so that the next reader is charged for them."""
    for file in files:
        with contextlib.suppress(OSError), file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def wait_bounded(process: "subprocess.Popen[bytes]", seconds: float, kill: Callable[[], None]) -> int | None:
    """The exit status, or None for a process that had to be killed after this time."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill()
        process.wait()
        return None


def _number(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text())
    return None
