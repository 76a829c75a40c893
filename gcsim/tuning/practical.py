"""The choice as people write it: round values where they cost nothing, and no change where it would save too little.

``recommend`` passes its choice through here. The rules of the choice itself are in ``choose``.
"""

from collections.abc import Sequence
from dataclasses import replace

from gcsim.engine.run import Run
from gcsim.settings import Settings
from gcsim.tuning.aim import USUAL_AIM, Aim, delay, gc_cpu
from gcsim.tuning.constraints import Constraint, is_met
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.search import Evaluate
from gcsim.units import GIB, MIB

LEAST_SAVING = 0.005  # of all CPU: a change that saves less is not worth it
_LEAST_SHARE = 0.05  # of today's memory or latency, if the objective is one of them
_EXACT_GOGC, _GOGC_STEP = 100, 50  # percent: above the first, whole multiples of the second
_EXACT_LIMIT, _LIMIT_STEP, _LARGE_LIMIT_STEP = 256 * MIB, 4 * MIB, 16 * MIB  # the last one from 1 GiB on
NEAR_GOGC, NEAR_LIMIT = (0.8, 1.25), 0.95  # factors of a neighbour
_EXTRA_SHARE, _EXTRA_CPU = 0.03, 0.001  # extra GC CPU of a round value: 3 % of it, or 0.1 % of all CPU


def rounded(
    chosen: Run,
    evaluate: Evaluate,
    constraints: Sequence[Constraint],
) -> Run:
    """The run at the nearest round setting that keeps the constraints at almost the same GC CPU; else ``chosen``.

    The limit is rounded down, because its distance to the memory is what the search has found.
    """
    candidates = round_settings(chosen.settings)
    if candidates in ([], [chosen.settings]):
        return chosen
    alone = [replace(one, gogc=None) for one in candidates]  # shows that the round limit holds by itself
    near = [each for one in candidates[:1] for each in neighbours(one)]
    by_settings = {run.settings: run for run in evaluate([*candidates, *alone], near)}
    for settings in candidates:
        run = by_settings[settings]
        if _is_as_good(run, chosen, constraints):
            return run
    return chosen


def neighbours(settings: Settings) -> list[Settings]:
    """The settings next to one: GOGC a fifth lower and higher, and the limit 5 % lower.

    A higher limit is left out: its distance to the memory is a rule of its own.
    """
    gogc, limit = settings.gogc, settings.gomemlimit_bytes
    found = []
    if gogc is not None:
        found += [replace(settings, gogc=max(round(gogc * factor), 1)) for factor in NEAR_GOGC]
    if limit is not None:
        found.append(replace(settings, gomemlimit_bytes=max(int(limit * NEAR_LIMIT) // MIB, 1) * MIB))
    return [one for one in found if one != settings]


def round_settings(settings: Settings) -> list[Settings]:
    """The round settings near a setting, nearest first; the last ones round one value only."""
    limits = list(dict.fromkeys([_round_limit(settings.gomemlimit_bytes), settings.gomemlimit_bytes]))
    gogcs = list(dict.fromkeys([*_round_gogcs(settings.gogc), settings.gogc]))
    pairs = [(gogc, limit) for limit in limits for gogc in gogcs]
    found = [
        Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=settings.gomaxprocs, go=settings.go)
        for gogc, limit in pairs
    ]
    return [one for one in found if one != settings] or [settings]


def saves_too_little(
    today: Run, chosen: Run, constraints: Sequence[Constraint], aim: Aim = USUAL_AIM
) -> bool:
    """Whether today's setting is another one that keeps every constraint, and the choice saves too little.

    That is less than 0.5 % of all CPU; with another objective, less than 5 % of today's memory or latency. Today's
    setting needs the usual memory margin.
    """
    if today.settings == chosen.settings or not is_met(today, constraints):
        return False
    if not constraints[0].has_spare(today):
        return False
    if aim.objective == "memory":
        return container_peak(chosen).value > (1 - _LEAST_SHARE) * container_peak(today).value
    if aim.objective == "latency":
        return delay(chosen) > (1 - _LEAST_SHARE) * delay(today)
    return gc_cpu(today) - gc_cpu(chosen) < LEAST_SAVING


def _round_limit(limit_bytes: int | None) -> int | None:
    if limit_bytes is None or limit_bytes <= _EXACT_LIMIT:
        return limit_bytes
    step = _LARGE_LIMIT_STEP if limit_bytes >= GIB else _LIMIT_STEP
    return limit_bytes // step * step


def _round_gogcs(gogc: int | None) -> list[int | None]:
    """The multiples of 50 on both sides, nearest first; the value itself if it is round or at most 100."""
    if gogc is None or gogc <= _EXACT_GOGC or gogc % _GOGC_STEP == 0:
        return [gogc]
    below = gogc // _GOGC_STEP * _GOGC_STEP
    above = below + _GOGC_STEP
    return [below, above] if gogc - below < above - gogc else [above, below]


def _is_as_good(run: Run, chosen: Run, constraints: Sequence[Constraint]) -> bool:
    memory = constraints[0]
    spare = memory.has_spare(run) or not memory.has_spare(chosen)
    most = max((1 + _EXTRA_SHARE) * gc_cpu(chosen), gc_cpu(chosen) + _EXTRA_CPU)
    return is_met(run, constraints) and spare and gc_cpu(run) <= most
