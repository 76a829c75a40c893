"""The choice among simulated settings: feasible, nearly the cheapest, and robust.

GC CPU falls with a higher GOGC and with a higher limit, so for one memory budget the cheapest setting is
always GOGC=off under the highest limit that the memory holds. That corner uses all memory all the time and
rests on one number. For 15 % more GC CPU at most, the choice here is therefore

1. the highest GOMEMLIMIT at which even GOGC=off stays inside the memory: a safety net if the live heap or the load
   grow, and whose distance to the memory covers memory that Go does not count;
2. under it the smallest GOGC within 5 % of the least GC CPU there, or 0.2 % of all CPU.

Setting and net are both judged at the pessimistic end of their intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import Constraint, is_met, pareto_front, worst_margin
from gcsim.tuning.feasible import keeps_limit

MEMORY_MARGIN = 0.03  # kept free above the pessimistic peak where it can be: running out of memory is a kill
_TOLERANCE, _NEARLY = 0.05, 0.002  # GC CPU that a lower GOGC may cost: 5 % of it, or 0.2 % of all CPU
_NET_FACTOR = 1.15  # and that the net may cost
_MOST_OF_CHOSEN_CPU = 2.0  # times the chosen setting's GC CPU: an alternative that costs more is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another feasible setting, and why one might want it."""

    name: str  # "least memory", "half the memory" or "cheapest"
    run: Run

    @property
    def settings(self) -> Settings:
        return self.run.settings

    @property
    def metrics(self) -> dict[str, Estimate]:
        return self.run.metrics

    def to_json(self) -> dict[str, object]:
        """The run's document with the name."""
        return {"name": self.name, **self.run.to_json()}


def choose(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The choice among the runs; the nearest miss when none is feasible."""
    feasible = feasible_runs(runs, constraints)
    if not feasible:
        return nearest_miss(runs, constraints)
    net, _ = net_bracket(runs, constraints[0])
    least = min(gc_cpu(run) for run in feasible)
    netted = [
        run for run in feasible if _has_backstop(run, net) and gc_cpu(run) <= _NET_FACTOR * least + _NEARLY
    ]
    pool = netted or feasible
    least_there = min(gc_cpu(run) for run in pool)
    accepted_cpu = max((1 + _TOLERANCE) * least_there, least_there + _NEARLY)
    return min(
        (run for run in pool if gc_cpu(run) <= accepted_cpu),
        key=lambda run: _preference(run, constraints[0]),
    )


def nearest_miss(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The run that breaks its constraints by least, of those that keep the memory and their limit if there are any."""
    return max(memory_keeping(runs, constraints) or runs, key=lambda run: worst_margin(run, constraints))


def memory_keeping(runs: Sequence[Run], constraints: Sequence[Constraint]) -> list[Run]:
    """Runs that keep the memory and their own limit."""
    return [run for run in runs if keeps_limit(run) and constraints[0].margin(run) >= 0]


def cheapest(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The least GC CPU of the feasible runs; the nearest miss when none is feasible."""
    feasible = feasible_runs(runs, constraints)
    return min(feasible, key=gc_cpu) if feasible else nearest_miss(runs, constraints)


def net_bracket(runs: Sequence[Run], memory: Constraint) -> tuple[int | None, int | None]:
    """The highest limit that holds the memory with margin by itself, and the lowest above it that does not.

    A limit as high as the memory is no net: Go does not count all that is resident.

    By itself: at GOGC=off, or at the highest GOGC that was simulated where off was not.
    """
    loosest = max(
        (run.settings.gogc for run in runs), key=lambda gogc: float("inf") if gogc is None else gogc
    )
    alone = {
        limit: memory.margin(run) >= MEMORY_MARGIN and limit <= (1 - MEMORY_MARGIN) * memory.bound
        for run in runs
        if run.settings.gogc == loosest and (limit := run.settings.gomemlimit_bytes) is not None
    }
    holding = max((limit for limit, held in alone.items() if held), default=None)
    failing = min(
        (limit for limit, held in alone.items() if not held and limit > (holding or 0)), default=None
    )
    return holding, failing


def feasible_runs(runs: Sequence[Run], constraints: Sequence[Constraint]) -> list[Run]:
    """Runs that meet every constraint, with the memory margin where any run has it."""
    met = [run for run in runs if is_met(run, constraints)]
    with_margin = [run for run in met if constraints[0].margin(run) >= MEMORY_MARGIN]
    return with_margin or met


def alternatives_to(
    chosen: Run, runs: Sequence[Run], constraints: Sequence[Constraint]
) -> tuple[Alternative, ...]:
    """At most three other feasible settings, by rising memory, none above twice the chosen one's GC CPU."""
    most = _MOST_OF_CHOSEN_CPU * gc_cpu(chosen)
    front = [run for run in pareto_front(feasible_runs(runs, constraints)) if gc_cpu(run) <= most]
    if not front:
        return ()
    half = [run for run in front if rss_peak(run) <= 0.5 * rss_peak(chosen)]
    named = {"least memory": front[0], "half the memory": half[-1] if half else None, "cheapest": front[-1]}
    found: dict[Settings, Alternative] = {}
    for name, run in named.items():
        if run is not None and run.settings != chosen.settings and run.settings not in found:
            found[run.settings] = Alternative(name=name, run=run)
    return tuple(found.values())


def gc_cpu(run: Run) -> float:
    """The run's predicted GC CPU, a share of all CPU."""
    return run.metrics["gc_cpu_fraction"].value


def rss_peak(run: Run) -> float:
    """The run's predicted peak RSS in bytes."""
    return run.metrics["rss_peak_bytes"].value


def _has_backstop(run: Run, net_limit: int | None) -> bool:
    """A finite GOGC sets the pace, and a limit that is expected to hold stands behind it."""
    limit = run.settings.gomemlimit_bytes
    return (
        run.settings.gogc is not None and limit is not None and net_limit is not None and limit <= net_limit
    )


def _preference(run: Run, memory: Constraint) -> tuple[bool, int, int]:
    """Smaller is better: a finite GOGC, the highest limit that is of use, the lowest GOGC."""
    limit = run.settings.gomemlimit_bytes
    useful = limit if limit is not None and limit <= (1 - MEMORY_MARGIN) * memory.bound else 0
    return (run.settings.gogc is None, -useful, run.settings.gogc or 0)
