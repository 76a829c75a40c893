"""Sizes, percentages and durations in the spelling that Go and its users write.

Memory is integer bytes, durations are float seconds; ``None`` stands for "off".
"""

import re

from gcsim.errors import InputError

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
MAX_INT64 = (1 << 63) - 1

_GO_SUFFIXES = {"": 1, "B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}
_FOREIGN_SUFFIXES = {
    "Ki": "KiB", "Mi": "MiB", "Gi": "GiB", "Ti": "TiB",
    "K": "KiB", "M": "MiB", "G": "GiB", "T": "TiB",
    "k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB",
    "KB": "KiB", "MB": "MiB", "GB": "GiB", "TB": "TiB",
}  # fmt: skip
_DURATION_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_go_bytes(text: str, *, what: str = "size") -> int:
    """Bytes written as GOMEMLIMIT is: a whole number with ``B KiB MiB GiB TiB`` or nothing.

    Go 1.19+ ``runtime.parseByteCount``. ``what`` names the option in the error.
    Raises InputError, with Go's spelling for a Kubernetes quantity.
    """
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", text.strip())
    if match is None:
        raise InputError(f"{what}: {text!r} is not a size; write a whole number and a unit, such as 512MiB")
    number, suffix = int(match[1]), match[2]
    if suffix not in _GO_SUFFIXES:
        if suffix in _FOREIGN_SUFFIXES:
            mend = f"{number}{_FOREIGN_SUFFIXES[suffix]}"
            raise InputError(f"{what}: Go does not read {text!r}; write {mend}")
        raise InputError(f"{what}: unknown unit {suffix!r} in {text!r}; Go knows B, KiB, MiB, GiB, TiB")
    total = number * _GO_SUFFIXES[suffix]
    if total > MAX_INT64:
        raise InputError(f"{what}: {text!r} is more than Go's largest size, {MAX_INT64} bytes")
    return total


def parse_gomemlimit(text: str, *, what: str = "--gomemlimit") -> int | None:
    """A memory limit in bytes, or None for ``off``."""
    if text.strip().lower() == "off":
        return None
    limit = parse_go_bytes(text, what=what)
    return None if limit == MAX_INT64 else limit


def parse_gogc(text: str, *, what: str = "--gogc") -> int | None:
    """GOGC as a percentage of 0 or more, or None for ``off``.

    Stricter than Go 1.19+ ``runtime.readGOGC``, which takes a malformed value for 100 in silence
    and a negative one for off: both are errors here.
    """
    text = text.strip()
    if text.lower() == "off":
        return None
    if not re.fullmatch(r"-?\d+", text):
        raise InputError(f"{what}: {text!r} is not a percentage; write a whole number such as 100, or off")
    value = int(text)
    if value < 0:
        raise InputError(f"{what}: {text} is negative; write 0 or more, or off to collect on the limit alone")
    if value > 2**31 - 1:
        raise InputError(f"{what}: {text} is more than Go's largest percentage, {2**31 - 1}")
    return value


def parse_duration(text: str, *, what: str = "--duration") -> float:
    """Seconds from Go's duration syntax (``10m``, ``1h30m``, ``250ms``); a bare number is seconds."""
    stripped = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        seconds = float(stripped)
    elif re.fullmatch(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", stripped):
        parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", stripped)
        seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    else:
        raise InputError(f"{what}: {text!r} is not a duration; write for example 10m, 90s or 1h30m")
    if seconds <= 0:
        raise InputError(f"{what}: {text!r} must be more than zero")
    return seconds


def parse_fraction(text: str, *, what: str) -> float:
    """A share between 0 and 1 from ``10%`` or ``0.1``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    value = float(match[1]) / (100.0 if match[2] else 1.0) if match else -1.0
    if not 0.0 < value <= 1.0:
        raise InputError(f"{what}: {text!r} is not a share; write for example 10% or 0.1")
    return value


def format_go_bytes(size_bytes: int | None) -> str:
    """The shortest exact spelling that Go reads back; None is ``off``."""
    if size_bytes is None:
        return "off"
    for suffix, factor in (("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{suffix}"
    return f"{size_bytes}B"


def format_mib(size_bytes: float) -> str:
    """A size for people: three significant digits in MiB or GiB."""
    if size_bytes >= GIB:
        return f"{size_bytes / GIB:.3g} GiB"
    return f"{size_bytes / MIB:.3g} MiB"


def format_gogc(gogc: int | None) -> str:
    """GOGC as its environment variable is written."""
    return "off" if gogc is None else str(gogc)
