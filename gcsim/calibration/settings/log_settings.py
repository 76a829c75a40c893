"""The settings of a log, each with its origin."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.settings.heap_goals import Goals, goals_of
from gcsim.calibration.settings.implied_gogc import (
    GogcBounds,
    GogcRun,
    gogc_bounds,
    gogc_runs,
    informative_cycles,
)
from gcsim.calibration.window import working_window
from gcsim.capture.info import CaptureInfo
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.version_changes import NEWEST_MINOR
from gcsim.goruntime.versions import rules_for
from gcsim.service.assessment import Origin, Origins
from gcsim.service.model import Loop
from gcsim.settings import Settings
from gcsim.units import format_go_bytes, format_gogc

_NEWEST_OF_GENERATION = {
    "1.2": 2, "1.3": 3, "1.4": 4, "1.5beta": 5, "1.5": 5, "1.6": 17, "1.18": NEWEST_MINOR,
}  # fmt: skip
FOLLOWED_SHARE = 0.5  # of the cycles that bound GOGC: share in runs of at least MIN_RUN
_NARROW = 1.3  # highest over lowest GOGC of an inference
_NEAR = 0.02  # relative: the default GOGC this close to the implied interval explains it
_LEAST_INFERRED = 5.0  # percent: goals as low as heapMarked come from a limit that is too low
_DEFAULT_GOGC = 100
_TEXT: dict[Origin, str] = {
    "stated": "",
    "captured": "",
    "logged": "",
    "inferred": "from the heap goals",
    "assumed": "assumed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Settings of the calibrated run that the user states; None: from the side file or the log."""

    gogc: int | None = None
    gogc_off: bool = False
    gomemlimit_bytes: int | None = None
    gomemlimit_off: bool = False
    gomaxprocs: int | None = None
    go: str | None = None
    loop: Loop | None = None
    job: bool | None = None  # the log is one whole run of a finite job; None: decided by its capture


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The settings of one log, their origins, and the heap goals that imply some of them."""

    settings: Settings
    origins: Origins
    goals: Goals | None = field(repr=False)  # of the working window; None if they show no setting
    bounds: GogcBounds = field(repr=False, compare=False)  # of every cycle, under the log's memory limit
    implied_limit_bytes: int | None = None  # for constant goals without a stated limit

    def __str__(self) -> str:
        """The settings in one line; assumed and inferred ones are marked."""
        known, origins = self.settings, self.origins
        parts = (
            (f"GOGC={format_gogc(known.gogc)}", origins.gogc, "--gogc"),
            (f"GOMEMLIMIT={format_go_bytes(known.gomemlimit_bytes)}", origins.gomemlimit, "--gomemlimit"),
            (f"GOMAXPROCS={known.gomaxprocs}", origins.gomaxprocs, "--gomaxprocs"),
            (f"Go {known.go}", origins.go, "--go"),
        )
        return ", ".join(_marked(*part) for part in parts)

    def to_json(self) -> dict[str, Any]:
        """The origin of each setting."""
        names = ("gogc", "gomemlimit", "gomaxprocs", "go")
        return {name: getattr(self.origins, name) for name in names}


def _marked(text: str, origin: Origin, option: str) -> str:
    mark = _TEXT[origin]
    if origin == "assumed":
        mark += f"; pass {option}"
    return f"{text} ({mark})" if mark else text


def log_settings(trace: Trace, stated: Overrides | None = None) -> LogSettings:
    """The settings of a log, read from the trace alone: see ``settings_from``."""
    return settings_from(trace, evidence_from(trace), stated or Overrides())


def settings_from(trace: Trace, printed: Evidence, stated: Overrides) -> LogSettings:
    """The settings of a log. Precedence: the user, the side file, the log itself, defaults.

    A log without a side file prints GOMAXPROCS. Heap goals imply GOGC if one value explains them. The format of the
    lines gives a range of Go versions; the newest of them is assumed. No memory limit is assumed. ``printed`` is the
    evidence of the whole trace, sizes as printed.
    """
    limit, limit_origin = _gomemlimit(trace.info, stated)
    procs, procs_origin = _gomaxprocs(trace, stated)
    go, go_origin = _go(trace, stated)
    window = working_window(printed)
    goals = goals_of(printed, window) if trace.generation == "1.18" else None
    bounds = gogc_bounds(trace, printed, gomemlimit_bytes=limit)
    run = None if _captured(trace.info, "gogc") else _only_run(bounds, window)
    gogc, gogc_origin = _gogc(trace.info, stated, run, goals, limit)
    open_question = gogc_origin == limit_origin == "assumed" and not (run is not None and _is_default(run))
    return LogSettings(
        settings=Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=procs, go=go),
        origins=Origins(gogc=gogc_origin, gomemlimit=limit_origin, gomaxprocs=procs_origin, go=go_origin),
        goals=goals,
        bounds=bounds,
        implied_limit_bytes=goals.limit_bytes
        if open_question and goals is not None and goals.constant
        else None,
    )


def _gomemlimit(info: CaptureInfo | None, stated: Overrides) -> tuple[int | None, Origin]:
    if stated.gomemlimit_bytes is not None or stated.gomemlimit_off:
        return stated.gomemlimit_bytes, "stated"
    if info is not None and _captured(info, "gomemlimit_bytes"):
        return info.gomemlimit_bytes, "captured"
    return None, "assumed"


def _captured(info: CaptureInfo | None, knob: str) -> bool:
    """Whether the side file states GOGC or GOMEMLIMIT."""
    return info is not None and knob not in info.assumed


def _gomaxprocs(trace: Trace, stated: Overrides) -> tuple[int, Origin]:
    if stated.gomaxprocs is not None:
        return stated.gomaxprocs, "stated"
    if trace.info is not None and trace.info.gomaxprocs is not None:
        return trace.info.gomaxprocs, "captured"
    printed = trace.cycles.gomaxprocs[trace.cycles.gomaxprocs > 0]
    return (int(np.bincount(printed).argmax()), "logged") if printed.size else (1, "assumed")


def _go(trace: Trace, stated: Overrides) -> tuple[str, Origin]:
    if stated.go is not None:
        return rules_for(stated.go).go, "stated"
    if trace.info is not None and trace.info.go is not None:
        return rules_for(trace.info.go).go, "captured"
    return rules_for(f"1.{_NEWEST_OF_GENERATION[trace.generation]}").go, "assumed"


def _gogc(
    info: CaptureInfo | None, stated: Overrides, run: GogcRun | None, goals: Goals | None, limit: int | None
) -> tuple[int | None, Origin]:
    if stated.gogc is not None or stated.gogc_off:
        return stated.gogc, "stated"
    if info is not None and _captured(info, "gogc"):
        return info.gogc, "captured"
    if run is None:
        return _DEFAULT_GOGC, "assumed"
    if limit is not None:  # goals are at most the GOGC goal, so the runs bound GOGC from below only
        return (None, "inferred") if run.low > _DEFAULT_GOGC else (_DEFAULT_GOGC, "assumed")
    if np.isinf(run.middle):
        return None, "inferred"
    if run.low < _LEAST_INFERRED or run.high > _NARROW * run.low:
        return _DEFAULT_GOGC, "assumed"
    if _is_default(run):
        return _DEFAULT_GOGC, "inferred"
    follows = goals is not None and goals.follow_marked
    return (round(run.middle), "inferred") if follows else (_DEFAULT_GOGC, "assumed")


def _is_default(run: GogcRun) -> bool:
    return run.low <= (1.0 + _NEAR) * _DEFAULT_GOGC and run.high >= (1.0 - _NEAR) * _DEFAULT_GOGC


def _only_run(bounds: GogcBounds, window: slice) -> GogcRun | None:
    """The run of the only GOGC in the log's working window; None if there is none or more than one."""
    runs = gogc_runs(bounds, window)
    if len(runs) != 1 or runs[0].cycles < FOLLOWED_SHARE * informative_cycles(bounds, window):
        return None
    return runs[0]
