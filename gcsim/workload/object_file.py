"""What kinds of objects a program allocates, and which pools it uses: from a file, or assumed.

A gctrace tells neither sizes nor lifetimes. What is assumed without a file is the mix of the programs that memory
outside the heap was measured on, and that the live heap is turned over while eight times as much is allocated.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gcsim.errors import InputError
from gcsim.units import parse_duration, parse_go_bytes
from gcsim.workload.lifetimes import Lifetime
from gcsim.workload.objects import ObjectKind

_SMALL = (16, 32, 48, 64, 96, 128, 256, 512, 1024)  # as many bytes of each
_LARGE = (4096, 8192, 16384, 32768, 65536, 131072, 262144)
_SMALL_SLOT_GARBAGE = (
    0.3  # a program of large objects leaves less than this of its garbage beside live objects
)
_TURNOVER = 8.0  # live heaps' worth of allocation that a long-lived object sees
_SHORT_LIVED = 200.0  # a short-lived one sees this part of the live heap allocated
_KIND_KEYS = {"size_bytes", "pointers", "scannable_bytes", "weight", "lifetime", "phases"}
_POOL_KEYS = {"name", "gets_per_second", "in_flight"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One sync.Pool, as its users see it."""

    name: str
    gets_per_second: float
    in_flight: float  # objects held at once, on average

    def __post_init__(self) -> None:
        if min(self.gets_per_second, self.in_flight) <= 0:
            raise ValueError("gets_per_second and in_flight must be more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The allocation of one program, object by object."""

    kinds: tuple[ObjectKind, ...]
    pools: tuple[Pool, ...] = ()
    assumed: bool = False


def assumed_objects(live_bytes: float, *, slot_garbage_share: float) -> Objects:
    """A mix that keeps ``live_bytes`` alive, of small objects or of large ones as the model takes them to be."""
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
    """A TOML file of ``[[kind]]`` and ``[[pool]]`` tables. Raises InputError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    try:
        kinds = tuple(_kind(entry) for entry in document.get("kind", []))
        pools = tuple(_pool(entry) for entry in document.get("pool", []))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: {what}") from error
    if not kinds:
        raise InputError(f"{path}: no [[kind]]; give each kind of object size_bytes, weight and lifetime")
    return Objects(kinds=kinds, pools=pools)


def _kind(entry: Mapping[str, Any]) -> ObjectKind:
    _only(entry, _KIND_KEYS, "kind")
    pointers = bool(entry.get("pointers", True))
    size = int(entry["size_bytes"])
    return ObjectKind(
        size_bytes=size,
        scan=pointers,
        scannable_bytes=int(entry.get("scannable_bytes", size)) if pointers else 0,
        weight=float(entry["weight"]),
        lifetime=_lifetime(str(entry["lifetime"]), int(entry.get("phases", 1))),
    )


def _lifetime(text: str, phases: int) -> Lifetime:
    """``forever``, ``at once``, a time such as ``250ms``, or bytes that the program allocates, such as ``4MiB``."""
    if text == "forever":
        return Lifetime.for_ever()
    if text == "at once":
        return Lifetime.at_once()
    if text.endswith("B"):
        size = parse_go_bytes(text, what="lifetime")
        return Lifetime(mean=float(size), clock="bytes", phases=phases)
    return Lifetime(mean=parse_duration(text, what="lifetime"), phases=phases)


def _pool(entry: Mapping[str, Any]) -> Pool:
    _only(entry, _POOL_KEYS, "pool")
    return Pool(
        name=str(entry["name"]),
        gets_per_second=float(entry["gets_per_second"]),
        in_flight=float(entry["in_flight"]),
    )


def _only(entry: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ValueError(f"{what}: unknown key {unknown[0]!r}, one of {', '.join(sorted(known))} is meant")
