"""The values of the options of ``gcsim pool``."""

import re

from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.units import parse_duration, parse_go_bytes, parse_gogc

_MOST_RATE, _MOST_VALUES, _MOST_PROCS = 1e9, 30, 4096


def parts_of(text: str, option: str) -> list[str]:
    """The values of a list. Raises InputError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(parts) > _MOST_VALUES:
        raise InputError(
            f"{option}: {quoted(text)} is not a list of at most {_MOST_VALUES} values, such as a,b,c"
        )
    return parts


def rate_of(text: str) -> float:
    """Gets per second. Raises InputError."""
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,9})?", text.strip()) or not 0 < float(text) <= _MOST_RATE:
        raise InputError(
            f"--gets: {quoted(text)} is not a rate above 0, at most 1e9; write for example 20000"
        )
    return float(text)


def factor_of(text: str) -> float:
    """A factor on the load. Raises InputError."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not 0.001 <= float(text) <= 1000:
        raise InputError(
            f"--load: {quoted(text)} is not a factor from 0.001 to 1000; write for example 0.5,1,2"
        )
    return float(text)


def procs_of(text: str) -> int:
    """A number of Ps. Raises InputError."""
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= _MOST_PROCS:
        raise InputError(
            f"--gomaxprocs: {quoted(text)} is not from 1 to {_MOST_PROCS}; write for example 1,2,4"
        )
    return int(text)


def size_of(text: str) -> float:
    """Bytes of an object. Raises InputError."""
    value = parse_go_bytes(text, what="--size")
    if not 1 <= value <= 1 << 40:
        raise InputError(f"--size: {quoted(text)} is not from 1 B to 1 TiB; write for example 16KiB")
    return float(value)


def time_of(text: str, option: str) -> float:
    """Seconds. Raises InputError."""
    value = parse_duration(text, what=option)
    if not 1e-9 <= value <= 86400.0:
        raise InputError(f"{option}: {quoted(text)} is not between 1 ns and a day; write for example 10ms")
    return value


def logged_gogc(text: str) -> tuple[str, int | None]:
    """(path of a log, its GOGC) of ``LOG=GOGC``; None without GOGC. Raises InputError."""
    path, mark, gogc = text.rpartition("=")
    if not mark:
        return text, None
    if not path:
        raise InputError(f"--fit: {quoted(text)} names no log; write for example gogc-50.log=50")
    return path, parse_gogc(gogc, what="--fit")
