"""Bounds of a pprof profile, checked on its bytes before the protobuf library makes objects of them.

The library needs up to forty bytes for each byte of a message that is made to be expensive, such as millions of empty
samples. The check walks over the fields of the outermost message only.
"""

from gcsim.errors import InputError
from gcsim.units import MIB

MOST_BYTES = 48 * MIB  # unpacked; profiles of large services have 1 to 20 MiB
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5  # wire types
_FIXED = {_FIXED_64: 8, _FIXED_32: 4}

#: number of a field: (its name, most entries, most bytes of all entries)
_BOUNDS = {
    1: ("sample types", 100, MIB),
    2: ("samples", 80_000, 8 * MIB),
    3: ("mappings", 100_000, 8 * MIB),
    4: ("locations", 300_000, 8 * MIB),
    5: ("functions", 300_000, 8 * MIB),
    6: ("strings", 600_000, 32 * MIB),
}
_MOST_OTHERS = 100_000
_FIELDS_LOOKED_AT, _LAST_FIELD = 20, 15  # profile.proto has fields 1 to 15


def looks_like_profile(head: bytes) -> bool:
    """Whether the first fields of a message are those of a profile, with a sample type among them."""
    place = 0
    try:
        for _ in range(_FIELDS_LOOKED_AT):
            tag, place = _varint(head, place)
            number, kind = tag >> 3, tag & 7
            if not 1 <= number <= _LAST_FIELD or kind not in (_VARINT, _BYTES):
                return False
            size, place = _varint(head, place)
            if kind == _BYTES:
                if number == 1 and head[place : place + 1] in (b"\x08", b"\x10"):
                    return True
                place += size
    except ValueError:
        return False
    return False


def check_bounds(data: bytes, source: str) -> None:
    """Raises InputError, naming the file, for a profile beyond the bounds; ValueError for no message."""
    counts: dict[int, int] = dict.fromkeys(range(16), 0)
    sizes: dict[int, int] = dict.fromkeys(range(16), 0)
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        number, kind = min(tag >> 3, 15), tag & 7
        size = 0
        if kind == _BYTES:
            size, place = _varint(data, place)
            place += size
        elif kind == _VARINT:
            _, place = _varint(data, place)
        elif kind in _FIXED:
            place += _FIXED[kind]
        else:
            raise ValueError("a group, which profiles do not have")
        if place > end:
            raise ValueError("cut short")
        counts[number] += 1
        sizes[number] += size
        name, most, most_bytes = _BOUNDS.get(number, ("other fields", _MOST_OTHERS, MIB))
        if counts[number] > most or sizes[number] > most_bytes:
            raise InputError(
                f"{source}: holds more {name} than gcsim reads ({most:,}, or {most_bytes >> 20} MiB); take a"
                " shorter profile, or reduce it with go tool pprof -proto -focus=…"
            )


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """(number, place behind it). Raises ValueError if it does not end."""
    first = data[place : place + 1]
    if first < b"\x80" and first:
        return first[0], place + 1
    value, shift = 0, 0
    for offset, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + offset + 1
        shift += 7
    raise ValueError("cut short")
