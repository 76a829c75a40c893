"""What speaks against a fit: each check looks at one thing in the log and says it in one sentence, with the mend."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.diagnosis import Finding
from gcsim.calibration.evidence import Evidence, FloatArray, evidence_from
from gcsim.calibration.stalls import LONG_PAUSE_SECONDS, find_stalls
from gcsim.gctrace.trace import Trace
from gcsim.units import format_seconds

_FEW_CYCLES, _TOO_FEW_CYCLES = 30, 6  # the pacer itself remembers five; quantiles of scatter need more
_WARM_SHARE = 0.4  # of the log's time before the window
_MOVED = 0.15  # a third of the window against the next
_SIGMAS = 4.0
_GROWTH = 1.15  # last quarter over first, with every quarter above the one before
_GAPS_SPOIL = 0.05  # of cycles missing
_FORCED_CARE, _FORCED_DISTRUST = 0.1, 0.5
_FOREIGN_CARE, _FOREIGN_DISTRUST = (
    0.05,
    0.25,
)  # of all CPU; measured: throughput falls threefold on shared cores
_LONG_CARE, _LONG_DISTRUST = 0.01, 0.05  # of pauses
_ZERO_CLOCK = 0.02  # of mark phases printed as 0
_OTHER_RUN = 0.2  # cycles of another process over those of the one used
_KILLED = 137


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a check looks at."""

    trace: Trace
    calibration: Calibration


def log_findings(trace: Trace, calibration: Calibration) -> Iterator[Finding]:
    """Everything that the log itself and its side file give reason to say."""
    for check in _CHECKS:
        yield from check(Case(trace=trace, calibration=calibration))


def _length(case: Case) -> Iterator[Finding]:
    count, seconds = len(case.calibration.evidence), case.calibration.model.duration_seconds
    if count < _TOO_FEW_CYCLES:
        yield Finding(
            "few cycles",
            "distrust",
            f"only {count} cycles show the service at work, too few for their scatter: log until there are 30",
        )
    elif count < _FEW_CYCLES:
        yield Finding(
            "few cycles",
            "care",
            f"only {count} cycles in {format_seconds(seconds)} were used: means are rough and rare pauses unseen;"
            " log for longer",
        )


def _warm_up(case: Case) -> Iterator[Finding]:
    start = case.calibration.window.start or 0
    seconds = case.trace.cycles.start_ns / 1e9
    before, lasted = float(seconds[start] - seconds[0]), float(seconds[-1] - seconds[0])
    if lasted > 0 and before / lasted > _WARM_SHARE:
        yield Finding(
            "warm-up",
            "care",
            f"warm-up takes {format_seconds(before)} of the log's {format_seconds(lasted)}: the heap may not have"
            " settled; log for longer",
        )


def _movement(case: Case) -> Iterator[Finding]:
    evidence, model = case.calibration.evidence, case.calibration.model
    if _grew(evidence.live_bytes):
        quarters = _parts(evidence.live_bytes, 4)
        grown = 100 * (quarters[-1] / quarters[0] - 1)
        yield Finding(
            "growth",
            "care",
            f"the live heap grew by {grown:.0f} % from the log's first quarter to its last:"
            " where it ends is not in the log; predictions hold for its length only",
        )
    elif _moved(evidence.live_bytes):
        yield _unsteady("live heap", evidence.live_bytes, model.profile.live_factor, model.loop)
    rates = allocation_rates(evidence)
    if _moved(rates):
        yield _unsteady("allocation rate", rates, model.profile.alloc_factor, model.loop)


def _unsteady(what: str, values: FloatArray, factors: FloatArray, loop: str) -> Finding:
    moved = f"the {what} moved by {100 * _swing(values):.0f} % between thirds of the log"
    if float(np.ptp(factors)) > 0:
        return Finding(
            "not steady",
            "note",
            f"{moved}; its course is replayed at other settings as it was, once per log's length",
        )
    if what == "allocation rate" and loop == "closed":
        cause = "as the program ran faster or slower; where that is not its work's nature, repeat on a quiet machine"
    else:
        cause = "and the model holds the mean only; log one whole period of the load"
    return Finding("not steady", "care", f"{moved}, {cause}")


def allocation_rates(evidence: Evidence) -> FloatArray:
    """Bytes per second from each cycle's end to the next one's, marking included; shape (n - 1,)."""
    allocated = evidence.allocated_between_bytes + evidence.allocated_bytes[1:]
    return np.asarray(allocated / np.maximum(np.diff(evidence.end_seconds), 1e-9), dtype=np.float64)


def _numbering(case: Case) -> Iterator[Finding]:
    numbers = case.trace.cycles.cycle_number[case.calibration.window]
    missing = int(numbers[-1] - numbers[0] + 1 - len(numbers))
    if missing <= 0:
        return
    jump = int(np.flatnonzero(np.diff(numbers) != 1)[0])
    share = missing / (len(numbers) + missing)
    yield Finding(
        "lost lines",
        "distrust" if share > _GAPS_SPOIL else "care",
        f"{missing} of {len(numbers) + missing} cycles are missing, the first after gc {numbers[jump]}: rates and GC"
        " CPU come out too low; keep standard error whole, by gcsim capture or a file of its own",
    )


def _processes(case: Case) -> Iterator[Finding]:
    others = [oddity for oddity in case.trace.oddities if oddity.kind == "other process"]
    if not others or len(case.trace.line_numbers) == 0:
        return
    first, last = int(case.trace.line_numbers[0]), int(case.trace.line_numbers[-1])
    before = sum(oddity.line_number < first for oddity in others)
    amid = sum(first < oddity.line_number < last for oddity in others)
    where = (
        f"{amid} of them amid its lines"
        if amid
        else f"{before} before it and {len(others) - before} after it, as where a service was restarted"
    )
    yield Finding(
        "several processes",
        "care",
        f"the log holds {len(others) + 1} processes; used is the one with most cycles, {len(case.trace.cycles)} from"
        f" line {first} to {last}; {where}: make sure that it is the one meant, or cut the log",
    )


def _processors(case: Case) -> Iterator[Finding]:
    procs = case.trace.cycles.gomaxprocs[case.calibration.window]
    change = np.flatnonzero(np.diff(procs))
    if change.size:
        row = (case.calibration.window.start or 0) + int(change[0]) + 1
        number = case.trace.cycles.cycle_number[row]
        yield Finding(
            "P changed",
            "distrust",
            f"GOMAXPROCS changed from {procs[change[0]]} to {procs[change[0] + 1]} at gc {number}:"
            " one model cannot stand for both; cut the log there",
        )


def _forced(case: Case) -> Iterator[Finding]:
    share = 1.0 - float(case.calibration.evidence.natural.mean())
    if share >= _FORCED_CARE:
        yield Finding(
            "forced cycles",
            "distrust" if share >= _FORCED_DISTRUST else "care",
            f"{100 * share:.0f} % of cycles were forced by runtime.GC or a timer, and will come at any setting: the"
            " model predicts only those that the pacer starts",
        )


def _stalls(case: Case) -> Iterator[Finding]:
    whole = evidence_from(case.trace)
    stalls = find_stalls(whole)
    if stalls.throttled:
        yield Finding(
            "throttled",
            "distrust",
            "cycles start and end in step with the 100 ms period of a CPU quota, and marking that meets its end is"
            " stretched: the process was throttled; raise the quota or set GOMAXPROCS to it, and log again"
            " (nr_throttled in cpu.stat counts it)",
        )
    elif stalls.in_step:
        yield Finding(
            "in step",
            "care",
            "cycles keep step with 100 ms: either work comes on that beat, or a CPU quota throttles the process"
            " (look for nr_throttled in its cpu.stat)",
        )
    share = stalls.long_pauses / stalls.pauses
    if not stalls.throttled and stalls.long_pauses >= 3 and share > _LONG_CARE and not _coarse(case.trace):
        yield Finding(
            "stalled",
            "distrust" if share > _LONG_DISTRUST else "care",
            f"{stalls.long_pauses} of {stalls.pauses} pauses lasted {1e3 * LONG_PAUSE_SECONDS:.0f} ms or more, up to"
            f" {1e3 * stalls.longest_pause_seconds:.0f} ms: the process was kept off the CPU, by a quota or by its"
            " neighbours; log where it has its cores to itself",
        )


def _clock(case: Case) -> Iterator[Finding]:
    if _coarse(case.trace):
        zeros = float((case.trace.cycles.mark_ns <= 0).mean())
        yield Finding(
            "coarse clock",
            "care",
            f"{100 * zeros:.0f} % of mark phases are printed as 0 ms: the machine's clock is coarse (Windows ticks"
            " every 0.5 to 16 ms); pauses and mark cost are means at best, pause percentiles mean nothing",
        )


def _capture(case: Case) -> Iterator[Finding]:
    info = case.trace.info
    if info is None:
        yield Finding(
            "no side file",
            "note",
            f"no side file says how the log was made; taken as {case.calibration.model.settings}",
        )
        return
    foreign = info.foreign_cpu_fraction
    if foreign is not None and not math.isnan(foreign) and foreign > _FOREIGN_CARE:
        yield Finding(
            "crowded machine",
            "distrust" if foreign > _FOREIGN_DISTRUST else "care",
            f"other processes used {100 * foreign:.0f} % of the machine's CPU meanwhile: the service was slower than"
            " it is alone; repeat the capture on a quiet machine",
        )
    if info.exit_status == _KILLED:
        yield Finding(
            "killed",
            "care",
            "the process was killed (status 137), most often for want of memory: its last cycles may not be usual",
        )


def _coarse(trace: Trace) -> bool:
    return float((trace.cycles.mark_ns <= 0).mean()) > _ZERO_CLOCK


def _parts(values: FloatArray, count: int) -> FloatArray:
    return np.array([float(part.mean()) for part in np.array_split(values, count)])


def _grew(values: FloatArray) -> bool:
    if values.size < _FEW_CYCLES:
        return False
    quarters = _parts(values, 4)
    return bool((np.diff(quarters) > 0).all() and quarters[-1] > _GROWTH * quarters[0] and _moved(values))


def _moved(values: FloatArray) -> bool:
    """Thirds that differ by more than their scatter explains."""
    if values.size < _FEW_CYCLES:
        return False
    within = np.concatenate([part - part.mean() for part in np.array_split(values, 3)])
    error = float(within.std()) * math.sqrt(3.0 * 3.0 / values.size)  # successive cycles are correlated
    return _swing(values) > _MOVED and float(np.ptp(_parts(values, 3))) > _SIGMAS * error


def _swing(values: FloatArray) -> float:
    return float(np.ptp(_parts(values, 3))) / max(float(values.mean()), 1.0)


_Check = Callable[[Case], Iterator[Finding]]
_CHECKS: tuple[_Check, ...] = (
    _stalls, _processors, _numbering, _forced, _length, _capture, _processes, _clock, _warm_up, _movement,
)  # fmt: skip
