"""Calibration of one log: from a Trace to a Model."""

from dataclasses import dataclass, replace

from gcsim.calibration.checks.refusals import refuse_forced, refuse_goals
from gcsim.calibration.estimate.allocation import fit_allocation
from gcsim.calibration.estimate.heap import fit_heap
from gcsim.calibration.estimate.intervals import intervals
from gcsim.calibration.estimate.job_course import JobRun
from gcsim.calibration.estimate.live_heap import heap_exponent
from gcsim.calibration.estimate.loop import LoopDetection, find_pace
from gcsim.calibration.estimate.marking import fit_marking, marking_mutator
from gcsim.calibration.estimate.movement import find_movement
from gcsim.calibration.estimate.variability import fit_variability
from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.log_case import LogCase
from gcsim.calibration.memory.fit import fit_memory
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.calibration.memory.sources import joined, sources_of
from gcsim.calibration.metrics.accounts import ScrapedAccounts
from gcsim.calibration.metrics.intervals import with_wider_intervals
from gcsim.calibration.settings.log_settings import LogSettings, Overrides, settings_from
from gcsim.calibration.window import is_settled, job_window, service_window
from gcsim.capture.info import CaptureInfo
from gcsim.errors import InputError
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.versions import rules_for
from gcsim.priors.process_memory import memory_prior
from gcsim.service.model import Loop, Model
from gcsim.service.parameters import Parameter, Parameters
from gcsim.service.pauses import Pauses
from gcsim.service.variability import CycleVariability
from gcsim.settings import Settings

_BUSY_JOB = 0.6  # share of GOMAXPROCS that a job uses at least
MIN_CYCLES = 6  # started by the pacer, after warm-up: fewer show no variability
_PAUSE_SCALE = Parameter(
    1.0, 0.1, "prior: medians of two runs of one program differ by about a tenth", "prior"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A model and the evidence behind it."""

    model: Model
    case: LogCase  # without the model
    pace: LoopDetection

    @property
    def window(self) -> slice:
        """The rows of the trace that were used."""
        return self.case.window

    @property
    def evidence(self) -> Evidence:
        """The evidence of those rows."""
        return self.case.evidence

    @property
    def log(self) -> LogSettings:
        """The settings of the log and their origins."""
        return self.case.log


def calibrate(
    trace: Trace,
    *,
    name: str,
    overrides: Overrides | None = None,
    readings: MemoryReadings | None = None,
) -> Calibration:
    """The model of the service that wrote the trace.

    ``settings_from`` gives the settings; ``overrides`` takes precedence. ``readings`` are of the process
    that wrote the log, at its load and settings. Raises InputError if fewer than ``MIN_CYCLES``
    cycles were started by the pacer, if no two of them are consecutive, if heap goals contradict the settings, or if
    the log contradicts a reading.
    """
    stated = overrides or Overrides()
    printed = evidence_from(trace)
    log = settings_from(trace, printed, stated)
    settings = log.settings
    whole = printed.with_gogc(settings.gogc)
    is_job = (
        stated.job if stated.job is not None else _is_captured_job(whole, trace.info, settings, stated.loop)
    )
    window = job_window(whole) if is_job else service_window(whole)
    refuse_forced(whole)
    natural = int(whole.natural.sum())
    if natural < MIN_CYCLES:
        raise InputError(
            f"{natural} of {_read(trace)} were started by the pacer, but calibration needs {MIN_CYCLES};"
            f" {_more(trace, is_job)}"
        )
    evidence = whole.select(window)
    if int(evidence.follows_naturally.sum()) < 2:
        raise InputError(
            f"the log holds no two consecutive cycles that the pacer started; {_more(trace, is_job)}"
        )
    refuse_goals(trace, window, log)
    sources = sources_of(trace.info, readings)
    if trace.metrics is not None:
        sources.append(ScrapedAccounts(trace.metrics.accounts))
    measured = joined(sources, evidence, settings)
    job = JobRun.of(evidence, trace.info) if is_job else None
    memory = fit_memory(
        whole,
        prior=memory_prior(rules_for(settings.go).minor),
        evidence=measured,
        heap_at_end_bytes=0.0 if job is None else job.heap_at_end_bytes,
    )
    evidence = evidence.without_span_tails(
        memory["slot_garbage_share"].value, memory["recount_base_share"].value
    )
    gaps = intervals(evidence)
    pace = find_pace(evidence, gaps, trace.info, stated.loop)
    movement = find_movement(evidence, pace.loop, job=job)
    profile = movement.profile
    allocation = fit_allocation(evidence, gaps, pace, profile, marking_mutator(evidence))
    steady_arrivals = pace.loop == "open" and profile.is_steady
    # without recounted span tails: the engine's mark phases have none
    arriving = allocation["alloc_bytes_per_second"].value if steady_arrivals else None
    model = Model(
        name=name,
        loop=pace.loop,
        settings=settings,
        parameters=Parameters(
            **fit_heap(evidence, movement.live_trend),
            **fit_marking(
                evidence,
                pace.loop,
                arrival_bytes_per_second=arriving,
                job_trend=None if job is None else movement.live_trend,
            ),
            **allocation,
            **memory,
            mark_cpu_heap_exponent=heap_exponent(measured.counted),
            pause_scale=_PAUSE_SCALE,
        ),
        profile=profile,
        growth=movement.growth,
        scatter=CycleVariability.none(),
        pauses=Pauses.from_samples(evidence.sweep_term_seconds, evidence.mark_term_seconds),
        duration_seconds=float(evidence.start_seconds[-1] - evidence.start_seconds[0]),
        cycles=len(evidence),
        provenance=_provenance(trace.info, window, len(trace.cycles), pace),
    )
    model = replace(model, scatter=fit_variability(evidence, gaps, model, movement.live_trend))
    if trace.metrics is not None:
        model = with_wider_intervals(model, trace.metrics)
    case = LogCase(trace=trace, log=log, printed=printed, window=window, evidence=evidence, measured=measured)
    return Calibration(model=model, case=case, pace=pace)


def _is_captured_job(
    whole: Evidence, info: CaptureInfo | None, settings: Settings, loop: Loop | None
) -> bool:
    """Whether a capture shows a whole run of a job: a busy program that ended by itself while its live heap moved."""
    if info is None or info.was_stopped is not False or info.exit_status != 0 or loop == "open":
        return False
    if info.cpu_seconds is None or not info.wall_seconds:
        return False
    busy = info.cpu_seconds / info.wall_seconds / settings.gomaxprocs
    return (loop == "closed" or busy >= _BUSY_JOB) and not is_settled(whole)


def _more(trace: Trace, is_job: bool) -> str:
    """The advice for a log with too few cycles. A job cannot run for longer, but it collects more at a lower GOGC."""
    info = trace.info
    ended = info is not None and info.was_stopped is False and info.exit_status == 0
    if is_job:
        return "capture the job again with a larger input, or at a lower GOGC such as GOGC=25"
    service = "run the service under load for longer and capture it again"
    return (
        f"{service}; for a job, use a larger input or a lower GOGC such as GOGC=25, and --job"
        if ended
        else service
    )


def _read(trace: Trace) -> str:
    """The number of GC cycles read and of processes in the log, in words."""
    others = sum(warning.kind == "other process" for warning in trace.parse_warnings)
    of = f" of the process used, one of {others + 1} in the log," if others else ""
    return f"{len(trace.cycles)} GC cycles{of}"


def _provenance(info: CaptureInfo | None, window: slice, cycles: int, pace: LoopDetection) -> dict[str, str]:
    notes = {
        "cycles_used": f"{window.start + 1} to {window.stop} of {cycles}",
        "pace": pace.source,
    }
    if info is not None:
        known = {"go_version": info.go_version, "captured": info.start_time}
        notes |= {name: value for name, value in known.items() if value is not None}
    return notes
