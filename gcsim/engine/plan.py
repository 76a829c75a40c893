"""The plan of a simulation: one record that every function from the command line to the engines passes on."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypedDict, Unpack

from gcsim.documents import number, table_of, whole_number
from gcsim.engine.controllers import FIXED_SETTING, Controller, controller_json, controller_of
from gcsim.errors import InputError

Engine = Literal["lanes", "des"]
Length = Literal["full", "needed"]

WARM_UP_CYCLES = 8  # before a run's time 0: the pacer remembers five cycles
_ALWAYS_WRITTEN = ("duration_seconds", "replicas", "seed", "engine")


class PlanFields(TypedDict, total=False):
    """The fields of ``Plan`` as keywords: every function that takes a plan accepts them too."""

    duration_seconds: float
    replicas: int
    seed: int
    engine: Engine
    length: Length
    warm_up_cycles: int
    explicit_gc_seconds: float | None
    controller: Controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to simulate a setting. A new field needs a line here, one in ``PlanFields``, and the code that uses it."""

    duration_seconds: float = 600.0  # of each run
    replicas: int = 16  # simulated runs of a setting
    seed: int = 1
    engine: Engine = "lanes"  # "des" simulates every event, "lanes" one GC cycle per step
    length: Length = (
        "full"  # "needed": the event engine ends a run of a steady service once its metrics are known
    )
    warm_up_cycles: int = WARM_UP_CYCLES  # before time 0; with fewer, a run includes the start of the process
    explicit_gc_seconds: float | None = None  # interval of calls of runtime.GC; needs the engine "des"
    controller: Controller = FIXED_SETTING  # sets GOGC and the memory limit at each commit

    @property
    def keeps_setting(self) -> bool:
        """Whether GOGC and the memory limit are the same during the whole run."""
        return self.controller == FIXED_SETTING

    @property
    def is_steady(self) -> bool:
        """Whether a steady service stays steady: no controller, or one that does not look at the time."""
        return self.keeps_setting or not getattr(self.controller, "looks_at_time", True)

    @property
    def may_stop_early(self) -> bool:
        """Whether a run of a steady service may end before its time; not if it has a start-up or explicit cycles."""
        warm = self.warm_up_cycles >= WARM_UP_CYCLES and self.explicit_gc_seconds is None
        return self.length == "needed" and warm and self.is_steady

    def warm_up_over(self, cycles: int, seconds: float) -> bool:
        """Whether the warm-up has ended after some cycles, ``seconds`` after the start of the process."""
        del seconds
        return cycles >= self.warm_up_cycles

    @property
    def warm_up(self) -> str:
        """The length of the warm-up, for messages."""
        return f"{self.warm_up_cycles} GC cycles"

    def changed(self, **values: Unpack[PlanFields]) -> "Plan":
        """The plan with other values of some fields."""
        return replace(self, **values)

    def check(self) -> None:
        """Raises InputError if no engine can follow the plan."""
        if self.replicas < 1 or not 0 < self.duration_seconds < math.inf:
            raise InputError("--replicas must be 1 or more and --duration more than zero and finite")
        if self.explicit_gc_seconds is not None and self.engine != "des":
            raise InputError(
                "--force-gc: only the event engine simulates explicit collections; add --engine des"
            )

    def expected_cycles(self, per_second: float, *, most: float) -> float:
        """The expected cycles of a run of a service that has ``per_second`` when calibrated; at most ``most``."""
        return self.warm_up_cycles + min(self.duration_seconds * per_second, most)

    def to_json(self, model: str) -> dict[str, Any]:
        """The fields of a JSON document that describe its simulation and model; rare fields only if changed."""
        from importlib.metadata import version  # here: it loads the parser of e-mail headers

        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        written = {
            name: value
            for name, (value, usual) in values.items()
            if name in _ALWAYS_WRITTEN or value != usual
        }
        if "controller" in written:
            written["controller"] = controller_json(self.controller)
        return {"gcsim_version": version("gcsim"), "model": model, **written}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        """The plan in a document of ``to_json``; a missing field has its default. Raises InputError."""
        readers: dict[str, Callable[[Mapping[str, Any], str], float]] = {
            "duration_seconds": number,
            "replicas": whole_number,
            "seed": whole_number,
            "warm_up_cycles": whole_number,
            "explicit_gc_seconds": number,
        }
        known: dict[str, Any] = {
            name: read(document, name) for name, read in readers.items() if name in document
        }
        if "controller" in document:
            known["controller"] = controller_of(table_of(document, "controller"))
        return cls(
            engine="des" if document.get("engine") == "des" else "lanes",
            length="needed" if document.get("length") == "needed" else "full",
            **known,
        )


USUAL_PLAN = Plan()
