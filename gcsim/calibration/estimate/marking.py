"""Mark CPU of a log, by workers and assists, each with its standard error."""

import math
from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import LOG, Evidence
from gcsim.calibration.stats.standard_error import (
    ratio_difference,
    ratio_of_sums,
    standard_error,
    time_printing_error,
)
from gcsim.goruntime.workers import FORCE_PREEMPT_NS
from gcsim.service.model import Loop
from gcsim.service.parameters import Parameter
from gcsim.service.pauses import LEVELS
from gcsim.submodels.mark_cost import program_slowness
from gcsim.submodels.mark_phase import assist_debt_factor, idle_displaced

_CREDIT_DELAY_SECONDS = FORCE_PREEMPT_NS * 1e-9
_ASSIST_BOUND_REACH = 0.93  # share of the runway that a cycle uses; above it the heap goal forces assists
_LEAST_BASELINE = 0.2  # baseline share of assist CPU, at least
# Forced share of assist CPU, or of cycles: above 0.1 the baseline part is a small difference of large numbers and its
# prior error applies. In simulated services with known parameters (``experiments.recovery``) the baseline part was off
# by a sixth, at times by half. Below 0.1 its relative error is 0.3 times the forced share.
_MOST_FORCED, _FORCED_ERROR = 0.1, 0.3
_UNDETERMINED = 0.5  # relative error of a parameter that the log does not determine


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkingMutator:
    """The Ps that run the mutator while marking: those without workers and assists."""

    procs: float
    error: float  # relative standard error of procs, at most 1
    rate_error: float  # relative standard error of the bytes allocated per second of mutator time


def marking_mutator(evidence: Evidence) -> MarkingMutator:
    """The Ps that run the mutator while marking, on average over the evidence."""
    procs = _mutator_procs(evidence)
    each = standard_error(_mutator_each(evidence, procs))
    return MarkingMutator(
        procs=procs,
        error=min(math.hypot(each, _mutator_printing(evidence, procs)), 1.0),
        rate_error=_rate_error(evidence, procs),
    )


def fit_marking(
    evidence: Evidence,
    loop: Loop,
    *,
    arrival_bytes_per_second: float | None,
    job_trend: FloatArray | None = None,
) -> dict[str, Parameter]:
    """The marking parameters. ``arrival_bytes_per_second`` is None for closed loops and for unsteady loads.

    ``job_trend`` is the factor of a job's growth on the live heap at each cycle. The engines scale mark CPU with it, so
    that it is no error of the mean.
    """
    cpu = evidence.mark_cpu_seconds
    mean = max(float(cpu.mean()), 1e-9)
    each = standard_error(cpu)
    if job_trend is not None:
        each = mean * standard_error(ratio_difference(cpu, job_trend))
    cpu_error = math.hypot(each, *(time_printing_error(part) for part in _parts(evidence))) / mean
    assist = _assist_cpu(evidence, loop, arrival_bytes_per_second)
    return {
        "mark_cpu_seconds": Parameter(mean, min(cpu_error, 1.0), LOG),
        "mark_background_procs": _procs_while_marking(evidence, evidence.background_cpu_seconds, least=1e-6),
        "mark_idle_procs": _procs_while_marking(evidence, evidence.idle_cpu_seconds),
        "assist_cpu_seconds": replace(assist, value=min(assist.value, mean)),  # a part of the mark CPU
    }


def _parts(evidence: Evidence) -> tuple[FloatArray, FloatArray, FloatArray]:
    return evidence.assist_cpu_seconds, evidence.background_cpu_seconds, evidence.idle_cpu_seconds


def _procs_while_marking(evidence: Evidence, cpu_seconds: FloatArray, *, least: float = 0.0) -> Parameter:
    """Ps while marking: CPU time over the duration of concurrent marking."""
    marking = evidence.concurrent_seconds
    procs = ratio_of_sums(cpu_seconds, marking)
    if procs <= least:
        return Parameter(least, 0.0, LOG)
    error = standard_error(ratio_difference(cpu_seconds, marking))
    printed = math.hypot(
        time_printing_error(cpu_seconds) / cpu_seconds.mean(), time_printing_error(marking) / marking.mean()
    )
    return Parameter(procs, min(math.hypot(error, printed), 1.0), LOG)


def _assist_cpu(evidence: Evidence, loop: Loop, arrival_bytes_per_second: float | None) -> Parameter:
    """Baseline assist CPU seconds of a cycle: with the pacer's runway, and credit from background workers.

    If cycles end at their goal, the goal forced the assists and the log does not show the baseline part. The estimate
    is then the delay of credit: fractional workers first run at the end of a time slice, and until then assists pay
    for all allocation (Go 1.19+ ``findRunnableGCWorker``, ``forcePreemptNS``).
    """
    paid = float(evidence.assist_cpu_seconds.mean())
    rows = evidence.natural & np.isfinite(evidence.heap_goal_bytes)
    runway = np.maximum(evidence.heap_goal_bytes[rows] - evidence.heap_start_bytes[rows], 0.0)
    if not rows.any() or runway.mean() <= 0:
        return Parameter(paid, 0.5, "log: upper bound, from cycles without a runway")
    chosen = evidence.select(rows)
    reach = chosen.allocated_bytes / np.maximum(runway, 1.0)
    reached = float(np.median(reach))
    mark_s = float(chosen.concurrent_seconds.sum())
    mutator = _mutator_procs(chosen)
    per_mutator_s = float(chosen.allocated_bytes.sum()) / mark_s / mutator
    if reached <= _ASSIST_BOUND_REACH:
        arriving = None
        if (
            arrival_bytes_per_second is not None and per_mutator_s > 0
        ):  # 0: less than a printed MiB while marking
            arriving = arrival_bytes_per_second / per_mutator_s
        held_share = float((reach > _ASSIST_BOUND_REACH).mean()) if loop == "closed" else 0.0
        return _baseline_assist(chosen, runway, mutator, per_mutator_s, loop, arriving, held_share)
    debt = float(chosen.mark_cpu_seconds.mean()) / float(runway.mean()) * per_mutator_s
    busy = mutator + float(chosen.assist_cpu_seconds.sum()) / mark_s
    delayed = min(_CREDIT_DELAY_SECONDS, float(chosen.concurrent_seconds.mean())) * busy * debt / (1.0 + debt)
    return Parameter(min(delayed, paid), 0.5, "prior: cycles of the log end at their goal", "prior")


def _baseline_assist(
    evidence: Evidence,
    runway: FloatArray,
    mutator_procs: float,
    bytes_per_mutator_s: float,
    loop: Loop,
    arriving_procs: float | None,
    held_share: float,
) -> Parameter:
    """Baseline assist CPU: (assist CPU - forced assist CPU) over the assists' share of marking in each cycle.

    ``arriving_procs`` is the number of Ps that the arrivals of a steady open loop need while marking, None otherwise.
    ``held_share`` is the share of a closed loop's cycles that ended at their goal, 0 to 1.
    """
    paid, cpu = evidence.assist_cpu_seconds, evidence.mark_cpu_seconds
    machine = cpu / float(cpu.mean())
    slowness, wanted = np.ones(cpu.size), np.full(cpu.size, mutator_procs)
    if arriving_procs is not None:
        slowness = program_slowness(machine, np.quantile(machine, LEVELS))
        wanted = slowness * arriving_procs
    debt = cpu * bytes_per_mutator_s / slowness / np.maximum(runway, 1.0)

    def baseline_cpu(faster: float) -> tuple[float, FloatArray, float]:
        """Baseline assist CPU, each cycle's assist debt and the forced share, at ``faster`` times the allocation."""
        forced, free = _forced_assists(evidence, wanted, debt * faster, loop)
        owed = assist_debt_factor(debt * faster) * cpu * free
        baseline = max(float((paid - forced).mean()), _LEAST_BASELINE * float(paid.mean()))
        return (
            baseline * float(cpu.mean()) / max(float(owed.mean()), 1e-15),
            owed,
            1.0 - baseline / max(paid.mean(), 1e-15),
        )

    value, owed, forced_share = baseline_cpu(1.0)
    if value <= 0:
        return Parameter(0.0, 0.0, LOG)
    each = standard_error(ratio_difference(paid, owed) + cpu / float(cpu.mean()))
    speed = _rate_error(evidence, mutator_procs)
    if speed > _UNDETERMINED:
        return Parameter(
            value, _UNDETERMINED, "prior: allocation while marking is too small to print", "prior"
        )
    of_speed = 0.5 * abs(math.log(baseline_cpu(math.exp(speed))[0] / baseline_cpu(math.exp(-speed))[0]))
    forced_share = max(forced_share, held_share)
    if forced_share > _MOST_FORCED:
        return Parameter(
            value, _UNDETERMINED, "prior: the heap goal forced more than a tenth of assist CPU", "prior"
        )
    error = math.hypot(
        each, time_printing_error(paid) / float(paid.mean()), of_speed, _FORCED_ERROR * forced_share
    )
    return Parameter(value, min(error, 1.0), LOG)


def _forced_assists(
    evidence: Evidence, wanted_procs: FloatArray, debt: FloatArray, loop: Loop
) -> tuple[FloatArray, FloatArray]:
    """Assist CPU of each cycle that displaced idle workers, and the share of baseline assists that it leaves.

    Both follow the engine's rule for open loops; arrays (n,), CPU seconds and 0 to 1.
    """
    if loop == "closed":
        return np.zeros(debt.size), np.ones(debt.size)
    procs = evidence.gomaxprocs
    displaced = idle_displaced(wanted_procs * (1.0 + debt) / procs)
    served = np.minimum(wanted_procs, procs / (1.0 + debt))
    room_s = (procs - served) * evidence.concurrent_seconds - evidence.background_cpu_seconds
    return np.maximum(room_s, 0.0) * displaced, 1.0 - displaced


def _mutator_procs(evidence: Evidence) -> float:
    procs = float(evidence.gomaxprocs.mean())
    return max(procs - ratio_of_sums(evidence.mark_cpu_seconds, evidence.concurrent_seconds), 0.02 * procs)


def _mutator_each(evidence: Evidence, mutator_procs: float) -> FloatArray:
    """The contribution of each cycle to the relative error of the mutator's Ps, shape (n,)."""
    marking, cpu = evidence.concurrent_seconds, evidence.mark_cpu_seconds
    used = float(cpu.sum() / marking.sum())
    return -ratio_difference(cpu, marking) * used / mutator_procs


def _mutator_printing(evidence: Evidence, mutator_procs: float) -> float:
    marking = evidence.concurrent_seconds
    used = float(evidence.mark_cpu_seconds.sum() / marking.sum())
    parts = math.hypot(*(time_printing_error(part) for part in _parts(evidence))) / float(marking.mean())
    return math.hypot(parts, used * time_printing_error(marking) / float(marking.mean())) / mutator_procs


def _rate_error(evidence: Evidence, mutator_procs: float) -> float:
    """The relative standard error of bytes allocated per second of mutator time while marking."""
    allocated, marking = evidence.allocated_bytes, evidence.concurrent_seconds
    each = ratio_difference(allocated, marking) - _mutator_each(evidence, mutator_procs)
    printed = evidence.allocated_printing_error / max(float(allocated.mean()), 1.0)
    clock = time_printing_error(marking) / float(marking.mean())
    return math.hypot(standard_error(each), printed, clock, _mutator_printing(evidence, mutator_procs))
