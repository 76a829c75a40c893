"""How GC delays requests, by cause, from the log alone.

A log has no requests. The rules take a request that arrives at a random time and allocates as others do:

    stop-the-world   mean wait of an arrival = sum(pause^2) / (2 T)
    assists          a request's CPU time grows by assist CPU / program CPU
    queueing         while GC marks, the program allocates less than on average: the rest waits. With deficit
                     D = mean rate x t - allocated in t, the mean wait is sum(D x (t + D / (capacity - mean rate)) / 2)
                     / (mean rate x T). Mark phases without an idle P show the capacity: bytes per CPU second there.
    fractional       with 1, 2, 3 or 6 Ps, all Ps without a dedicated worker stop for a fractional worker at once. In a
    workers          mark phase of length t they stop for a x s at times s, s r, s r^2 ... since its start, so that
                     sum(stop^2) = a^2 t^2 / (2 ln r). In phases with an idle P the mean wait of an arrival is
                     sum(stop^2) / (2 T (1 - load))
    lost CPU         CPU of background workers over all CPU while GC marks; its delay is in queueing
"""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.diagnosis.latency import LatencySplit
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import LATENCY_CYCLES, SATURATED_IDLE
from gcsim.goruntime.workers import (
    FRACTIONAL_EXIT_SLACK,
    MEAN_SLICE_NS,
    fractional_utilization_goal,
)

_WITH_ASSISTS = ("1.6", "1.18")  # log formats with CPU times of assists
_LEAST_SPARE = 0.05  # of the capacity: with less, the drain of the backlog is not known


def latency_split(subject: Subject) -> LatencySplit | None:
    """The split of a log; None if it has too few cycles, no CPU times, a coarse clock, or a crowded machine."""
    evidence = subject.window
    if (
        len(evidence) < LATENCY_CYCLES
        or not subject.has_cpu
        or subject.clock_is_coarse
        or subject.is_crowded
        or subject.trace.generation not in _WITH_ASSISTS
    ):
        return None
    lasted = float(evidence.end_seconds[-1] - evidence.start_seconds[0])
    processors = float(np.median(evidence.gomaxprocs))
    pauses = np.concatenate([evidence.sweep_term_seconds, evidence.mark_term_seconds])
    marking = evidence.concurrent_seconds
    assists, workers = float(evidence.assist_cpu_seconds.sum()), float(evidence.background_cpu_seconds.sum())
    idle = float(evidence.idle_cpu_seconds.sum())
    every, in_marking = processors * lasted, processors * float(marking.sum())
    program = max(_program_cpu(subject, every - workers - assists - idle), 1e-9)
    wait, by_workers = _queueing(subject, lasted, processors)
    return LatencySplit(
        log=subject.name,
        stopped_wait_seconds=float((pauses**2).sum()) / (2.0 * lasted),
        stopped_share=float(pauses.sum()) / lasted,
        marking_share=min(float(marking.sum()) / lasted, 1.0),
        assist_cpu_share=assists / every,
        assist_share=assists / (assists + program),
        assist_share_marking=min(assists / max(in_marking - workers - idle, assists, 1e-9), 1.0),
        worker_share_marking=min(workers / max(in_marking, 1e-9), 1.0),
        queue_wait_seconds=wait,
        queue_by_workers=by_workers,
    )


def _program_cpu(subject: Subject, most_seconds: float) -> float:
    """CPU of the program in the window: as the capture measured, else all that GC leaves."""
    info = subject.info
    if info is None or not info.cpu_seconds or not info.wall_seconds:
        return most_seconds
    evidence = subject.window
    lasted = float(evidence.end_seconds[-1] - evidence.start_seconds[0])
    used = info.cpu_seconds / info.wall_seconds * lasted
    return min(used - float(evidence.mark_cpu_seconds.sum()), most_seconds)


def _queueing(subject: Subject, lasted: float, processors: float) -> tuple[float, float]:
    """(mean wait behind mark phases, share of it that background workers cause); NaN without spare capacity."""
    evidence = subject.window
    marking, allocated = evidence.concurrent_seconds, evidence.allocated_bytes
    saturated = evidence.idle_cpu_seconds <= SATURATED_IDLE * processors * marking
    stopped = float(_fractional_stops(marking[~saturated], processors).sum()) / 2.0 / lasted
    if not saturated.any():
        return stopped, 1.0 if stopped > 0 else math.nan
    total = float(allocated.sum()) + float(np.maximum(evidence.allocated_between_bytes, 0.0).sum())
    mean_rate = total / lasted
    left = processors * marking - evidence.background_cpu_seconds - evidence.assist_cpu_seconds
    capacity = processors * float(allocated[saturated].sum()) / max(float(left[saturated].sum()), 1e-9)
    deficit = np.where(saturated, np.maximum(mean_rate * marking - allocated, 0.0), 0.0)
    spare = capacity - mean_rate
    if deficit.sum() > 0 and spare < _LEAST_SPARE * capacity:
        return math.nan, math.nan
    stopped /= max(spare / max(capacity, 1e-9), _LEAST_SPARE)
    gaps = np.append(np.maximum(evidence.start_seconds[1:] - evidence.end_seconds[:-1], 0.0), np.inf)
    drain = np.minimum(deficit / max(spare, 1e-9), gaps)  # the queue is empty before the next mark phase
    behind = float((deficit * (marking + drain)).sum()) / 2.0 / (mean_rate * lasted)
    workers = float(evidence.background_cpu_seconds[saturated].sum())
    assists = float(evidence.assist_cpu_seconds[saturated].sum())
    by_workers = behind * workers / max(workers + assists, 1e-9) + stopped
    wait = behind + stopped
    return wait, by_workers / wait if wait > 0 else math.nan


def _fractional_stops(marking: FloatArray, processors: float) -> FloatArray:
    """The sum of the squared stops for fractional workers in each mark phase, s^2.

    A worker runs until its share of the time is FRACTIONAL_EXIT_SLACK times its goal, at most for a time slice, and
    starts again when it is back at its goal. The phase ends anywhere between two starts.
    """
    goal = fractional_utilization_goal(round(processors))
    if goal <= 0:
        return np.zeros(marking.shape)
    most = FRACTIONAL_EXIT_SLACK * goal
    stop = (most - goal) / (1.0 - most)  # over the time since marking began
    ratio = math.log(FRACTIONAL_EXIT_SLACK * (1.0 + stop))  # of the times of two starts
    longest, slice_seconds = stop * marking, MEAN_SLICE_NS / 1e9
    squares = 0.5 * np.minimum(longest, slice_seconds) ** 2
    squares += slice_seconds**2 * np.log(np.maximum(longest / slice_seconds, 1.0))
    return squares / ratio
