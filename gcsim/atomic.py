"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gcsim.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; renamed over it when the block ends well, removed otherwise.

    Raises InputError, naming the file, where the folder cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
    os.close(handle)
    try:
        yield Path(temporary)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files private
        try:
            Path(temporary).replace(path)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); choose another output"
            ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all. Raises InputError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
