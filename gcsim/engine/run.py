"""The result of a simulation: settings, metrics with intervals, and optionally the cycles of one replica."""

from dataclasses import dataclass
from typing import Any

from gcsim.cycles import CycleTable
from gcsim.metrics import Estimate
from gcsim.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """How much of its runs the event engine simulated: means over the replicas, without the warm-up."""

    cycles: float
    seconds: float  # up to the start of the last cycle

    def to_json(self) -> dict[str, float]:
        """The JSON object."""
        return {"cycles_per_replica": self.cycles, "seconds_per_replica": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One simulated setting."""

    settings: Settings
    metrics: dict[str, Estimate]  # keys from gcsim.metrics.METRICS, those that the model can predict
    cycles: CycleTable | None = None  # of one replica, exact (not truncated as printed)
    simulated: Simulated | None = None  # by the event engine

    def to_json(self) -> dict[str, Any]:
        """The document of ``gcsim simulate --json``; GOGC=off and GOMEMLIMIT=off are null."""
        simulated = {} if self.simulated is None else {"simulated": self.simulated.to_json()}
        return {
            "settings": settings_json(self.settings),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            **simulated,
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
