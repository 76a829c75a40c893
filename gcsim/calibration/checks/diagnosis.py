"""The GC regime of a log, and the parameters that the log determines weakly."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.log_case import LogCase
from gcsim.calibration.settings.implied_gogc import gogc_bounds
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.pacer import heap_minimum_bytes
from gcsim.service.model import Model
from gcsim.service.parameters import OUTSIDE_HEAP, PARAMETER_NAMES, PROCESS, Parameter
from gcsim.units import MIB, format_mib

RegimeName = Literal["idle", "minimum-heap", "limit-bound", "assist-bound", "continuous", "paced"]

WEAK_REL_SD = 0.1  # a 90 % interval wider than about -15 % to +18 %
WEAK_PRIOR_REL_SD = 0.02
_NO_IDLE_SHARE = 0.01  # of P, on idle workers while marking
_MOST = 0.5  # share of cycles that define a regime
_REACHED = 0.93  # of the runway used by the median cycle: the goal is near
_OVERRUN = 1.5  # of the runway
_CONTINUOUS = 0.6  # share of wall time spent marking
_IDLE_GAP_SECONDS = 30.0
_IDLE_PERIODIC_SHARE = 0.2  # of cycles started by the two-minute timer


@dataclass(frozen=True, slots=True)
class Regime:
    """One GC regime of the log, with the figure behind it."""

    name: RegimeName
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderdeterminedGroup:
    """Parameters that the log determines weakly, the predictions that use them, and the remedy."""

    what: str
    parameters: tuple[str, ...]
    remedy: str


def regimes(case: LogCase) -> tuple[Regime, ...]:
    """The regimes of the log's working window, the governing one first; "paced" if no other applies."""
    evidence = case.evidence
    found = [
        _idle(case.trace, case.window, evidence),
        _limit_bound(case),
        _minimum_heap(case),
        _assist_bound(evidence),
        _continuous(evidence),
    ]
    named = tuple(regime for regime in found if regime is not None)
    if named:
        return named
    reached = 100.0 * _reach(evidence)
    return (
        Regime(
            "paced",
            f"the median cycle used {reached:.0f} % of its runway: background marking keeps up, and GOGC sets the peak",
        ),
    )


def weakly_determined(model: Model, trace: Trace) -> tuple[UnderdeterminedGroup, ...]:
    """The groups of weakly determined parameters, one per remedy."""
    weak = {name for name in PARAMETER_NAMES if is_weak(getattr(model.parameters, name))}
    if model.parameters.mark_idle_procs.value < _NO_IDLE_SHARE * model.settings.gomaxprocs:
        weak.discard("mark_idle_procs")  # almost none: the exact number has no effect
    groups = []
    for what, names, remedy in _groups(trace):
        chosen = tuple(name for name in names if name in weak)
        if chosen:
            groups.append(UnderdeterminedGroup(what=what, parameters=chosen, remedy=remedy))
    return tuple(groups)


def is_weak(parameter: Parameter) -> bool:
    """Whether a parameter's interval is wide; the bound for priors is narrower than for measured values."""
    bound = WEAK_PRIOR_REL_SD if parameter.is_prior else WEAK_REL_SD
    return parameter.rel_sd > bound


def _groups(trace: Trace) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    no_pacer = len(trace.pacer_ends) == 0
    captured = trace.info is not None
    objects = (
        "log with GODEBUG=gctrace=1,gcpacertrace=1, which separates large from small objects"
        if no_pacer
        else ""
    )
    counted = trace.info is not None and trace.info.heap_accounts is not None
    counters = "" if counted else "log with gcsim capture on Linux, which reads the runtime's own counts"
    validated = "check the model against one run under a limit: gcsim validate MODEL LIMITED.log"
    return (
        (
            "memory outside the heap, which GOMEMLIMIT predictions use",
            OUTSIDE_HEAP,
            "; ".join(filter(None, (objects, counters, validated))),
        ),
        (
            "resident memory outside the heap",
            PROCESS,
            "repeat the capture: one peak determines it weakly" if captured else
            "log with gcsim capture, which records peak resident memory",
        ),
        (
            "live heap and mark cost at other heap sizes",
            ("mark_cpu_heap_exponent", "live_per_doubling"),
            "calibrate on a log at another GOGC as well: gcsim calibrate LOG OTHER.log",
        ),
        (
            "how much assists pay when they have room to spare",
            ("assist_cpu_seconds",),
            "log for longer, or at a higher GOGC where cycles end at their goal",
        ),
        (
            "what sweeping takes from the program, which throughput rests on",
            ("sweep_cpu_seconds_per_byte", "sweep_share"),
            "calibrate on a log at another GOGC as well; one log alone does not show it",
        ),
        (
            "the heap and its marking",
            ("live_bytes", "stack_bytes", "globals_bytes", "mark_cpu_seconds", "mark_cpu_heap_ratio",
             "mark_background_procs", "mark_idle_procs", "mark_mutator_procs"),
            "log for longer under the same load",
        ),
        (
            "the allocation rate",
            ("alloc_bytes_per_second", "alloc_bytes_per_cpu_second", "mark_alloc_efficiency", "mutator_procs",
             "recounted_share", "recounted_share_of_all", "recount_base_share"),
            "log for longer, under the load to plan for"
            + ("" if captured else ", with gcsim capture, which records CPU time"),
        ),
        ("pauses from one run to the next", ("pause_scale",), "repeat the capture"),
    )  # fmt: skip


def _idle(trace: Trace, window: slice, evidence: Evidence) -> Regime | None:
    periodic = float(trace.periodic[window].mean())
    gap = float(np.median(np.diff(evidence.start_seconds))) if len(evidence) > 1 else 0.0
    if periodic >= _IDLE_PERIODIC_SHARE:
        return Regime("idle", f"{100 * periodic:.0f} % of cycles were started by the two-minute timer")
    if gap >= _IDLE_GAP_SECONDS:
        return Regime("idle", f"half of the cycles started {gap:.0f} s or more after the cycle before")
    return None


def _limit_bound(case: LogCase) -> Regime | None:
    settings, window = case.log.settings, case.window
    if settings.gomemlimit_bytes is None:
        return None
    stated = math.inf if settings.gogc is None else float(settings.gogc)
    goals = case.printed.heap_goal_bytes
    most = gogc_bounds(case.trace, case.printed).high  # as without a limit
    below = (most < stated) | (math.isinf(stated) & np.isfinite(goals))
    share = float(below[window].mean())
    if share < _MOST:
        return None
    marked = case.trace.cycles.heap_marked_bytes[window]
    stuck = float((goals[window] <= marked + MIB).mean())
    thrash = (
        f"; in {100 * stuck:.0f} % of cycles the marked heap fills the goal: the limit is too low for the live heap"
        if stuck > 0.1
        else ""
    )
    return Regime(
        "limit-bound",
        f"in {100 * share:.0f} % of cycles GOMEMLIMIT held the heap goal below the GOGC goal{thrash}",
    )


def _minimum_heap(case: LogCase) -> Regime | None:
    settings = case.log.settings
    if settings.gogc is None:
        return None
    minimum = float(heap_minimum_bytes(settings.gogc))
    ratio = 1.0 + settings.gogc / 100.0
    before = case.printed.heap_marked_bytes[:-1]
    floored = np.concatenate([[False], before * ratio <= minimum + MIB])
    share = float(floored[case.window].mean())
    if share < _MOST:
        return None
    return Regime(
        "minimum-heap",
        f"in {100 * share:.0f} % of cycles the goal was near the minimum heap, {format_mib(minimum)} at this GOGC",
    )


def _assist_bound(evidence: Evidence) -> Regime | None:
    reach = _reach(evidence)
    if reach <= _REACHED:
        return None
    marking = float((evidence.mark_seconds * evidence.gomaxprocs).sum())
    assists = float(evidence.assist_cpu_seconds.sum()) / max(marking, 1e-9)
    used = f"used {100 * reach:.0f} % of" if reach < _OVERRUN else "went far past"
    return Regime(
        "assist-bound",
        f"the median cycle {used} its runway, and assists used {100 * assists:.0f} % of P while marking",
    )


def _continuous(evidence: Evidence) -> Regime | None:
    lasted = float(evidence.end_seconds[-1] - evidence.start_seconds[0])
    share = float(evidence.mark_seconds.sum()) / max(lasted, 1e-9)
    if share < _CONTINUOUS:
        return None
    return Regime("continuous", f"marking took {100 * share:.0f} % of the time")


def _reach(evidence: Evidence) -> float:
    runway = np.maximum(evidence.heap_goal_bytes - evidence.heap_start_bytes, MIB / 16)
    return float(np.median(evidence.allocated_bytes / runway))
