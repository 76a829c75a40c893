"""The assessment of a model by calibration: verdict, findings and growth, stored in the model file."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from gcsim.errors import InputError

Severity = Literal["note", "care", "distrust"]
Verdict = Literal["trust", "trust with care", "do not trust"]
MemoryVerdict = Literal["trust", "trust with care", "do not trust", "unknown"]
Origin = Literal["stated", "captured", "logged", "inferred", "assumed"]
GrowingPart = Literal["live heap", "stacks"]

_VERDICTS: dict[Severity, Verdict] = {
    "note": "trust",
    "care": "trust with care",
    "distrust": "do not trust",
}
_ORDER: dict[Severity, int] = {"distrust": 0, "care": 1, "note": 2}
NOT_MEASURED = "memory not measured"  # kind of the finding that makes memory unknown
_OF_MEMORY = (NOT_MEASURED, "memory read once")  # kinds that concern memory only
_OF_CPU = (
    "crowded machine",
    "stalled",
    "coarse clock",
    "GC CPU unknown",
)  # kinds that concern CPU and pauses only
_SETTINGS = ("gogc", "gomemlimit", "gomaxprocs", "go")


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a calibration, in one sentence."""

    kind: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The linear growth of one part of memory over the log."""

    what: GrowingPart
    bytes_per_second: float  # more than 0
    first_bytes: float  # fitted, at the start of the calibrated window
    last_bytes: float  # fitted, at its end
    continues: bool  # whether growth at the end of the window is as fast as before; a warm-up slows down

    def seconds_until(self, size_bytes: float) -> float:
        """Time from the end of the log until this part reaches a size at the same rate; 0 if it already has."""
        return max(size_bytes - self.last_bytes, 0.0) / self.bytes_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The origin of each setting of the calibrated log."""

    gogc: Origin
    gomemlimit: Origin
    gomaxprocs: Origin
    go: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The verdict on a model, with the findings behind it."""

    findings: tuple[Finding, ...] = ()  # the gravest first
    growth: tuple[Growth, ...] = ()
    origins: Origins | None = None  # None for older model files

    @property
    def verdict(self) -> Verdict:
        """The verdict of the gravest finding: the worse one of memory and CPU."""
        return _verdict(self.findings)

    @property
    def memory_verdict(self) -> MemoryVerdict:
        """The verdict on predictions of memory. Without a measurement of the process it is at best "unknown"."""
        found = _verdict(finding for finding in self.findings if finding.kind not in _OF_CPU)
        if found != "do not trust" and any(finding.kind == NOT_MEASURED for finding in self.findings):
            return "unknown"
        return found

    @property
    def cpu_verdict(self) -> Verdict:
        """The verdict on predictions of cycles, GC CPU and pauses."""
        return _verdict(finding for finding in self.findings if finding.kind not in _OF_MEMORY)

    @property
    def parts(self) -> str:
        """Both verdicts in words."""
        return f"memory: {self.memory_verdict}; CPU: {self.cpu_verdict}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences behind a verdict other than trust."""
        return tuple(finding.text for finding in self.findings if finding.severity != "note")

    @property
    def line(self) -> str:
        """The verdict and its first reason, in one line."""
        return self.verdict + (f": {self.reasons[0]}" if self.reasons else "")

    def to_json(self) -> dict[str, Any]:
        """The fields verdict, verdicts, findings and growth of every JSON document about a model."""
        return {
            "verdict": self.verdict,
            "verdicts": {"memory": self.memory_verdict, "cpu": self.cpu_verdict},
            "findings": [asdict(finding) for finding in self.findings],
            "growth": [asdict(growth) for growth in self.growth],
        }

    def to_document(self) -> dict[str, Any]:
        """The section of the model file. The verdict is for human readers; it follows from the findings."""
        origins = {} if self.origins is None else {"origins": asdict(self.origins)}
        return {**self.to_json(), **origins}

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        """The assessment in a section of a model file. Raises InputError."""
        found = cls(
            findings=tuple(_finding(one) for one in _list(entry, "findings")),
            growth=tuple(_growth(one) for one in _list(entry, "growth")),
            origins=_origins(entry["origins"]) if "origins" in entry else None,
        )
        if entry.get("verdict", found.verdict) != found.verdict:
            raise InputError(
                f"assessment: verdict is {entry['verdict']!r}, but its findings give {found.verdict!r}; calibrate again"
            )
        return found

    @classmethod
    def from_older(cls, verdict: str) -> Self:
        """The assessment of an older model file, which holds only a verdict line.

        It has one finding, or none for a plain "trust" and for an unknown text.
        """
        for severity, name in reversed(_VERDICTS.items()):
            if verdict.startswith(name):
                text = verdict.removeprefix(name).removeprefix(":").strip()
                kept = severity != "note" or bool(text)
                return cls(findings=(Finding("older model", severity, text or name),) if kept else ())
        return cls()


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, the gravest first."""
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity]))


def _verdict(findings: Iterable[Finding]) -> Verdict:
    severities: set[Severity] = {finding.severity for finding in findings} | {"note"}
    return _VERDICTS[min(severities, key=_ORDER.__getitem__)]


def _list(entry: Mapping[str, Any], name: str) -> list[Any]:
    found = entry.get(name, [])
    if not isinstance(found, list):
        raise InputError(f"assessment: {name} must be a list")
    return found


def _choice(name: str, value: object, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise InputError(f"assessment: {name} must be one of {', '.join(choices)}, got {value!r}")
    return value


def _finding(entry: Mapping[str, Any]) -> Finding:
    severity: Severity = _choice("severity", entry["severity"], get_args(Severity))
    return Finding(str(entry["kind"]), severity, str(entry["text"]))


def _growth(entry: Mapping[str, Any]) -> Growth:
    sizes = {name: float(entry[name]) for name in ("bytes_per_second", "first_bytes", "last_bytes")}
    if not all(0.0 <= size < 2.0**63 for size in sizes.values()) or sizes["bytes_per_second"] <= 0:
        raise InputError("assessment: growth must have finite sizes and a rate of more than 0")
    what: GrowingPart = _choice("what", entry["what"], get_args(GrowingPart))
    return Growth(what=what, continues=bool(entry["continues"]), **sizes)


def _origins(entry: Mapping[str, Any]) -> Origins:
    return Origins(**{name: _choice(name, entry[name], get_args(Origin)) for name in _SETTINGS})
