"""Reads the bytes of files with evidence, within bounds."""

import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gcsim.diagnosis.profiles.bounds import MOST_BYTES
from gcsim.errors import InputError
from gcsim.gctrace.source import MAX_BYTES

_HEAD = 1 << 20
MOST_TEXT_BYTES = 40 << 20
MOST_DUMP_BYTES = 256 << 20  # a dump of half a million goroutines
_PIECE = 4 << 20
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a]")


def is_binary(head: bytes) -> bool:
    """Whether a file is neither text, in UTF-16 either, nor packed."""
    control = len(_CONTROL.findall(head))
    return control > 0.01 * len(head) and not head.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh"))


def piped_bytes(file: str) -> bytes:
    """The bytes of a named pipe, which can be read only once; empty for any other file."""
    try:
        if not stat.S_ISFIFO(os.stat(file).st_mode):  # noqa: PTH116  # names with a null character raise here, too
            return b""
        with Path(file).open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return b""
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{file}: holds more than {MAX_BYTES >> 20} MiB, the most that is read; pass a shorter log"
        )
    return data


def head_of(data: bytes, file: str) -> bytes:
    """The first bytes of a file, unpacked; empty if it cannot be read: the reader of logs then says why."""
    try:
        if data or file == "-":
            return _unpacked_head(io.BytesIO(data))
        if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116  # a pipe can be read only once
            return b""
        with Path(file).open("rb") as opened:
            return _unpacked_head(opened)
    except (OSError, ValueError):
        return b""


def _unpacked_head(opened: IO[bytes]) -> bytes:
    start = opened.read(2)
    opened.seek(0)
    if start != b"\x1f\x8b":
        return opened.read(_HEAD)
    pieces: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=opened) as packed:
            while size < _HEAD and (piece := packed.read1(1 << 16)):
                pieces.append(piece)
                size += len(piece)
    except (EOFError, OSError, zlib.error):
        pass
    return b"".join(pieces) or start


def bytes_of(file: str, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file. Raises InputError for one that is larger than any profile."""
    with Path(file).open("rb") as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise InputError(
            f"{file}: holds more than {most >> 20} MiB, the most that is read of such a file; take a shorter profile"
        )
    return data


def text_of(data: bytes, file: str) -> str:
    """The text of a file, unpacked. Raises InputError for one that is too large."""
    raw = data or bytes_of(file, MOST_TEXT_BYTES)
    if raw.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(MOST_TEXT_BYTES + 1)
        except (EOFError, OSError, zlib.error):
            raise InputError(f"{file}: its gzip data are damaged or cut short; save the file again") from None
    if len(raw) > MOST_TEXT_BYTES:
        raise InputError(
            f"{file}: holds more than {MOST_TEXT_BYTES >> 20} MiB, the most that is read of such a file; save"
            " /debug/pprof/goroutine?debug=1"
        )
    return raw.decode("utf-8", errors="replace")


def pieces_of(data: bytes, file: str) -> Iterator[bytes]:
    """The bytes of a dump piece by piece, unpacked. Raises InputError for one that is too large or damaged."""
    with io.BytesIO(data) if data else Path(file).open("rb") as opened:
        is_packed = opened.read(2) == b"\x1f\x8b"
        opened.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=opened) if is_packed else opened  # type: ignore[assignment]
        size = 0
        while True:
            try:
                piece = stream.read(_PIECE)
            except (EOFError, OSError, zlib.error):
                raise InputError(
                    f"{file}: its gzip data are damaged or cut short; save the file again"
                ) from None
            if not piece:
                return
            size += len(piece)
            if size > MOST_DUMP_BYTES:
                raise InputError(
                    f"{file}: holds more than {MOST_DUMP_BYTES >> 20} MiB, the most that is read of a dump; save"
                    " /debug/pprof/goroutine?debug=1"
                )
            yield piece
