"""The kinds of objects that a program allocates, and the pools that it uses: from a file, or assumed.

A gctrace shows neither sizes nor lifetimes of objects. The assumed mix is that of the programs with which memory
outside the heap was measured. The program replaces its live heap once per eight live heaps of allocation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gcsim.documents import check_keys, number, read_document, text_of, whole_number
from gcsim.errors import InputError
from gcsim.service.objects.lifetimes import Lifetime
from gcsim.service.objects.object_heap import ObjectKind
from gcsim.service.objects.pool_users import Pool
from gcsim.units import format_bound, format_range, parse_duration, parse_go_bytes

Number = TypeVar("Number", int, float)

_SMALL = (16, 32, 48, 64, 96, 128, 256, 512, 1024)  # equal bytes of each
_LARGE = (4096, 8192, 16384, 32768, 65536, 131072, 262144)
_SMALL_SLOT_GARBAGE = 0.3  # below it, the assumed objects are large
_TURNOVER = 8.0  # lifetime of a long-lived object, in live heaps of allocation
_SHORT_LIVED = 200.0  # lifetime of a short-lived object: 1/200 of a live heap of allocation
_MOST_BYTES = (1 << 48) - 1
_MOST_KINDS, _MOST_PHASES = 1000, 100
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-9, 1e12
_KIND_KEYS = {"size_bytes", "pointers", "scannable_bytes", "weight", "lifetime", "phases"}
_POOL_KEYS = {"name", "gets_per_second", "in_flight"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The allocation of one program, object by object."""

    kinds: tuple[ObjectKind, ...]
    pools: tuple[Pool, ...] = ()
    assumed: bool = False


def assumed_objects(live_bytes: float, *, slot_garbage_share: float) -> Objects:
    """An assumed mix with ``live_bytes`` live: small objects from a ``slot_garbage_share`` of 0.3 on, else large."""
    small = slot_garbage_share >= _SMALL_SLOT_GARBAGE
    sizes = _SMALL if small else _LARGE
    lasting = Lifetime(mean=_TURNOVER * live_bytes, clock="bytes")
    passing = Lifetime(mean=live_bytes / _SHORT_LIVED, clock="bytes")
    surviving = (1.0 - 1.0 / _SHORT_LIVED) / (
        _TURNOVER - 1.0 / _SHORT_LIVED
    )  # of bytes: live = sum of share x mean
    return Objects(
        kinds=tuple(
            ObjectKind(
                size_bytes=size,
                scan=small,
                scannable_bytes=size if small else 0,
                weight=share / size,
                lifetime=lifetime,
            )
            for lifetime, share in ((lasting, surviving), (passing, 1.0 - surviving))
            for size in sizes
        ),
        assumed=True,
    )


def read_objects(path: Path) -> Objects:
    """The objects in a TOML file of ``[[kind]]`` and ``[[pool]]`` tables. Raises InputError."""
    return read_document(
        path,
        _objects_from,
        form="TOML",
        what="a file of objects",
        advice="docs/reference/commands.md shows its tables",
    )


def _objects_from(document: Mapping[str, Any]) -> Objects:
    check_keys(document, {"kind", "pool"}, "the file")
    kinds, pools = document.get("kind", []), document.get("pool", [])
    if not isinstance(kinds, list) or not isinstance(pools, list):
        raise InputError("[[kind]] and [[pool]] must be lists of tables, written with two brackets")
    if not kinds:
        raise InputError("the file has no [[kind]]; give each kind of object size_bytes, weight and lifetime")
    if len(kinds) > _MOST_KINDS or len(pools) > _MOST_KINDS:
        raise InputError(
            f"the file holds more than {_MOST_KINDS} kinds of objects or pools; merge some of them"
        )
    return Objects(kinds=tuple(map(_kind, kinds)), pools=tuple(map(_pool, pools)))


def _kind(entry: Mapping[str, Any]) -> ObjectKind:
    check_keys(entry, _KIND_KEYS, "kind")
    pointers = entry.get("pointers", True)
    if not isinstance(pointers, bool):
        raise InputError(f"kind: pointers must be true or false, got {pointers!r}")
    size = _within(whole_number(entry, "size_bytes"), "size_bytes", 1, _MOST_BYTES)
    phases = whole_number(entry, "phases") if "phases" in entry else 1
    scannable = whole_number(entry, "scannable_bytes") if "scannable_bytes" in entry else size
    return ObjectKind(
        size_bytes=size,
        scan=pointers,
        scannable_bytes=scannable if pointers else 0,
        weight=_within(number(entry, "weight"), "weight", _LEAST_WEIGHT, _MOST_WEIGHT),
        lifetime=_lifetime(text_of(entry, "lifetime"), _within(phases, "phases", 1, _MOST_PHASES)),
    )


def _lifetime(text: str, phases: int) -> Lifetime:
    """A lifetime from ``forever``, ``at once``, a time such as ``250ms``, or allocated bytes such as ``4MiB``."""
    if text == "forever":
        return Lifetime.for_ever()
    if text == "at once":
        return Lifetime.at_once()
    if text.endswith("B"):
        size = parse_go_bytes(text, what="lifetime")
        return Lifetime(mean=float(size), clock="bytes", phases=phases)
    return Lifetime(mean=parse_duration(text, what="lifetime"), phases=phases)


def _pool(entry: Mapping[str, Any]) -> Pool:
    check_keys(entry, _POOL_KEYS, "pool")
    return Pool(
        name=text_of(entry, "name"),
        gets_per_second=_within(number(entry, "gets_per_second"), "gets_per_second", 1e-6, 1e7),
        in_flight=_within(number(entry, "in_flight"), "in_flight", 1e-6, 1e6),
    )


def _within(value: Number, name: str, low: float, high: float) -> Number:
    """The value. Raises InputError, with its name and range, if it lies outside."""
    if not low <= value <= high:
        raise InputError(f"{name} must be from {format_range(low, high)}, got {format_bound(value)}")
    return value
