"""The ways out where no setting is feasible: the least GC CPU in this memory, and the memory for this GC CPU."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.tuning.choose import MEMORY_MARGIN, gc_cpu, memory_keeping
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.feasible import keeps_limit
from gcsim.tuning.search import Evaluate, GridPoint, between_larger_limits, finer_gogc, larger_limits
from gcsim.units import MIB

_STEPS_PER_DOUBLING = 8  # of container sizes named: 512 MiB, 576 MiB, 640 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The nearest ways out; None where no setting simulated is one."""

    least_memory: Run  # the least peak RSS of all runs that keep their limit, or of all
    in_this_memory: Run | None  # the least GC CPU of the runs that keep the memory and their limit
    with_more_memory: Run | None  # the least peak RSS of the runs that keep every other constraint

    @property
    def memory_bytes(self) -> int | None:
        """A container that ``with_more_memory`` fits into, rounded up to a size that people write."""
        return None if self.with_more_memory is None else _container_bytes(_rss_high(self.with_more_memory))

    def to_json(self) -> dict[str, object]:
        """The memory in bytes and each run's document."""
        runs = {
            "least_memory": self.least_memory,
            "in_this_memory": self.in_this_memory,
            "with_more_memory": self.with_more_memory,
        }
        return {
            "memory_bytes": self.memory_bytes,
            **{name: None if run is None else run.to_json() for name, run in runs.items()},
        }


def needed_for(evaluate: Evaluate, knobs: GridPoint, constraints: Sequence[Constraint]) -> Needed:
    """The ways out, from the runs there are and from GOGC=off under limits above the memory.

    GC CPU falls as such a limit rises, and the limit bounds the memory: the lowest that keeps the other constraints
    names the container.
    """
    others = constraints[1:]
    runs = evaluate(larger_limits(knobs))
    best = _least_memory(runs, others)
    if best is not None and best.settings.gomemlimit_bytes is not None:
        runs = evaluate(between_larger_limits(knobs, best.settings.gomemlimit_bytes))
    elif best is not None:
        runs = evaluate(finer_gogc(knobs, best.settings.gogc, None))
    fitting = memory_keeping(runs, constraints)
    return Needed(
        least_memory=min([run for run in runs if keeps_limit(run)] or runs, key=_rss_high),
        in_this_memory=min(fitting, key=gc_cpu, default=None),
        with_more_memory=_least_memory(runs, others),
    )


def _least_memory(runs: Sequence[Run], others: Sequence[Constraint]) -> Run | None:
    held = [run for run in runs if keeps_limit(run) and all(item.margin(run) >= 0 for item in others)]
    return min(held, key=_rss_high, default=None)


def _rss_high(run: Run) -> float:
    return run.metrics["rss_peak_bytes"].high


def _container_bytes(peak_bytes: float) -> int:
    """Room for the peak and the margin, in steps of an eighth of a power of two, whole MiB."""
    needed = max(peak_bytes / (1.0 - MEMORY_MARGIN), float(MIB))
    step = max(2.0 ** math.floor(math.log2(needed)) / _STEPS_PER_DOUBLING, float(MIB))
    return math.ceil(needed / step) * int(step)
