"""The metrics of consecutive settings as one array: a compact form of runs, for files and for messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.run import Run, Simulated
from gcsim.metrics import Estimate
from gcsim.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunColumns:
    """The metrics of some settings, exact to the last bit. Who reads them knows the settings."""

    names: tuple[str, ...]  # of the metrics
    values: FloatArray  # shape (settings, metrics, 3): value, low and high
    simulated: FloatArray  # shape (settings, 2): cycles and seconds per replica; NaN for the lane engine

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Self:
        """The columns of one or more runs of one model: all have the same metrics."""
        names = tuple(runs[0].metrics)
        if any(tuple(run.metrics) != names for run in runs):
            raise ValueError("the runs have different metrics")
        rows = [[(one.value, one.low, one.high) for one in run.metrics.values()] for run in runs]
        lengths = [
            (np.nan, np.nan) if run.simulated is None else (run.simulated.cycles, run.simulated.seconds)
            for run in runs
        ]
        return cls(
            names=names,
            values=np.array(rows, dtype=np.float64).reshape(len(runs), len(names), 3),
            simulated=np.array(lengths, dtype=np.float64),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The columns of one or more consecutive parts of one model."""
        return cls(
            names=parts[0].names,
            values=np.concatenate([part.values for part in parts]),
            simulated=np.concatenate([part.simulated for part in parts]),
        )

    @classmethod
    def from_bytes(cls, names: str, values: bytes, simulated: bytes) -> Self:
        """The inverse of ``to_bytes``. Raises ValueError for anything else."""
        known = tuple(names.split(","))
        array = np.frombuffer(values, dtype="<f8").reshape(-1, len(known), 3)
        lengths = np.frombuffer(simulated, dtype="<f8").reshape(len(array), 2)
        return cls(names=known, values=array.astype(np.float64), simulated=lengths.astype(np.float64))

    def to_bytes(self) -> tuple[str, bytes, bytes]:
        """The names with commas between them; the values, and how much was simulated, as little-endian doubles."""
        values, lengths = (array.astype("<f8").tobytes() for array in (self.values, self.simulated))
        return ",".join(self.names), values, lengths

    def __len__(self) -> int:
        return len(self.values)

    def select(self, names: Sequence[str]) -> "RunColumns":
        """The columns of those of these metrics that there are."""
        places = [place for place, name in enumerate(self.names) if name in names]
        return RunColumns(
            names=tuple(self.names[place] for place in places),
            values=self.values[:, places],
            simulated=self.simulated,
        )

    def range_of(self, name: str) -> tuple[float, float]:
        """The least and the highest median of a metric."""
        medians = self.values[:, self.names.index(name), 0]
        return float(medians.min()), float(medians.max())

    def runs(self, settings: Sequence[Settings]) -> list[Run]:
        """The runs again, at these settings."""
        return [
            Run(
                settings=one,
                metrics={name: Estimate(*row) for name, row in zip(self.names, rows, strict=True)},
                simulated=None if cycles != cycles else Simulated(cycles=cycles, seconds=seconds),
            )
            for one, rows, (cycles, seconds) in zip(
                settings, self.values.tolist(), self.simulated.tolist(), strict=True
            )
        ]
