"""A leak: the time until the collector suffers, and until the container is full."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.engine.run import Run
from gcsim.service.model import Model
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.feasible import container_peak
from gcsim.units import MIB

LEAK_BYTES_PER_SECOND = MIB / 60.0  # at twice this rate all times are half as long
SUFFERING = 0.25  # of all CPU: GC above it, the pacer's goal while marking (Go gcBackgroundUtilization)
_STEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """The course of a leak of one MiB a minute: medians, from the start of the leak."""

    suffering_gc_cpu: (
        float  # a quarter of all CPU, or a fifth more than today if GC takes nearly that without a leak
    )
    seconds_to_suffering: float | None  # GC takes more than that; None if the container is full first
    seconds_to_end: float | None  # the container is full; None if it is not with a live heap of its size

    @property
    def suffering_seconds(self) -> float | None:
        """The time between both; 0 if the container is full without a warning."""
        if self.seconds_to_end is None:
            return None
        return 0.0 if self.seconds_to_suffering is None else self.seconds_to_end - self.seconds_to_suffering

    def to_json(self) -> dict[str, float | None]:
        """The JSON document, with the rate."""
        return {
            "bytes_per_second": LEAK_BYTES_PER_SECOND,
            "suffering_gc_cpu": self.suffering_gc_cpu,
            "seconds_to_suffering": self.seconds_to_suffering,
            "seconds_to_end": self.seconds_to_end,
            "suffering_seconds": self.suffering_seconds,
        }


def leak_factors(model: Model, memory_bytes: float) -> list[float]:
    """Factors on the live heap, evenly from today's to the size of the container; today's is left out."""
    last = max(memory_bytes / model.parameters.live_bytes.value, 1.1)
    return [1.0 + (last - 1.0) * step / _STEPS for step in range(1, _STEPS + 1)]


def leak_of(model: Model, runs: Sequence[Run], factors: Sequence[float], memory: Constraint) -> Leak:
    """The course of a leak from runs with today's live heap and with each factor; between them by straight lines."""
    gc_cpu = [run.metrics["gc_cpu_fraction"].value for run in runs]
    peaks = [container_peak(run).value for run in runs]
    live = [1.0, *factors]
    usual = max(SUFFERING, 1.2 * gc_cpu[0])
    suffering, end = _first(live, gc_cpu, usual), _first(live, peaks, memory.bound)
    if suffering is not None and end is not None and suffering >= end:
        suffering = None
    return Leak(
        suffering_gc_cpu=usual,
        seconds_to_suffering=_seconds(model, suffering),
        seconds_to_end=_seconds(model, end),
    )


def _first(live: Sequence[float], values: Sequence[float], bound: float) -> float | None:
    """The first factor at which the values pass the bound."""
    over = np.flatnonzero(np.asarray(values) >= bound)
    if over.size == 0:
        return None
    place = int(over[0])
    if place == 0:
        return live[0]
    before, after = values[place - 1], values[place]
    share = (bound - before) / (after - before) if math.isfinite(after) else 1.0
    return live[place - 1] + share * (live[place] - live[place - 1])


def _seconds(model: Model, factor: float | None) -> float | None:
    if factor is None:
        return None
    return (factor - 1.0) * model.parameters.live_bytes.value / LEAK_BYTES_PER_SECOND
