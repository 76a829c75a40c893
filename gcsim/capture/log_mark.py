"""A hash of a log's first bytes, by which a side file names its log."""

import gzip
import hashlib
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MARKED_BYTES = 4096
_READ_BYTES = 2 * MARKED_BYTES  # with the carriage returns of a log from Windows
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMark:
    """The hash of a log's first bytes, unpacked and without carriage returns."""

    marked_bytes: int  # number of hashed bytes: MARKED_BYTES, or all of a shorter log
    sha256: str

    @classmethod
    def of(cls, head: bytes) -> Self:
        """The mark of a log that begins with ``head``."""
        marked = head.replace(b"\r", b"")[:MARKED_BYTES]
        return cls(marked_bytes=len(marked), sha256=hashlib.sha256(marked).hexdigest())

    @classmethod
    def from_json(cls, record: object) -> Self:
        """The mark in a side file. Raises ValueError if it is malformed."""
        fields = record if isinstance(record, dict) else {}
        count, digest = fields.get("marked_bytes"), fields.get("sha256")
        if type(count) is not int or not 0 <= count <= MARKED_BYTES or not isinstance(digest, str):
            raise ValueError("needs marked_bytes and sha256")
        return cls(marked_bytes=count, sha256=digest)

    def fits(self, log: Path) -> bool:
        """Whether the log begins with the marked bytes; True if the log cannot be read here.

        Text after the marked bytes does not matter. An empty mark fits only an empty log.
        """
        head = _head(log)
        if head is None:
            return True
        if self.marked_bytes == 0:
            return not head
        return LogMark.of(head.replace(b"\r", b"")[: self.marked_bytes]) == self


def _head(log: Path) -> bytes | None:
    """The first unpacked bytes of a regular file; None for other files and on errors."""
    try:
        if not stat.S_ISREG(log.stat().st_mode):
            return None
        with log.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            if not packed:
                return file.read(_READ_BYTES)
            with gzip.open(file) as unpacked:
                return unpacked.read(_READ_BYTES)
    except (OSError, EOFError, zlib.error):  # the reader of the log reports the error
        return None
