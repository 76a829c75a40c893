"""Reads a log from a path, standard input or an open file, plain or packed, up to a maximum size."""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import sys
import zlib
from pathlib import Path
from typing import IO

from gcsim.errors import InputError
from gcsim.gctrace.encodings import plain_text

Source = str | Path | IO[bytes] | IO[str]

MAX_BYTES = 512 << 20
"""The largest log after unpacking: over three million gc lines."""

_Readable = IO[bytes] | IO[str] | gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File
_PIECE = 4 << 20
_LAYERS = 3  # of packing
_WITHOUT_GC = 256 << 20  # a log has a gc line in as many bytes
# also in UTF-16, and as the bytes of a list in JSON
_GC_LINE = re.compile(rb"gc ?#?\d+ ?@|gc\d+\(|scvg|pacer: |scav |g\0c\0|103, ?99")
_CONTROL = bytes(sorted({*range(1, 9), *range(14, 27)}))
_MOST_CONTROL, _MOST_NULL = 0.01, 0.6  # UTF-16 has up to one half of null bytes
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
_UNPACK_FIRST = {
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -dc"),
    b"\x1f\x9d": ("compress", "gzip -dc"),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip", "7z x -so"),
}


def source_name(source: Source) -> str:
    """The name of the source in messages."""
    if isinstance(source, (str, Path)):
        return "standard input" if str(source) == "-" else str(source)
    return str(getattr(source, "name", "the log"))


def read_source(source: Source) -> bytes:
    """The log's bytes, unpacked, in UTF-8, with characters that tools replaced restored.

    Line numbers stay those of the unpacked file. Raises InputError for a source that cannot be read, that is neither a
    file nor a pipe, or that has more than MAX_BYTES.
    """
    name = source_name(source)
    try:
        data = _raw_bytes(source, name)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; name a gctrace log, or - for standard input") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder; name the gctrace log in it") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); check its permissions") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{name}: is not text in the encoding it was opened with; open it as bytes"
        ) from None
    except ValueError as error:  # a NUL in a path, or a closed file
        raise InputError(f"{name!r}: cannot be read ({error}); name a gctrace log") from None
    return plain_text(_unpack(data, name))


def standard_input_bytes() -> bytes:
    """All bytes of standard input, as they are. Raises InputError if it cannot be read or has more than MAX_BYTES."""
    name = source_name("-")
    try:
        return _standard_input(name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); name a file instead") from None


def _raw_bytes(source: Source, name: str) -> bytes:
    if not isinstance(source, (str, Path)):
        return _read_bounded(source, name)
    if str(source) == "-":
        return _standard_input(name)
    found = Path(source).stat()
    _refuse_devices(found, name)
    if stat.S_ISREG(found.st_mode) and found.st_size > MAX_BYTES:
        raise InputError(_too_large(name))
    with Path(source).open("rb") as file:
        return _read_bounded(file, name)


def _standard_input(name: str) -> bytes:
    if sys.stdin is None:
        raise InputError("standard input: is closed; name a gctrace log, or pipe one in")
    try:
        found = os.fstat(sys.stdin.fileno())
    except io.UnsupportedOperation:  # an object that is not a file of the system
        return _read_bounded(sys.stdin.buffer, name)
    if not sys.stdin.isatty():
        _refuse_devices(found, name)
    return _read_bounded(sys.stdin.buffer, name)


def _refuse_devices(found: os.stat_result, name: str) -> None:
    """Raises InputError for a device, because /dev/zero has no end; /dev/null is an empty file."""
    is_device = stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)
    if is_device and found.st_rdev != Path(os.devnull).stat().st_rdev:
        raise InputError(f"{name}: is a device; name a gctrace log, or - for standard input")


def _read_bounded(file: _Readable, name: str, packing: str = "") -> bytes:
    """The bytes of an open file. Raises InputError beyond MAX_BYTES."""
    pieces: list[bytes] = []
    size, has_gc = 0, False
    while piece := file.read(_PIECE):
        pieces.append(piece.encode(errors="surrogateescape") if isinstance(piece, str) else piece)
        size += len(pieces[-1])
        if size > MAX_BYTES:
            raise InputError(_too_large(name, packing))
        if len(pieces) == 1 and size >= _PIECE:
            _refuse_binary(pieces[0], name)
        has_gc = has_gc or _GC_LINE.search(pieces[-1]) is not None
        if size > _WITHOUT_GC and not has_gc:
            raise InputError(
                f"{name}: has no gc line in its first {_WITHOUT_GC >> 20} MiB; pass its trace lines alone"
                " (grep -aE 'gc *[0-9]+|pacer:|scav|scvg')"
            )
    return b"".join(pieces)


def _refuse_binary(head: bytes, name: str) -> None:
    """Raises InputError for the beginning of a large binary file, which would take long to search."""
    if head.startswith(tuple(_PACKED)) or _GC_LINE.search(head) is not None:
        return
    control = len(head) - len(head.translate(None, _CONTROL))
    if control > _MOST_CONTROL * len(head) or head.count(0) > _MOST_NULL * len(head):
        raise InputError(f"{name}: is a binary file, not a gctrace log; give it the program's standard error")


def _too_large(name: str, packing: str = "") -> str:
    holds = f"unpacks from {packing} to" if packing else "holds"
    return (
        f"{name}: {holds} more than {MAX_BYTES >> 20} MiB, the most that is read;"
        " pass its trace lines alone (grep -aE 'gc *[0-9]+|pacer:|scav|scvg')"
    )


def _unpack(data: bytes, name: str) -> bytes:
    for _ in range(_LAYERS):
        packing = next((kind for magic, kind in _PACKED.items() if data.startswith(magic)), None)
        if packing is None:
            break
        data = _unpack_once(data, packing, name)
    for magic, (packing, command) in _UNPACK_FIRST.items():
        if data.startswith(magic):
            raise InputError(f"{name}: is packed with {packing}; unpack it first, as with {command}")
    return data


def _unpack_once(data: bytes, packing: str, name: str) -> bytes:
    packed = io.BytesIO(data)
    try:
        with _opened(packed, packing) as file:
            return _read_bounded(file, name, packing)
    except (EOFError, OSError, zlib.error, lzma.LZMAError):
        raise InputError(
            f"{name}: its {packing} data are damaged or cut short; unpack what is left and read that"
        ) from None


def _opened(packed: IO[bytes], packing: str) -> gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File:
    if packing == "gzip":
        return gzip.open(packed)
    return lzma.open(packed) if packing == "xz" else bz2.open(packed)
