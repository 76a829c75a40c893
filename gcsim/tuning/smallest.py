"""The inverse question: the smallest container in which some setting keeps the bounds, and the cost of other sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Unpack

from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.aim import Objective
from gcsim.tuning.constraints import MEMORY_CONFIDENCE, Constraint, constraints_from
from gcsim.tuning.container_sizes import container_size, next_larger, next_smaller
from gcsim.tuning.needed import needed_for
from gcsim.tuning.recommend import recommend
from gcsim.tuning.recommendation import Recommendation
from gcsim.tuning.request_latency import without_requests
from gcsim.tuning.search import MOST_SETTINGS, GridPoint
from gcsim.tuning.sweep import Progress, base_settings
from gcsim.units import LEAST_MEMORY_BYTES, MAX_INT64

_SHOWN = (0.5, 0.75, 1.0, 1.5, 2.0, 4.0)  # sizes of the table over the smallest one
_MOST_STEPS = 8  # usual sizes that are tried after the first estimate: one doubling


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCost:
    """One size of the container and the setting that ``recommend`` chooses in it, without bounds below the smallest."""

    memory_bytes: int
    run: Run | None  # None if no setting fits
    keeps_bounds: bool

    def to_json(self) -> dict[str, object]:
        """The JSON document; settings and metrics are null if no setting fits."""
        run = {"settings": None, "metrics": None} if self.run is None else self.run.to_json()
        return {"memory_bytes": self.memory_bytes, "keeps_bounds": self.keeps_bounds, **run}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestContainer:
    """The recommendation in the smallest container, and the cost of smaller and larger ones by rising memory.

    If no size keeps the bounds, the recommendation is not feasible, and its memory is the largest size tried.
    """

    recommendation: Recommendation
    containers: tuple[ContainerCost, ...]

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim recommend --json`` without ``--memory``."""
        return {
            **self.recommendation.to_json(),
            "containers": [one.to_json() for one in self.containers],
        }


def smallest_container(
    model: Model,
    *,
    constraints: Sequence[Constraint],
    other_memory_bytes: int = 0,
    memory_confidence: float = MEMORY_CONFIDENCE,
    objective: Objective = "cpu",
    spend_memory: bool = False,
    gomaxprocs: int | None = None,
    go: str | None = None,
    plan: Plan = USUAL_PLAN,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
    **fields: Unpack[PlanFields],
) -> SmallestContainer:
    """The smallest usual container in which ``recommend`` finds a setting that keeps ``constraints``.

    The first estimate is from GOGC=off under limits of rising size, which costs the least GC CPU for its memory. Then
    ``recommend`` itself decides about neighbouring sizes. The other arguments are those of ``recommend``. Raises
    InputError on bad settings.
    """
    plan = plan.changed(**fields)
    base = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    ask = partial(
        recommend,
        model,
        other_memory_bytes=other_memory_bytes,
        memory_confidence=memory_confidence,
        objective=objective,
        spend_memory=spend_memory,
        gomaxprocs=gomaxprocs,
        go=go,
        plan=plan,
        executor=executor,
    )
    asked = _Sizes(ask, constraints, progress)
    first = _estimate(model, base, without_requests(constraints), other_memory_bytes, plan, executor)
    size = asked.smallest_from(first)
    chosen = asked.bounded(size)
    sizes = {container_size(size * share) for share in _SHOWN} if chosen.feasible else {size}
    sizes = {each for each in sizes if each - other_memory_bytes >= LEAST_MEMORY_BYTES}
    rows = tuple(asked.cost(each, with_bounds=each >= size) for each in sorted(sizes))
    asked.finish()
    return SmallestContainer(recommendation=chosen, containers=rows)


def _estimate(
    model: Model,
    base: Settings,
    constraints: Sequence[Constraint],
    other_bytes: int,
    plan: Plan,
    executor: Executor,
) -> int:
    """The container of the least memory at GOGC=off that keeps the bounds; the largest one tried if none does."""
    values = model.parameters
    live = values.live_bytes.value + values.stack_bytes.value + values.globals_bytes.value
    knobs = GridPoint(gomaxprocs=base.gomaxprocs, go=base.go, memory_bytes=container_size(live))
    runs: list[Run] = []

    def evaluate(settings: Sequence[Settings], _likely: Sequence[Settings] = (), /) -> list[Run]:
        known = {run.settings for run in runs}
        runs.extend(simulate(model, [one for one in settings if one not in known], plan, executor=executor))
        return runs

    bounds = constraints_from(MAX_INT64, constraints)
    found = needed_for(evaluate, knobs, bounds, other_bytes=other_bytes).memory_bytes
    largest = max(run.settings.gomemlimit_bytes or 0 for run in runs)
    return container_size(largest + other_bytes) if found is None else found


class _Sizes:
    """Recommendations by the size of the container, each made once, with one progress for all."""

    def __init__(
        self,
        ask: Callable[..., Recommendation],
        constraints: Sequence[Constraint],
        progress: Progress | None,
    ) -> None:
        self._ask, self._constraints, self._progress = ask, constraints, progress
        self._bounded: dict[int, Recommendation] = {}
        self._done = 0

    def smallest_from(self, size: int) -> int:
        """The smallest usual size near a first estimate that holds; the last size tried if none does."""
        if self._holds(size):
            for _ in range(_MOST_STEPS):
                smaller = next_smaller(size)
                if smaller == size or not self._holds(smaller):
                    return size
                size = smaller
            return size
        for _ in range(_MOST_STEPS):
            size = next_larger(size)
            if self._holds(size):
                break
        return size

    def _holds(self, size: int) -> bool:
        """Whether a setting and its neighbours keep the bounds in this size, with memory to spare."""
        found = self.bounded(size)
        memory = found.margins[0].constraint
        return found.feasible and memory.has_spare(found.run) and all(one.held for one in found.neighbours)

    def bounded(self, size: int) -> Recommendation:
        """The recommendation in a container of this size, with the bounds."""
        if size not in self._bounded:
            self._bounded[size] = self._recommend(size, self._constraints)
        return self._bounded[size]

    def cost(self, size: int, *, with_bounds: bool) -> ContainerCost:
        """The cost of a size at the setting that ``recommend`` chooses with or without the bounds."""
        found = self.bounded(size) if with_bounds else self._recommend(size, ())
        run = found.run if found.feasible else None
        kept = run is not None and all(one.margin(run) >= 0 for one in self._constraints)
        return ContainerCost(memory_bytes=size, run=run, keeps_bounds=kept)

    def finish(self) -> None:
        """Reports the end of the simulation."""
        if self._progress is not None:
            self._progress(self._done, self._done)

    def _recommend(self, size: int, constraints: Sequence[Constraint]) -> Recommendation:
        before = self._done

        def report(finished: int, _total: int) -> None:
            self._done = before + finished
            if self._progress is not None:
                self._progress(self._done, max((3 + len(_SHOWN)) * MOST_SETTINGS, self._done))

        return self._ask(memory_bytes=size, constraints=constraints, progress=report)
