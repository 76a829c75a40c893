"""The log file of a capture: opened before the program starts, replaced when it has started."""

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
READER_SECONDS = 10.0  # the longest wait for the reader of a FIFO
_LINE_BYTES = 64  # more than the beginning of a gc line
_GC_LINE = re.compile(rb"^gc \d+ @", re.MULTILINE)
_GOMAXPROCS = re.compile(rb"^gc \d+ @.*, (\d+) P\b", re.MULTILINE)
_DESCRIPTOR = re.compile(r"/proc/([0-9]{1,9})(?:/task/[0-9]{1,9})?/fd/([0-9]{1,9})")
_MOST_LINKS = 40  # Linux follows as many


class LogFile:
    """A log that is being written, with its head and its last lines in memory; the file is never read back.

    ``failure`` is the error that stopped writing. Later output is dropped.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file without a change. Raises InputError if it cannot be written."""
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
        """Returns this file, which is open already."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Closes the file."""
        os.close(self._file)

    def begin(self) -> None:
        """Removes the old side file and empties the log; to be called when the program has started."""
        if not self.is_regular:
            return
        try:
            side_file(self.path).unlink(missing_ok=True)
            os.ftruncate(self._file, 0)
        except OSError as error:
            self.failure = error

    def abandon(self) -> None:
        """Leaves the old log as it was; to be called if the program has not started."""
        if self._is_new:
            self.path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Appends a piece, whole or until the file fails."""
        if not self.has_gc_line:
            text = self._tail[-_LINE_BYTES:] + piece
            self.has_gc_line = b"gc " in text and _GC_LINE.search(text) is not None
        self._tail = (self._tail + piece)[-TAIL_BYTES:] if len(piece) < TAIL_BYTES else piece[-TAIL_BYTES:]
        left = memoryview(piece)
        while len(left) and self.failure is None:
            try:
                written = os.write(self._file, left)
            except BlockingIOError:  # standard output that another process made non-blocking
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
        """The first bytes written."""
        return self._head

    @property
    def last_gomaxprocs(self) -> int | None:
        """GOMAXPROCS in the last gc line, as the process used it; None without a gc line."""
        found = _GOMAXPROCS.findall(self._tail)
        return int(found[-1]) if found else None

    @property
    def is_in_place(self) -> bool:
        """Whether the path still names this file; logrotate, for example, may have moved it."""
        with contextlib.suppress(OSError):
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        return False

    def _open(self) -> int:
        """The descriptor of a new or existing file."""
        flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            file = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            self._is_new = True
        except FileExistsError:
            file = _opened(self.path, flags)
        os.set_blocking(file, True)
        return file

    def _lock(self) -> None:
        """Locks the file until it is closed. Raises InputError if another capture writes it."""
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
    """The descriptor of an existing file; for a FIFO, after its reader has come."""
    deadline = time.monotonic() + READER_SECONDS
    while True:
        try:
            return os.open(path, flags | os.O_CREAT, 0o666)  # to create: the target of a link
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo() or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _own_descriptor(path: Path) -> int | None:
    """The descriptor number behind a path like /dev/stdout or /dev/fd/3, which must not be opened again, else None."""
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
    """Raises InputError for a disk."""
    if stat.S_ISBLK(mode):
        raise InputError(f"{path}: is a disk, not a file; choose another log with -o")


def _require_replaceable(side: Path) -> None:
    """Raises InputError if an old side file cannot be removed."""
    if not side.exists() and not side.is_symlink():
        return
    if side.is_dir() or not os.access(side.parent, os.W_OK | os.X_OK):
        raise InputError(f"{side}: cannot be replaced; remove it or choose another log with -o")
