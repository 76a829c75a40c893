"""Constraints on settings, each with the probability that a new run must keep it with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gcsim.engine.run import Run
from gcsim.metrics import METRIC_LABELS, Estimate, format_metric
from gcsim.tuning.bounds import BOUNDS
from gcsim.tuning.feasible import (
    MEMORY_MARGIN,
    MOST_GC_CPU,
    MOST_LIMIT_SHARE,
    container_peak,
    keeps_limit,
)
from gcsim.tuning.predictive import Chance, chance_below, quantile
from gcsim.units import MIB

CONTAINER = "container_peak_bytes"
MEMORY_CONFIDENCE = 0.99  # of runs: a container that is too small kills the process
USUAL_CONFIDENCE = 0.95  # of runs, for all other constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A bound on one metric, and the share of new runs that must keep it."""

    metric: str  # a name of gcsim.metrics.METRICS
    bound: float  # in the metric's unit, more than 0
    label: str  # its name in texts
    confidence: float = USUAL_CONFIDENCE  # the share of runs, more than 0 and less than 1
    is_lower: bool = False  # whether the metric must be at least the bound, instead of at most
    not_counted_bytes: float = (
        0.0  # of memory: the part that GOMEMLIMIT does not count, at its pessimistic end
    )

    @classmethod
    def at_most(cls, metric: str, bound: float, *, confidence: float = USUAL_CONFIDENCE) -> Self:
        """The upper bound with the label that ``BOUNDS`` has for the metric, else the metric's own."""
        return cls(metric=metric, bound=bound, label=_label(metric), confidence=confidence)

    @classmethod
    def at_least(cls, metric: str, bound: float, *, confidence: float = USUAL_CONFIDENCE) -> Self:
        """The lower bound, with the label as in ``at_most``."""
        return cls(metric=metric, bound=bound, label=_label(metric), confidence=confidence, is_lower=True)

    @classmethod
    def memory(
        cls, memory_bytes: int, *, not_counted_bytes: float = 0.0, confidence: float = MEMORY_CONFIDENCE
    ) -> Self:
        """The bound on container memory."""
        return cls(
            metric=CONTAINER, bound=memory_bytes, label="memory", confidence=confidence,
            not_counted_bytes=not_counted_bytes,
        )  # fmt: skip

    def estimate(self, run: Run) -> Estimate | None:
        """The prediction of the metric; None without one."""
        return container_peak(run) if self.metric == CONTAINER else run.metrics.get(self.metric)

    def judged(self, run: Run) -> float:
        """The value that ``confidence`` of new runs keep to: NaN without a prediction."""
        estimate = self.estimate(run)
        if estimate is None:
            return math.nan
        return quantile(estimate, 1.0 - self.confidence if self.is_lower else self.confidence)

    def leaves_room(self, run: Run) -> bool:
        """Whether the run's GOMEMLIMIT is at most 95 % of this memory, and what it does not count fits too."""
        limit = run.settings.gomemlimit_bytes
        if self.metric != CONTAINER or limit is None:
            return True
        return limit <= MOST_LIMIT_SHARE * self.bound and limit + self.not_counted_bytes <= self.bound

    def has_spare(self, run: Run) -> bool:
        """Whether the run keeps to this memory, with 3 % of it free at the 95th percentile."""
        estimate = self.estimate(run)
        spare = -math.inf if estimate is None else 1.0 - estimate.high / self.bound
        return self.margin(run) >= 0 and spare >= MEMORY_MARGIN

    def fits_median(self, run: Run) -> bool:
        """Whether at least half of all runs keep an upper bound."""
        estimate = self.estimate(run)
        return estimate is not None and estimate.value <= self.bound

    def margin(self, run: Run) -> float:
        """1 - judged value / bound: negative if the run breaks the constraint, -inf without a prediction.

        Of a lower bound: judged value / bound - 1.
        """
        value = self.judged(run)
        if math.isnan(value):
            return -math.inf
        return value / self.bound - 1.0 if self.is_lower else 1.0 - value / self.bound

    def chance(self, run: Run, *, replicas: int) -> Chance:
        """The probability that a new run keeps the constraint, with its error from the number of replicas."""
        estimate = self.estimate(run)
        if estimate is None:
            return Chance(value=0.0, error=0.0)
        below = chance_below(estimate, self.bound, replicas=replicas)
        return Chance(value=1.0 - below.value, error=below.error) if self.is_lower else below

    def format(self, value: float) -> str:
        """A value of the metric as text."""
        return format_metric(self.metric, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The margin of one run to one constraint, and the probability that a new run keeps it."""

    constraint: Constraint
    judged: float  # the value that the constraint's share of runs keep to
    high: float  # the metric's 95th percentile; of a lower bound the 5th
    margin: float  # from the judged value to the bound, as a share of the bound; negative if broken
    chance: Chance

    def to_json(self) -> dict[str, object]:
        """The JSON document: metric, bound, values, margin and probability."""
        return {
            "metric": self.constraint.metric,
            "bound": self.constraint.bound,
            "high": self.high,
            "margin": self.margin,
            "kind": "at least" if self.constraint.is_lower else "at most",
            "confidence": self.constraint.confidence,
            "judged": self.judged,
            "probability": self.chance.to_json(),
        }


def container_for(run: Run, not_counted_bytes: float) -> float:
    """The smallest container in which ``recommend`` accepts a run, whole MiB."""
    peak, limit = container_peak(run), run.settings.gomemlimit_bytes or 0
    needed = max(
        quantile(peak, MEMORY_CONFIDENCE),
        peak.high / (1.0 - MEMORY_MARGIN),
        limit + not_counted_bytes,
        limit / MOST_LIMIT_SHARE,
    )
    return math.ceil(needed / MIB) * float(MIB)


def constraints_from(
    memory_bytes: int,
    asked: Sequence[Constraint] = (),
    *,
    not_counted_bytes: float = 0.0,
    memory_confidence: float = MEMORY_CONFIDENCE,
) -> tuple[Constraint, ...]:
    """The constraints of ``recommend``: memory, GC CPU, then the others of ``asked``; the tightest one of each metric.

    GC CPU is always bounded by half of all CPU, where Go's limiter disables assists. ``not_counted_bytes`` is the
    container memory that GOMEMLIMIT does not count, at its pessimistic end.
    """
    memory = Constraint.memory(
        memory_bytes, not_counted_bytes=not_counted_bytes, confidence=memory_confidence
    )
    tightest: dict[tuple[str, bool], Constraint] = {}
    for one in (memory, Constraint.at_most("gc_cpu_fraction", MOST_GC_CPU), *asked):
        known = tightest.get((one.metric, one.is_lower))
        if known is None or (one.bound > known.bound if one.is_lower else one.bound < known.bound):
            tightest[one.metric, one.is_lower] = one
    return tuple(tightest.values())


def margins(run: Run, constraints: Sequence[Constraint], *, replicas: int) -> tuple[Margin, ...]:
    """The margins of the run to the constraints, in order; ``replicas`` are those of the run."""
    found = []
    for constraint in constraints:
        estimate = constraint.estimate(run)
        end = math.nan if estimate is None else estimate.low if constraint.is_lower else estimate.high
        found.append(
            Margin(
                constraint=constraint,
                judged=constraint.judged(run),
                high=end,
                margin=constraint.margin(run),
                chance=constraint.chance(run, replicas=replicas),
            )
        )
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


def _label(metric: str) -> str:
    return (METRIC_LABELS | {each.metric: each.label for each in BOUNDS})[metric]
