"""A program for ``gcsim heap``: its objects, and what it does with them over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gcsim.documents import check_keys, number, read_document, tables_of, text_of, whole_number
from gcsim.errors import InputError
from gcsim.submodels.heap_course import ObjectKind, Phase
from gcsim.units import MIB, parse_duration, parse_go_bytes

_KIND_KEYS = {"size_bytes", "pointers"}
_PHASE_KEYS = {"duration", "kept_per_second", "garbage_per_second", "dropped", "collect"}
_MOST_SIZE = 1 << 30
_MOST_KINDS, _MOST_PHASES = 20, 50
_MOST_SECONDS = 3600.0
_MOST_OBJECTS = 50e6  # allocated in the whole plan: some seconds of computing


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapPlan:
    """The objects of a program, and its phases."""

    kinds: tuple[ObjectKind, ...]
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """The length of all phases."""
        return sum(phase.seconds for phase in self.phases)


def read_heap_plan(path: Path) -> HeapPlan:
    """The plan in a TOML file of ``[[kind]]`` and ``[[phase]]`` tables. Raises InputError."""
    return read_document(
        path,
        _plan_from,
        form="TOML",
        what="a plan of a heap",
        advice="docs/reference/commands.md shows its tables",
    )


def _plan_from(document: Mapping[str, Any]) -> HeapPlan:
    check_keys(document, {"kind", "phase"}, "the file")
    kinds, phases = tables_of(document, "kind"), tables_of(document, "phase")
    for what, found, most in (("kind", kinds, _MOST_KINDS), ("phase", phases, _MOST_PHASES)):
        if not 1 <= len(found) <= most:
            raise InputError(f"the file has {len(found)} tables [[{what}]]; write from 1 to {most}")
    plan = HeapPlan(kinds=tuple(map(_kind, kinds)), phases=tuple(_phase(one, len(kinds)) for one in phases))
    if plan.seconds > _MOST_SECONDS:
        raise InputError(
            f"the phases take {plan.seconds:,.0f} s, more than {_MOST_SECONDS:,.0f}; shorten them"
        )
    made = sum(
        phase.seconds * (kept + dies) / kind.object_bytes
        for phase in plan.phases
        for kind, kept, dies in zip(plan.kinds, phase.kept, phase.garbage, strict=True)
    )
    if made > _MOST_OBJECTS:
        raise InputError(
            f"the phases allocate {made:,.0f} objects, more than {_MOST_OBJECTS:,.0f}; lower the rates, or use larger"
            " objects"
        )
    return plan


def _kind(entry: Mapping[str, Any]) -> ObjectKind:
    check_keys(entry, _KIND_KEYS, "kind")
    size = whole_number(entry, "size_bytes")
    if not 1 <= size <= _MOST_SIZE:
        raise InputError(f"kind: size_bytes must be from 1 to {_MOST_SIZE:,}, got {size:,}")
    return ObjectKind(object_bytes=size, scan=_flag(entry, "pointers", "kind"))


def _phase(entry: Mapping[str, Any], kinds: int) -> Phase:
    check_keys(entry, _PHASE_KEYS, "phase")
    seconds = parse_duration(text_of(entry, "duration"), what="phase: duration")
    dropped = number(entry, "dropped") if "dropped" in entry else 0.0
    if not 0.0 <= dropped <= 1.0:
        raise InputError(f"phase: dropped is a share from 0 to 1, got {dropped}")
    if seconds < 1.0:
        raise InputError(f"phase: duration must be 1s or more, got {seconds:g}s")
    return Phase(
        seconds=seconds,
        kept=_rates(entry, "kept_per_second", kinds),
        garbage=_rates(entry, "garbage_per_second", kinds),
        dropped=dropped,
        collects=_flag(entry, "collect", "phase"),
    )


def _rates(entry: Mapping[str, Any], name: str, kinds: int) -> tuple[float, ...]:
    """Bytes per second of each kind; none if the phase does not name them."""
    texts = entry.get(name, ["0B"] * kinds)
    if not isinstance(texts, list) or len(texts) != kinds or not all(isinstance(one, str) for one in texts):
        raise InputError(f'phase: {name} is a list of {kinds} sizes, one for each kind, such as ["5MiB"]')
    found = tuple(float(parse_go_bytes(one, what=f"phase: {name}")) for one in texts)
    if max(found) > 1024.0 * MIB:
        raise InputError(f"phase: {name} must be at most 1GiB for each kind")
    return found


def _flag(entry: Mapping[str, Any], name: str, what: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"{what}: {name} must be true or false, got {value!r}")
    return value
