"""Requirements if no setting is feasible: the lowest GC CPU in this memory, and the memory for this GC CPU."""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.tuning.aim import gc_cpu
from gcsim.tuning.choose import memory_keeping
from gcsim.tuning.constraints import Constraint, container_for
from gcsim.tuning.container_sizes import container_size
from gcsim.tuning.feasible import container_peak, keeps_limit
from gcsim.tuning.search import Evaluate, GridPoint, between_larger_limits, finer_gogc, larger_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The nearest runs that relax one constraint; None if no simulated setting does."""

    least_memory: Run  # lowest container memory of the runs that keep their limit, or of all runs
    in_this_memory: Run | None  # lowest GC CPU of the runs that keep memory and limit
    with_more_memory: Run | None  # lowest container memory of the runs that meet all other constraints
    not_counted_bytes: float  # container memory that GOMEMLIMIT does not count, at its pessimistic end
    other_bytes: int = 0  # memory of the container that is not the program's

    @property
    def memory_bytes(self) -> int | None:
        """The memory of a container for ``with_more_memory``, rounded up to a usual size; None without such a run."""
        if self.with_more_memory is None:
            return None
        return container_size(container_for(self.with_more_memory, self.not_counted_bytes) + self.other_bytes)

    def to_json(self) -> dict[str, object]:
        """The JSON document: the memory in bytes and each run."""
        runs = {
            "least_memory": self.least_memory,
            "in_this_memory": self.in_this_memory,
            "with_more_memory": self.with_more_memory,
        }
        return {
            "memory_bytes": self.memory_bytes,
            **{name: None if run is None else run.to_json() for name, run in runs.items()},
        }


def needed_for(
    evaluate: Evaluate, knobs: GridPoint, constraints: Sequence[Constraint], *, other_bytes: int = 0
) -> Needed:
    """The requirements, from the simulated runs and from GOGC=off under limits above the memory.

    GC CPU falls as the limit rises, and the limit bounds the memory. The lowest limit that meets the other constraints
    gives the size of the container.
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
        least_memory=min([run for run in runs if keeps_limit(run)] or runs, key=_highest),
        in_this_memory=min(fitting, key=gc_cpu, default=None),
        with_more_memory=_least_memory(runs, others),
        not_counted_bytes=constraints[0].not_counted_bytes,
        other_bytes=other_bytes,
    )


def _least_memory(runs: Sequence[Run], others: Sequence[Constraint]) -> Run | None:
    held = [run for run in runs if keeps_limit(run) and all(item.margin(run) >= 0 for item in others)]
    return min(held, key=_highest, default=None)


def _highest(run: Run) -> float:
    return container_peak(run).high
