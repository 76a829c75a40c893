"""Findings about a log: each check examines one property and gives one sentence with a remedy."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from gcsim.calibration.checks.movement_findings import TOO_FEW_CYCLES, movement_findings, printing_findings
from gcsim.calibration.checks.refusals import limit_offer
from gcsim.calibration.checks.stalls import LONG_PAUSE_SECONDS, find_stalls
from gcsim.calibration.log_case import LogCase
from gcsim.calibration.memory.file_pages import origin_of
from gcsim.calibration.memory.findings import memory_findings
from gcsim.gctrace.trace import Trace
from gcsim.service.assessment import Finding
from gcsim.units import format_gogc, format_seconds

_FEW_CYCLES = 30  # quantiles of variability need these
_WARM_SHARE = 0.4  # share of the log's time before the window
_GAPS_SPOIL = 0.05  # share of missing cycles
_FORCED_CARE, _FORCED_DISTRUST = 0.1, 0.5
_FOREIGN_CARE, _FOREIGN_DISTRUST = (
    0.05,
    0.25,
)  # share of all CPU; measured: throughput falls to a third on shared cores
_LONG_CARE, _LONG_DISTRUST = 0.01, 0.05  # share of pauses
_ZERO_CLOCK = 0.02  # share of mark phases printed as 0
_KILLED = 137


def log_findings(case: LogCase) -> Iterator[Finding]:
    """The findings of all checks on the log and its side file."""
    for check in _CHECKS:
        yield from check(case)


def _metrics(case: LogCase) -> Iterator[Finding]:
    found = case.trace.metrics
    if found is None:
        return
    yield Finding(
        "metrics alone",
        "care",
        f"computed from {found.scrapes} scrapes of metrics: single cycles come from priors, so intervals are wide; a"
        " log with GODEBUG=gctrace=1 narrows them",
    )
    if not found.has_cpu:
        yield Finding(
            "GC CPU unknown",
            "distrust",
            "the metrics do not show GC CPU, so that predictions of it are a guess; add go_cpu_classes_* (runtime"
            " metrics of the Prometheus client) or /debug/vars, or log with GODEBUG=gctrace=1",
        )


def _length(case: LogCase) -> Iterator[Finding]:
    count, seconds = len(case.evidence), case.seconds
    if count < TOO_FEW_CYCLES:
        yield Finding(
            "few cycles",
            "distrust",
            f"only {count} cycles lie in the working window, too few to measure their variability; log at least 30",
        )
    elif count < _FEW_CYCLES:
        yield Finding(
            "few cycles",
            "care",
            f"only {count} cycles in {format_seconds(seconds)} were used: means are uncertain and rare pauses are"
            " missing; log for longer",
        )


def _warm_up(case: LogCase) -> Iterator[Finding]:
    start = case.window.start or 0
    seconds = case.trace.cycles.start_ns / 1e9
    before, lasted = float(seconds[start] - seconds[0]), float(seconds[-1] - seconds[0])
    if lasted > 0 and before / lasted > _WARM_SHARE:
        yield Finding(
            "warm-up",
            "care",
            f"warm-up takes {format_seconds(before)} of the log's {format_seconds(lasted)}: the heap may not have"
            " settled; log for longer",
        )


def _goals(case: LogCase) -> Iterator[Finding]:
    offer = limit_offer(case.log.goals) if case.log.implied_limit_bytes is not None else None
    if offer is not None:
        yield Finding(
            "unstated limit",
            "care",
            f"heap goals stay at {offer.goal} and do not follow GOGC={format_gogc(case.log.settings.gogc)}: a memory"
            f" limit sets them; pass {offer.options} with the limit of the run",
        )


def _numbering(case: LogCase) -> Iterator[Finding]:
    numbers = case.trace.cycles.cycle_number[case.window]
    missing = int(numbers[-1] - numbers[0] + 1 - len(numbers))
    if missing <= 0:
        return
    jump = int(np.flatnonzero(np.diff(numbers) != 1)[0])
    share = missing / (len(numbers) + missing)
    yield Finding(
        "lost lines",
        "distrust" if share > _GAPS_SPOIL else "care",
        f"{missing} of {len(numbers) + missing} cycles are missing, the first after gc {numbers[jump]}: figures"
        " cover the remaining lines only; keep standard error complete, with gcsim capture or in a file of its own",
    )


def _processes(case: LogCase) -> Iterator[Finding]:
    others = [warning for warning in case.trace.parse_warnings if warning.kind == "other process"]
    if not others or len(case.trace.line_numbers) == 0:
        return
    first, last = int(case.trace.line_numbers[0]), int(case.trace.line_numbers[-1])
    before = sum(warning.line_number < first for warning in others)
    between = sum(first < warning.line_number < last for warning in others)
    where = (
        f"{between} of them between its lines"
        if between
        else f"{before} before it and {len(others) - before} after it, as after a restart of the service"
    )
    yield Finding(
        "several processes",
        "care",
        f"the log holds {len(others) + 1} processes; gcsim used one with {len(case.trace.cycles)} cycles from"
        f" line {first} to {last}; {where}: check that it is the right one (gcsim"
        " inspect --processes lists them), or choose one with --process",
    )


def _processors(case: LogCase) -> Iterator[Finding]:
    procs = case.trace.cycles.gomaxprocs[case.window]
    change = np.flatnonzero(np.diff(procs))
    if change.size:
        row = (case.window.start or 0) + int(change[0]) + 1
        number = case.trace.cycles.cycle_number[row]
        yield Finding(
            "P changed",
            "distrust",
            f"GOMAXPROCS changed from {procs[change[0]]} to {procs[change[0] + 1]} at gc {number}:"
            " one model cannot describe both; cut the log there",
        )


def _forced(case: LogCase) -> Iterator[Finding]:
    share = 1.0 - float(case.evidence.natural.mean())
    if share >= _FORCED_CARE:
        yield Finding(
            "forced cycles",
            "distrust" if share >= _FORCED_DISTRUST else "care",
            f"{100 * share:.0f} % of cycles were forced by runtime.GC or a timer: they occur at any setting, and"
            " the model predicts only cycles that the pacer starts",
        )


def _stalls(case: LogCase) -> Iterator[Finding]:
    stalls = find_stalls(case.printed)
    if stalls.throttled:
        yield Finding(
            "throttled",
            "distrust",
            "cycles start and end in step with the 100 ms period of a CPU quota, and marking across the end of a period"
            " takes longer: the process was throttled; raise the quota or set GOMAXPROCS to it, and log again"
            " (nr_throttled in cpu.stat counts throttled periods)",
        )
    elif stalls.in_step:
        yield Finding(
            "in step",
            "care",
            "cycles start and end in step with 100 ms: either work arrives with that period, or a CPU quota throttles"
            " the process (check nr_throttled in its cpu.stat)",
        )
    share = stalls.long_pauses / stalls.pauses
    if not stalls.throttled and stalls.long_pauses >= 3 and share > _LONG_CARE and not is_coarse(case.trace):
        yield Finding(
            "stalled",
            "distrust" if share > _LONG_DISTRUST else "care",
            f"{stalls.long_pauses} of {stalls.pauses} pauses lasted {1e3 * LONG_PAUSE_SECONDS:.0f} ms or more, up to"
            f" {1e3 * stalls.longest_pause_seconds:.0f} ms: a CPU quota or other processes kept the process off the"
            " CPU; log on a machine with free cores",
        )


def _clock(case: LogCase) -> Iterator[Finding]:
    if is_coarse(case.trace):
        zeros = float((case.trace.cycles.mark_ns <= 0).mean())
        yield Finding(
            "coarse clock",
            "care",
            f"{100 * zeros:.0f} % of mark phases are printed as 0 ms: the machine's clock is coarse (Windows ticks"
            " every 0.5 to 16 ms); only means of pauses and mark cost are usable, pause percentiles are not",
        )


def _capture(case: LogCase) -> Iterator[Finding]:
    info = case.trace.info
    if info is None:
        yield Finding(
            "no side file",
            "note",
            f"the log has no side file with its settings; settings are {case.log}",
        )
        return
    foreign = info.foreign_cpu_fraction
    if foreign is not None and not math.isnan(foreign) and foreign > _FOREIGN_CARE:
        yield Finding(
            "crowded machine",
            "distrust" if foreign > _FOREIGN_DISTRUST else "care",
            f"other processes used {100 * foreign:.0f} % of the machine's CPU during the capture: they slowed"
            " the service down; repeat the capture on a quiet machine",
        )
    if info.exit_status == _KILLED:
        yield Finding(
            "killed",
            "care",
            "the process was killed (status 137), usually by OOM: its last cycles may not be typical; log again",
        )


def _memory(case: LogCase) -> Iterator[Finding]:
    if case.model is not None:
        known = case.model.parameters
        yield from memory_findings(known.memory_source, known.file_resident_bytes)
    elif case.measured.process is not None:
        yield from memory_findings(origin_of(case.measured.process))
    else:
        measured = case.trace.info is not None and bool(case.trace.info.rss_peak_bytes)
        yield from memory_findings("capture" if measured else "prior")


def is_coarse(trace: Trace) -> bool:
    """Whether the machine's clock is so coarse that mark phases are printed as 0."""
    return float((trace.cycles.mark_ns <= 0).mean()) > _ZERO_CLOCK


_Check = Callable[[LogCase], Iterator[Finding]]
_CHECKS: tuple[_Check, ...] = (
    _metrics, movement_findings, _stalls, printing_findings, _processors, _numbering, _forced, _goals, _length,
    _capture, _memory, _processes, _clock, _warm_up,
)  # fmt: skip
