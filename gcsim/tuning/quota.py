"""A CPU quota of a container, and the speed of the service under it."""

from dataclasses import dataclass
from typing import Self

from gcsim.engine.inputs.draws import busy_procs
from gcsim.engine.run import Run
from gcsim.service.model import Model
from gcsim.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A CPU quota, and the speed at which the service then runs on average.

    If the service needs more than the quota, Linux stops it for a part of every period. On average every P then runs
    at ``speed``: quota / needed cores in a closed loop, quota / GOMAXPROCS in an open loop, because a backlog keeps
    all Ps busy.
    """

    cores: float
    needed_cores: float  # mean over a run without the quota
    speed: float  # of each P, at most 1

    @classmethod
    def of(cls, model: Model, settings: Settings, run: Run, *, cores: float) -> Self:
        """The quota for a run of the model without it.

        needed = allocation rate / allocation per CPU second + (GC CPU + idle marking) x GOMAXPROCS

        A closed loop needs at least the Ps that it keeps busy between collections.
        """
        values, metrics = model.parameters, run.metrics
        rate = metrics["throughput_ratio"].value * values.alloc_bytes_per_second.value
        marking = metrics["gc_cpu_fraction"].value + metrics["gc_idle_cpu_fraction"].value
        needed = rate / values.alloc_bytes_per_cpu_second.value + marking * settings.gomaxprocs
        if model.loop == "closed":
            needed = max(needed, busy_procs(model, settings.gomaxprocs))
        needed = min(needed, float(settings.gomaxprocs))
        if needed <= cores:
            return cls(cores=cores, needed_cores=needed, speed=1.0)
        demand = needed if model.loop == "closed" else float(settings.gomaxprocs)
        return cls(cores=cores, needed_cores=needed, speed=cores / demand)
