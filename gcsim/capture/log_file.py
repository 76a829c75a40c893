"""The file that a capture writes: opened before the program starts, replaced only once it has started."""

import contextlib
import errno
import os
import re
import select
import stat
import time
from pathlib import Path
from typing import Self

from gcsim.capture.info import side_file
from gcsim.capture.log_mark import MARKED_BYTES
from gcsim.errors import InputError

TAIL_BYTES = 1 << 16
READER_SECONDS = 10.0  # a FIFO without a reader is waited for
_LINE_BYTES = 64  # more than the beginning of a gc line
_GC_LINE = re.compile(rb"^gc \d+ @", re.MULTILINE)
_GOMAXPROCS = re.compile(rb"^gc \d+ @.*, (\d+) P\b", re.MULTILINE)
_DESCRIPTOR = re.compile(r"/proc/([0-9]{1,9})(?:/task/[0-9]{1,9})?/fd/([0-9]{1,9})")
_MOST_LINKS = 40  # Linux follows as many


class LogFile:
    """A log being written, and the parts of it that are asked for afterwards: it is never read back.

    ``failure`` is why it could not be written any further; what comes after that is dropped.
    """

    def __init__(self, path: Path) -> None:
        """Open it without changing it. Raises InputError where it cannot be written."""
        self.path = path
        self.failure: OSError | None = None
        self.has_gc_line = False
        self._head = b""
        self._tail = b""
        self._is_new = False
        descriptor = _own_descriptor(path)
        try:
            self._file = os.dup(descriptor) if descriptor is not None else self._open()
            kind = os.fstat(self._file)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); choose another log with -o"
            ) from error
        self.is_regular = stat.S_ISREG(kind.st_mode) and descriptor is None
        try:
            _refuse_disk(path, kind.st_mode)
            if self.is_regular:
                self._lock()
                _require_replaceable(side_file(path))
        except InputError:
            self.abandon()
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        os.close(self._file)

    def begin(self) -> None:
        """The program has started: the old log goes, its side file first."""
        if not self.is_regular:
            return
        try:
            side_file(self.path).unlink(missing_ok=True)
            os.ftruncate(self._file, 0)
        except OSError as error:
            self.failure = error

    def abandon(self) -> None:
        """The program has not started: leave everything as it was."""
        if self._is_new:
            self.path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Append, all of it or until the file fails."""
        if not self.has_gc_line:
            text = self._tail[-_LINE_BYTES:] + piece
            self.has_gc_line = b"gc " in text and _GC_LINE.search(text) is not None
        self._tail = (self._tail + piece)[-TAIL_BYTES:] if len(piece) < TAIL_BYTES else piece[-TAIL_BYTES:]
        left = memoryview(piece)
        while len(left) and self.failure is None:
            try:
                written = os.write(self._file, left)
            except BlockingIOError:  # standard output that somebody made non-blocking
                select.select([], [self._file], [])
                continue
            except OSError as error:
                self.failure = error
                return
            if len(self._head) < 2 * MARKED_BYTES:
                self._head += bytes(left[: min(written, 2 * MARKED_BYTES)])
            left = left[written:]

    @property
    def head(self) -> bytes:
        """What the file begins with."""
        return self._head

    @property
    def last_gomaxprocs(self) -> int | None:
        """P of the last gc line, the number that the process itself used; None where there is none."""
        found = _GOMAXPROCS.findall(self._tail)
        return int(found[-1]) if found else None

    @property
    def is_in_place(self) -> bool:
        """Whether the path still names this file: it may have been moved away, as logrotate does."""
        with contextlib.suppress(OSError):
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        return False

    def _open(self) -> int:
        flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            file = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            self._is_new = True
        except FileExistsError:
            file = _opened(self.path, flags)
        os.set_blocking(file, True)
        return file

    def _lock(self) -> None:
        """Two captures into one log would mix. The lock ends with the file."""
        with contextlib.suppress(ImportError, OSError):  # not every file system has locks
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._is_new = False
                raise InputError(
                    f"{self.path}: another gcsim capture writes it; choose another log with -o"
                ) from error


def _opened(path: Path, flags: int) -> int:
    """An existing file; a FIFO waits for its reader."""
    deadline = time.monotonic() + READER_SECONDS
    while True:
        try:
            return os.open(path, flags | os.O_CREAT, 0o666)  # to create: the target of a link
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo() or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _own_descriptor(path: Path) -> int | None:
    """The number behind /dev/stdout, /dev/fd/3 and the like: opened anew, a file there would be overwritten."""
    place = Path.cwd() / path
    for _ in range(_MOST_LINKS):
        place = place.parent.resolve() / place.name
        found = _DESCRIPTOR.fullmatch(str(place))
        if found and int(found[1]) == os.getpid():
            return int(found[2])
        try:
            place = place.parent / place.readlink()
        except OSError:
            return None
    return None


def _refuse_disk(path: Path, mode: int) -> None:
    if stat.S_ISBLK(mode):
        raise InputError(f"{path}: is a disk, not a file; choose another log with -o")


def _require_replaceable(side: Path) -> None:
    """Raises InputError where the side file of an earlier capture would stay."""
    if not side.exists() and not side.is_symlink():
        return
    if side.is_dir() or not os.access(side.parent, os.W_OK | os.X_OK):
        raise InputError(f"{side}: cannot be replaced; remove it or choose another log with -o")
