"""The simulation parameters of a sweep or search, as one record."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from gcsim.engine.run import Run
from gcsim.engine.simulate import DEFAULT_DURATION_SECONDS, DEFAULT_REPLICAS, DEFAULT_SEED, Engine, simulate
from gcsim.service.model import Model
from gcsim.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Duration, number, seed and engine of the runs of one setting."""

    duration_seconds: float = DEFAULT_DURATION_SECONDS
    replicas: int = DEFAULT_REPLICAS
    seed: int = DEFAULT_SEED
    engine: Engine = "lanes"

    def simulate(self, model: Model, settings: Sequence[Settings]) -> list[Run]:
        """One Run per setting, in order. Raises InputError."""
        return simulate(
            model,
            settings,
            duration_seconds=self.duration_seconds,
            replicas=self.replicas,
            seed=self.seed,
            engine=self.engine,
        )

    def to_json(self, model: str) -> dict[str, Any]:
        """The fields of a JSON document that describe its simulation and model."""
        return {
            "gcsim_version": version("gcsim"),
            "model": model,
            "duration_seconds": self.duration_seconds,
            "replicas": self.replicas,
            "seed": self.seed,
            "engine": self.engine,
        }
