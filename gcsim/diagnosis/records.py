"""The records of a diagnosis: causes, the signs that show them, steps to take, and open questions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gcsim.arrays import FloatArray
from gcsim.diagnosis.kinds import KINDS
from gcsim.diagnosis.latency import LatencySplit
from gcsim.metrics import Estimate

Severity = Literal["serious", "worth knowing", "healthy"]
Confidence = Literal["high", "medium", "low"]
Unit = Literal["bytes", "seconds", "fraction", "per second", "bytes per second", "count", "percent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One line or number of the evidence."""

    text: str
    source: str  # the file, or the option that states it
    line: int | None = None  # of the file, from 1
    value: float | None = None
    unit: Unit | None = None

    @property
    def where(self) -> str:
        """The place, as editors and compilers write it: FILE:LINE."""
        return self.source if self.line is None else f"{self.source}:{self.line}"

    def to_json(self) -> dict[str, Any]:
        """The entry of a JSON document."""
        return {
            "text": self.text,
            "source": self.source,
            "line": self.line,
            "value": self.value,
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do next: a sentence, and a command if there is one."""

    text: str
    command: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of a JSON document."""
        return {"text": self.text, "command": self.command}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One limit, and the time from the end of the log until growth reaches it: median and 90 % interval."""

    limit: Literal["container", "GOMEMLIMIT"]
    limit_bytes: int
    seconds: Estimate  # infinite ends: growth may never reach the limit

    def to_json(self) -> dict[str, Any]:
        """The entry of a JSON document; null for infinite times."""
        ends = {"value": self.seconds.value, "low": self.seconds.low, "high": self.seconds.high}
        return {
            "limit": self.limit,
            "limit_bytes": self.limit_bytes,
            "seconds_after_log": {k: None if math.isinf(v) else round(v, 3) for k, v in ends.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """The part that leaks after the end of a log, with its 90 % interval; arrays of shape (times,)."""

    seconds: FloatArray  # since the start of the process
    low_bytes: FloatArray
    median_bytes: FloatArray
    high_bytes: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One finding: its kind, how bad and how sure it is, a sentence, its signs, and the next steps."""

    name: str  # a key of KINDS
    severity: Severity
    confidence: Confidence
    sentence: str
    signs: tuple[Sign, ...] = ()
    steps: tuple[Step, ...] = ()
    log: str = ""  # the log that it is about; empty for other evidence
    forecasts: tuple[Forecast, ...] = ()  # of a leak; the limit that is reached first comes first
    band: Band | None = field(default=None, compare=False, repr=False)  # of a leak, for figures

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise ValueError(f"no kind of finding is named {self.name!r}")

    @property
    def title(self) -> str:
        """The kind in words."""
        return KINDS[self.name].title

    def to_json(self) -> dict[str, Any]:
        """The entry of a JSON document."""
        return {
            "name": self.name,
            "severity": self.severity,
            "confidence": self.confidence,
            "log": self.log or None,
            "sentence": self.sentence,
            "evidence": [sign.to_json() for sign in self.signs],
            "next": [step.to_json() for step in self.steps],
            "forecasts": [one.to_json() for one in self.forecasts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A question that the evidence does not answer, and the command or file that would."""

    question: str
    shown_by: str

    def to_json(self) -> dict[str, Any]:
        """The entry of a JSON document."""
        return {"question": self.question, "shown_by": self.shown_by}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """A whole diagnosis: the causes, the most likely first, excluded causes and open questions."""

    causes: tuple[Cause, ...]
    excluded: tuple[str, ...] = ()  # each a short text with its figure
    unknown: tuple[Unknown, ...] = ()
    files: tuple[dict[str, str], ...] = field(default=())  # name and kind of each file
    latency: tuple[LatencySplit, ...] = ()  # of each log that allows it

    @property
    def is_serious(self) -> bool:
        """Whether a finding is serious."""
        return any(cause.severity == "serious" for cause in self.causes)

    def to_json(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "serious": self.is_serious,
            "findings": [cause.to_json() for cause in self.causes],
            "excluded": list(self.excluded),
            "unknown": [one.to_json() for one in self.unknown],
            "files": [dict(one) for one in self.files],
            "latency": [one.to_json() for one in self.latency],
        }


def ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """The causes in the order of severity; in one severity, those of low confidence last, and causes before effects."""
    severities, confidences = list(get_args(Severity)), list(get_args(Confidence))
    names = list(KINDS)
    return tuple(
        sorted(
            causes,
            key=lambda one: (
                severities.index(one.severity),
                one.confidence == "low",
                names.index(one.name),
                confidences.index(one.confidence),
            ),
        )
    )
