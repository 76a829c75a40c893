"""Predictions of real software: calibrate on one run at GOGC=100, predict the other settings, compare.

A job is calibrated with ``--job`` and a server with its kind of loop, as their users can state them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from experiments.capture import RunPlan, is_captured, load_run
from experiments.software.cases import CASE, Case
from experiments.validation.observations import MIN_CYCLES, Observation, observe
from experiments.validation.study import compare
from gcsim.api import calibrate
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.window import service_window
from gcsim.engine.summary.intervals import load_kind
from gcsim.errors import InputError
from gcsim.service.model import Loop, Model

#: From a capture; from the log and the Go version alone; from those and one reading of RSS.
Source = Literal["capture", "bare log", "log and --rss"]
SOURCES: tuple[Source, ...] = ("capture", "bare log", "log and --rss")
METRICS = (
    "heap_peak_mean_bytes",
    "heap_peak_bytes",
    "gc_rate_hz",
    "gc_cpu_fraction",
    "rss_peak_bytes",
    "anonymous_peak_bytes",
)
_LEAST_JOB_CYCLES = 1
EMPTY_BYTES = 64  # of a packed log without lines
MOST_FOREIGN_CPU = 0.10  # of the machine, taken by other processes than the program and its load


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one run, predicted from one source."""

    label: str
    split: str
    procs: int
    gogc: int | None  # percent
    limit_mib: int | None
    repeat: int
    source: str  # one of SOURCES
    verdict: str  # of the model
    metric: str
    cycles: int  # of the observed window
    observed: float
    predicted: float
    low: float
    high: float
    again: float  # the same setting, run a second time; NaN without such a run

    @property
    def error(self) -> float:
        """|predicted / observed - 1|."""
        return abs(self.predicted / self.observed - 1.0)

    @property
    def floor(self) -> float:
        """|second run / first run - 1|; NaN without a second run."""
        return abs(self.again / self.observed - 1.0)

    @property
    def is_reference(self) -> bool:
        """Whether the run repeats the setting that the model was calibrated at."""
        return self.gogc == 100 and self.limit_mib is None

    @property
    def is_inside(self) -> bool:
        """Whether the prediction interval holds the observed value."""
        return self.low <= self.observed <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Rows, and the runs that were left out with the reason."""

    rows: tuple[Row, ...]
    left_out: tuple[tuple[str, str], ...]


def study(
    runs: Iterable[tuple[Case, RunPlan]], folder: Path, *, sources: Sequence[Source] = SOURCES
) -> Study:
    """Every captured run that no model was calibrated on, with its predictions."""
    groups: dict[tuple[str, int], list[RunPlan]] = defaultdict(list)
    for case, plan in runs:
        if is_captured(plan, folder):
            groups[case.label, plan.gomaxprocs].append(plan)
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    for (label, _), plans in groups.items():
        is_job = CASE[label].is_job
        found = {plan.name: _observed(plan, folder, is_job=is_job) for plan in plans}
        left_out |= {name: one for name, one in found.items() if isinstance(one, str)}
        seen = {name: one for name, one in found.items() if isinstance(one, Observation)}
        rows += _group_rows(CASE[label], seen, left_out, sources, folder)
    return Study(rows=tuple(rows), left_out=tuple(left_out.items()))


def _observed(plan: RunPlan, folder: Path, *, is_job: bool) -> Observation | str:
    """A job's cycles are counted from its start, so that few are enough."""
    if not load_run(folder / f"{plan.name}.result.json").log.stat().st_size > EMPTY_BYTES:
        return "no collection"
    least = _LEAST_JOB_CYCLES if is_job else MIN_CYCLES
    return observe(plan, folder, max_foreign_cpu=MOST_FOREIGN_CPU, min_cycles=least, is_job=is_job)


def _group_rows(
    case: Case,
    seen: dict[str, Observation],
    left_out: dict[str, str],
    sources: Sequence[Source],
    folder: Path,
) -> list[Row]:
    home = next((one for one in seen.values() if _is_reference(one) and one.plan.repeat == 1), None)
    if home is None:
        left_out |= dict.fromkeys(seen, "no usable run at GOGC=100 to calibrate on")
        return []
    rows = []
    for source in sources:
        try:
            model = _model(case, home, source)
        except InputError as error:
            left_out |= {f"{home.plan.name}, {source}": f"calibration refused: {error}"}
            continue
        runs = seen
        if not case.is_job and load_kind(model) == "moving":
            runs = _equal_windows(seen, home, folder)
        for one in runs.values():
            if one.plan.name != home.plan.name:
                rows += _rows(case, model, one, home, runs, source)
    return rows


def _equal_windows(seen: dict[str, Observation], home: Observation, folder: Path) -> dict[str, Observation]:
    """The runs over the window of the calibrated one, where the model of a load that moves starts."""
    found = {name: equal_window(one, home, folder) for name, one in seen.items()}
    return {name: one for name, one in found.items() if isinstance(one, Observation)}


def equal_window(one: Observation, home: Observation, folder: Path) -> Observation | str:
    """A run over the window of the calibrated one, or the reason why it is left out."""
    evidence = evidence_from(home.trace)
    from_seconds = float(evidence.start_seconds[service_window(evidence).start])
    return observe(
        one.plan, folder, max_foreign_cpu=MOST_FOREIGN_CPU, min_cycles=2, from_seconds=from_seconds
    )


def _is_reference(one: Observation) -> bool:
    return one.plan.gogc == 100 and one.plan.gomemlimit_bytes is None


def _model(case: Case, home: Observation, source: Source) -> Model:
    loop: Loop = "closed" if home.closed_loop else "open"
    if source == "capture":
        overrides = Overrides(loop=loop, job=case.is_job)
        return calibrate(home.trace, overrides=overrides).model
    bare = replace(home.trace, info=None)
    info = home.trace.info
    assert info is not None
    readings = MemoryReadings.of(rss_bytes=info.rss_peak_bytes) if source == "log and --rss" else None
    stated = Overrides(go=home.settings.go, loop=loop, job=case.is_job)
    return calibrate(bare, overrides=stated, readings=readings).model


def _rows(
    case: Case,
    model: Model,
    one: Observation,
    home: Observation,
    seen: dict[str, Observation],
    source: Source,
) -> list[Row]:
    second = seen.get(one.plan.name.removesuffix("-r1") + "-r2") if one.plan.repeat == 1 else None
    limit = one.settings.gomemlimit_bytes
    return [
        Row(
            label=case.label,
            split=case.split,
            procs=one.settings.gomaxprocs,
            gogc=one.settings.gogc,
            limit_mib=None if limit is None else limit >> 20,
            repeat=one.plan.repeat,
            source=source,
            verdict="" if model.assessment is None else model.assessment.verdict,
            metric=found.name,
            cycles=one.cycles,
            observed=found.observed,
            predicted=found.predicted.value,
            low=found.predicted.low,
            high=found.predicted.high,
            again=math.nan if second is None else second.metrics.get(found.name, math.nan),
        )
        for found in compare(model, one, home)
        if found.name in METRICS and found.observed > 0
    ]
