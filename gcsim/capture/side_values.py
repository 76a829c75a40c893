"""The values of a side file, checked key by key."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gcsim.capture.cgroup import CgroupMemory
from gcsim.capture.cpu_quota import CpuQuota
from gcsim.capture.elf import BinarySizes
from gcsim.capture.log_mark import LogMark
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.units import MAX_INT64

KNOBS = ("gogc", "gomemlimit_bytes")  # null or "off" is off, a missing key is not known
# Keys of every capture. Older captures lack the later keys, which needs no note.
_FIRST_KEYS = (
    *KNOBS, "gomaxprocs", "go_version", "go", "rss_peak_bytes", "start_time", "wall_seconds", "cpu_seconds",
    "exit_status", "command", "foreign_cpu_fraction",
)  # fmt: skip
_FEW = 3  # the note names at most so many missing keys; with more, it names the keys that are present
_MOST_BYTES = 1 << 48
_MOST_SECONDS = 1e10
_MOST_CHARACTERS = 1000
_EXCERPT = 30


def side_values(record: Mapping[str, object], keys: Sequence[str]) -> tuple[dict[str, Any], str]:
    """(well-formed values of ``keys``, a note about missing or malformed keys or an empty text).

    Unknown keys are ignored, because a later version may write more.
    """
    values: dict[str, Any] = {}
    malformed: list[str] = []
    for name in keys:
        if name not in record:
            continue
        value = record[name]
        if value is None and name not in KNOBS:
            values[name] = None
            continue
        try:
            values[name] = _READERS[name](value)
        except ValueError:
            malformed.append(f"{name} ({_excerpt(value)})")
    if values.get("go") is None and (found := re.match(r"go(1\.\d{1,3})\b", values.get("go_version") or "")):
        values["go"] = found[1]
    return values, _note(record, values, malformed)


def _note(record: Mapping[str, object], values: Mapping[str, object], malformed: list[str]) -> str:
    if not values and not malformed:
        return "has none of the keys of a side file and is of no use"
    missing = [name for name in _FIRST_KEYS if name not in record and name not in values]
    parts = [f"has a malformed {', '.join(malformed)}"] if malformed else []
    if 0 < len(missing) <= _FEW:
        parts.append(f"has no {', '.join(missing)}")
    elif missing and values:
        parts.append(f"states only {', '.join(values)}; what it does not state is not known")
    elif missing:
        parts.append("states nothing else")
    end = "; the rest is used" if len(missing) <= _FEW else ""
    return " and ".join(parts) + end if parts else ""


def _excerpt(value: object) -> str:
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints, or deep nesting
        return "too large to show"
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def _integer(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(value)
        return value

    return read


def _number(most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise ValueError("not a number in range")
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("not finite")
        return number

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS or not value.isprintable():
        raise ValueError("not a line of text")
    return value


def _go(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"1\.[0-9]{1,3}", value):
        raise ValueError("not a Go version")
    return value


def _truth(value: object) -> bool:
    if value is not True and value is not False:
        raise ValueError("not true or false")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("not a list of texts")
    return value


def _or_off(read: Callable[[object], int]) -> Callable[[object], int | None]:
    return lambda value: None if value is None or value == "off" else read(value)


_BYTES = _integer(0, _MOST_BYTES)
_READERS: dict[str, Callable[[object], object]] = {
    "gogc": _or_off(_integer(0, 2**31 - 1)),
    "gomemlimit_bytes": _or_off(_integer(0, MAX_INT64)),
    "gomaxprocs": _integer(1, 4096),
    "go_version": _text,
    "go": _go,
    "rss_peak_bytes": _BYTES,
    "start_time": _text,
    "wall_seconds": _number(_MOST_SECONDS),
    "cpu_seconds": _number(_MOST_SECONDS),
    "exit_status": _integer(-(2**31), 2**31 - 1),
    "was_stopped": _truth,
    "command": _texts,
    "foreign_cpu_fraction": _number(10.0),  # of ticks of 10 ms: more than 1 is possible in a short run
    "heap_mapped_bytes": _BYTES,
    "rss_outside_heap_bytes": _BYTES,
    "anonymous_peak_bytes": _BYTES,
    "file_peak_bytes": _BYTES,
    "shared_peak_bytes": _BYTES,
    "cgroup": CgroupMemory.from_json,
    "cpu_quota": CpuQuota.from_json,
    "binary": BinarySizes.from_json,
    "read_ahead_kib": _integer(0, 1 << 30),
    "heap_accounts": HeapAccounts.from_json,
    "log": LogMark.from_json,
}
