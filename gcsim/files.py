"""Writing output files so that a reader never meets half of one."""

import contextlib
import os
import tempfile
from pathlib import Path

from gcsim.errors import InputError


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write a file whole or not at all: to a temporary name in the same folder, then renamed.

    Returns the path. Raises InputError where the folder or the file cannot be written. A path that is not a
    regular file (/dev/stdout, a pipe) is written to directly.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def output_folder(path: Path) -> Path:
    """The folder, made where it is missing. Raises InputError where it cannot be made or written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into the folder {path}: Permission denied")
    return path


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
