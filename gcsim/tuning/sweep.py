"""A sweep: one model at every setting of a grid, as labelled arrays of metrics."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gcsim.engine.run import Run
from gcsim.engine.simulate import (
    DEFAULT_DURATION_SECONDS,
    DEFAULT_SEED,
    Engine,
    simulate,
)
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import METRICS, Estimate
from gcsim.settings import Settings
from gcsim.tuning.grid import settings_grid
from gcsim.units import format_go_bytes, format_gogc
from gcsim.workload.model import Model

FloatArray = NDArray[np.float64]

#: Told after each chunk how many settings are finished, and how many there are.
Progress = Callable[[int, int], None]

LANES_PER_CHUNK = (
    4096  # settings × replicas in one engine call: wide enough for NumPy, small enough to interrupt
)
SHARE_OF_A_BINDING_LIMIT = (
    0.85  # of the limit, in resident memory: the limit's headroom is 3 %, estimates err
)
LIMITER_SHARE_OF_A_KEPT_LIMIT = (
    0.01  # above this share of time under the CPU limiter, a limit is not being kept
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGrid:
    """One metric over the grid: arrays of shape (limits, gogc), NaN where there is no figure."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs of one model over GOGC × GOMEMLIMIT.

    ``runs`` holds one entry per setting, limit by limit with GOGC running fastest; None where the sweep was
    interrupted before that setting.
    """

    gogc: tuple[int | None, ...]  # percent, None is off
    gomemlimit_bytes: tuple[int | None, ...]  # None is off
    runs: tuple[Run | None, ...]

    def __post_init__(self) -> None:
        if len(self.runs) != len(self.gogc) * len(self.gomemlimit_bytes):
            raise ValueError(
                f"{len(self.runs)} runs do not fill {len(self.gogc)} × {len(self.gomemlimit_bytes)}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(limits, gogc)."""
        return len(self.gomemlimit_bytes), len(self.gogc)

    @property
    def finished(self) -> list[Run]:
        """The runs there are, in grid order."""
        return [run for run in self.runs if run is not None]

    @property
    def metric_names(self) -> list[str]:
        """Metrics that at least one run has, in the order of the documentation."""
        present = {name for run in self.finished for name in run.metrics}
        return [name for name in METRICS if name in present]

    def metric(self, name: str) -> MetricGrid:
        """One metric as arrays over the grid."""
        missing = Estimate(float("nan"), float("nan"), float("nan"))
        cells = [run.metrics.get(name, missing) if run else missing for run in self.runs]
        columns = np.array([(cell.value, cell.low, cell.high) for cell in cells], dtype=np.float64)
        value, low, high = (columns[:, i].reshape(self.shape) for i in range(3))
        return MetricGrid(value=value, low=low, high=high)

    def place_of(self, settings: Settings) -> tuple[int, int]:
        """(limit, gogc) of a setting of the grid."""
        return self.gomemlimit_bytes.index(settings.gomemlimit_bytes), self.gogc.index(settings.gogc)

    def infeasible(self, memory_bytes: int | None = None) -> NDArray[np.bool_]:
        """Where a setting breaks its memory limit or the memory given, shape (limits, gogc)."""
        broken = [run is not None and not is_feasible(run, memory_bytes) for run in self.runs]
        return np.array(broken, dtype=np.bool_).reshape(self.shape)

    def to_json(self) -> dict[str, object]:
        """``{"runs": [simulate's object, …]}``, finished settings only, with the number of those that are not."""
        document: dict[str, object] = {"runs": [run.to_json() for run in self.finished]}
        unfinished = len(self.runs) - len(self.finished)
        return document | {"unfinished": unfinished} if unfinished else document

    def to_csv(self) -> str:
        """One row per finished setting: the knobs as Go spells them; value, low and high of each metric."""
        names = self.metric_names
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        knobs = ["gogc", "gomemlimit", "gomaxprocs", "go"]
        writer.writerow(knobs + [f"{name}{end}" for name in names for end in ("", "_low", "_high")])
        for run in self.finished:
            writer.writerow([*_knobs(run.settings), *_figures(run, names)])
        return text.getvalue()


def base_settings(model: Model, *, gomaxprocs: int | None, go: str | None) -> Settings:
    """The calibrated run's settings, with the processors and the Go version given in their place."""
    return replace(
        model.settings,
        gomaxprocs=model.settings.gomaxprocs if gomaxprocs is None else gomaxprocs,
        go=model.settings.go if go is None else rules_for(go).go,
    )


def keeps_limit(run: Run) -> bool:
    """Whether the run stays under its own GOMEMLIMIT without living on the GC CPU limiter.

    The limit is soft: when live memory does not fit under it the runtime collects without pause until the
    limiter caps GC at half of the CPU, and then lets the heap grow (Go 1.19+ ``gcCPULimiterState``). Both
    signs count: the heap's peak above the limit, and more than a moment under the limiter while the limit
    binds. A low GOGC alone can also bring the limiter on; memory far below the limit tells it apart.
    """
    limit = run.settings.gomemlimit_bytes
    if limit is None:
        return True
    limiter = run.metrics.get("limiter_time_fraction")
    resident = run.metrics.get("rss_peak_bytes")
    binds = resident is None or resident.value > SHARE_OF_A_BINDING_LIMIT * limit
    on_limiter = binds and limiter is not None and limiter.value > LIMITER_SHARE_OF_A_KEPT_LIMIT
    peak = run.metrics.get("heap_peak_bytes")
    over_limit = peak is not None and peak.value > limit
    return not (on_limiter or over_limit)


def is_feasible(run: Run, memory_bytes: int | None) -> bool:
    """Whether the run keeps its own limit and, at the pessimistic end, the memory it is given."""
    if memory_bytes is not None and not run.metrics["rss_peak_bytes"].high <= memory_bytes:
        return False
    return keeps_limit(run)


def sweep(
    model: Model,
    *,
    gogc: Sequence[int | None],
    gomemlimit_bytes: Sequence[int | None] = (None,),
    gomaxprocs: int | None = None,
    go: str | None = None,
    duration_seconds: float = DEFAULT_DURATION_SECONDS,
    replicas: int = 8,
    seed: int = DEFAULT_SEED,
    engine: Engine = "lanes",
    progress: Progress | None = None,
) -> Sweep:
    """Simulate every pair of the two axes.

    GOMAXPROCS and the Go version default to those of the calibrated run. On KeyboardInterrupt what is
    finished is returned. Raises InputError on bad settings.
    """
    knobs = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    settings = settings_grid(gogc, gomemlimit_bytes, gomaxprocs=knobs.gomaxprocs, go=knobs.go)
    chunks = simulate_in_chunks(
        model, settings, duration_seconds=duration_seconds, replicas=replicas, seed=seed, engine=engine
    )
    runs: list[Run | None] = []
    try:
        for chunk in chunks:
            runs.extend(chunk)
            if progress is not None:
                progress(len(runs), len(settings))
    except KeyboardInterrupt:
        if not runs:
            raise
    runs.extend([None] * (len(settings) - len(runs)))
    return Sweep(gogc=tuple(gogc), gomemlimit_bytes=tuple(gomemlimit_bytes), runs=tuple(runs))


def simulate_in_chunks(
    model: Model,
    settings: Sequence[Settings],
    *,
    duration_seconds: float,
    replicas: int,
    seed: int,
    engine: Engine = "lanes",
) -> Iterator[list[Run]]:
    """The runs of many settings, a chunk at a time, in order; lazily, so that a caller may stop."""
    per_chunk = max(1, LANES_PER_CHUNK // replicas)
    for first in range(0, len(settings), per_chunk):
        yield simulate(
            model,
            settings[first : first + per_chunk],
            duration_seconds=duration_seconds,
            replicas=replicas,
            seed=seed,
            engine=engine,
        )


def _knobs(settings: Settings) -> list[str]:
    limit = format_go_bytes(settings.gomemlimit_bytes)
    return [format_gogc(settings.gogc), limit, str(settings.gomaxprocs), settings.go]


def _figures(run: Run, names: Sequence[str]) -> list[str]:
    cells: list[str] = []
    for name in names:
        found = run.metrics.get(name)
        cells.extend(
            ["", "", ""] if found is None else [f"{x:.9g}" for x in (found.value, found.low, found.high)]
        )
    return cells
