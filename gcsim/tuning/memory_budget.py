"""Container memory outside the Go heap: its split, its uncertainty, and the reading that would narrow it most."""

import math
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from gcsim.arrays import FloatArray, median
from gcsim.engine.inputs.draws import draw_parameters
from gcsim.engine.run import Run
from gcsim.engine.summary.intervals import Z90
from gcsim.metrics import Estimate
from gcsim.priors.readings import MOMENT_ERROR
from gcsim.service.model import Model
from gcsim.submodels.process_memory import container_bytes
from gcsim.tuning.feasible import container_peak
from gcsim.units import MIB, format_interval, format_mib

_DRAWS = 1024
_LEAST_FREED_BYTES = 1.0 * MIB  # a reading that frees less is not proposed

Reading = Literal["--working-set", "--rss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Container memory of one run at its peak, bytes: medians."""

    anonymous_bytes: float
    hot_file_bytes: float
    kernel_bytes: float

    def to_json(self) -> dict[str, float]:
        """The JSON document of the three parts."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBudget:
    """What a model knows of container memory outside the heap.

    ``outside_heap`` is the part that does not grow with the heap. ``not_counted`` is its part that GOMEMLIMIT does not
    count: hot file pages, kernel memory and C memory.
    """

    source: Literal["capture", "reading", "prior"]
    outside_heap: Estimate
    not_counted: Estimate
    hot_file_bytes: float
    kernel_bytes: float
    reading: Reading | None  # narrows ``outside_heap`` most; None if memory was measured
    freed_bytes: (
        float  # at the 95th percentile of ``outside_heap``, by that reading in a program at the median
    )

    @property
    def is_known(self) -> bool:
        """Whether the process's memory was measured or read."""
        return self.source != "prior"

    def split(self, run: Run) -> Split | None:
        """The parts of a run's container memory; None for a run without them, as in sweeps of an older gcsim."""
        anonymous = run.metrics.get("anonymous_peak_bytes")
        if anonymous is None:
            return None
        return Split(
            anonymous_bytes=anonymous.value,
            hot_file_bytes=self.hot_file_bytes,
            kernel_bytes=self.kernel_bytes,
        )

    def to_json(self, run: Run) -> dict[str, object]:
        """The JSON document, with the split of a run."""
        split = self.split(run)
        return {
            "metric": "container_peak_bytes",
            "source": self.source,
            "split": None if split is None else split.to_json(),
            "outside_heap_bytes": self.outside_heap.to_json(),
            "not_counted_bytes": self.not_counted.to_json(),
            "narrowed_by": None
            if self.reading is None
            else {"reading": self.reading, "freed_bytes": self.freed_bytes},
        }


def memory_budget(model: Model, *, seed: int) -> MemoryBudget:
    """The budget from draws of the model's parameters."""
    drawn = draw_parameters(model, replicas=_DRAWS, seed=seed)
    pages, kernel = drawn["file_resident_bytes"], drawn["kernel_bytes"]
    anonymous = np.maximum(drawn["rss_base_bytes"] - pages, 0.0)
    outside = container_bytes(
        anonymous, file_bytes=pages, hot_share=drawn["file_hot_share"], kernel_bytes=kernel
    )
    non_go = np.maximum(drawn["rss_beside_bytes"] - pages, 0.0)
    source = model.parameters.memory_source
    reading, freed = (None, 0.0) if source != "prior" else _best_reading(outside, anonymous, pages)
    return MemoryBudget(
        source=source,
        outside_heap=_estimate(outside),
        not_counted=_estimate(non_go + drawn["file_hot_share"] * pages + kernel),
        hot_file_bytes=median(drawn["file_hot_share"] * pages),
        kernel_bytes=median(kernel),
        reading=reading,
        freed_bytes=freed,
    )


def describe_split(budget: MemoryBudget, run: Run, memory_bytes: float) -> list[str]:
    """The sentence on the quantity that is compared with the container, and its parts."""
    split = budget.split(run)
    if split is None:
        return []
    return [
        f"Compared with the {format_mib(memory_bytes)} is container memory:"
        f" {format_mib(container_peak(run).value)} at the median, of which {format_mib(split.anonymous_bytes)} is"
        f" anonymous memory, {format_mib(split.hot_file_bytes)} hot file pages and"
        f" {format_mib(split.kernel_bytes)} kernel memory."
    ]


def describe_gap(budget: MemoryBudget, memory_bytes: float) -> list[str]:
    """The sentence on memory that was not measured, and the reading that narrows it most; none if it was."""
    if budget.is_known:
        return []
    outside, given = budget.outside_heap, format_mib(memory_bytes)
    interval = format_interval(*(format_mib(x) for x in (outside.value, outside.low, outside.high)))
    text = (
        f"Without a memory reading gcsim keeps {format_mib(outside.high)} for memory outside the heap, the"
        f" pessimistic end of {interval}."
    )
    if budget.reading is None:
        return [text]
    freed = min(budget.freed_bytes, memory_bytes)
    return [
        f"{text} {budget.reading}, or gcsim capture, would free about {format_mib(freed)} of the {given} in a usual"
        " program."
    ]


def _best_reading(
    outside: FloatArray, anonymous: FloatArray, pages: FloatArray
) -> tuple[Reading | None, float]:
    """The reading that lowers the 95th percentile of ``outside`` most, and by how many bytes if it shows the median.

    The result is (None, 0) if no reading lowers it by 1 MiB. A linear regression of ``outside`` on the quantity read
    leaves a standard deviation; the error of the reading adds to it.
    """
    readings: dict[Reading, FloatArray] = {"--working-set": outside, "--rss": anonymous + pages}
    now, middle = float(np.quantile(outside, 0.95)), median(outside)
    best: tuple[Reading | None, float] = (None, 0.0)
    for name, read in readings.items():
        left = math.hypot(_residual(outside, read), MOMENT_ERROR * median(read))
        freed = now - (middle + Z90 * left)
        if freed > max(best[1], _LEAST_FREED_BYTES):
            best = (name, freed)
    return best


def _residual(values: FloatArray, read: FloatArray) -> float:
    """Standard deviation of ``values`` about their linear regression on ``read``; arrays of one shape."""
    design = np.stack([np.ones(values.size), read], axis=1)
    fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
    return float((values - design @ fitted).std())


def _estimate(values: FloatArray) -> Estimate:
    low, value, high = (float(x) for x in np.quantile(values, (0.05, 0.5, 0.95)))
    return Estimate(value, low, high)
