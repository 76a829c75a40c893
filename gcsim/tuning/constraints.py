"""Constraints on settings, judged at the pessimistic end of the prediction interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gcsim.engine.run import Run
from gcsim.metrics import METRIC_LABELS, Estimate, format_metric
from gcsim.tuning.bounds import BOUNDS
from gcsim.tuning.feasible import MOST_GC_CPU, container_peak, keeps_limit

CONTAINER = "container_peak_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An upper bound on one metric."""

    metric: str  # a name of gcsim.metrics.METRICS
    bound: float  # in the metric's unit, more than 0
    label: str  # its name in texts
    not_counted_bytes: float = (
        0.0  # of memory: the part that GOMEMLIMIT does not count, at its pessimistic end
    )

    def estimate(self, run: Run) -> Estimate | None:
        """The prediction of the metric; None without one."""
        return container_peak(run) if self.metric == CONTAINER else run.metrics.get(self.metric)

    def leaves_room(self, run: Run) -> bool:
        """Whether the run's GOMEMLIMIT and the memory that it does not count fit into this memory together."""
        limit = run.settings.gomemlimit_bytes
        return self.metric != CONTAINER or limit is None or limit + self.not_counted_bytes <= self.bound

    @classmethod
    def at_most(cls, metric: str, bound: float) -> Self:
        """The constraint with the label that ``BOUNDS`` has for the metric, else the metric's own."""
        labels = METRIC_LABELS | {each.metric: each.label for each in BOUNDS}
        return cls(metric=metric, bound=bound, label=labels[metric])

    def margin(self, run: Run) -> float:
        """1 - high / bound: negative if the run breaks the constraint, -inf without a prediction."""
        estimate = self.estimate(run)
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


def constraints_from(
    memory_bytes: int, asked: Sequence[Constraint] = (), *, not_counted_bytes: float = 0.0
) -> tuple[Constraint, ...]:
    """The constraints of ``recommend``: memory, GC CPU, then the others of ``asked``; the tightest one of each metric.

    GC CPU is always bounded by half of all CPU, where Go's limiter disables assists. ``not_counted_bytes`` is the
    container memory that GOMEMLIMIT does not count, at its pessimistic end.
    """
    memory = Constraint(
        metric=CONTAINER, bound=memory_bytes, label="memory", not_counted_bytes=not_counted_bytes
    )
    tightest: dict[str, Constraint] = {}
    for one in (memory, Constraint.at_most("gc_cpu_fraction", MOST_GC_CPU), *asked):
        known = tightest.get(one.metric)
        if known is None or one.bound < known.bound:
            tightest[one.metric] = one
    return tuple(tightest.values())


def margins(run: Run, constraints: Sequence[Constraint]) -> tuple[Margin, ...]:
    """The margins of the run to the constraints, in order."""
    found = []
    for constraint in constraints:
        estimate = constraint.estimate(run)
        high = math.nan if estimate is None else estimate.high
        found.append(Margin(constraint=constraint, high=high, margin=constraint.margin(run)))
    return tuple(found)


def is_met(run: Run, constraints: Sequence[Constraint]) -> bool:
    """Whether the run meets every constraint, keeps its own memory limit, and leaves room for memory outside it."""
    return worst_margin(run, constraints) >= 0


def worst_margin(run: Run, constraints: Sequence[Constraint]) -> float:
    """The smallest margin; below 0 and all others for a run whose own limit is not kept or leaves no room."""
    least = min(constraint.margin(run) for constraint in constraints)
    fits = keeps_limit(run) and all(constraint.leaves_room(run) for constraint in constraints)
    return least if fits else min(least, 0.0) - 1.0


def pareto_front(runs: Sequence[Run]) -> list[Run]:
    """The runs on the Pareto front of peak container memory and GC CPU, by rising memory."""
    front: list[Run] = []
    least_cpu = math.inf
    for run in sorted(runs, key=_memory_then_cpu):
        cpu = run.metrics["gc_cpu_fraction"].value
        if cpu < least_cpu:
            front.append(run)
            least_cpu = cpu
    return front


def _memory_then_cpu(run: Run) -> tuple[float, float]:
    return container_peak(run).value, run.metrics["gc_cpu_fraction"].value
