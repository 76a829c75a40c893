"""The recommended setting: the choice of the search, rounded, with good neighbours, safe under mild stress."""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.aim import Aim
from gcsim.tuning.choose import Alternative, alternatives_to, choose, feasible_runs
from gcsim.tuning.constraints import Constraint, is_met
from gcsim.tuning.evaluation import Evaluation
from gcsim.tuning.practical import NEAR_GOGC, NEAR_LIMIT, neighbours, rounded
from gcsim.tuning.recommendation import Neighbour
from gcsim.tuning.stress import StressTest, stress_test

_MOST_CHOICES = 6  # that are looked at before the answer is that none is good
_MOST_TESTS = 3  # under stress: each is an engine call


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """A run with its neighbours, its alternatives and its stress test."""

    run: Run
    neighbours: tuple[Neighbour, ...]
    alternatives: tuple[Alternative, ...]
    test: StressTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The constraints of a choice."""

    constraints: Sequence[Constraint]
    quick: Sequence[Constraint]  # those that the search's engine can judge: for neighbours and stress
    is_rounded: bool  # whether the runs have round settings already


def pick(
    model: Model,
    evaluate: Evaluation,
    explored: Sequence[Run],
    today: Run,
    judged: Judged,
    aim: Aim,
    plan: Plan,
) -> Picked | None:
    """The recommended run; None if every feasible one falls into a death spiral under mild stress.

    A setting whose neighbour breaks a constraint is passed over if another one is feasible.
    """
    constraints, quick = judged.constraints, judged.quick
    candidates, passed_over = list(explored), []
    tests = 0
    for _ in range(_MOST_CHOICES):
        if not feasible_runs(candidates, constraints):
            break
        run = choose(candidates, constraints, aim)
        run = run if judged.is_rounded else rounded(run, evaluate, constraints)
        near = _neighbours_of(run, evaluate, quick)
        failing = [one.run.settings for one in near if not one.held]
        if failing:
            passed_over.append((run, near))
            candidates = [each for each in candidates if not _is_like(each.settings, run.settings, failing)]
            continue
        found = _tested(model, run, near, explored, today, judged, plan)
        if found.test.survives_mild and (tests == 0 or _fits_mild(found, quick[0])):
            return found
        tests += 1
        if tests == _MOST_TESTS:
            return None
        candidates = [each for each in candidates if not _collects_as_often(each.settings, run.settings)]
    for run, near in passed_over[: _MOST_TESTS - tests]:
        found = _tested(model, run, near, explored, today, judged, plan)
        if found.test.survives_mild:
            return found
    return None


def _fits_mild(picked: Picked, memory: Constraint) -> bool:
    """Whether the run fits the memory under mild stress, at the median.

    After a setting that spirals, one that is killed instead is no better.
    """
    return all(memory.fits_median(one.run) for one in picked.test.stresses if one.is_mild)


def _neighbours_of(
    run: Run, evaluate: Evaluation, constraints: Sequence[Constraint]
) -> tuple[Neighbour, ...]:
    runs = evaluate.of(neighbours(run.settings))
    return tuple(Neighbour(run=each, held=is_met(each, constraints)) for each in runs)


def _tested(
    model: Model,
    run: Run,
    near: tuple[Neighbour, ...],
    explored: Sequence[Run],
    today: Run,
    judged: Judged,
    plan: Plan,
) -> Picked:
    """The run with its test; alternatives that fall into a death spiral under mild stress are left out."""
    others = alternatives_to(run, explored, judged.constraints)
    test = stress_test(model, run, today, judged.quick, plan, others=[one.settings for one in others])
    safe = tuple(one for one in others if one.settings not in test.spiralling)
    return Picked(run=run, neighbours=near, alternatives=safe, test=test)


def _is_like(one: Settings, run: Settings, failing: Sequence[Settings]) -> bool:
    """Whether a setting is so near to a run with failing neighbours that its own neighbours fail too."""
    if one == run:
        return True
    gogc, limit = run.gogc, run.gomemlimit_bytes
    for each in failing:
        if each.gomemlimit_bytes != limit and limit is not None:
            near = one.gomemlimit_bytes is not None and one.gomemlimit_bytes < limit / NEAR_LIMIT
        elif gogc is None or each.gogc is None:
            near = False
        elif each.gogc < gogc:
            near = one.gogc is not None and one.gogc < gogc / NEAR_GOGC[0]
        else:
            near = one.gogc is None or one.gogc > gogc / NEAR_GOGC[1]
        if near:
            return True
    return False


def _collects_as_often(one: Settings, other: Settings) -> bool:
    """Whether GOGC and limit of a setting are at most those of another, so that it is under the same stress."""
    pairs = ((one.gogc, other.gogc), (one.gomemlimit_bytes, other.gomemlimit_bytes))
    return all(theirs is None or (mine is not None and mine <= theirs) for mine, theirs in pairs)
