"""The result of a simulation: settings, metrics with intervals, and optionally the cycles of one replica."""

from dataclasses import dataclass
from typing import Any

from gcsim.cycles import CycleTable
from gcsim.metrics import Estimate
from gcsim.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One simulated setting."""

    settings: Settings
    metrics: dict[str, Estimate]  # keys from gcsim.metrics.METRICS, those that the model can predict
    cycles: CycleTable | None = None  # of one replica, exact (not truncated as printed)

    def to_json(self) -> dict[str, Any]:
        """The document of ``gcsim simulate --json``; GOGC=off and GOMEMLIMIT=off are null."""
        return {
            "settings": settings_json(self.settings),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """The cycles of one run of a setting at the model's central values."""

    settings: Settings
    cycles: CycleTable


def settings_json(settings: Settings) -> dict[str, Any]:
    """Settings in the form that all JSON documents share."""
    return {
        "gogc": settings.gogc,
        "gomemlimit_bytes": settings.gomemlimit_bytes,
        "gomaxprocs": settings.gomaxprocs,
        "go": settings.go,
    }
