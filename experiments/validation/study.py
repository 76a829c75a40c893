"""Calibrate on GOGC=100 alone, predict every other run, and compare each metric with the real run."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.capture import RunPlan
from experiments.validation import baselines
from experiments.validation.matrix import LOAD
from experiments.validation.observations import (
    Observation,
    capture_day,
    captured_plans,
    observe_group,
    regime,
)
from gcsim.api import calibrate, calibrate_logs
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.validation import Comparison
from gcsim.engine.simulate import simulate
from gcsim.engine.summary.intervals import load_kind
from gcsim.errors import InputError
from gcsim.metrics import METRICS, Estimate
from gcsim.service.model import Loop, Model
from gcsim.units import MIB

REPLICAS = 48
_THREE = (50, 100, 400)  # GOGC of the logs calibrated on together
_PACES = ("gc_rate_hz", "throughput_ratio")
_OF_PROCESS = ("rss_peak_bytes", "anonymous_peak_bytes", "container_peak_bytes")
_CPU_SHARES = ("gc_cpu_fraction", "gc_assist_cpu_fraction", "gc_idle_cpu_fraction")
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one run. Sizes in bytes, times in seconds, CPU as a share; NaN where there is nothing."""

    label: str
    go: str  # "1.27"
    procs: int
    gogc: int | None
    limit_mib: int | None
    repeat: int
    held_out: bool
    course: str  # as calibration found it: "closed", "open" or "moving"
    regime: str
    cycles: int
    metric: str
    observed: float
    predicted: float
    low: float
    high: float
    keep: float
    gc_guide: float
    odds: float
    three_logs: (
        float  # predicted from first runs at GOGC=50, 100 and 400 together; NaN for those and their repeats
    )
    log_alone: float  # predicted from the calibrated run's log without the capture's side file
    log_alone_low: float
    log_alone_high: float
    again: float  # the same setting run a second time
    speed_effect: (
        float  # observed over what it would be at the calibrated run's machine speed; NaN: not known
    )
    again_speed_effect: float

    @property
    def at_home(self) -> bool:
        """Whether this is the calibrated setting, run again: not a prediction of another setting."""
        return self.gogc == 100 and self.limit_mib is None

    @property
    def run(self) -> tuple[str, str, int, int | None, int | None, int]:
        """Names the run."""
        return self.label, self.go, self.procs, self.gogc, self.limit_mib, self.repeat

    @property
    def inside(self) -> bool:
        """Whether the 90 % interval holds what happened."""
        return self.low <= self.observed <= self.high

    @property
    def from_log_alone(self) -> "Row":
        """The same, predicted from the log alone."""
        return replace(self, predicted=self.log_alone, low=self.log_alone_low, high=self.log_alone_high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Rows, and the runs that were left out with the reason."""

    rows: tuple[Row, ...]
    early_rows: tuple[Row, ...]  # of short runs at settings that a long one stands for
    left_out: tuple[tuple[str, str], ...]
    runs: int  # captured ones, calibrated and left out ones among them
    long_runs: int  # as many of those are of a minute
    first_day: str  # of the captures, ISO
    last_day: str


def study(plans: Iterable[RunPlan], folder: Path, long_folder: Path) -> Study:
    """Every captured run of ``plans`` but those calibrated on, against its prediction.

    ``long_folder`` holds those of a minute (``observe_group``).
    """
    groups: dict[tuple[str, str, int], list[RunPlan]] = defaultdict(list)
    for plan in plans:
        groups[plan.label, plan.go_version, plan.gomaxprocs].append(plan)
    parts = [_study_group(group, folder, long_folder) for group in groups.values()]
    everything = [plan for group in groups.values() for plan in group]
    captured, long = captured_plans(everything, folder), captured_plans(everything, long_folder)
    days = [capture_day(plan, folder) for plan in captured]
    days += [capture_day(plan, long_folder) for plan in long]
    return Study(
        rows=tuple(row for part in parts for row in part.rows),
        early_rows=tuple(row for part in parts for row in part.early_rows),
        left_out=tuple(one for part in parts for one in part.left_out.items()),
        runs=len(days),
        long_runs=len(long),
        first_day=min(days, default=""),
        last_day=max(days, default=""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one load on one Go version and GOMAXPROCS brings to the study."""

    rows: list[Row]
    early_rows: list[Row]
    left_out: dict[str, str]


def _study_group(group: list[RunPlan], folder: Path, long_folder: Path) -> _Part:
    """One load on one Go version and GOMAXPROCS: its own calibration, then its other runs."""
    seen, early, left_out = observe_group(group, folder, long_folder)

    def none(reason: str) -> _Part:
        return _Part(rows=[], early_rows=[], left_out=left_out | dict.fromkeys(seen, reason))

    home = next((o for o in seen.values() if _is_home(o.plan) and o.plan.repeat == 1), None)
    if home is None:
        return none("no usable run at GOGC=100 to calibrate on")
    try:
        stated = Overrides(loop=_loop_of(home))
        model = calibrate(home.trace, name=home.plan.label, overrides=stated, fit_check=False).model
        alone = _of_log_alone(home)
    except InputError as error:
        return none(f"calibration refused: {error}")
    pooled = _of_three_logs(seen.values(), home)

    def rows(runs: dict[str, Observation]) -> list[Row]:
        others = [one for one in runs.values() if one is not home]
        return [row for one in others for row in _rows(one, home, model, pooled, alone, _again(one, runs))]

    return _Part(rows=rows(seen), early_rows=rows(early), left_out=left_out)


def _loop_of(home: Observation) -> Loop:
    """The loop of the program, as its user states it with --open-loop or --closed-loop."""
    return "closed" if home.closed_loop else "open"


def _of_log_alone(home: Observation) -> Model:
    """A model of the log without its side file: the user states Go version and loop, and the rest is the log's."""
    stated = Overrides(go=home.settings.go, loop=_loop_of(home))
    bare = replace(home.trace, info=None)
    return calibrate(bare, name=home.plan.label, overrides=stated, fit_check=False).model


def _of_three_logs(seen: Iterable[Observation], home: Observation) -> Model | None:
    """A model of the calibrated run and the first ones at GOGC=50 and 400; None where one is missing or refused."""
    logs = {
        one.plan.name: one.trace
        for one in seen
        if one.plan.repeat == 1 and one.plan.gomemlimit_bytes is None and one.plan.gogc in _THREE
    }
    if len(logs) < len(_THREE):
        return None
    try:
        stated = Overrides(loop=_loop_of(home))
        return calibrate_logs(logs, name=home.plan.label, overrides=stated, fit_check=False).model
    except InputError:
        return None


def _is_home(plan: RunPlan) -> bool:
    return plan.gogc == 100 and plan.gomemlimit_bytes is None


def _again(one: Observation, seen: dict[str, Observation]) -> Observation | None:
    """The second run of a first run's setting; a second run has none."""
    name = one.plan.name.removesuffix("-r1") + "-r2"
    return seen.get(name) if one.plan.repeat == 1 else None


def _rows(
    one: Observation,
    home: Observation,
    model: Model,
    pooled: Model | None,
    alone: Model,
    again: Observation | None,
) -> list[Row]:
    comparisons = compare(model, one, home)
    of_log = {c.name: c.predicted for c in compare(alone, one, home)}
    others = {
        "three_logs": _predicted(pooled, one, home),
        "keep": baselines.keep(home, one.settings),
        "gc_guide": baselines.gc_guide(home, one.settings),
        "odds": baselines.odds(home, one.settings),
        "again": {} if again is None else _metrics(again, home),
    }
    return [
        Row(
            label=one.plan.label,
            go=one.settings.go,
            procs=one.settings.gomaxprocs,
            gogc=one.settings.gogc,
            limit_mib=None if one.settings.gomemlimit_bytes is None else one.settings.gomemlimit_bytes // MIB,
            repeat=one.plan.repeat,
            held_out=not LOAD[one.plan.label].design,
            course=load_kind(model),
            regime=regime(one, home),
            cycles=one.cycles,
            metric=c.name,
            observed=c.observed,
            predicted=c.predicted.value,
            low=c.predicted.low,
            high=c.predicted.high,
            log_alone=of_log[c.name].value,
            log_alone_low=of_log[c.name].low,
            log_alone_high=of_log[c.name].high,
            **{name: answer.get(c.name, math.nan) for name, answer in others.items()},
            speed_effect=_speed_effect(c.name, one, home),
            again_speed_effect=math.nan if again is None else _speed_effect(c.name, again, home),
        )
        for c in comparisons
    ]


def _predicted(pooled: Model | None, one: Observation, home: Observation) -> dict[str, float]:
    """What the model of three logs says of a run at another setting than theirs."""
    if pooled is None or (one.plan.gomemlimit_bytes is None and one.plan.gogc in _THREE):
        return {}
    return {c.name: c.predicted.value for c in compare(pooled, one, home)}


def compare(model: Model, one: Observation, home: Observation) -> list[Comparison]:
    """Each metric that is both predicted and observed; simulated for as long, from as far after start-up.

    Peaks of memory are the process's, which no window cuts: they are of a simulation of all of the run under load.
    """
    ends = one.is_job and model.growth.form == "job"  # by itself
    predicted = dict(_simulated(model, one, one.loaded_seconds if ends else one.window_seconds))
    if not ends and one.loaded_seconds > one.window_seconds:
        whole = _simulated(model, one, one.loaded_seconds)
        predicted |= {name: whole[name] for name in _OF_PROCESS}
    observed = _metrics(one, home)
    return [
        Comparison(name=name, predicted=predicted[name], observed=observed[name])
        for name in METRICS
        if name in predicted and name in observed and not math.isnan(observed[name])
    ]


def _simulated(model: Model, one: Observation, seconds: float) -> Mapping[str, Estimate]:
    run = simulate(
        model,
        [one.settings],
        duration_seconds=seconds,
        replicas=REPLICAS,
        seed=SEED,
        warm_up_cycles=one.cycles_since_start,
    )[0]
    return run.metrics


def _metrics(one: Observation, home: Observation) -> dict[str, float]:
    """A run's metrics; throughput, of a program that goes as fast as it can, in requests."""
    if not one.closed_loop:
        return one.metrics
    return one.metrics | {"throughput_ratio": one.requests_per_second / home.requests_per_second}


def _speed_effect(metric: str, one: Observation, home: Observation) -> float:
    """What the machine's speed, relative to the calibrated run's, did to a metric.

    A program that goes as fast as it can does everything faster; one that waits for arrivals spends less CPU time.
    """
    if one.closed_loop and metric in _PACES:
        return one.cpu_speed / home.cpu_speed
    if not one.closed_loop and metric in _CPU_SHARES:
        return home.cpu_speed / one.cpu_speed
    return 1.0
