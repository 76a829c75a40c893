"""The choice among simulated settings: feasible, close to the lowest GC CPU, and robust.

GC CPU falls with a higher GOGC and with a higher limit. So the cheapest setting in a given memory is always GOGC=off
under the highest limit that fits. That setting uses all memory at any load and depends on the limit alone. For at most
15 % more GC CPU the choice is

1. the highest GOMEMLIMIT with which even GOGC=off stays inside the memory. This backstop limit holds if the live heap
   or the load grow; its distance to the memory covers memory that Go does not count;
2. under it, the smallest GOGC within 5 % of the lowest GC CPU there, or within 0.2 % of all CPU.

Both settings are judged at the pessimistic end of their intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import Constraint, is_met, pareto_front, worst_margin
from gcsim.tuning.feasible import container_peak, keeps_limit

MEMORY_MARGIN = 0.03  # of the memory, above the pessimistic peak, if a setting has it: OOM kills the process
MOST_LIMIT_SHARE = 0.95  # of the memory: GOMEMLIMIT is soft, and real runs passed it by up to some percent
_TOLERANCE, _NEARLY = 0.05, 0.002  # extra GC CPU for a lower GOGC: 5 % of it, or 0.2 % of all CPU
_NET_FACTOR = 1.15  # extra GC CPU for the backstop limit
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


def choose(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The chosen run; the nearest miss if none is feasible."""
    feasible = feasible_runs(runs, constraints)
    if not feasible:
        return nearest_miss(runs, constraints)
    net, _ = net_bracket(runs, constraints[0])
    least = min(gc_cpu(run) for run in feasible)
    with_backstop = [
        run for run in feasible if _has_backstop(run, net) and gc_cpu(run) <= _NET_FACTOR * least + _NEARLY
    ]
    pool = with_backstop or feasible
    least_in_pool = min(gc_cpu(run) for run in pool)
    accepted_cpu = max((1 + _TOLERANCE) * least_in_pool, least_in_pool + _NEARLY)
    return min(
        (run for run in pool if gc_cpu(run) <= accepted_cpu),
        key=lambda run: _preference(run, constraints[0]),
    )


def nearest_miss(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The run with the best worst margin, among runs that keep memory and limit if there are any."""
    return max(memory_keeping(runs, constraints) or runs, key=lambda run: worst_margin(run, constraints))


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
        limit: memory.margin(run) >= MEMORY_MARGIN
        and limit <= MOST_LIMIT_SHARE * memory.bound
        and memory.leaves_room(run)
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
    with_margin = [run for run in met if constraints[0].margin(run) >= MEMORY_MARGIN]
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


def gc_cpu(run: Run) -> float:
    """The run's predicted GC CPU, a share of all CPU."""
    return run.metrics["gc_cpu_fraction"].value


def _has_backstop(run: Run, net_limit: int | None) -> bool:
    """Whether the setting has a finite GOGC, and a limit of at most ``net_limit`` as its backstop."""
    limit = run.settings.gomemlimit_bytes
    return (
        run.settings.gogc is not None and limit is not None and net_limit is not None and limit <= net_limit
    )


def _preference(run: Run, memory: Constraint) -> tuple[bool, int, int]:
    """The sort key, smaller is better: a finite GOGC, the highest useful limit, the lowest GOGC."""
    limit = run.settings.gomemlimit_bytes
    useful = limit if limit is not None and limit <= (1 - MEMORY_MARGIN) * memory.bound else 0
    return (run.settings.gogc is None, -useful, run.settings.gogc or 0)
