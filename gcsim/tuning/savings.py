"""The GC cores that one setting saves against another, with an interval."""

import math
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.engine.simulate import ReplicaRun
from gcsim.engine.summary.intervals import load_kind, ratio_interval
from gcsim.metrics import Estimate
from gcsim.service.model import Model

_GC_CPU = "gc_cpu_fraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """GC cores that a setting saves for the work of another: median and 90 % interval."""

    cores: Estimate

    @property
    def none(self) -> "Saving":
        """The saving of a setting against itself."""
        return Saving(cores=Estimate(0.0, 0.0, 0.0))

    def to_json(self) -> dict[str, float]:
        """The JSON document of the three numbers."""
        return self.cores.to_json()


def gc_cores(run: Run, *, like: Run | None = None) -> float:
    """Cores that GC takes; with ``like``, for the work that ``like`` does.

    A closed loop does less work where GC takes more, so that GC CPU alone would understate the difference.
    """
    cores = run.metrics[_GC_CPU].value * run.settings.gomaxprocs
    if like is None:
        return cores
    done, wanted = (one.metrics["throughput_ratio"].value for one in (run, like))
    return cores * wanted / done if done > 0.0 else cores


def saving_of(model: Model, before: ReplicaRun, after: ReplicaRun, *, same: bool) -> Saving:
    """The saving of ``after`` against ``before``, whose replicas are pairs; 0 with ``same``.

        saved = C (1 - r),  C = GC cores of ``before``,  r = cores of ``after`` / C

    The interval of r comes from pairs with the same random numbers, in which the uncertainty about the service cancels.
    The interval of C comes from its prediction. Both errors are taken as independent.
    """
    return (
        Saving(cores=Estimate(0.0, 0.0, 0.0))
        if same
        else rescaled(before.run, after.run, _ratio(model, before, after))
    )


def rescaled(today: Run, other: Run, ratio: Estimate | None) -> Saving:
    """The saving of ``other`` against ``today`` with the interval of the ratio of their cores."""
    cores = gc_cores(today)
    saved = cores - gc_cores(other, like=today)
    if ratio is None or cores <= 0.0:
        return Saving(cores=Estimate(saved, saved, saved))
    gc_cpu = today.metrics[_GC_CPU]
    procs, share = today.settings.gomaxprocs, abs(saved) / cores
    less, more = gc_cpu.value - gc_cpu.low, gc_cpu.high - gc_cpu.value
    if saved < 0.0:
        less, more = more, less
    low = saved - math.hypot(cores * (ratio.high - ratio.value), procs * less * share)
    high = saved + math.hypot(cores * (ratio.value - ratio.low), procs * more * share)
    return Saving(cores=Estimate(saved, low, high))


def saving_between(model: Model, today: Run, other: Run, before: ReplicaRun, after: ReplicaRun) -> Saving:
    """The saving of one run against another; ``before`` and ``after`` are other replicas of both, in pairs."""
    if other.settings == today.settings:
        return Saving(cores=Estimate(0.0, 0.0, 0.0))
    return rescaled(today, other, _ratio(model, before, after))


def _ratio(model: Model, before: ReplicaRun, after: ReplicaRun) -> Estimate | None:
    """GC cores for the same work, after / before, with its interval."""
    work = "throughput_ratio"
    old, new = (each.values[_GC_CPU] / each.values[work] for each in (before, after))
    scale = after.run.settings.gomaxprocs / before.run.settings.gomaxprocs
    return ratio_interval(_GC_CPU, old, scale * new, load=load_kind(model), extrapolation=after.extrapolation)
