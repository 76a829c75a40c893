"""Constraints on settings, judged at the pessimistic end of the prediction interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gcsim.engine.run import Run
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.tuning.bounds import BOUNDS
from gcsim.tuning.feasible import MOST_GC_CPU, keeps_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An upper bound on one metric."""

    metric: str  # a name of gcsim.metrics.METRICS
    bound: float  # in the metric's unit, more than 0
    label: str  # its name in texts

    @classmethod
    def at_most(cls, metric: str, bound: float) -> Self:
        """The constraint with the label that ``BOUNDS`` has for the metric, else the metric's own."""
        labels = METRIC_LABELS | {each.metric: each.label for each in BOUNDS}
        return cls(metric=metric, bound=bound, label=labels[metric])

    def margin(self, run: Run) -> float:
        """1 - high / bound: negative if the run breaks the constraint, -inf without a prediction."""
        estimate = run.metrics.get(self.metric)
        if estimate is None or math.isnan(estimate.high):
            return -math.inf
        return 1.0 - estimate.high / self.bound

    def format(self, value: float) -> str:
        """A value of the metric as text."""
        return format_metric(self.metric, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The margin of one run to one constraint."""

    constraint: Constraint
    high: float  # the metric's pessimistic end
    margin: float  # 1 - high / bound, negative if broken

    def to_json(self) -> dict[str, object]:
        """The JSON document: metric, bound, pessimistic end and margin."""
        bound, metric = self.constraint.bound, self.constraint.metric
        return {"metric": metric, "bound": bound, "high": self.high, "margin": self.margin}


def constraints_from(memory_bytes: int, asked: Sequence[Constraint] = ()) -> tuple[Constraint, ...]:
    """The constraints of ``recommend``: memory, GC CPU, then the others of ``asked``; the tightest one of each metric.

    GC CPU is always bounded by half of all CPU, where Go's limiter disables assists.
    """
    memory = Constraint(metric="rss_peak_bytes", bound=memory_bytes, label="memory")
    tightest: dict[str, Constraint] = {}
    for one in (memory, Constraint.at_most("gc_cpu_fraction", MOST_GC_CPU), *asked):
        known = tightest.get(one.metric)
        if known is None or one.bound < known.bound:
            tightest[one.metric] = one
    return tuple(tightest.values())


def margins(run: Run, constraints: Sequence[Constraint]) -> tuple[Margin, ...]:
    """The margins of the run to the constraints, in order."""
    nan = float("nan")
    return tuple(
        Margin(
            constraint=constraint,
            high=run.metrics[constraint.metric].high if constraint.metric in run.metrics else nan,
            margin=constraint.margin(run),
        )
        for constraint in constraints
    )


def is_met(run: Run, constraints: Sequence[Constraint]) -> bool:
    """Whether the run meets every constraint and keeps its own memory limit."""
    return keeps_limit(run) and all(constraint.margin(run) >= 0 for constraint in constraints)


def worst_margin(run: Run, constraints: Sequence[Constraint]) -> float:
    """The smallest margin; below all others for a run that does not keep its own limit."""
    least = min(constraint.margin(run) for constraint in constraints)
    return least if keeps_limit(run) else min(least, 0.0) - 1.0


def pareto_front(runs: Sequence[Run]) -> list[Run]:
    """The runs on the Pareto front of peak RSS and GC CPU, by rising memory."""
    front: list[Run] = []
    least_cpu = math.inf
    for run in sorted(runs, key=_memory_then_cpu):
        cpu = run.metrics["gc_cpu_fraction"].value
        if cpu < least_cpu:
            front.append(run)
            least_cpu = cpu
    return front


def _memory_then_cpu(run: Run) -> tuple[float, float]:
    return run.metrics["rss_peak_bytes"].value, run.metrics["gc_cpu_fraction"].value
