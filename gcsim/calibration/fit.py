"""From evidence to a model's numbers: each a direct measurement on the log, with its standard error."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.evidence import Evidence
from gcsim.goruntime.workers import FORCE_PREEMPT_NS
from gcsim.workload.parameters import Parameter

FloatArray = NDArray[np.float64]

LOG = "log"
_CREDIT_DELAY_SECONDS = FORCE_PREEMPT_NS * 1e-9
_ASSIST_BOUND_REACH = 0.93  # share of the runway used by the median cycle
_AUTOCORRELATION = 0.5  # of successive cycles, usual in measured runs; errors of means grow by sqrt(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The stretches between two consecutive natural cycles; arrays of shape (k,)."""

    seconds: FloatArray  # outside marking
    allocated_bytes: FloatArray


def intervals(evidence: Evidence) -> Intervals:
    """From each cycle's end to the next one's start, where the pacer started the next."""
    seconds = evidence.start_seconds[1:] - evidence.end_seconds[:-1]
    allocated = evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1]
    usable = (seconds > 0) & evidence.natural[1:]
    return Intervals(seconds=seconds[usable], allocated_bytes=allocated[usable])


def fit_heap(evidence: Evidence) -> dict[str, Parameter]:
    """Live heap and roots."""
    live = evidence.live_bytes
    mean = float(live.mean())
    peak_ratio = float(evidence.heap_end_bytes.mean()) / max(mean, 1.0)
    return {
        "live_bytes": Parameter(mean, _standard_error(live), LOG),
        "stack_bytes": Parameter(float(evidence.stack_bytes.mean()), 0.0, LOG),
        "globals_bytes": Parameter(float(evidence.globals_bytes.mean()), 0.0, LOG),
        "mark_cpu_heap_ratio": Parameter(max(peak_ratio, 1.0), 0.0, LOG),
    }


def fit_marking(evidence: Evidence) -> dict[str, Parameter]:
    """Mark CPU, who does it, and what is allocated meanwhile."""
    mark_s = float(evidence.mark_seconds.sum())
    cpu = evidence.mark_cpu_seconds
    background = float(evidence.background_cpu_seconds.sum()) / mark_s
    idle = float(evidence.idle_cpu_seconds.sum()) / mark_s
    assist = float(evidence.assist_cpu_seconds.sum()) / mark_s
    procs = float(evidence.gomaxprocs.mean())
    mutator = max(procs - background - idle - assist, 0.02 * procs)
    return {
        "mark_cpu_seconds": Parameter(float(cpu.mean()), _standard_error(cpu), LOG),
        "mark_background_procs": Parameter(max(background, 1e-6), 0.0, LOG),
        "mark_idle_procs": Parameter(idle, 0.0, LOG),
        "mark_mutator_procs": Parameter(mutator, 0.0, LOG),
        "assist_debt_share": _assist_debt_share(evidence),
    }


def _assist_debt_share(evidence: Evidence) -> Parameter:
    """Share of the assist debt that assists paid: their CPU over (mark CPU / runway) x bytes allocated.

    Where cycles end at their goal, assists paid what the goal demanded, and how little they would have paid with
    room to spare stays unseen: then credit's delay tells. Fractional workers first run when a time slice ends,
    and until then assists pay all (Go 1.19+ ``findRunnableGCWorker``, ``forcePreemptNS``).
    """
    rows = evidence.natural & np.isfinite(evidence.heap_goal_bytes)
    runway = np.maximum(evidence.heap_goal_bytes[rows] - evidence.heap_start_bytes[rows], 0.0)
    if not rows.any() or runway.mean() <= 0:
        return Parameter(1.0, 0.5, "prior: no runway in the log")
    chosen = evidence.select(rows)
    owed = chosen.mark_cpu_seconds.mean() * chosen.allocated_bytes.mean() / runway.mean()
    paid = chosen.assist_cpu_seconds.mean()
    observed = float(np.clip(paid / max(owed, 1e-9), 0.0, 50.0))
    reached = float(np.median(chosen.allocated_bytes / np.maximum(runway, 1.0)))
    delay_share = min(max(_CREDIT_DELAY_SECONDS / float(chosen.mark_seconds.mean()), 0.05), 1.0)
    if reached > _ASSIST_BOUND_REACH and delay_share < observed:
        return Parameter(delay_share, 0.5, "prior: the log's cycles end at their goal")
    return Parameter(observed, 0.1, LOG)


def fit_allocation(
    evidence: Evidence, gaps: Intervals, busy_procs: float, marking: Mapping[str, Parameter]
) -> dict[str, Parameter]:
    """Allocation rates: outside marking, while marking, and over all."""
    window_s = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    outside = float(gaps.allocated_bytes.sum()) / float(gaps.seconds.sum())
    marked = float(evidence.allocated_bytes.sum()) / float(evidence.mark_seconds.sum())
    total = float(
        (evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1]).sum()
        + evidence.allocated_bytes[:-1].sum()
    ) / max(window_s, 1e-9)
    per_cpu = outside / busy_procs
    per_mark_cpu = marked / marking["mark_mutator_procs"].value
    rates = gaps.allocated_bytes / gaps.seconds
    mark_rates = evidence.allocated_bytes / np.maximum(evidence.mark_seconds, 1e-9)
    return {
        "alloc_bytes_per_second": Parameter(max(total, 1.0), _standard_error(rates), LOG),
        "alloc_bytes_per_cpu_second": Parameter(max(per_cpu, 1.0), _standard_error(rates), LOG),
        "mark_alloc_efficiency": Parameter(
            per_mark_cpu / max(per_cpu, 1.0), _standard_error(mark_rates), LOG
        ),
        "mutator_procs": Parameter(busy_procs, 0.0, LOG),
    }


def _standard_error(values: FloatArray) -> float:
    """Relative standard error of the mean, at most 1, with the usual correlation of successive cycles."""
    mean = float(values.mean())
    if values.size < 2 or mean <= 0:
        return 1.0
    inflation = (1.0 + _AUTOCORRELATION) / (1.0 - _AUTOCORRELATION)
    return min(float(values.std(ddof=1)) / mean * math.sqrt(inflation / values.size), 1.0)
