"""Checks that refuse a log: each message names the lines and the options that help."""

from dataclasses import dataclass

import numpy as np

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.settings.heap_goals import Goals
from gcsim.calibration.settings.implied_gogc import MIN_RUN, GogcRun, gogc_runs, informative_cycles
from gcsim.calibration.settings.log_settings import FOLLOWED_SHARE, LogSettings
from gcsim.errors import InputError
from gcsim.gctrace.trace import Trace
from gcsim.units import format_go_bytes, format_gogc, format_mib

_SAME_GOAL = 0.02  # relative spread of goals that a memory limit set
_NEAR = 0.02  # relative: a stated GOGC this close to the implied interval agrees with it


def refuse_forced(evidence: Evidence) -> None:
    """Raises InputError if the pacer started none of the cycles."""
    if len(evidence) and not evidence.natural.any():
        raise InputError(
            f"all {len(evidence)} GC cycles were forced (runtime.GC, debug.FreeOSMemory or the two-minute timer), so"
            " the log does not show when the pacer collects; capture the service under load, without forced collections"
        )


def refuse_goals(trace: Trace, window: slice, log: LogSettings) -> None:
    """Raises InputError if heap goals contradict the settings: GOGC changed during the run, or is another one.

    The check applies to Go 1.18 and later and to heaps above 4 MiB. Under a stated memory limit, goals bound GOGC only
    from below.
    """
    runs = gogc_runs(log.bounds, window)
    informative = informative_cycles(log.bounds, window)
    if informative < MIN_RUN:
        return
    if len(runs) > 1:
        raise InputError(_changed(trace, runs, log))
    if sum(run.cycles for run in runs) < FOLLOWED_SHARE * informative:
        raise InputError(_unsettled(trace, window, log))
    _refuse_stated(trace, runs[0], log)


def _refuse_stated(trace: Trace, run: GogcRun, log: LogSettings) -> None:
    settings = log.settings
    stated = np.inf if settings.gogc is None else float(settings.gogc)
    if run.explains(stated) or run.explains(stated * (1 - _NEAR)) or run.explains(stated * (1 + _NEAR)):
        return
    if settings.gogc is None and settings.gomemlimit_bytes is not None:
        return  # the limit set every goal
    raise InputError(_contradiction(trace, run, log))


def _contradiction(trace: Trace, run: GogcRun, log: LogSettings) -> str:
    """The message for heap goals that contradict the settings, with the options to pass."""
    settings = log.settings
    where = _where(trace, run.first_row)
    offer = limit_offer(log.goals) if settings.gomemlimit_bytes is None else None
    spelled = f"--gogc {_gogc_option(run)}"
    if offer is not None:
        return (
            f"heap goals from {where} on stay at {offer.goal}; GOGC={format_gogc(settings.gogc)}, stated or assumed,"
            f" does not explain that, but a memory limit does; pass {offer.options} with the limit of the run, or"
            f" {spelled} if the run had none"
        )
    lower = (
        settings.gomemlimit_bytes is None
        and np.isfinite(run.middle)
        and (settings.gogc is None or run.middle < settings.gogc)
    )
    also = ", or --gomemlimit if a memory limit lowered the goals" if lower else ""
    return (
        f"heap goals from {where} on follow {run}, not the GOGC={format_gogc(settings.gogc)} stated or assumed;"
        f" pass {spelled}{also}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOffer:
    """The options that explain constant goals."""

    goal: str
    options: str


def limit_offer(goals: Goals | None) -> LimitOffer | None:
    """The options for GOGC=off under a limit if the goals of a log are constant; else None."""
    if goals is None or not goals.constant:
        return None
    limit = format_go_bytes(goals.limit_bytes)
    return LimitOffer(goal=format_mib(goals.median_bytes), options=f"--gogc off --gomemlimit {limit}")


def _changed(trace: Trace, runs: list[GogcRun], log: LogSettings) -> str:
    limit = log.settings.gomemlimit_bytes
    parts = ", then ".join(f"{run} from {_where(trace, run.first_row)}" for run in runs[:4])
    more = f" and {len(runs) - 4} more changes" if len(runs) > 4 else ""
    longest = max(runs, key=lambda run: run.cycles)
    numbers = trace.cycles.cycle_number
    cut = f"keep only gc {numbers[longest.first_row]} to gc {numbers[longest.last_row]} and calibrate with --gogc"
    offer = limit_offer(log.goals) if limit is None else None
    if offer is None and (limit is not None or not any(_looks_limited(trace, run) for run in runs)):
        return f"GOGC changed during the run: goals follow {parts}{more}; {cut} {_gogc_option(longest)}"
    options = "--gomemlimit" if offer is None else f"{offer.options} with the limit of the run"
    return (
        f"a memory limit lowered the goals, or GOGC changed during the run: goals follow {parts}{more};"
        f" pass {options}, or {cut} {_gogc_option(longest)}"
    )


def _unsettled(trace: Trace, window: slice, log: LogSettings) -> str:
    first = _where(trace, window.start or 0)
    if log.settings.gomemlimit_bytes is None:
        offer = limit_offer(log.goals)
        options = "--gomemlimit" if offer is None else f"{offer.options} with the limit of the run"
        return (
            f"heap goals from {first} on follow no single GOGC for {MIN_RUN} cycles: a memory limit set them, or the"
            f" program changes GOGC while it runs; pass {options}, or capture with that tuner switched off"
        )
    return (
        f"heap goals from {first} on follow no single GOGC for {MIN_RUN} cycles: the program changes GOGC while it"
        " runs; capture with that tuner switched off"
    )


def _looks_limited(trace: Trace, run: GogcRun) -> bool:
    """Whether the goals of a run look like a limit's: constant while heapMarked moves."""
    rows = slice(run.first_row, run.last_row + 1)
    goals = trace.cycles.heap_goal_bytes[rows].astype(np.float64)
    marked = trace.cycles.heap_marked_bytes[max(run.first_row - 1, 0) : run.last_row].astype(np.float64)
    spread, moves = (float(x.std() / max(x.mean(), 1.0)) for x in (goals, marked))
    return spread < _SAME_GOAL and (moves > 2.0 * spread or moves < _SAME_GOAL)


def _where(trace: Trace, row: int) -> str:
    number = f"gc {trace.cycles.cycle_number[row]}"
    return f"{number} (line {trace.line_numbers[row]})" if len(trace.line_numbers) > row else number


def _gogc_option(run: GogcRun) -> str:
    return f"{run.middle:.0f}" if np.isfinite(run.middle) else "off"
