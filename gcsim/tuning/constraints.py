"""What a setting must keep to, judged at the pessimistic end of its predicted interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.tuning.sweep import keeps_limit
from gcsim.units import format_mib, format_percent, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An upper bound on one metric."""

    metric: str  # a name of gcsim.metrics.METRICS
    bound: float  # in the metric's unit, more than 0
    label: str  # what a person calls it

    def margin(self, run: Run) -> float:
        """What is left below the bound, as a share of it: negative when broken, -inf when not predicted."""
        estimate = run.metrics.get(self.metric)
        if estimate is None or math.isnan(estimate.high):
            return -math.inf
        return 1.0 - estimate.high / self.bound

    def format(self, value: float) -> str:
        """A value of the metric, for people."""
        if self.metric.endswith("_bytes"):
            return format_mib(value)
        if self.metric.endswith("_fraction"):
            return format_percent(value)
        return format_seconds(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """One constraint beside one run."""

    constraint: Constraint
    high: float  # the metric's pessimistic end
    margin: float  # share of the bound left, negative when broken


def constraints_from(
    *, memory_bytes: int, max_gc_cpu_fraction: float | None, max_stw_p99_seconds: float | None
) -> tuple[Constraint, ...]:
    """The constraints that ``recommend`` takes, memory first."""
    found = [Constraint(metric="rss_peak_bytes", bound=memory_bytes, label="memory")]
    if max_gc_cpu_fraction is not None:
        found.append(Constraint(metric="gc_cpu_fraction", bound=max_gc_cpu_fraction, label="GC CPU"))
    if max_stw_p99_seconds is not None:
        found.append(
            Constraint(metric="stw_p99_seconds", bound=max_stw_p99_seconds, label="99th-percentile pause")
        )
    return tuple(found)


def margins(run: Run, constraints: Sequence[Constraint]) -> tuple[Margin, ...]:
    """Every constraint beside the run."""
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
    """Whether the run keeps every constraint and its own memory limit."""
    return keeps_limit(run) and all(constraint.margin(run) >= 0 for constraint in constraints)


def worst_margin(run: Run, constraints: Sequence[Constraint]) -> float:
    """The smallest margin; a run that does not keep its own limit ranks below every one that does."""
    least = min(constraint.margin(run) for constraint in constraints)
    return least if keeps_limit(run) else min(least, 0.0) - 1.0


def pareto_front(runs: Sequence[Run]) -> list[Run]:
    """Runs that no other beats in both peak resident memory and GC CPU, by rising memory."""
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


def thinned(runs: Sequence[Run], count: int) -> list[Run]:
    """At most ``count`` of the runs, evenly spread, both ends kept."""
    if len(runs) <= count:
        return list(runs)
    return [runs[round(i * (len(runs) - 1) / (count - 1))] for i in range(count)]
