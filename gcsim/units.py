"""Parsing and formatting of sizes, percentages and durations in the spelling of Go and its users.

Memory is integer bytes, durations are float seconds; ``None`` stands for "off". Digits are ASCII, as in Go, and their
number is limited.
"""

import math
import re
from fractions import Fraction

from gcsim.errors import InputError
from gcsim.printable import quoted

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
MAX_INT64 = (1 << 63) - 1
LEAST_MEMORY_BYTES = 4 * MIB  # no Go program runs in less; a smaller number lacks its unit

_GO_SUFFIXES = {"": 1, "B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}
_BINARY_SUFFIXES = {"Ki": KIB, "Mi": MIB, "Gi": GIB, "Ti": TIB, "Pi": 1 << 50}  # Kubernetes resource.Quantity
_DECIMAL_SUFFIXES = {
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
}  # fmt: skip
# "m" is a thousandth of a byte in Kubernetes and a mebibyte in Docker; Kubernetes rejects the others.
_AMBIGUOUS_SUFFIXES = {
    "m": "MiB",
    "g": "GiB",
    "t": "TiB",
    "K": "KiB",
    "mb": "MiB",
    "gb": "GiB",
    "Mb": "MiB",
    "Gb": "GiB",
}
_DURATION_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_MAX_DURATION_SECONDS = MAX_INT64 / 1e9  # Go's time.Duration
_NUMBER = r"[0-9]{1,20}"
_DECIMAL = rf"{_NUMBER}(?:\.[0-9]{{1,20}})?"
_DURATION_PART = rf"({_DECIMAL})(ns|us|µs|μs|ms|s|m|h)"


def parse_go_bytes(text: str, *, what: str = "size") -> int:
    """The bytes of a size in GOMEMLIMIT's syntax: a whole number with ``B KiB MiB GiB TiB`` or nothing.

    Go 1.19+ ``runtime.parseByteCount``. ``what`` names the option in the error.
    Raises InputError, with Go's spelling of the same size for a Kubernetes quantity.
    """
    stripped = text.strip()
    match = re.fullmatch(rf"({_NUMBER})([A-Za-z]{{0,3}})", stripped)
    if match is None or match[2] not in _GO_SUFFIXES:
        raise InputError(f"{what}: {_go_spelling(stripped)}{_several_values_hint(stripped)}")
    total = int(match[1]) * _GO_SUFFIXES[match[2]]
    if total > MAX_INT64:
        raise InputError(f"{what}: {quoted(text)} is more than Go's largest size, {MAX_INT64} bytes")
    return total


def parse_memory_size(text: str, *, what: str = "--memory") -> int:
    """The bytes of a container size, as Kubernetes or Go writes it: ``512Mi``, ``0.5Gi``, ``512M``, ``2GiB``.

    ``M`` and ``G`` are decimal, as in Kubernetes. Raises InputError for other units, below 4 MiB (a unit is probably
    missing) and from 8 EiB on. ``what`` names the option in the message.
    """
    stripped = text.strip()
    exact = _quantity(stripped)
    if exact is None:
        raise InputError(f"{what}: {_why_no_size(stripped)}")
    if exact < LEAST_MEMORY_BYTES:
        without_unit = re.fullmatch(_DECIMAL, stripped) is not None
        size = f"{int(exact)} bytes" if without_unit else format_mib(float(exact))
        bare = stripped if without_unit and exact else "512"
        raise InputError(
            f"{what}: {quoted(text)} is {size}, too little for any Go program;"
            f" write a size with its unit, such as {bare}MiB or {bare}Mi"
        )
    if exact > MAX_INT64:
        raise InputError(f"{what}: {quoted(text)} is more than Go's largest size, {MAX_INT64} bytes")
    return int(exact)


def parse_gomemlimit(text: str, *, what: str = "--gomemlimit") -> int | None:
    """The memory limit in bytes, or None for ``off``. Raises InputError."""
    if text.strip().lower() == "off":
        return None
    limit = parse_go_bytes(text, what=what)
    return None if limit == MAX_INT64 else limit


def parse_gogc(text: str, *, what: str = "--gogc") -> int | None:
    """The percentage of GOGC, 0 or more, or None for ``off``. Raises InputError.

    Go 1.19+ ``runtime.readGOGC`` silently reads a malformed value as 100 and a negative one as off. Both are errors
    here. ``what`` is the name of the option or file in the error message.
    """
    stripped = text.strip()
    if stripped.lower() == "off":
        return None
    if not re.fullmatch(r"-?[0-9]+", stripped):
        raise InputError(
            f"{what}: {quoted(text)} is not a percentage; write a whole number such as 100, or off"
            + _several_values_hint(stripped)
        )
    if stripped.startswith("-"):
        raise InputError(
            f"{what}: {quoted(stripped)} is negative; write 0 or more, or off to collect on the limit alone"
        )
    digits = stripped.lstrip("0") or "0"
    if len(digits) > 10 or int(digits) > 2**31 - 1:
        raise InputError(f"{what}: {quoted(stripped)} is more than Go's largest percentage, {2**31 - 1}")
    return int(digits)


def parse_duration(text: str, *, what: str = "--duration") -> float:
    """The seconds of a duration in Go's syntax (``10m``, ``1h30m``, ``250ms``); a bare number is seconds."""
    stripped = text.strip()
    if re.fullmatch(_DECIMAL, stripped):
        seconds = float(stripped)
    elif len(stripped) <= 200 and re.fullmatch(rf"(?:{_DURATION_PART})+", stripped):
        parts = re.findall(_DURATION_PART, stripped)
        seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    else:
        raise InputError(f"{what}: {quoted(text)} is not a duration; write for example 10m, 90s or 1h30m")
    if not seconds > 0:
        raise InputError(f"{what}: {quoted(text)} must be more than zero; write for example 10m")
    if seconds > _MAX_DURATION_SECONDS:
        raise InputError(
            f"{what}: {quoted(text)} is more than Go's longest duration, 292 years; write a shorter one"
        )
    return seconds


def parse_fraction(text: str, *, what: str, most: float = 1.0) -> float:
    """The share, more than 0 and at most ``most``, of ``10%`` or ``0.1``. Raises InputError."""
    match = re.fullmatch(rf"({_DECIMAL}) ?(%?)", text.strip())
    value = float(match[1]) / (100.0 if match[2] else 1.0) if match else -1.0
    if not 0.0 < value <= most:
        raise InputError(
            f"{what}: {quoted(text)} is not a share above 0 and up to {most:g}; write for example 10% or 0.1"
        )
    return value


def parse_count(text: str | int) -> int:
    """The value of a whole number of at most 18 ASCII digits. Raises InputError."""
    if isinstance(text, int):
        return text
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
        raise InputError(f"{quoted(text)} is not a whole number of at most 18 digits")
    return int(text)


def _quantity(text: str) -> Fraction | None:
    """The exact size in bytes; None if neither Kubernetes nor Go reads it, or they read it differently."""
    match = re.fullmatch(rf"({_DECIMAL})(?:[eE]([0-9]{{1,2}})|\s?([A-Za-z]{{1,3}}))?", text)
    if match is None:
        return None
    known = _GO_SUFFIXES | _BINARY_SUFFIXES | _DECIMAL_SUFFIXES
    suffix = match[3] or ""
    return Fraction(match[1]) * 10 ** int(match[2] or 0) * known[suffix] if suffix in known else None


def _why_no_size(text: str) -> str:
    """The message for a malformed container size, with a spelling to write."""
    match = re.fullmatch(rf"({_DECIMAL})\s?([A-Za-z]{{1,3}})", text)
    if match is not None and match[2] in _AMBIGUOUS_SUFFIXES:
        unit = _AMBIGUOUS_SUFFIXES[match[2]]
        return f"{quoted(text)} differs between Kubernetes and Docker; write {match[1]}{unit}"
    return f"{quoted(text)} is not a size; write for example 512Mi, 512MiB or 2G"


def _go_spelling(text: str) -> str:
    """The message for a size that Go does not read, with the same size in Go's spelling."""
    exact = _quantity(text)
    if exact is None:
        match = re.fullmatch(rf"({_NUMBER})\s?([A-Za-z]{{1,3}})", text)
        if match is not None and match[2] in _AMBIGUOUS_SUFFIXES:
            return f"Go does not read {quoted(text)}; write {match[1]}{_AMBIGUOUS_SUFFIXES[match[2]]}"
        return f"{quoted(text)} is not a size that Go reads; write a whole number and B, KiB, MiB, GiB or TiB"
    if exact.denominator != 1 or not exact <= MAX_INT64:
        return f"Go does not read {quoted(text)}; write a whole number and a unit, such as 512MiB"
    same = _go_bytes_in_full(int(exact))
    decimal = re.fullmatch(rf"({_NUMBER})\s?([kKMGT])B?", text)
    larger = f", or {decimal[1]}{decimal[2].upper()}iB, which is more" if decimal is not None else ""
    return f"Go does not read {quoted(text)}; write {same}, the same size{larger}"


def _several_values_hint(text: str) -> str:
    """A hint that only grids take several values; empty for a single value."""
    several = re.search(r"[0-9A-Za-z](?:\.{2,3}|-|:|,)[0-9A-Za-z]", text[:100])
    return "; options that take a grid accept a,b,c or from:to:count, such as 25:800:12" if several else ""


def _go_bytes_in_full(size_bytes: int) -> str:
    """Go's spelling in MiB or larger units if that is exact, else in bytes."""
    return format_go_bytes(size_bytes) if size_bytes % MIB == 0 else f"{size_bytes}B"


def format_go_bytes(size_bytes: int | None) -> str:
    """The shortest exact spelling that Go reads; None is ``off``."""
    if size_bytes is None:
        return "off"
    for suffix, factor in (("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{suffix}"
    return f"{size_bytes}B"


def format_gogc(gogc: int | None) -> str:
    """GOGC as in its environment variable."""
    return "off" if gogc is None else str(gogc)


def format_number(value: float, digits: int = 3) -> str:
    """The value with ``digits`` significant digits, without an exponent; larger values as whole numbers.

    Trailing zeros are dropped, as in ``%g``: 0.5, 12.3, 467, 1013, 14,356. NaN is an em dash.
    """
    if math.isnan(value):
        return "—"
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.{digits}g}")
    if abs(rounded) >= 10 ** (digits - 1):
        whole = round(value)
        return f"{whole:,}" if abs(whole) >= 10_000 else str(whole)
    if rounded == 0:
        return "0"
    decimals = min(digits - 1 - math.floor(math.log10(abs(rounded))), 12)
    text = f"{rounded:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_bound(value: float) -> str:
    """A number in full for messages: 0.000001, 0.8, 1,000,000; with an exponent beyond 2^63."""
    if not 1e-12 <= abs(value) < MAX_INT64:
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.12f}".rstrip("0").rstrip(".")


def format_range(low: float, high: float) -> str:
    """Both ends of a range in full: ``0.000001 to 1,000,000``."""
    return f"{format_bound(low)} to {format_bound(high)}"


def format_mib(size_bytes: float) -> str:
    """A size as text in B, KiB, MiB, GiB or TiB: three significant digits, whole numbers in full."""
    return _in_units(size_bytes, ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (1, "B")))


def format_seconds(value: float) -> str:
    """A duration with three significant digits, in s, ms, µs or ns."""
    return _in_units(value, ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))) if value else "0 s"


def format_percent(fraction: float, digits: int = 3) -> str:
    """A share as a percentage; ``<0.001 %`` for smaller nonzero shares."""
    percent = 100.0 * fraction
    if 0.0 < abs(percent) < 0.001:
        return "<0.001 %"
    return f"{format_number(percent, digits)} %"


def format_error(error: float) -> str:
    """A relative error as ``+4.2 %``; as ``×15`` from tenfold on; an em dash for NaN."""
    if math.isnan(error):
        return "—"
    return f"{100 * error:+.1f} %" if error < 9.0 else f"×{format_number(1.0 + error)}"


def format_interval(value: str, low: str, high: str) -> str:
    """A value and its interval, with a common unit once: ``412 MiB (398 to 431 MiB)``."""
    number, _, unit = low.partition(" ")
    return f"{value} ({number if unit and high.endswith(f' {unit}') else low} to {high})"


def _in_units(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """The value in the largest unit of which it is at least one after rounding to three digits."""
    if math.isnan(value):
        return "—"
    for factor, unit in units:
        if abs(float(f"{value / factor:.3g}")) >= 1.0:
            return f"{format_number(value / factor)} {unit}"
    factor, unit = units[-1]
    return f"{format_number(value / factor)} {unit}"
