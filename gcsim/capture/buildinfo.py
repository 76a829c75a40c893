"""The Go version that a binary was built with, read from the binary."""

import mmap
import re
from pathlib import Path

from gcsim.errors import InputError

MAGIC = b"\xff Go buildinf:"
ALIGNMENT = 16  # of the header in the file, in ELF, Mach-O and PE alike
HEADER_BYTES = 32
FLAGS_OFFSET = 15
VERSION_INLINE = 0x2  # Go 1.18+: the strings follow the header; before, it holds pointers to them


def go_version_of(binary: Path) -> str:
    """``runtime.Version()`` of a Go program, such as ``go1.27.3``.

    Source: Go 1.18+ ``debug/buildinfo.readRawBuildInfo``, which searches the data segment. This function searches the
    whole file and skips texts that are not a version, so that it does not parse executable formats. Raises InputError
    for a file that cannot be read, that Go did not build, or that Go 1.17 or older built.
    """
    version = go_version_in(binary)
    if version is None:
        raise InputError(
            f"{binary}: not a program built by Go; name the Go program itself, not a script that starts it"
        )
    return version


def go_version_in(binary: Path) -> str | None:
    """As ``go_version_of``, but None for a file that Go did not build."""
    try:
        with binary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            version = find_go_version(image)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        reason = getattr(error, "strerror", None) or "it is empty"
        raise InputError(f"{binary}: cannot be read ({reason}); name a program built by Go") from error
    if version == "":
        raise InputError(
            f"{binary}: built by Go 1.17 or older, whose version cannot be read;"
            " run it with GODEBUG=gctrace=1 and keep its standard error"
        )
    return version


def find_go_version(image: bytes | mmap.mmap) -> str | None:
    """The version in an executable's bytes; empty for an old header with pointers only, None without a header."""
    old_header = False
    place = image.find(MAGIC)
    while place >= 0:
        header = image[place : place + HEADER_BYTES]
        if place % ALIGNMENT == 0 and len(header) == HEADER_BYTES:
            if not header[FLAGS_OFFSET] & VERSION_INLINE:
                old_header |= header[FLAGS_OFFSET - 1] in (4, 8)  # the size of a pointer
            elif version := _string_at(image, place + HEADER_BYTES):
                return version
        place = image.find(MAGIC, place + 1)
    return "" if old_header else None


def _string_at(image: bytes | mmap.mmap, place: int) -> str | None:
    """The string after its length, a varint of at most two bytes; None if it is not a Go version."""
    length, shift = 0, 0
    for byte in image[place : place + 2]:
        place += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    text = image[place : place + length].decode("ascii", errors="replace")
    return text if re.match(r"(devel )?go1\.\d+", text) else None
