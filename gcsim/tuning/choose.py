"""The choice among simulated settings: feasible, close to the lowest GC CPU, and robust.

GC CPU falls with a higher GOGC and with a higher limit. So the cheapest setting in a given memory is always GOGC=off
under the highest limit that fits. That setting uses all memory at any load and depends on the limit alone. For at most
15 % more GC CPU the choice is

1. the highest GOMEMLIMIT with which even GOGC=off stays inside the memory. This backstop limit holds if the live heap
   or the load grow; its distance to the memory covers memory that Go does not count;
2. under it, the smallest GOGC from Go's default up, or else the highest one, within 5 % of the lowest GC CPU there, or
   within 0.2 % of all CPU, or with the GC CPU of the knee, beyond which twice the memory saves less than 1 % of CPU.

If no finite GOGC is as good, it is GOGC=off under the lowest limit that is as good at the upper end of GC CPU, too.
``Aim`` has other objectives: they replace the second rule. Each constraint is judged at its own quantile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.aim import DEFAULT_GOGC, USUAL_AIM, Aim, delay, gc_cpu, knee
from gcsim.tuning.constraints import Constraint, is_met, pareto_front, worst_margin
from gcsim.tuning.feasible import container_peak, keeps_limit

_TOLERANCE, _NEARLY = 0.05, 0.002  # extra GC CPU for a lower GOGC: 5 % of it, or 0.2 % of all CPU
_NEARLY_AS_FAST = 0.0005  # extra share of the time in pauses and assists
_NET_FACTOR = 1.15  # extra GC CPU for the backstop limit
_MOST_GOGC = 1 << 31  # Go reads GOGC as a 32-bit number
_MOST_OF_CHOSEN_CPU = 2.0  # highest GC CPU of an alternative over that of the chosen setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another feasible setting, and its advantage."""

    name: str  # "least memory", "half the memory" or "cheapest"
    run: Run

    @property
    def settings(self) -> Settings:
        """The setting of the run."""
        return self.run.settings

    @property
    def metrics(self) -> dict[str, Estimate]:
        """The predicted metrics of the run."""
        return self.run.metrics

    def to_json(self) -> dict[str, object]:
        """The JSON document of the run, with the name."""
        return {"name": self.name, **self.run.to_json()}


def choose(runs: Sequence[Run], constraints: Sequence[Constraint], aim: Aim = USUAL_AIM) -> Run:
    """The chosen run; the nearest miss if none is feasible."""
    feasible = feasible_runs(runs, constraints)
    if not feasible:
        return nearest_miss(runs, constraints)
    net, _ = net_bracket(runs, constraints[0])
    least = min(gc_cpu(run) for run in feasible)
    with_backstop = [run for run in feasible if _has_backstop(run, net)]
    if min(map(gc_cpu, with_backstop), default=1.0) > _NET_FACTOR * least + _NEARLY:
        with_backstop = []
    accepted = _accepted(with_backstop or feasible, aim)
    if aim.objective != "cpu" or any(run.settings.gogc is not None for run in accepted):
        return min(accepted, key=_preference)
    return min(_cheap_at_worst(accepted), key=_preference)


def _cheap_at_worst(pool: Sequence[Run]) -> list[Run]:
    """The runs whose GC CPU is nearly the lowest of the pool at the upper ends of the intervals, too.

    A job that ends before its heap reaches the limit has no collection in half of the simulated runs already under a
    limit at its usual need, and many collections in the others.
    """
    least = min(_most_gc_cpu(run) for run in pool)
    return [run for run in pool if _most_gc_cpu(run) <= max((1 + _TOLERANCE) * least, least + _NEARLY)]


def _most_gc_cpu(run: Run) -> float:
    return run.metrics["gc_cpu_fraction"].high


def _accepted(pool: Sequence[Run], aim: Aim) -> list[Run]:
    """The runs that are as good as the best one of the pool, by the aim."""
    if aim.objective == "latency":
        least = min(delay(run) for run in pool)
        most = max((1 + _TOLERANCE) * least, least + _NEARLY_AS_FAST)
        return [run for run in pool if delay(run) <= most]
    if aim.objective == "memory":
        least = min(gc_cpu(run) for run in pool)
        most = least if aim.most_gc_cpu is None else max(aim.most_gc_cpu, least)
        cheap = [run for run in pool if gc_cpu(run) <= most]
        lowest = min(container_peak(run).high for run in cheap)
        return [run for run in cheap if container_peak(run).high <= (1 + _TOLERANCE) * lowest]
    least = min(gc_cpu(run) for run in pool)
    most = max((1 + _TOLERANCE) * least, least + _NEARLY)
    if not aim.spend_memory:
        most = max(most, gc_cpu(knee(pool)))
    return [run for run in pool if gc_cpu(run) <= most]


def nearest_miss(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The run with the best worst margin, among runs that keep memory and limit if there are any.

    Otherwise it is among those whose memory fits at the 95th percentile, if there are any.
    """
    pool = memory_keeping(runs, constraints)
    bound = constraints[0].bound
    pool = pool or [run for run in runs if keeps_limit(run) and container_peak(run).high <= bound] or [*runs]
    return max(pool, key=lambda run: worst_margin(run, constraints))


def memory_keeping(runs: Sequence[Run], constraints: Sequence[Constraint]) -> list[Run]:
    """The runs that keep the memory and their own limit, with room for memory that the limit does not count."""
    memory = constraints[0]
    return [run for run in runs if keeps_limit(run) and memory.margin(run) >= 0 and memory.leaves_room(run)]


def cheapest(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The feasible run with the lowest GC CPU; the nearest miss if none is feasible."""
    feasible = feasible_runs(runs, constraints)
    return min(feasible, key=gc_cpu) if feasible else nearest_miss(runs, constraints)


def net_bracket(runs: Sequence[Run], memory: Constraint) -> tuple[int | None, int | None]:
    """The highest limit that alone keeps the memory with its margin, and the lowest limit above that does not.

    "Alone" is at GOGC=off, or at the highest simulated GOGC. A limit above 95 % of the memory, or one that leaves no
    room for memory that Go does not count, does not hold. Either result may be None.
    """
    loosest = max(
        (run.settings.gogc for run in runs), key=lambda gogc: float("inf") if gogc is None else gogc
    )
    alone = {
        limit: memory.has_spare(run) and memory.leaves_room(run)
        for run in runs
        if run.settings.gogc == loosest and (limit := run.settings.gomemlimit_bytes) is not None
    }
    holding = max((limit for limit, held in alone.items() if held), default=None)
    failing = min(
        (limit for limit, held in alone.items() if not held and limit > (holding or 0)), default=None
    )
    return holding, failing


def feasible_runs(runs: Sequence[Run], constraints: Sequence[Constraint]) -> list[Run]:
    """The runs that meet every constraint; only those with the memory margin, if any run has it."""
    met = [run for run in runs if is_met(run, constraints)]
    with_margin = [run for run in met if constraints[0].has_spare(run)]
    return with_margin or met


def alternatives_to(
    chosen: Run, runs: Sequence[Run], constraints: Sequence[Constraint]
) -> tuple[Alternative, ...]:
    """At most three other feasible settings, by rising memory, with at most twice the chosen GC CPU."""
    most = _MOST_OF_CHOSEN_CPU * gc_cpu(chosen)
    front = [run for run in pareto_front(feasible_runs(runs, constraints)) if gc_cpu(run) <= most]
    if not front:
        return ()
    half = [run for run in front if container_peak(run).value <= 0.5 * container_peak(chosen).value]
    named = {"least memory": front[0], "half the memory": half[-1] if half else None, "cheapest": front[-1]}
    found: dict[Settings, Alternative] = {}
    for name, run in named.items():
        if run is not None and run.settings != chosen.settings and run.settings not in found:
            found[run.settings] = Alternative(name=name, run=run)
    return tuple(found.values())


def _has_backstop(run: Run, net_limit: int | None) -> bool:
    """Whether the setting has a finite GOGC, and a limit of at most ``net_limit`` as its backstop."""
    limit = run.settings.gomemlimit_bytes
    return (
        run.settings.gogc is not None and limit is not None and net_limit is not None and limit <= net_limit
    )


def _preference(run: Run) -> tuple[bool, int, int]:
    """The sort key, smaller is better: a finite GOGC, the highest limit, the GOGC nearest to Go's default from above.

    Without a GOGC of at least the default it is the highest one; of GOGC=off the lowest limit.
    """
    gogc, limit = run.settings.gogc, run.settings.gomemlimit_bytes or 0
    if gogc is None:
        return (True, limit, 0)
    return (False, -limit, gogc if gogc >= DEFAULT_GOGC else _MOST_GOGC - gogc)
