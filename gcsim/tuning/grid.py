"""The grid of a sweep: lists, log-spaced ranges and mixtures of both.

``100``, ``50,100,off``, ``25:800:12`` and ``off,64MiB:2GiB:24`` are grids. Both ends of a range are kept as written.
Values between them are rounded to whole percent or whole MiB. Duplicates are dropped; the order is kept.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.settings import Settings
from gcsim.units import MIB, parse_go_bytes, parse_gogc, parse_gomemlimit

MAX_RANGE_COUNT = 10_000
MAX_SETTINGS = 100_000  # a typing error in a count must not exhaust memory
_SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of a container: rules of thumb lie between 0.7 and 0.95


def parse_gogc_grid(text: str, *, what: str = "--gogc") -> list[int | None]:
    """GOGC values in the order written, percent or None for off. Raises InputError naming ``what``."""

    def bound(part: str) -> int:
        value = parse_gogc(part, what=what)
        if value is None:
            raise InputError(
                f"{what}: off cannot end a range; write it next to the range, as in off,25:800:12"
            )
        return value

    return _parse_grid(
        text,
        what=what,
        example="25:800:12",
        one=lambda part: parse_gogc(part, what=what),
        bound=bound,
        step=1,
    )


def parse_gomemlimit_grid(text: str, *, what: str = "--gomemlimit") -> list[int | None]:
    """Memory limits in the order written, bytes or None for off. Raises InputError naming ``what``."""
    return _parse_grid(
        text,
        what=what,
        example="64MiB:2GiB:24",
        one=lambda part: parse_gomemlimit(part, what=what),
        bound=lambda part: parse_go_bytes(part, what=what),
        step=MIB,
    )


def shares_of(memory_bytes: int) -> list[int]:
    """Memory limits from 40 to 95 % of a container, rising, in whole MiB."""
    found = (int(share * memory_bytes) // MIB * MIB for share in _SHARES)
    return [limit for limit in dict.fromkeys(found) if limit > 0]


def check_grid(gogc: Sequence[int | None], gomemlimit_bytes: Sequence[int | None]) -> None:
    """Raises InputError above 100,000 pairs."""
    if len(gogc) * len(gomemlimit_bytes) > MAX_SETTINGS:
        raise InputError(
            f"--gogc and --gomemlimit make {len(gogc)} × {len(gomemlimit_bytes)} settings;"
            f" give fewer values, at most {MAX_SETTINGS:,} settings in all"
        )


def settings_grid(
    gogc: Iterable[int | None], gomemlimit_bytes: Iterable[int | None], *, gomaxprocs: int, go: str
) -> list[Settings]:
    """All pairs of the two axes, limit by limit with GOGC fastest. Raises InputError above 100,000 pairs."""
    gogc, limits = list(gogc), list(gomemlimit_bytes)
    check_grid(gogc, limits)
    return [
        Settings(gogc=percent, gomemlimit_bytes=limit, gomaxprocs=gomaxprocs, go=go)
        for limit in limits
        for percent in gogc
    ]


def _parse_grid(
    text: str,
    *,
    what: str,
    example: str,
    one: Callable[[str], int | None],
    bound: Callable[[str], int],
    step: int,
) -> list[int | None]:
    values: list[int | None] = []
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            raise InputError(f"{what}: {quoted(text)} has an empty entry; write a list such as off,{example}")
        if ":" in part:
            values.extend(_parse_range(part, what=what, example=example, bound=bound, step=step))
        elif "-" in part[1:] or ".." in part:
            raise InputError(
                f"{what}: {quoted(part)} is not a value; write a list, such as a,b,c,"
                f" or a range as from:to:count, such as {_as_range(part, example)}"
            )
        else:
            values.append(one(part))
    return list(dict.fromkeys(values))


def _parse_range(part: str, *, what: str, example: str, bound: Callable[[str], int], step: int) -> list[int]:
    pieces = part.split(":")
    if len(pieces) != 3:
        suggested = _as_range(part, example)
        raise InputError(f"{what}: {quoted(part)} is not a range; write from:to:count, such as {suggested}")
    low, high = bound(pieces[0]), bound(pieces[1])
    count_text = pieces[2].strip()
    if not (count_text.isascii() and count_text.isdigit()):
        raise InputError(
            f"{what}: {quoted(count_text)} in {quoted(part)} is not a count; write a whole number, such as {example}"
        )
    count = int(count_text[:9])  # longer counts are too large in any case
    if not 2 <= count <= MAX_RANGE_COUNT:
        raise InputError(
            f"{what}: the count in {quoted(part)} must be from 2 to {MAX_RANGE_COUNT:,}, for example {example}"
        )
    if low == 0 or high == 0:
        raise InputError(
            f"{what}: {quoted(part)} is log-spaced and cannot reach 0; write 0 next to the range, as in 0,{example}"
        )
    return _log_spaced(low, high, count, step)


def _as_range(part: str, example: str) -> str:
    """The range that ``50..400`` or ``50-400`` stands for; the example if its ends are not plain numbers."""
    ends = re.fullmatch(r"([0-9]{1,12}[A-Za-z]{0,3})(?:\.{2,3}|-|:)([0-9]{1,12}[A-Za-z]{0,3})", part)
    return f"{ends[1]}:{ends[2]}:{example.rsplit(':', 1)[1]}" if ends else example


def _log_spaced(low: int, high: int, count: int, step: int) -> list[int]:
    """``count`` values from low to high at a constant ratio, inner values rounded to whole steps."""
    import numpy as np  # imported here: lists and refusals do not need it

    inner = np.geomspace(low, high, count)[1:-1]
    least, most = min(low, high), max(low, high)
    rounded = [min(max(round(value / step) * step, least), most) for value in inner.tolist()]
    return [low, *rounded, high]
