"""The simulations of one search: each setting once, with one progress for all."""

from collections.abc import Sequence
from dataclasses import replace

from gcsim.engine.executors import Executor
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.aim import Aim
from gcsim.tuning.choose import cheapest, choose, net_bracket
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.search import (
    COARSE_GOGC,
    MOST_SETTINGS,
    GridPoint,
    backstop_limits,
    candidate_limits,
    finer_gogc,
    gogc_column,
    outline,
)
from gcsim.tuning.sweep import Progress, simulate_in_chunks


class Evaluation:
    """Simulates settings by the plan, keeps every run, and reports progress towards the maximum number."""

    def __init__(self, model: Model, plan: Plan, progress: Progress | None, executor: Executor) -> None:
        self._model = model
        self._executor = executor
        self._plan = plan
        self._progress = progress
        self._done: list[Run] = []
        self._ahead: dict[Settings, Run] = {}  # simulated, and not asked for yet
        self._report(MOST_SETTINGS)

    def __call__(self, settings: Sequence[Settings], likely: Sequence[Settings] = (), /) -> list[Run]:
        """All runs asked for so far, including those of ``settings``.

        ``likely`` are settings that the next call may ask for. More settings make an engine call little longer.
        """
        known = {run.settings for run in self._done}
        asked = [each for each in dict.fromkeys(settings) if each not in known]
        wanted = [each for each in asked if each not in self._ahead]
        if wanted:
            wanted = list(dict.fromkeys([*wanted, *(each for each in likely if each not in known)]))
            new = [each for each in wanted if each not in self._ahead]
            for chunk in simulate_in_chunks(self._model, new, self._plan, self._executor):
                self._ahead |= {run.settings: run for run in chunk}
                done = len(self._done) + len(self._ahead)
                self._report(max(MOST_SETTINGS, done), done)
        self._done.extend(self._ahead.pop(each) for each in asked)
        return self._done

    def of(self, settings: Sequence[Settings]) -> list[Run]:
        """The runs of some settings, in order."""
        known = {run.settings: run for run in [*self._done, *self._ahead.values()]}
        missing = [each for each in settings if each not in known]
        if missing:
            known |= {run.settings: run for run in self(missing)}
        return [known[each] for each in settings]

    def finish(self) -> None:
        """Reports the end of the simulation."""
        done = len(self._done) + len(self._ahead)
        self._report(done, done)

    def _report(self, total: int, done: int = 0) -> None:
        if self._progress is not None:
            self._progress(done, total)


def search(evaluate: Evaluation, knobs: GridPoint, constraints: Sequence[Constraint], aim: Aim) -> list[Run]:
    """The runs of the search: grid edges, candidate limits, the highest limit that holds, GOGC near the best."""
    memory = constraints[0]
    runs = evaluate(outline(knobs))
    holding, failing = net_bracket(runs, memory)
    wanted = [s for limit in candidate_limits(runs, holding, memory) for s in gogc_column(knobs, limit)]
    if holding is not None and failing is not None:
        wanted += backstop_limits(knobs, holding, failing)
    runs = evaluate(wanted)
    net, _ = net_bracket(runs, memory)
    if net is not None and net != holding:
        row = [s for s in gogc_column(knobs, net) if s.gogc is not None]
        places = [COARSE_GOGC.index(start.gogc) for start in _best(runs, constraints, aim)]
        near = dict.fromkeys(g for place in places for g in COARSE_GOGC[max(place - 1, 0) : place + 2])
        runs = evaluate(row, [s for gogc in near for s in finer_gogc(knobs, gogc, net)])
    around = [
        s
        for start in _best(runs, constraints, aim)
        for s in finer_gogc(knobs, start.gogc, start.gomemlimit_bytes)
    ]
    if net is not None:
        around += [replace(s, gomemlimit_bytes=net) for s in around]
    return evaluate(around)


def _best(runs: Sequence[Run], constraints: Sequence[Constraint], aim: Aim) -> list[Settings]:
    """The settings of the runs around which the search takes finer steps."""
    return [run.settings for run in (choose(runs, constraints, aim), cheapest(runs, constraints))]
