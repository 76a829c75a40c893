"""A sync.Pool of a service."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from gcsim.documents import number, whole_number
from gcsim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePool:
    """The use of one sync.Pool by a service at its calibrated load."""

    gets_per_second: float
    hold_seconds: float  # from Get to Put
    object_bytes: float
    goroutines: int | None = None  # that use it; None: unlimited

    @property
    def in_flight(self) -> float:
        """Mean number of objects in use."""
        return self.gets_per_second * self.hold_seconds

    def scaled(self, *, load: float = 1.0, speed: float = 1.0) -> Self:
        """The same pool with another load, and with Ps that do ``speed`` times the work in a second."""
        return replace(
            self, gets_per_second=self.gets_per_second * load, hold_seconds=self.hold_seconds / speed
        )

    def to_document(self) -> dict[str, Any]:
        """The table of a model file."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_document(cls, table: Mapping[str, Any]) -> Self:
        """The pool of a table. Raises InputError."""
        found = cls(
            gets_per_second=number(table, "gets_per_second"),
            hold_seconds=number(table, "hold_seconds"),
            object_bytes=number(table, "object_bytes"),
            goroutines=whole_number(table, "goroutines") if "goroutines" in table else None,
        )
        if min(found.gets_per_second, found.hold_seconds, found.object_bytes) <= 0:
            raise InputError("pools: gets_per_second, hold_seconds and object_bytes must be more than 0")
        if found.goroutines is not None and found.in_flight >= found.goroutines:
            raise InputError(
                f"pools: {found.goroutines} goroutines cannot hold {found.in_flight:.4g} objects at once"
            )
        return found
