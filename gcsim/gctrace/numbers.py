"""The spelling of numbers in the runtime's traces, and their values.

Go 1.5-1.27 mgc.go ``fmtNSAsMS`` and ``itoaDiv``; print.go ``printfloat`` (to 1.25) and
``printfloat64`` (1.26+). All integer formats truncate.
"""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import Int64Array, Integer
from gcsim.cycles import NO_HEAP_GOAL, NOT_LOGGED

_BEYOND_MEMORY = 1 << 60  # a size from here on is Go's "no goal", which versions spell differently


@dataclass(frozen=True, slots=True)
class Number:
    """A kind of number: its spelling and its value in bytes, nanoseconds or plain units."""

    kind: str
    pattern: str
    scale: int = 1  # value of 1.0
    decimals: int = 0  # largest number of digits after the point
    max_digits: int = 18

    def read(self, text: bytes) -> int | float:
        """The value of one printed number."""
        if self.kind == "float":
            return float(text)
        if self.kind == "number_or_none" and not text.strip(b"-"):
            return NOT_LOGGED
        whole, _, fraction = text.partition(b".")
        value = int(whole + fraction) * self.scale // 10 ** len(fraction)
        return saturate_size(value) if self.kind == "mib" else value

    def write(self, value: float, *, shortest_floats: bool) -> str:
        """The runtime's spelling of a value."""
        if self.kind == "float":
            return format_float(value) if shortest_floats else format_float_before_126(value)
        number = int(value)
        if self.kind == "ms":
            return format_ns_as_ms(number)
        if self.kind == "seconds":
            return itoa_div(number // 1_000_000, 3)
        if self.kind == "number_or_none":
            return str(number)
        return str(number // self.scale)


NUMBERS = {
    number.kind: number
    for number in (
        Number("int", r"\d{1,18}"),
        Number("signed", r"-?\d{1,18}"),
        Number("number_or_none", r"(?:-1|\d{0,18})"),
        Number("mib", r"\d{1,14}", scale=1 << 20, max_digits=14),
        Number("kib", r"\d{1,15}", scale=1 << 10, max_digits=15),
        Number("us", r"\d{1,15}", scale=1_000, max_digits=15),
        Number("ms", r"\d{1,12}(?:\.\d{1,3})?", scale=1_000_000, decimals=3, max_digits=12),
        Number("seconds", r"\d{1,9}\.\d{3}", scale=1_000_000_000, decimals=3, max_digits=12),
        Number("float", r"(?:[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[-+]Inf|NaN)"),
    )
}


def saturate_size(size_bytes: int) -> int:
    """A size in bytes, or NO_HEAP_GOAL for the size that Go prints when collection is off.

    Go prints 2^64-1 up to Go 1.18, and later values around 2^63 that depend on version and memory limit.
    """
    return NO_HEAP_GOAL if size_bytes >= _BEYOND_MEMORY else size_bytes


def itoa_div(value: int, decimals: int) -> str:
    """``value / 10**decimals`` with exactly ``decimals`` decimals: Go mgc.go ``itoaDiv``."""
    if decimals == 0:
        return str(value)
    digits = str(value).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def format_ns_as_ms(duration_ns: int) -> str:
    """Nanoseconds as milliseconds, two digits below 10 ms, truncated: Go mgc.go ``fmtNSAsMS``."""
    if duration_ns >= 10_000_000:
        return itoa_div(duration_ns // 1_000_000, 0)
    digits, decimals = duration_ns // 1_000, 3
    if digits == 0:
        return "0"
    while digits >= 100:
        digits //= 10
        decimals -= 1
    return itoa_div(digits, decimals)


def printed_step_ns(duration_ns: Integer) -> Integer:
    """The unit of the last digit that ``format_ns_as_ms`` keeps of a duration, in ns; scalars and arrays."""
    coarser = 9_000 * (duration_ns >= 100_000) + 90_000 * (duration_ns >= 1_000_000)
    step_ns: Integer = 1_000 + coarser + 900_000 * (duration_ns >= 10_000_000)
    return step_ns


def quantize_ms(duration_ns: Integer) -> Integer:
    """A duration truncated as ``format_ns_as_ms`` prints it, in ns; scalars and arrays."""
    step = printed_step_ns(duration_ns)
    return duration_ns // step * step


def untruncated_ms(duration_ns: Integer) -> Integer:
    """The middle of the durations printed as ``duration_ns``; 0 stays 0, because Go also prints it for no event."""
    return duration_ns + printed_step_ns(duration_ns) // 2 * (duration_ns > 0)


def quantize_seconds(time_ns: Integer) -> Integer:
    """A time truncated to the three decimals of a printed time stamp, in ns."""
    return time_ns // 1_000_000 * 1_000_000


def quantize_mib(size_bytes: Int64Array) -> Int64Array:
    """Sizes truncated to whole MiB, in bytes; NO_HEAP_GOAL for "no goal"."""
    whole = size_bytes >> 20 << 20
    return np.where(whole >= _BEYOND_MEMORY, NO_HEAP_GOAL, whole)


def format_float(value: float) -> str:
    """The shortest decimal that reads back the same: Go 1.26+ ``printfloat64``, strconv's 'g' with precision -1.

    As in strconv, exponents below -4 and from 6 on are written with ``e``.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    mantissa, _, exponent_text = np.format_float_scientific(value, unique=True, trim="-").partition("e")
    exponent = int(exponent_text)
    if -4 <= exponent < 6:
        return str(np.format_float_positional(value, unique=True, trim="-"))
    return f"{mantissa}e{exponent:+03d}"


def format_float_before_126(value: float) -> str:
    """Seven digits, a sign and three digits of exponent: Go 1.25 print.go ``printfloat``.

    The runtime rounds by adding half a unit in binary. A value that needs more than seven digits may differ in the last
    digit; a value read from a trace does not.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    mantissa, _, exponent = f"{value:+.6e}".partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:]:0>3}"
