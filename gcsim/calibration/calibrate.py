"""Calibration of one log: from a Trace to a Model."""

import math
from dataclasses import dataclass, replace

from gcsim.calibration.checks.refusals import refuse_forced, refuse_goals
from gcsim.calibration.estimate.allocation import Intervals, fit_allocation, intervals, outside_rate
from gcsim.calibration.estimate.heap import fit_heap
from gcsim.calibration.estimate.live_heap import heap_exponent
from gcsim.calibration.estimate.loop import LoopDetection, detect_loop
from gcsim.calibration.estimate.marking import fit_marking
from gcsim.calibration.estimate.movement import find_profile
from gcsim.calibration.estimate.variability import fit_variability
from gcsim.calibration.evidence import Evidence, evidence_from, time_steps
from gcsim.calibration.memory.fit import fit_memory
from gcsim.calibration.memory.sources import CaptureSideFile, EvidenceSource, GctraceGoals, joined
from gcsim.calibration.settings.log_settings import LogSettings, Overrides, settings_from
from gcsim.calibration.stats.standard_error import printing_error
from gcsim.calibration.window import working_window
from gcsim.capture.info import CaptureInfo
from gcsim.errors import InputError
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.versions import rules_for
from gcsim.priors.process_memory import memory_prior
from gcsim.service.model import Loop, Model
from gcsim.service.parameters import Parameter, Parameters
from gcsim.service.pauses import Pauses
from gcsim.service.variability import CycleVariability

MIN_CYCLES = 6  # started by the pacer, after warm-up: fewer show no variability
_LEAST_OUTSIDE = (
    0.3  # of wall time outside marking: with less, process CPU time does not determine mutator CPU
)
_PAUSE_SCALE = Parameter(
    1.0, 0.1, "prior: medians of two runs of one program differ by about a tenth", "prior"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A model and the evidence behind it."""

    model: Model
    window: slice  # rows of the trace that were used
    evidence: Evidence  # those rows
    pace: LoopDetection
    log: LogSettings  # the settings of the log and their origins


def calibrate(trace: Trace, *, name: str, overrides: Overrides | None = None) -> Calibration:
    """The model of the service that wrote the trace.

    ``settings_from`` gives the settings; ``overrides`` takes precedence. Raises InputError if fewer than ``MIN_CYCLES``
    cycles were started by the pacer, if no two of them are consecutive, or if heap goals contradict the settings.
    """
    stated = overrides or Overrides()
    printed = evidence_from(trace)
    log = settings_from(trace, printed, stated)
    settings = log.settings
    whole = printed.with_gogc(settings.gogc)
    window = working_window(whole)
    refuse_forced(whole)
    natural = int(whole.natural.sum())
    if natural < MIN_CYCLES:
        raise InputError(
            f"{natural} of {_read(trace)} were started by the pacer, but calibration needs {MIN_CYCLES};"
            " run the service under load for longer and capture it again"
        )
    evidence = whole.select(window)
    if int(evidence.follows_naturally.sum()) < 2:
        raise InputError(
            "the log holds no two consecutive cycles that the pacer started; capture the service under load for longer"
        )
    refuse_goals(trace, window, log)
    measured = joined(sources_of(trace), evidence, settings)
    memory = fit_memory(whole, prior=memory_prior(rules_for(settings.go).minor), evidence=measured)
    evidence = evidence.without_span_tails(memory["slot_garbage_share"].value)
    gaps = intervals(evidence)
    pace = _pace(evidence, gaps, trace.info, stated.loop)
    profile = find_profile(evidence)
    allocation = fit_allocation(evidence, gaps, pace, profile)
    steady_arrivals = pace.loop == "open" and profile.is_steady
    # without recounted span tails: the engine's mark phases have none
    arriving = allocation["alloc_bytes_per_second"].value if steady_arrivals else None
    model = Model(
        name=name,
        loop=pace.loop,
        settings=settings,
        parameters=Parameters(
            **fit_heap(evidence),
            **fit_marking(evidence, pace.loop, arrival_bytes_per_second=arriving),
            **allocation,
            **memory,
            mark_cpu_heap_exponent=heap_exponent(measured.counted),
            pause_scale=_PAUSE_SCALE,
        ),
        profile=profile,
        scatter=CycleVariability.none(),
        pauses=Pauses.from_samples(evidence.sweep_term_seconds, evidence.mark_term_seconds),
        duration_seconds=float(evidence.start_seconds[-1] - evidence.start_seconds[0]),
        cycles=len(evidence),
        provenance=_provenance(trace, window, pace),
    )
    model = replace(model, scatter=fit_variability(evidence, gaps, model))
    return Calibration(model=model, window=window, evidence=evidence, pace=pace, log=log)


def _read(trace: Trace) -> str:
    """The number of GC cycles read and of processes in the log, in words."""
    others = sum(oddity.kind == "other process" for oddity in trace.oddities)
    of = f" of the process used, one of {others + 1} in the log," if others else ""
    return f"{len(trace.cycles)} GC cycles{of}"


def sources_of(trace: Trace) -> list[EvidenceSource]:
    """The sources of evidence that come with a log: the log itself, and the side file of its capture."""
    return [GctraceGoals(), *([] if trace.info is None else [CaptureSideFile(trace.info)])]


def _pace(
    evidence: Evidence, gaps: Intervals, info: CaptureInfo | None, stated: Loop | None
) -> LoopDetection:
    # with recounted span tails: allocation while marking, to which this is compared, includes them too
    counted = float(gaps.allocated_bytes.sum() + gaps.span_tail_recount_bytes.sum())
    outside = counted / max(float(gaps.seconds.sum()), 1e-9)
    share, rel_sd = (None, 0.0) if info is None else _mutator_cpu_share(evidence, gaps, info)
    return detect_loop(
        evidence,
        outside_bytes_per_second=outside,
        mutator_cpu_share=share,
        share_rel_sd=rel_sd,
        stated=stated,
    )


def _mutator_cpu_share(evidence: Evidence, gaps: Intervals, info: CaptureInfo) -> tuple[float | None, float]:
    """The mutator's share of all Ps outside marking, 0 to 1, and its relative error; None if it is not determined.

    share = (process CPU - marking time x P) / (time outside marking x P), within the window.

    While marking, Ps that do not mark run the mutator, so marking uses all Ps. Process CPU time includes start-up and
    the window does not. The error assumes that start-up differs from the window as intervals of the window differ
    from each other.
    """
    if not info.cpu_seconds or not info.wall_seconds:
        return None, 0.0
    procs = float(evidence.gomaxprocs.mean())
    whole = evidence.select(slice(0, len(evidence) - 1))  # as many mark phases as intervals between them
    window_s = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    marking_s = float(whole.concurrent_seconds.sum())
    pauses_s = float((whole.sweep_term_seconds + whole.mark_term_seconds).sum())
    busy_s = info.cpu_seconds / info.wall_seconds * window_s
    outside_s = max(window_s - marking_s - pauses_s, 1e-9)
    if outside_s < _LEAST_OUTSIDE * window_s:
        return None, 0.0
    share = (busy_s - marking_s * procs) / outside_s / procs
    outside_cpu_s = max(busy_s - marking_s * procs, 1e-3 * busy_s)
    left_out = max(1.0 - window_s / info.wall_seconds, 0.0)
    unlike = outside_rate(gaps)[1] * math.sqrt(left_out) * busy_s
    clock = printing_error(evidence.concurrent_seconds, time_steps(evidence.concurrent_seconds))
    error = math.hypot(unlike, clock * len(evidence) * procs) / outside_cpu_s
    return share, min(error, 1.0)


def _provenance(trace: Trace, window: slice, pace: LoopDetection) -> dict[str, str]:
    notes = {
        "cycles_used": f"{window.start + 1} to {window.stop} of {len(trace.cycles)}",
        "pace": pace.source,
    }
    if trace.info is not None:
        known = {"go_version": trace.info.go_version, "captured": trace.info.start_time}
        notes |= {name: value for name, value in known.items() if value is not None}
    return notes
