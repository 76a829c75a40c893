"""The Model of one service, and its file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w

from gcsim.atomic import write_text_atomically
from gcsim.documents import number, read_document, table_of, tables_of, text_of, whole_number
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.assessment import Assessment
from gcsim.service.growth import LiveGrowth
from gcsim.service.parameters import Parameter, Parameters
from gcsim.service.pauses import Pauses
from gcsim.service.pools import ServicePool
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests
from gcsim.service.variability import CycleVariability
from gcsim.settings import Settings
from gcsim.units import format_go_bytes, format_gogc, parse_gogc, parse_gomemlimit

FORMAT_VERSION = 1
_ADVICE = "calibrate the model again with gcsim calibrate"

Loop = Literal["closed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One service: its parameters, their movement over time, and the calibrated settings.

    ``loop`` is "closed" if the program allocates at the speed of its CPU, "open" if arrivals set the allocation rate.
    """

    name: str
    loop: Loop
    settings: Settings  # at calibration
    parameters: Parameters
    profile: Profile
    pauses: Pauses
    scatter: CycleVariability
    duration_seconds: float  # of the calibrated window
    cycles: int  # in the calibrated window
    growth: LiveGrowth = field(default_factory=LiveGrowth.none)  # of the live heap; multiplies the profile
    requests: Requests | None = None  # if the calibrated run has a load driver's result
    # their misses are not in the allocation rate, nor their unused objects in the live heap
    pools: tuple[ServicePool, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    assessment: Assessment | None = None  # None without a verdict

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """The model in a file, or a shipped model by name. Raises InputError."""
        path = find_model(name_or_path)
        return read_document(path, cls._from_document, form="TOML", what="a whole model", advice=_ADVICE)

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Self:
        version = document.get("format_version")
        if isinstance(version, bool) or not isinstance(version, int):
            raise InputError(f"the file has no format_version, so it is no gcsim model; {_ADVICE}")
        if version < 1:
            raise InputError(f"format_version must be 1 or more, got {version}; {_ADVICE}")
        if version > FORMAT_VERSION:
            raise InputError(
                f"a newer gcsim wrote this file (format {version}, this gcsim reads up to {FORMAT_VERSION}); "
                "upgrade gcsim or calibrate again"
            )
        loop = document["loop"]
        if loop not in ("closed", "open"):
            raise InputError(f"loop must be closed or open, got {loop!r}")
        return cls(
            name=text_of(document, "name"),
            loop=loop,
            settings=_settings_from(table_of(document, "settings")),
            parameters=Parameters.from_document(table_of(document, "parameters")),
            profile=Profile.from_document(table_of(document, "profile")),
            pauses=Pauses.from_document(table_of(document, "pauses")),
            scatter=CycleVariability.from_document(table_of(document, "scatter")),
            duration_seconds=_positive(document, "duration_seconds"),
            cycles=whole_number(document, "cycles"),
            growth=LiveGrowth.from_document(table_of(document, "growth"))
            if "growth" in document
            else LiveGrowth.none(),
            requests=Requests.from_document(table_of(document, "requests"))
            if "requests" in document
            else None,
            pools=tuple(ServicePool.from_document(one) for one in tables_of(document, "pools")),
            provenance={str(k): str(v) for k, v in document.get("provenance", {}).items()},
            assessment=_assessment_from(document),
        )

    def save(self, path: str | Path) -> None:
        """Writes the model as TOML, whole or not at all. Raises InputError if the file cannot be written."""
        write_text_atomically(Path(path), tomli_w.dumps(self._to_document()))

    def _to_document(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "loop": self.loop,
            "duration_seconds": self.duration_seconds,
            "cycles": self.cycles,
            "settings": {
                "gogc": format_gogc(self.settings.gogc),
                "gomemlimit": format_go_bytes(self.settings.gomemlimit_bytes),
                "gomaxprocs": self.settings.gomaxprocs,
                "go": self.settings.go,
            },
            "provenance": dict(self.provenance),
            **({"assessment": self.assessment.to_document()} if self.assessment is not None else {}),
            "profile": self.profile.to_document(),
            **({} if self.growth.is_none else {"growth": self.growth.to_document()}),
            "pauses": self.pauses.to_document(),
            "scatter": self.scatter.to_document(),
            **({"requests": self.requests.to_document()} if self.requests is not None else {}),
            **({"pools": [one.to_document() for one in self.pools]} if self.pools else {}),
            "parameters": self.parameters.to_document(),
        }

    def scaled(
        self, *, live: float = 1.0, load: float = 1.0, allocation: float = 1.0, speed: float = 1.0
    ) -> Self:
        """The model of the same service with its live heap, its load and its allocation per unit of work multiplied.

        Mark CPU scales with the live heap. Load multiplies the arrival rate of an open loop and the Ps that it keeps
        busy while marking. It has no effect in a closed loop, where the program already runs at full speed.
        ``allocation`` multiplies the bytes of each request and keeps its CPU time: arrivals and allocation per CPU
        second change alike, on and off marking. ``speed`` multiplies the work of each P in a second, of the program
        and of the collector alike.
        """
        old = self.parameters
        arrivals = load if self.loop == "open" else 1.0
        changed = replace(
            old,
            live_bytes=_times(old.live_bytes, live),
            mark_cpu_seconds=_times(old.mark_cpu_seconds, live / speed),
            assist_cpu_seconds=_times(old.assist_cpu_seconds, 1.0 / speed),
            sweep_cpu_seconds_per_byte=_times(old.sweep_cpu_seconds_per_byte, 1.0 / speed),
            alloc_bytes_per_second=_times(old.alloc_bytes_per_second, arrivals * allocation),
            alloc_bytes_per_cpu_second=_times(old.alloc_bytes_per_cpu_second, allocation * speed),
            mark_mutator_procs=_times(old.mark_mutator_procs, arrivals),
        )
        requests = self.requests
        if requests is not None and allocation != 1.0:
            requests = replace(requests, bytes_per_request=requests.bytes_per_request * allocation)
        pools = tuple(one.scaled(load=arrivals, speed=speed) for one in self.pools)
        return replace(self, parameters=changed, requests=requests, pools=pools)

    def with_changed_sites(self, *, stack_bytes: float, allocation_rel_sd: float) -> Self:
        """The model of the same service with more bytes on stacks, and with more uncertainty about its allocation.

        The error adds to that of both allocation rates, so that the ratio to the unchanged service has it too.
        """
        old = self.parameters
        changed = replace(
            old,
            stack_bytes=_plus(old.stack_bytes, stack_bytes),
            allocated_stack_bytes=_plus(old.allocated_stack_bytes, stack_bytes),
            alloc_bytes_per_second=_less_certain(old.alloc_bytes_per_second, allocation_rel_sd),
            alloc_bytes_per_cpu_second=_less_certain(old.alloc_bytes_per_cpu_second, allocation_rel_sd),
        )
        return replace(self, parameters=changed)


def shipped_models() -> dict[str, Path]:
    """Name and file of every shipped model."""
    installed = Path(str(resources.files("gcsim"))) / "models"
    checkout = Path(str(resources.files("gcsim"))).parent / "models"  # also for an editable install
    folder = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_model(name_or_path: str | Path) -> Path:
    """The file of a path or a shipped name. Raises InputError with the closest shipped names."""
    path = Path(name_or_path)
    try:
        if path.exists() and not path.is_dir():
            return path
    except (OSError, ValueError):  # an impossible file name, or a folder without search permission
        pass
    shipped = shipped_models()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    close = get_close_matches(str(name_or_path), shipped, n=3, cutoff=0.3) or list(shipped)
    raise InputError(
        f"{name_or_path}: no such file and no shipped model of that name; shipped: {', '.join(close)}"
    )


def _settings_from(entry: Mapping[str, Any]) -> Settings:
    return Settings(
        gogc=parse_gogc(str(entry["gogc"]), what="settings.gogc"),
        gomemlimit_bytes=parse_gomemlimit(str(entry["gomemlimit"]), what="settings.gomemlimit"),
        gomaxprocs=whole_number(entry, "gomaxprocs"),
        go=rules_for(text_of(entry, "go"), what="settings.go").go,
    )


def _assessment_from(document: Mapping[str, Any]) -> Assessment | None:
    if "assessment" in document:
        return Assessment.from_document(document["assessment"])
    line = document.get("provenance", {}).get("verdict")
    return None if line is None else Assessment.from_older(str(line))


def _positive(document: Mapping[str, Any], name: str) -> float:
    value = number(document, name)
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} must be more than 0, got {value}")
    return value


def _times(parameter: Parameter, factor: float) -> Parameter:
    return replace(parameter, value=parameter.value * factor)


def _plus(parameter: Parameter, addend: float) -> Parameter:
    return replace(parameter, value=parameter.value + addend)


def _less_certain(parameter: Parameter, rel_sd: float) -> Parameter:
    return replace(parameter, rel_sd=min(parameter.rel_sd + rel_sd, 10.0))
