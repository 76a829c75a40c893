"""The aim of a recommendation: least CPU, least memory or lowest latency, and the knee of the curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gcsim.engine.run import Run
from gcsim.tuning.constraints import pareto_front
from gcsim.tuning.feasible import container_peak

Objective = Literal["cpu", "memory", "latency"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

KNEE = 0.01  # of all CPU: a doubling of memory must save at least this much
DEFAULT_GOGC = 100  # percent
_LEAST_GROWTH = 1.1  # of memory: a shorter piece of the curve shows no rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What the choice makes small, and whether it uses memory beyond the knee."""

    objective: Objective = "cpu"
    spend_memory: bool = False
    most_gc_cpu: float | None = None  # of the objective "memory", without a bound of the user: today's GC CPU


USUAL_AIM = Aim()


def gc_cpu(run: Run) -> float:
    """The run's predicted GC CPU, a share of all CPU."""
    return run.metrics["gc_cpu_fraction"].value


def delay(run: Run) -> float:
    """The latency that "latency" makes small: p99 of requests in seconds, else the share of time that GC takes.

    Without requests it is the time in pauses plus the CPU that the program spends on assists. The p99 pause depends on
    the setting too little to choose by it.
    """
    requests = run.metrics.get("request_p99_seconds")
    if requests is not None:
        return requests.value
    return run.metrics["stw_time_fraction"].value + run.metrics["gc_assist_cpu_fraction"].value


def knee(runs: Sequence[Run]) -> Run:
    """The run on the front of memory and GC CPU from which twice the memory saves less than 1 % of all CPU.

    The rate at a run is its saving over the next doubling of memory, or up to the end of the front. Without such a run
    the result is the end. A GOGC below Go's default is no knee.
    """
    front = pareto_front(runs)
    memory = [container_peak(run).value for run in front]
    for place, run in enumerate(front):
        if run.settings.gogc is not None and run.settings.gogc < DEFAULT_GOGC:
            continue
        if memory[-1] < _LEAST_GROWTH * memory[place]:
            break
        most = min(2.0 * memory[place], memory[-1])
        last = max(i for i, size in enumerate(memory) if size <= most)
        if memory[last] < _LEAST_GROWTH * memory[place]:
            last = min(last + 1, len(front) - 1)
        doublings = math.log2(memory[last] / memory[place])
        if gc_cpu(run) - gc_cpu(front[last]) < KNEE * doublings:
            return run
    return front[-1]
