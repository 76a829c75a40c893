"""Machine code on disk, so that a later process need not compile it.

The folder is ``gcsim/kernels`` in ``$XDG_CACHE_HOME`` or ``~/.cache``. Code is read only from a folder that belongs to
the user, and into which nobody else may write. A file carries a checksum. Any fault of the disk means that there is no
kept code: nothing fails.
"""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_MOST_FILES = 2000  # of some 5 kB; a new one removes all others then
_CHECKSUM_BYTES = hashlib.sha256().digest_size


def exists() -> bool:
    """Whether there is code of an earlier process."""
    folder = _folder()
    try:
        return folder is not None and _is_private(folder) and any(folder.glob("*.o"))
    except OSError:
        return False


def read(text: str) -> bytes | None:
    """The kept code that was compiled from ``text``; None if there is none."""
    folder = _folder()
    try:
        if folder is None or not _is_private(folder):
            return None
        content = (folder / _name(text)).read_bytes()
    except OSError:
        return None
    checksum, code = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    return code if hashlib.sha256(code).digest() == checksum else None


def write(text: str, code: bytes) -> None:
    """Keeps code, if the disk allows it. Other processes see the whole file or none."""
    folder = _folder()
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder):
            return
        others = list(folder.glob("*.o"))
        if len(others) >= _MOST_FILES:
            for one in others:
                one.unlink(missing_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            Path(temporary).replace(folder / _name(text))
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise


def _folder() -> Path | None:
    """The folder of the code; None without a home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if given and Path(given).is_absolute():
        return Path(given) / "gcsim" / "kernels"
    try:
        return Path.home() / ".cache" / "gcsim" / "kernels"
    except RuntimeError:
        return None


def _is_private(folder: Path) -> bool:
    found = folder.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest() + ".o"
