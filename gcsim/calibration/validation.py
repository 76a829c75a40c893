"""Comparison of a model's predictions with one log, at the log's own settings."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Unpack

from gcsim.calibration.estimate.job_course import JobRun
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.memory.measurements import ProcessMemory
from gcsim.calibration.window import cycles_since_start, service_window, working_window
from gcsim.cycles import CycleTable
from gcsim.engine.plan import Plan, PlanFields
from gcsim.engine.run import settings_json
from gcsim.errors import InputError
from gcsim.gctrace.numbers import untruncated_ms
from gcsim.gctrace.trace import Trace
from gcsim.metrics import METRICS, Estimate, cycle_metrics
from gcsim.service.model import Model
from gcsim.settings import Settings

#: The metrics that ``validate --max-error`` judges: recommendations depend on them.
JUDGED = ("heap_peak_mean_bytes", "gc_rate_hz", "gc_cpu_fraction", "rss_peak_bytes")
_MEASURED = ("rss_peak_bytes", "anonymous_peak_bytes", "container_peak_bytes")  # of the process, by a capture


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The prediction and the observation of one metric."""

    name: str
    predicted: Estimate
    observed: float

    @property
    def error(self) -> float:
        """(predicted - observed) / observed; NaN if the observed value is 0."""
        return self.predicted.value / self.observed - 1.0 if self.observed > 0 else math.nan

    @property
    def inside(self) -> bool:
        """Whether the observation lies inside the 90 % prediction interval."""
        return self.predicted.contains(self.observed)

    def to_json(self) -> dict[str, Any]:
        return {
            "predicted": self.predicted.to_json(),
            "observed": self.observed,
            "error": self.error,
            "inside": self.inside,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Every metric that was both predicted and observed, in the order of ``METRICS``."""

    settings: Settings
    comparisons: tuple[Comparison, ...]

    @property
    def worst_error(self) -> float:
        """The largest absolute error of the judged metrics."""
        errors = [abs(c.error) for c in self.comparisons if c.name in JUDGED and not math.isnan(c.error)]
        return max(errors, default=math.nan)

    def to_json(self) -> dict[str, Any]:
        return {
            "settings": settings_json(self.settings),
            "metrics": {comparison.name: comparison.to_json() for comparison in self.comparisons},
        }


def observed_metrics(
    trace: Trace, cycles: CycleTable | None = None, *, job_seconds: float | None = None
) -> dict[str, float]:
    """The metrics of a log, over ``cycles`` or all its cycles. Peaks of the process's memory are from the side file.

    With ``job_seconds``, the length of a job, rates and shares are over the whole job (``cycle_metrics``). Raises
    InputError if fewer than two cycles are given, or for a job none.
    """
    cycles = trace.cycles if cycles is None else cycles
    if len(cycles) < (2 if job_seconds is None else 1):
        raise InputError(
            f"the log holds 1 GC cycle{_others(trace)}, but metrics need at least two; capture for longer"
            if len(cycles) == 1
            else "the log holds no GC cycle; run the program with GODEBUG=gctrace=1"
        )
    observed = cycle_metrics(_untruncated(cycles), job_seconds=job_seconds)
    process = ProcessMemory.from_capture(trace.info)
    if process is not None:
        peaks = {name: getattr(process, name) for name in _MEASURED}
        observed |= {name: float(size) for name, size in peaks.items() if size is not None}
    return observed


def job_seconds(trace: Trace) -> float:
    """The length of a job from the start of its process to its end.

    From the side file, or else from the log: the end of its last cycle, and the probable time from there on.
    """
    if trace.info is not None and trace.info.wall_seconds is not None:
        return trace.info.wall_seconds
    evidence = evidence_from(trace)
    tail = JobRun.of(evidence, trace.info).tail_seconds if len(evidence) > 1 else 0.0
    return float(evidence.end_seconds[-1]) + tail


def _others(trace: Trace) -> str:
    """The number of processes in the log, in words; empty for one process."""
    others = sum(warning.kind == "other process" for warning in trace.parse_warnings)
    return f" of the process used (gc lines of {others + 1} processes were read)" if others else ""


def _untruncated(cycles: CycleTable) -> CycleTable:
    """The cycles with each printed duration at the middle of its step: truncation lowers CPU shares by 1 to 5 %."""
    durations = [f.name for f in fields(cycles) if f.name.endswith("_ns") and f.name != "start_ns"]
    return replace(cycles, **{name: untruncated_ms(getattr(cycles, name)) for name in durations})


def validate(model: Model, trace: Trace, settings: Settings, **changes: Unpack[PlanFields]) -> Validation:
    """The comparison of a simulated run with the log, at ``settings``.

    The plan has the log's length and warm-up; ``changes`` replace its fields. Raises InputError if the log holds fewer
    than two cycles.
    """
    observed = observed_metrics(trace)
    evidence = evidence_from(trace)
    if model.growth.form == "job":
        seconds = job_seconds(trace)
        observed = observed_metrics(trace, job_seconds=seconds)
        as_logged = Plan(duration_seconds=seconds)
        return _validation(model, settings, observed, as_logged.changed(**changes))
    window = working_window if model.growth.is_none else service_window
    cycles = trace.cycles.select(window(evidence))
    if len(cycles) >= 2:
        observed = observed_metrics(trace, cycles)
    else:
        cycles = trace.cycles
    as_logged = Plan(
        duration_seconds=max(float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9, 1e-3),
        # a growing heap starts at its level at time 0, which takes a cycle
        warm_up_cycles=max(cycles_since_start(evidence), 0 if model.growth.is_none else 1),
    )
    return _validation(model, settings, observed, as_logged.changed(**changes))


def _validation(model: Model, settings: Settings, observed: dict[str, float], plan: Plan) -> Validation:
    from gcsim.engine.simulate import simulate  # here: a log is read without the engine

    run = simulate(model, [settings], plan)[0]
    return Validation(
        settings=settings,
        comparisons=tuple(
            Comparison(name=name, predicted=run.metrics[name], observed=observed[name])
            for name in METRICS
            if name in run.metrics and name in observed and not math.isnan(observed[name])
        ),
    )
