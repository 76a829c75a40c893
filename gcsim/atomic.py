"""Atomic writing of files: whole or not at all, one at a time or as a set.

One file: ``write_text_atomically(path, text)``. Several files of one folder that belong together::

    with replacing_set(folder) as files:
        files.write_bytes("heap.png", picture)
        files.write_text("sweep.json", document)  # last: it describes the others

The files reach the folder when the block ends. Each file is written under a temporary name first. When all of them are
complete, they are renamed in the order in which they were added.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from gcsim.errors import InputError
from gcsim.interrupts import held_back

_NAMED_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}

_temporaries: set[Path] = set()


class FileSet:
    """The files of one folder, collected until ``replacing_set`` ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._contents: dict[Path, bytes] = {}

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Adds a file; returns the path that it will have."""
        path = self.folder / name
        self._contents[path] = content
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Adds a file in UTF-8; returns the path that it will have."""
        return self.write_bytes(name, text.encode("utf-8"))

    @property
    def contents(self) -> Mapping[Path, bytes]:
        """The added files by path, in order."""
        return self._contents


@contextmanager
def replacing_set(folder: Path) -> Iterator[FileSet]:
    """A context with a set of files that replaces those in ``folder`` together if the block succeeds.

    The folder is created if it is missing. A failure or signal before the renaming leaves all old files unchanged.
    Raises InputError, naming the file, if one cannot be written.
    """
    files = FileSet(make_folder(folder))
    yield files
    _replace_all(files)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A context with a temporary path; the file is renamed to ``path`` if the block succeeds, else removed.

    Links are followed. A special file (/dev/null, a pipe) is written directly, and an open descriptor (/dev/stdout)
    receives the content; neither is replaced. Raises InputError, naming the file, if it cannot be written.
    """
    descriptor = descriptor_of(path)
    try:
        if descriptor is not None:
            with _temporary_in(Path(tempfile.gettempdir()), path.suffix) as temporary:
                yield temporary
                _copy_to(descriptor, temporary)
            return
        target = _target(path)
        if _is_special(target):
            yield target
            return
        with _temporary_in(target.parent, target.suffix) as temporary:
            yield temporary
            with held_back():
                temporary.replace(target)
    except OSError as error:
        _refuse(path, error)


def write_text_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all. Raises InputError."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def check_output(path: Path) -> None:
    """Raises InputError if a file of that name cannot be written; leaves no file behind.

    Commands call it before long work.
    """
    if descriptor_of(path) is not None:
        return
    try:
        target = _target(path)
        if not _is_special(target):
            with _temporary_in(target.parent, target.suffix):
                pass
    except OSError as error:
        _refuse(path, error)


def check_folder(path: Path) -> None:
    """Raises InputError if ``replacing_set`` cannot create or write the folder; leaves no file behind."""
    existing = next((place for place in (path, *path.parents) if os.path.lexists(place)), Path())
    try:
        with _temporary_in(existing, ""):
            pass
    except OSError as error:
        _refuse_folder(path, error)


def make_folder(path: Path) -> Path:
    """The folder, created if missing. Raises InputError if it cannot be created or written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with _temporary_in(path, ""):
            pass
    except OSError as error:
        _refuse_folder(path, error)
    return path


def descriptor_of(path: Path) -> int | None:
    """The descriptor of this process that the path names, such as 1 for /dev/stdout; None for other paths."""
    text = str(path)
    if text in _NAMED_DESCRIPTORS:
        return _NAMED_DESCRIPTORS[text]
    match = re.fullmatch(r"(?:/dev/fd|/proc/self/fd)/([0-9]{1,6})", text)
    return int(match[1]) if match else None


def discard_temporaries() -> None:
    """Removes the temporary files of unfinished blocks, for a process that exits at once."""
    for temporary in list(_temporaries):
        with suppress(OSError):
            temporary.unlink()


def _replace_all(files: FileSet) -> None:
    path = files.folder
    with ExitStack() as stack:
        ready: list[tuple[Path, Path]] = []
        try:
            for path, content in files.contents.items():
                target = _target(path)
                if _is_special(target):
                    target.write_bytes(content)
                    continue
                temporary = stack.enter_context(_temporary_in(target.parent, target.suffix))
                temporary.write_bytes(content)
                ready.append((temporary, target))
            with held_back(), _locked(files.folder):
                for temporary, path in ready:
                    temporary.replace(path)
        except OSError as error:
            _refuse(path, error)


def _target(path: Path) -> Path:
    """The path with links followed. Raises IsADirectoryError for a folder."""
    try:
        target = path.resolve()
        is_loop = target.is_symlink()
    except RuntimeError:  # Python 3.11 and 3.12; from 3.13 on the links are left as they are
        is_loop = True
    if is_loop:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return target


def _is_special(target: Path) -> bool:
    return target.exists() and not target.is_file()


def _refuse(path: Path, error: OSError) -> NoReturn:
    reason = error.strerror or error
    raise InputError(f"{path}: cannot be written ({reason}); choose another output") from error


def _refuse_folder(path: Path, error: OSError) -> NoReturn:
    reason = error.strerror or error
    raise InputError(f"{path}: cannot be written into ({reason}); choose another folder") from error


def _copy_to(descriptor: int, temporary: Path) -> None:
    with temporary.open("rb") as source, os.fdopen(os.dup(descriptor), "wb") as output:
        shutil.copyfileobj(source, output)


@contextmanager
def _temporary_in(folder: Path, suffix: str) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=".gcsim-", suffix=suffix[:16], dir=folder)
    os.close(handle)
    temporary = Path(name)
    _temporaries.add(temporary)
    try:
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files private
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        _temporaries.discard(temporary)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Locks the folder against renaming by other runs of gcsim, if the platform can."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
