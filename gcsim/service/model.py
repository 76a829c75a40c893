"""The Model: one service as calibration left it, and its file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w

from gcsim.atomic import write_text_atomically
from gcsim.documents import number, read_document, table_of, text_of, whole_number
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.assessment import Assessment
from gcsim.service.parameters import Parameter, Parameters
from gcsim.service.pauses import Pauses
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests
from gcsim.service.variability import CycleVariability
from gcsim.settings import Settings
from gcsim.units import format_go_bytes, format_gogc, parse_gogc, parse_gomemlimit

FORMAT_VERSION = 1
_ADVICE = "calibrate it again with gcsim calibrate"

Loop = Literal["closed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One service: its parameters, how they move with time, and the settings they were learned at.

    ``loop`` is "closed" where the program allocates as fast as its CPU lets it, "open" where arrivals
    set the pace and only the total allocation is conserved.
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
    requests: Requests | None = None  # where the calibrated run told
    provenance: Mapping[str, str] = field(default_factory=dict)
    assessment: Assessment | None = None  # None where calibration gave no verdict

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """A model file by path, or a shipped model by name. Raises InputError."""
        path = find_model(name_or_path)
        return read_document(path, cls._from_document, form="TOML", what="a whole model", advice=_ADVICE)

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Self:
        version = document.get("format_version")
        if isinstance(version, bool) or not isinstance(version, int):
            raise InputError(f"no format_version, so not a model of gcsim; {_ADVICE}")
        if version < 1:
            raise InputError(f"format_version must be 1 or more, got {version}; {_ADVICE}")
        if version > FORMAT_VERSION:
            raise InputError(
                f"written by a newer gcsim (format {version}, this one reads up to {FORMAT_VERSION}); "
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
            requests=Requests.from_document(table_of(document, "requests"))
            if "requests" in document
            else None,
            provenance={str(k): str(v) for k, v in document.get("provenance", {}).items()},
            assessment=_assessment_from(document),
        )

    def save(self, path: str | Path) -> None:
        """Writes the model as TOML: whole or not at all. Raises InputError where it cannot be written."""
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
            "pauses": self.pauses.to_document(),
            "scatter": self.scatter.to_document(),
            **({"requests": self.requests.to_document()} if self.requests is not None else {}),
            "parameters": self.parameters.to_document(),
        }

    def scaled(self, *, live: float = 1.0, load: float = 1.0) -> Self:
        """The same service with its live heap and its load multiplied: a stress, not a fit.

        Mark CPU grows with the live heap. Load multiplies what arrives in an open loop; in a closed loop the
        program already runs as fast as it can, and load changes nothing.
        """
        old = self.parameters
        arrivals = load if self.loop == "open" else 1.0
        changed = replace(
            old,
            live_bytes=_times(old.live_bytes, live),
            mark_cpu_seconds=_times(old.mark_cpu_seconds, live),
            alloc_bytes_per_second=_times(old.alloc_bytes_per_second, arrivals),
        )
        return replace(self, parameters=changed)


def shipped_models() -> dict[str, Path]:
    """Name and file of every model that ships with the package."""
    installed = Path(str(resources.files("gcsim"))) / "models"
    beside = Path(str(resources.files("gcsim"))).parent / "models"  # a checkout, or an editable install
    folder = installed if installed.is_dir() else beside
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_model(name_or_path: str | Path) -> Path:
    """The file meant by a path or a shipped name; InputError lists the closest names."""
    path = Path(name_or_path)
    try:
        if path.exists() and not path.is_dir():
            return path
    except (OSError, ValueError):  # a name that no file can have, or one in a folder that may not be searched
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
