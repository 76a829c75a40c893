"""Where a log comes from: a path, standard input, an open file; plain or gzip; UTF-8 or UTF-16."""

import codecs
import gzip
import re
import sys
import zlib
from pathlib import Path
from typing import IO

from gcsim.errors import InputError

Source = str | Path | IO[bytes] | IO[str]

_GZIP_MAGIC = b"\x1f\x8b"
_ANSI = re.compile(rb"\x1b\[[0-9;:?]*[A-Za-z]")
_ESCAPED_ARROWS = ((b"&gt;", b">"), (b"\\u003e", b">"), (b"\\u003E", b">"), (b"\\x3e", b">"))


def source_name(source: Source) -> str:
    """How messages call the source."""
    if isinstance(source, (str, Path)):
        return "standard input" if str(source) == "-" else str(source)
    return str(getattr(source, "name", "the log"))


def read_source(source: Source) -> bytes:
    """The log's bytes: unpacked, in UTF-8, without colours, with ``>`` where it was escaped.

    Line numbers stay those of the (unpacked) file. Raises InputError for what cannot be read.
    """
    data = _unpack(_raw_bytes(source), source_name(source))
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):  # PowerShell's redirection
            data = data[2:].decode(encoding, errors="replace").encode()
    if b"\x1b[" in data:
        data = _ANSI.sub(b"", data)
    for escaped, plain in _ESCAPED_ARROWS:
        if escaped in data:
            data = data.replace(escaped, plain)
    return data


def _raw_bytes(source: Source) -> bytes:
    if isinstance(source, (str, Path)):
        if str(source) == "-":
            return sys.stdin.buffer.read()
        try:
            return Path(source).read_bytes()
        except FileNotFoundError:
            raise InputError(f"{source}: no such file; name a gctrace log, or - for standard input") from None
        except IsADirectoryError:
            raise InputError(f"{source}: is a folder; name the gctrace log in it") from None
        except OSError as error:
            raise InputError(f"{source}: cannot be read ({error.strerror}); check its permissions") from None
    data = source.read()
    return data.encode(errors="surrogateescape") if isinstance(data, str) else data


def _unpack(data: bytes, name: str) -> bytes:
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error):
        raise InputError(
            f"{name}: its gzip data are damaged or cut short; unpack what is left and read that"
        ) from None
