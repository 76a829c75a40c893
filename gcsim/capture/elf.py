"""The parts of an ELF binary that a process maps, from its program headers."""

import struct
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from gcsim.errors import InputError

_MAGIC = b"\x7fELF"
_LOAD, _INTERPRETER = 1, 3  # PT_LOAD, PT_INTERP
_EXECUTABLE, _WRITABLE = 1, 2  # PF_X, PF_W
_MOST_HEADERS = 1024  # a program has about ten
_MOST_BYTES = 1 << 48
# e_phoff, e_phentsize, e_phnum; p_type, p_flags, p_filesz, p_memsz: format and offset in a header of 64 and of 32 bits
_WIDE = (("Q", 32), ("H", 54), ("H", 56), ("I", 0), ("I", 4), ("Q", 32), ("Q", 40))
_NARROW = (("I", 28), ("H", 42), ("H", 44), ("I", 0), ("I", 24), ("I", 16), ("I", 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class BinarySizes:
    """The sizes of a binary's loaded segments in bytes. Debug information is not loaded."""

    text_bytes: int  # executable: file pages, resident once they ran
    read_only_bytes: int  # constants and the runtime's tables: file pages too
    data_bytes: int  # initialized variables: file pages until they are written, anonymous afterwards
    zeroed_bytes: int  # variables without an initial value: anonymous once they are written
    is_dynamic: bool  # it needs a dynamic linker, as most programs with cgo do

    @property
    def file_bytes(self) -> int:
        """The most that the binary's own file pages can take: text, constants, and data as it was read."""
        return self.text_bytes + self.read_only_bytes + self.data_bytes

    @classmethod
    def from_json(cls, record: object) -> Self:
        """The sizes in a side file. Raises InputError that says what is wrong."""
        names = [field.name for field in fields(cls)]
        if not isinstance(record, dict) or not set(names) <= set(record):
            raise InputError("binary has not the keys " + ", ".join(names))
        *sizes, is_dynamic = (record[name] for name in names)
        if not all(type(size) is int and 0 <= size <= _MOST_BYTES for size in sizes):
            raise InputError("binary holds something that is not a size in bytes")
        if type(is_dynamic) is not bool:
            raise InputError("binary has an is_dynamic that is neither true nor false")
        return cls(**{name: record[name] for name in names})


def binary_sizes(path: Path) -> BinarySizes | None:
    """The sizes of an ELF executable; None for a file that is not one. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        start = file.read(64)
        if len(start) < 52 or start[:4] != _MAGIC or start[4] not in (1, 2) or start[5] not in (1, 2):
            return None
        order, layout = "<" if start[5] == 1 else ">", _WIDE if start[4] == 2 else _NARROW

        def at(header: bytes, field: int) -> int:
            form, offset = layout[field]
            return int(struct.unpack_from(order + form, header, offset)[0])

        try:
            place, size, count = (at(start, field) for field in range(3))
            file.seek(place)
            table = file.read(size * min(count, _MOST_HEADERS))
            headers = [table[k * size : (k + 1) * size] for k in range(len(table) // size)] if size else []
            segments = [tuple(at(header, field) for field in range(3, 7)) for header in headers]
        except (struct.error, OverflowError, ValueError):  # a damaged file
            return None
    loaded = [(flags, stored, total) for kind, flags, stored, total in segments if kind == _LOAD]
    if not any(flags & _EXECUTABLE for flags, _, _ in loaded):
        return None
    written = [(stored, total) for flags, stored, total in loaded if flags & _WRITABLE]
    return BinarySizes(
        text_bytes=sum(
            stored for flags, stored, _ in loaded if flags & _EXECUTABLE and not flags & _WRITABLE
        ),
        read_only_bytes=sum(stored for flags, stored, _ in loaded if not flags & (_EXECUTABLE | _WRITABLE)),
        data_bytes=sum(stored for stored, _ in written),
        zeroed_bytes=sum(max(total - stored, 0) for stored, total in written),
        is_dynamic=any(kind == _INTERPRETER for kind, *_ in segments),
    )


def sizes_of_process(pid: int) -> BinarySizes | None:
    """The sizes of the binary that a process runs; None if it cannot be read, or is not an ELF executable."""
    try:
        return binary_sizes(Path(f"/proc/{pid}/exe"))
    except OSError:
        return None
