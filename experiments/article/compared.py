"""Predictions of the arms of a study, and tables of observed and predicted figures."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from experiments.article.arms import Arm, Observed, log_of, of_arm
from gcsim.api import calibrate
from gcsim.engine.plan import Engine
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.metrics import METRIC_LABELS, Estimate, format_metric
from gcsim.service.model import Model
from gcsim.units import format_number, format_percent

SWING = "heap_swing_fraction"
_LABELS = {
    **METRIC_LABELS,
    SWING: "swing of the heap",
    "requests_hz": "requests/s",
    "throughput_ratio": "over the defaults",
    "forced_cycles": "forced collections",
    "go_memory_peak_bytes": "memory that the limit counts, peak",
}
_REPLICAS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One figure of one arm: the runs, and the prediction if there is one."""

    arm: str
    metric: str
    observed: Sequence[float]
    predicted: Estimate | None
    calibrated: bool  # the arm has the setting of the calibrated run


def model_of(study: str) -> Model:
    """The service as the calibrated run of a study shows it."""
    return calibrate(log_of(study), name=study, fit_check=False).model


def predict(
    model: Model, arms: Iterable[Arm], factors: Mapping[str, float] | None = None, *, engine: Engine = "lanes"
) -> dict[str, Run]:
    """A run of each arm by its name; ``factors`` multiply the allocation per unit of work."""
    return {
        arm.name: simulate(
            model.scaled(allocation=(factors or {}).get(arm.name, 1.0)),
            [arm.plan.settings],
            duration_seconds=arm.plan.duration_seconds,
            replicas=_REPLICAS,
            engine=engine,
        )[0]
        for arm in arms
    }


def pairs(
    metrics: Sequence[str], runs: Sequence[Observed], predicted: Mapping[str, Run], calibrated: str
) -> list[Pair]:
    """Every arm that was predicted, with every figure."""
    return [
        Pair(
            arm=arm,
            metric=metric,
            observed=observed(runs, arm, metric),
            predicted=_estimate(run, metric),
            calibrated=arm == calibrated,
        )
        for arm, run in predicted.items()
        for metric in metrics
    ]


def observed(runs: Sequence[Observed], arm: str, metric: str) -> list[float]:
    """One figure of all runs of an arm."""
    if metric != SWING:
        return of_arm(runs, arm, metric)
    ends = (of_arm(runs, arm, name) for name in ("heap_peak_mean_bytes", "heap_marked_mean_bytes"))
    return [swing(top, bottom) for top, bottom in zip(*ends, strict=True)]


def swing(top: float, bottom: float) -> float:
    """Half of the distance of the heap's mean peak and mean marked size, over their mean: the x of "± x"."""
    return (top - bottom) / (top + bottom)


def _estimate(run: Run, metric: str) -> Estimate | None:
    if metric == SWING:
        value = swing(run.metrics["heap_peak_mean_bytes"].value, run.metrics["heap_marked_mean_bytes"].value)
        return Estimate(value, value, value)
    return run.metrics.get(metric)


def table(found: Sequence[Pair], names: Mapping[str, str] | None = None) -> str:
    """Rows of arms; for each figure a column of the runs and a column of the prediction, if there is one."""
    metrics = list(dict.fromkeys(pair.metric for pair in found))
    shown = {one: any(pair.metric == one and pair.predicted is not None for pair in found) for one in metrics}
    head = [""]
    for metric in metrics:
        head += [_LABELS[metric], *(["predicted"] if shown[metric] else [])]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for arm in dict.fromkeys(pair.arm for pair in found):
        cells = [(names or {}).get(arm, arm)]
        for metric in metrics:
            (pair,) = (one for one in found if (one.arm, one.metric) == (arm, metric))
            cells.append(amounts(metric, pair.observed))
            if shown[metric]:
                cells.append("" if pair.predicted is None else _prediction(metric, pair.predicted))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def amounts(metric: str, values: Sequence[float]) -> str:
    """The figure of each run."""
    return ", ".join(amount(metric, value) for value in values)


def amount(metric: str, value: float) -> str:
    """One figure with its unit."""
    if metric in ("requests_hz", "forced_cycles"):
        return f"{value:,.0f}"
    if metric.endswith("_fraction"):
        return format_percent(value, 2)
    return format_metric(metric, value)


def _prediction(metric: str, found: Estimate) -> str:
    value, low, high = (amount(metric, one) for one in (found.value, found.low, found.high))
    return value if low == high else f"{value} ({low} to {high})"


def summary(found: Sequence[Pair]) -> str:
    """The errors of the predictions, at settings other than that of the calibrated run."""
    judged = [pair for pair in found if pair.predicted and not pair.calibrated and pair.observed]
    ranged = [pair for pair in judged if pair.predicted and pair.predicted.low < pair.predicted.high]
    inside = sum(
        pair.predicted.contains(value) for pair in ranged if pair.predicted for value in pair.observed
    )
    count = sum(len(pair.observed) for pair in ranged)
    lines = []
    for metric in dict.fromkeys(pair.metric for pair in judged):
        errors = [error(pair) for pair in judged if pair.metric == metric]
        lines.append(f"{_LABELS[metric]} {', '.join(f'{100 * one:+.0f} %' for one in errors)}")
    return (
        f"Errors of the prediction away from the calibrated setting: {'; '.join(lines)}. "
        f"{inside} of {count} observed figures lie in the 90 % intervals."
    )


def error(pair: Pair) -> float:
    """Predicted over the mean of the runs, less 1."""
    assert pair.predicted is not None
    real = statistics.fmean(pair.observed)
    return pair.predicted.value / real - 1.0 if real else math.nan


def times(value: float) -> str:
    """A ratio for a sentence."""
    return f"{format_number(value, 2)} ×"
