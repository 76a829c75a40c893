"""Predictions of every question as ``gcsim whatif`` makes them, and the figures of the real runs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from experiments.capture import RunPlan
from experiments.software.study import MOST_FOREIGN_CPU, equal_window
from experiments.validation.observations import Observation, observe
from experiments.whatif.matrix import Question, folder_of
from gcsim.api import calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.plan import Plan
from gcsim.engine.summary.intervals import load_kind
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.tuning.changes import Changes
from gcsim.tuning.whatif import what_if

METRICS = (
    "gc_rate_hz",
    "heap_peak_mean_bytes",
    "heap_peak_bytes",
    "gc_cpu_fraction",
    "stw_p50_seconds",
    "rss_peak_bytes",
    "throughput_ratio",
)
_REPLICAS = 16
_LEAST_SECONDS = 5.0
_MIN_CYCLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one question."""

    program: str
    held_out: bool
    trusted: bool  # whether the model's verdict is another one than "do not trust"
    kind: str
    option: str
    go: str  # of the calibrated run
    metric: str
    before: float  # observed
    after: float  # observed
    predicted: Estimate
    ratio: Estimate | None  # predicted, after / before

    @property
    def error(self) -> float:
        """Predicted / observed - 1."""
        return self.predicted.value / self.after - 1.0

    @property
    def is_inside(self) -> bool:
        """Whether the 90 % interval holds the observed figure."""
        return self.predicted.contains(self.after)

    @property
    def observed_ratio(self) -> float:
        """After / before of the real runs."""
        return self.after / self.before

    @property
    def no_change_error(self) -> float:
        """The error of a prediction that the change has no effect."""
        return self.before / self.after - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The rows, and the questions without them."""

    rows: tuple[Row, ...]
    left_out: tuple[tuple[str, str], ...]  # name of the question, reason


def study(questions: Iterable[Question]) -> Study:
    """Every question whose two runs can be used."""
    rows: list[Row] = []
    left_out: list[tuple[str, str]] = []
    for question in questions:
        found = _rows(question)
        if isinstance(found, str):
            left_out.append((f"{question.program.name} {question.option}", found))
        else:
            rows += found
    return Study(rows=tuple(rows), left_out=tuple(left_out))


def _rows(question: Question) -> list[Row] | str:
    home, after = _observed(question.home), _observed(question.after)
    if isinstance(home, str):
        return f"the run before the change: {home}"
    model = _model(question.home)
    if load_kind(model) == "moving" and not isinstance(after, str):
        after = equal_window(after, home, folder_of(question.after))
    if isinstance(after, str):
        return f"the run after the change: {after}"
    plan = Plan(duration_seconds=max(after.window_seconds, _LEAST_SECONDS), replicas=_REPLICAS)
    found = what_if(model, after.settings, Changes(traffic=question.traffic), plan=plan)
    measured = [_measured(one, home) for one in (home, after)]
    return [
        Row(
            program=question.program.name,
            held_out=question.program.held_out,
            trusted=model.assessment is None or model.assessment.verdict != "do not trust",
            kind=question.kind,
            option=question.option,
            go=question.home.go_version,
            metric=metric,
            before=measured[0][metric],
            after=measured[1][metric],
            predicted=found.after.metrics[metric],
            ratio=found.ratios.get(metric),
        )
        for metric in METRICS
        if metric in found.after.metrics and all(one.get(metric, math.nan) > 0 for one in measured)
    ]


@cache
def _observed(plan: RunPlan) -> Observation | str:
    return observe(plan, folder_of(plan), max_foreign_cpu=MOST_FOREIGN_CPU, min_cycles=_MIN_CYCLES)


@cache
def _model(plan: RunPlan) -> Model:
    home = _observed(plan)
    assert isinstance(home, Observation)
    return calibrate(home.trace, name=plan.label, overrides=Overrides(loop="open"), fit_check=False).model


def _measured(one: Observation, home: Observation) -> dict[str, float]:
    """The metrics of a run; its throughput is in requests, relative to the run before the change."""
    return one.metrics | {"throughput_ratio": one.requests_per_second / home.requests_per_second}
