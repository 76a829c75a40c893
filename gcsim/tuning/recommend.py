"""Choose a setting: the cheapest in GC CPU that holds every constraint, made robust, with its reasons.

GC CPU falls with a higher GOGC and with a higher limit, so for one memory budget the cheapest setting is
always GOGC=off under the highest limit that the memory holds. That corner uses all memory all the time and
rests on one number. For 15 % more GC CPU at most, the choice here is therefore

1. the highest GOMEMLIMIT at which even GOGC=off stays inside the memory: a net for whatever the live heap
   or the load do, and whose distance to the memory is what Go does not count;
2. under it the smallest GOGC within 5 % of the least GC CPU there, or 0.2 % of all CPU.

Setting and net are both judged at the pessimistic end of their intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gcsim.engine.run import Run
from gcsim.engine.simulate import (
    DEFAULT_DURATION_SECONDS,
    DEFAULT_REPLICAS,
    DEFAULT_SEED,
    Engine,
    simulate,
)
from gcsim.settings import Settings
from gcsim.tuning.constraints import (
    Constraint,
    Margin,
    constraints_from,
    is_met,
    margins,
    pareto_front,
    thinned,
    worst_margin,
)
from gcsim.tuning.reason import explain
from gcsim.tuning.search import (
    Evaluate,
    Knobs,
    coarse_settings,
    finer_gogc,
    gogc_column,
    net_limits,
)
from gcsim.tuning.sweep import Progress, base_settings, simulate_in_chunks
from gcsim.workload.model import Model

MEMORY_MARGIN = 0.03  # kept free above the pessimistic peak where it can be: running out of memory is a kill
_TOLERANCE, _NEARLY = 0.05, 0.002  # GC CPU that a lower GOGC may cost: 5 % of it, or 0.2 % of all CPU
_NET_FACTOR = 1.15  # and that the net may cost
STRESS_FACTOR = 1.25
MAX_ALTERNATIVES = 4
_SANE_GC_CPU = 0.25  # an alternative that costs more is none: Go gcBackgroundUtilization


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """The recommended setting under growth."""

    what: str  # "live heap" or "load"
    factor: float
    run: Run
    held: bool  # every constraint and the limit still kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A setting, its margin to each constraint, the alternatives, the reason.

    When not feasible, ``run`` is the nearest miss.
    """

    feasible: bool
    run: Run
    margins: tuple[Margin, ...]
    alternatives: tuple[Run, ...]  # the rest of the memory/CPU front, by rising memory
    stress: tuple[Stress, ...]
    explored: tuple[Run, ...]  # everything simulated on the way
    memory_bytes: int
    reason: str

    @property
    def settings(self) -> Settings:
        return self.run.settings

    @property
    def env(self) -> dict[str, str]:
        """GOGC and GOMEMLIMIT as environment variables."""
        return self.run.settings.environment

    def to_json(self) -> dict[str, object]:
        return {
            "feasible": self.feasible,
            **{key: self.run.to_json()[key] for key in ("settings",)},
            "env": self.env,
            "metrics": self.run.to_json()["metrics"],
            "alternatives": [run.to_json() for run in self.alternatives],
            "reason": self.reason,
        }


def recommend(
    model: Model,
    *,
    memory_bytes: int,
    max_gc_cpu_fraction: float | None = None,
    max_stw_p99_seconds: float | None = None,
    gomaxprocs: int | None = None,
    go: str | None = None,
    duration_seconds: float = DEFAULT_DURATION_SECONDS,
    replicas: int = DEFAULT_REPLICAS,
    seed: int = DEFAULT_SEED,
    engine: Engine = "lanes",
    progress: Progress | None = None,
) -> Recommendation:
    """The setting for a container of ``memory_bytes``.

    Every constraint is judged at the pessimistic end of its interval. Raises InputError on bad settings.
    """
    defaults = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    knobs = Knobs(
        gomaxprocs=defaults.gomaxprocs,
        go=defaults.go,
        memory_bytes=memory_bytes,
    )
    constraints = constraints_from(
        memory_bytes=memory_bytes,
        max_gc_cpu_fraction=max_gc_cpu_fraction,
        max_stw_p99_seconds=max_stw_p99_seconds,
    )
    done: list[Run] = []

    def evaluate(settings: Sequence[Settings]) -> list[Run]:
        chunks = simulate_in_chunks(
            model, settings, duration_seconds=duration_seconds, replicas=replicas, seed=seed, engine=engine
        )
        for chunk in chunks:
            done.extend(chunk)
            if progress is not None:
                progress(len(done), len(done))
        return done

    explored = _search(evaluate, knobs, constraints)
    chosen = _choose(explored, constraints)
    stress = tuple(
        _stress(model, chosen, constraints, what, duration_seconds, replicas, seed, engine)
        for what in (("live heap", "load") if model.loop == "open" else ("live heap",))
    )  # more load on a saturated program changes nothing: it already runs as fast as it can
    return _assemble(chosen, explored, constraints, stress, knobs)


def best_of(runs: Sequence[Run], memory_bytes: int) -> Run | None:
    """The setting that ``recommend`` would choose among these runs; None when none is feasible."""
    constraints = constraints_from(
        memory_bytes=memory_bytes, max_gc_cpu_fraction=None, max_stw_p99_seconds=None
    )
    return _choose(runs, constraints) if _feasible(runs, constraints) else None


def _search(evaluate: Evaluate, knobs: Knobs, constraints: Sequence[Constraint]) -> list[Run]:
    """Coarse grid; then the highest limit that holds; then GOGC around the best settings so far."""
    runs = evaluate(coarse_settings(knobs))
    holding, failing = _net_bracket(runs, constraints[0])
    net = holding
    if holding is not None and failing is not None:
        runs = evaluate(net_limits(knobs, holding, failing))
        net, _ = _net_bracket(runs, constraints[0])
    if net is not None and net != holding:
        runs = evaluate([s for s in gogc_column(knobs, net) if s.gogc is not None])
    starts = [run.settings for run in (_choose(runs, constraints), _cheapest(runs, constraints))]
    around = [s for start in starts for s in finer_gogc(knobs, start.gogc, start.gomemlimit_bytes)]
    if net is not None:
        around += [replace(s, gomemlimit_bytes=net) for s in around]
    known = {run.settings for run in runs}
    return evaluate([s for s in dict.fromkeys(around) if s not in known])


def _cheapest(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The least GC CPU among what is feasible; the nearest miss when nothing is."""
    feasible = _feasible(runs, constraints)
    return min(feasible, key=_gc_cpu) if feasible else _choose(runs, constraints)


def _net_bracket(runs: Sequence[Run], memory: Constraint) -> tuple[int | None, int | None]:
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


def _choose(runs: Sequence[Run], constraints: Sequence[Constraint]) -> Run:
    """The choice among what was simulated; the nearest miss when nothing is feasible."""
    feasible = _feasible(runs, constraints)
    if not feasible:
        return max(runs, key=lambda run: worst_margin(run, constraints))
    net, _ = _net_bracket(runs, constraints[0])
    least = min(_gc_cpu(run) for run in feasible)
    netted = [
        run for run in feasible if _is_netted(run, net) and _gc_cpu(run) <= _NET_FACTOR * least + _NEARLY
    ]
    pool = netted or feasible
    least_there = min(_gc_cpu(run) for run in pool)
    accepted_cpu = max((1 + _TOLERANCE) * least_there, least_there + _NEARLY)
    return min(
        (run for run in pool if _gc_cpu(run) <= accepted_cpu),
        key=lambda run: _preference(run, constraints[0]),
    )


def _is_netted(run: Run, net_limit: int | None) -> bool:
    """A finite GOGC sets the pace, and a limit that is expected to hold stands behind it."""
    limit = run.settings.gomemlimit_bytes
    return (
        run.settings.gogc is not None and limit is not None and net_limit is not None and limit <= net_limit
    )


def _feasible(runs: Sequence[Run], constraints: Sequence[Constraint]) -> list[Run]:
    """Runs that meet every constraint, with the memory margin where any run has it."""
    met = [run for run in runs if is_met(run, constraints)]
    with_margin = [run for run in met if constraints[0].margin(run) >= MEMORY_MARGIN]
    return with_margin or met


def _preference(run: Run, memory: Constraint) -> tuple[bool, int, int]:
    """Smaller is better: a finite GOGC, the highest limit that is of use, the lowest GOGC."""
    limit = run.settings.gomemlimit_bytes
    useful = limit if limit is not None and limit <= (1 - MEMORY_MARGIN) * memory.bound else 0
    return (run.settings.gogc is None, -useful, run.settings.gogc or 0)


def _gc_cpu(run: Run) -> float:
    return run.metrics["gc_cpu_fraction"].value


def _stress(
    model: Model,
    chosen: Run,
    constraints: Sequence[Constraint],
    what: str,
    duration_seconds: float,
    replicas: int,
    seed: int,
    engine: Engine,
) -> Stress:
    grown = model.scaled(live=STRESS_FACTOR) if what == "live heap" else model.scaled(load=STRESS_FACTOR)
    run = simulate(
        grown,
        [chosen.settings],
        duration_seconds=duration_seconds,
        replicas=replicas,
        seed=seed,
        engine=engine,
    )[0]
    return Stress(what=what, factor=STRESS_FACTOR, run=run, held=is_met(run, constraints))


def _assemble(
    chosen: Run,
    explored: Sequence[Run],
    constraints: Sequence[Constraint],
    stress: tuple[Stress, ...],
    knobs: Knobs,
) -> Recommendation:
    feasible = _feasible(explored, constraints)
    sane = max(_SANE_GC_CPU, 2 * _gc_cpu(chosen))
    front = pareto_front([run for run in feasible or explored if _gc_cpu(run) <= sane])
    alternatives = thinned([run for run in front if run.settings != chosen.settings], MAX_ALTERNATIVES)
    found = margins(chosen, constraints)
    cheapest = min(feasible, key=_gc_cpu) if feasible else None
    growth = [(item.what, item.factor, item.run, item.held) for item in stress]
    return Recommendation(
        feasible=bool(feasible),
        run=chosen,
        margins=found,
        alternatives=tuple(alternatives),
        stress=stress,
        explored=tuple(explored),
        memory_bytes=knobs.memory_bytes,
        reason=explain(chosen, found, cheapest=cheapest, growth=growth),
    )
