"""A sweep: the runs of one model at every setting of a grid, and their metrics as arrays."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, Unpack

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.engine.executors import IN_PROCESS, Executor, executor_for
from gcsim.engine.lanes.equal import EdgeKeeper, KnownLanes, Outline, outline_of
from gcsim.engine.lanes.run import lane_cycles
from gcsim.engine.plan import Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.goruntime.versions import rules_for
from gcsim.interrupts import Terminated
from gcsim.metrics import METRICS, Estimate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.csv_cells import as_text, figure_cells, knob_cells
from gcsim.tuning.feasible import is_feasible
from gcsim.tuning.grid import settings_grid

#: Called after each chunk with the number of finished settings and the number of all settings.
Progress = Callable[[int, int], None]


class Keeper(EdgeKeeper, Protocol):
    """Keeps the finished runs of a sweep, so that a later sweep can continue it."""

    def finished(self, settings: Sequence[Settings]) -> Sequence[Run]:
        """The finished runs at the first of the settings of the grid."""
        ...

    def keep(self, first: int, runs: Sequence[Run]) -> None:
        """Keeps the runs of consecutive settings of the grid. Raises InputError if they cannot be kept."""
        ...


SWEEP_PLAN = Plan(replicas=8)  # a grid has many settings
LANES_PER_CHUNK = 4096  # simulated in an engine call: large enough for NumPy, small enough to interrupt
_KNOWN_PER_CHUNK = 1 << 16  # lanes of a chunk, with those that are not simulated
_MOST_OUTLINED = 0.5  # of the lanes: an outline that simulates more saves little


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGrid:
    """One metric over the grid: arrays of shape (limits, gogc), NaN without a prediction."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs of one model over GOGC × GOMEMLIMIT, with their plan, model and memory.

    ``runs`` holds one entry per setting, limit by limit with GOGC fastest; None for settings that an interrupted sweep
    did not reach.
    """

    gogc: tuple[int | None, ...]  # percent, None is off
    gomemlimit_bytes: tuple[int | None, ...]  # None is off
    runs: tuple[Run | None, ...]
    plan: Plan = field(default_factory=Plan)
    model: str = ""  # its name
    memory_bytes: int | None = None  # of the container, if given

    def __post_init__(self) -> None:
        if len(self.runs) != len(self.gogc) * len(self.gomemlimit_bytes):
            raise ValueError(
                f"{len(self.runs)} runs do not fill {len(self.gogc)} × {len(self.gomemlimit_bytes)}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the grid: (limits, gogc)."""
        return len(self.gomemlimit_bytes), len(self.gogc)

    @property
    def finished(self) -> list[Run]:
        """The finished runs, in grid order."""
        return [run for run in self.runs if run is not None]

    @property
    def metric_names(self) -> list[str]:
        """The metrics that at least one run has, in the order of ``METRICS``."""
        present = {name for run in self.finished for name in run.metrics}
        return [name for name in METRICS if name in present]

    @property
    def memory_metric(self) -> str:
        """The memory metric of tables and figures: container memory, or RSS for a sweep of an older gcsim."""
        return "container_peak_bytes" if "container_peak_bytes" in self.metric_names else "rss_peak_bytes"

    def metric(self, name: str) -> MetricGrid:
        """The arrays of one metric over the grid."""
        missing = Estimate(float("nan"), float("nan"), float("nan"))
        cells = [run.metrics.get(name, missing) if run else missing for run in self.runs]
        columns = np.array([(cell.value, cell.low, cell.high) for cell in cells], dtype=np.float64)
        value, low, high = (columns[:, i].reshape(self.shape) for i in range(3))
        return MetricGrid(value=value, low=low, high=high)

    def place_of(self, settings: Settings) -> tuple[int, int]:
        """The indices (limit, gogc) of a setting in the grid."""
        return self.gomemlimit_bytes.index(settings.gomemlimit_bytes), self.gogc.index(settings.gogc)

    def infeasible(self, memory_bytes: int | None = None) -> BoolArray:
        """Whether each setting is infeasible, shape (limits, gogc); for ``memory_bytes``, else the sweep's memory."""
        memory_bytes = self.memory_bytes if memory_bytes is None else memory_bytes
        broken = [run is not None and not is_feasible(run, memory_bytes) for run in self.runs]
        return np.array(broken, dtype=np.bool_).reshape(self.shape)

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim sweep --json``: finished settings, and the number of unfinished ones."""
        unfinished = len(self.runs) - len(self.finished)
        return {
            **self._about(),
            **({"unfinished": unfinished} if unfinished else {}),
            "runs": [
                {**run.to_json(), "feasible": is_feasible(run, self.memory_bytes)} for run in self.finished
            ],
        }

    def to_csv(self) -> str:
        """CSV text, one row per finished setting: the setting as Go spells it; value, low and high of each metric."""
        names, about = self.metric_names, self._about()
        values = ["" if value is None else as_text(str(value)) for value in about.values()]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        knobs = ["gogc", "gomemlimit", "gomaxprocs", "go"]
        ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
        writer.writerow([*knobs, *ends, "feasible", *about])
        for run in self.finished:
            feasible = str(is_feasible(run, self.memory_bytes)).lower()
            writer.writerow([*knob_cells(run.settings), *figure_cells(run, names), feasible, *values])
        return text.getvalue()

    def _about(self) -> dict[str, object]:
        return {"memory_bytes": self.memory_bytes, **self.plan.to_json(self.model)}


def loosest_last(knob: Sequence[int | None]) -> list[int]:
    """The indices that sort the values of a knob (GOGC or GOMEMLIMIT) in ascending order, with None (off) last.

    Off is last because it is the loosest value. Tables and heat maps have this order.
    """
    return sorted(range(len(knob)), key=lambda place: (knob[place] is None, knob[place] or 0))


def base_settings(model: Model, *, gomaxprocs: int | None, go: str | None) -> Settings:
    """The calibrated settings, with ``gomaxprocs`` and ``go`` replaced if given."""
    return replace(
        model.settings,
        gomaxprocs=model.settings.gomaxprocs if gomaxprocs is None else gomaxprocs,
        go=model.settings.go if go is None else rules_for(go).go,
    )


def sweep(
    model: Model,
    *,
    gogc: Sequence[int | None],
    gomemlimit_bytes: Sequence[int | None] = (None,),
    gomaxprocs: int | None = None,
    go: str | None = None,
    plan: Plan = SWEEP_PLAN,
    memory_bytes: int | None = None,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    keeper: Keeper | None = None,
    **changes: Unpack[PlanFields],
) -> Sweep:
    """The sweep over all pairs of the two axes.

    GOMAXPROCS and the Go version default to those of the calibrated run. ``memory_bytes``, the memory of the container,
    determines the feasible settings. ``keeper`` receives each finished part before ``progress`` counts it, and has the
    parts of an earlier, unfinished sweep. ``changes`` replace fields of the plan. On KeyboardInterrupt and Terminated
    the result holds the finished settings. Raises InputError on bad settings.
    """
    plan = plan.changed(**changes)
    knobs = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    settings = settings_grid(gogc, gomemlimit_bytes, gomaxprocs=knobs.gomaxprocs, go=knobs.go)
    runs: list[Run | None] = [] if keeper is None else [*keeper.finished(settings)]
    try:
        if progress is not None:
            progress(len(runs), len(settings))
        for chunk in simulate_in_chunks(
            model, settings, plan, executor, is_grid=True, first=len(runs), keeper=keeper
        ):
            if keeper is not None:
                keeper.keep(len(runs), chunk)
            runs.extend(chunk)
            if progress is not None:
                progress(len(runs), len(settings))
    except (KeyboardInterrupt, Terminated):
        if not runs:
            raise
    runs.extend([None] * (len(settings) - len(runs)))
    return Sweep(
        gogc=tuple(gogc),
        gomemlimit_bytes=tuple(gomemlimit_bytes),
        runs=tuple(runs),
        plan=plan,
        model=model.name,
        memory_bytes=memory_bytes,
    )


def simulate_in_chunks(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan,
    executor: Executor = IN_PROCESS,
    *,
    is_grid: bool = False,
    first: int = 0,
    keeper: EdgeKeeper | None = None,
) -> Iterator[list[Run]]:
    """Yields the runs of many settings in order, from ``first`` on, one chunk at a time.

    ``settings`` of a grid are all pairs of two axes. In a grid of several chunks, lanes that are equal to lanes of its
    outline are not simulated (``engine.lanes.equal``). The bytes are the same, also with any executor: it runs chunks
    of the lane engine, and the replicas of each setting of the event engine.
    """
    rest = settings[first:]
    if plan.engine == "des":
        return ([simulate(model, [one], plan, executor=executor)[0]] for one in rest)
    outline: Outline | None = None
    if is_grid and (_outline_pays(settings, len(rest), plan) or (keeper is not None and keeper.edges())):
        plan.check()
        outline = outline_of(
            model, settings, plan, most_lanes=LANES_PER_CHUNK, executor=executor, keeper=keeper
        )
    lanes = [plan.replicas if outline is None else outline.unknown_lanes(one) for one in rest]
    executor = executor_for(executor, "lanes", sum(lanes) * lane_cycles(model, plan))
    chunks = (
        _Chunk(settings=part, known=None if outline is None else outline.known(part))
        for part in _parts(rest, lanes, most_settings=max(_KNOWN_PER_CHUNK // plan.replicas, 1))
    )
    return executor.map(partial(_simulate_chunk, model, plan), chunks)


def is_one_chunk(settings: int, plan: Plan) -> bool:
    """Whether one engine call simulates so many settings: such a sweep has no parts."""
    return settings == 1 or (plan.engine == "lanes" and settings * plan.replicas <= LANES_PER_CHUNK)


def _outline_pays(settings: Sequence[Settings], wanted: int, plan: Plan) -> bool:
    """Whether the outline of a grid saves time; not if one engine call simulates the wanted settings as fast."""
    edges = len({one.gogc for one in settings}) + len({one.gomemlimit_bytes for one in settings})
    few = wanted * plan.replicas <= LANES_PER_CHUNK
    return not few and edges <= _MOST_OUTLINED * wanted and plan.keeps_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """Consecutive settings, and the lanes of them that need no simulation."""

    settings: Sequence[Settings]
    known: KnownLanes | None


def _parts(
    settings: Sequence[Settings], lanes: Sequence[int], *, most_settings: int
) -> Iterator[Sequence[Settings]]:
    """Consecutive settings, so many that an engine call simulates at most LANES_PER_CHUNK of their lanes."""
    first = simulated = 0
    for place, new in enumerate(lanes):
        if place > first and (simulated + new > LANES_PER_CHUNK or place - first == most_settings):
            yield settings[first:place]
            first, simulated = place, 0
        simulated += new
    if settings:
        yield settings[first:]


def _simulate_chunk(model: Model, plan: Plan, chunk: _Chunk) -> list[Run]:
    return simulate(model, chunk.settings, plan, known=chunk.known)
