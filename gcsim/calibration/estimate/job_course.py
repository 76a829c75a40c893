"""The course of a job: its live heap as a function of its work, from the start of its process to its end."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.work_clock import clock_seconds, mean_rate
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.stats.standard_error import standard_error
from gcsim.capture.info import CaptureInfo
from gcsim.priors.heap_fragments import HEAP_FRAGMENTS
from gcsim.service.growth import LiveGrowth

_MOST_KNOTS = 2048
_LEAST_JOB_CYCLES = 3
_LEAST_BLOCKS = 4
_CLEARLY = 2.0  # standard errors of a mean difference
_LIVE_MOVES = 0.06  # range of the live heap over its mean: less is a steady program
_ABOVE = (
    1.05  # resident memory of the heap over its highest logged peak: more is heap that the log does not show
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One whole run of a job."""

    tail_bytes: float  # allocated from the end of the last cycle to the end of the run
    tail_seconds: float  # of that allocation at the log's rate
    heap_at_end_bytes: float
    wall_seconds: float = 0.0  # of the process; 0 if it is not known
    cpu_seconds: float = 0.0

    @classmethod
    def of(cls, evidence: Evidence, info: CaptureInfo | None) -> Self:
        """The run of a log.

        No cycle started in the tail, so that its allocation is between 0 and the way to the trigger: the middle. A
        side file narrows it: the heap at the end is no more than the resident heap, and the tail no more than the
        rest of the run at the log's rate.
        """
        marked = float(evidence.heap_marked_bytes[-1])
        started = evidence.heap_start_bytes - np.concatenate([[0.0], evidence.heap_marked_bytes[:-1]])
        ahead = float(np.median(started[1:] / np.maximum(evidence.heap_marked_bytes[:-1], 1.0))) * marked
        if info is None:
            return cls._ending(evidence, 0.5 * ahead)
        run = cls._ending(evidence, cls._tail_bytes(evidence, info, ahead, marked))
        return replace(run, wall_seconds=info.wall_seconds or 0.0, cpu_seconds=info.cpu_seconds or 0.0)

    @staticmethod
    def _tail_bytes(evidence: Evidence, info: CaptureInfo, ahead: float, marked: float) -> float:
        """The tail by a side file; ``ahead`` is the way to the trigger, ``marked`` the heap after the last cycle."""
        if info.wall_seconds is not None:
            seconds = max(info.wall_seconds - float(evidence.end_seconds[-1]), 0.0)
            ahead = min(ahead, seconds * mean_rate(evidence))
        if info.rss_peak_bytes and info.rss_outside_heap_bytes:
            resident = float(info.rss_peak_bytes - info.rss_outside_heap_bytes)
            highest = float(evidence.heap_end_bytes.max())
            if resident > _ABOVE * highest:  # the heap was at its highest at the end of the run
                return max(resident / (1.0 + HEAP_FRAGMENTS.median) - marked, 0.0)
            ahead = min(ahead, max(highest - marked, 0.0))
        return 0.5 * ahead

    @classmethod
    def _ending(cls, evidence: Evidence, tail_bytes: float) -> Self:
        return cls(
            tail_bytes=tail_bytes,
            tail_seconds=tail_bytes / mean_rate(evidence),
            heap_at_end_bytes=float(evidence.heap_marked_bytes[-1]) + tail_bytes,
        )


def job_clock_seconds(evidence: Evidence) -> FloatArray:
    """Each cycle's start by the work of the job since its process started, over the mean rate of the log."""
    before = max(float(evidence.heap_start_bytes[0]), 1.0) / mean_rate(evidence)
    seconds: FloatArray = clock_seconds(evidence, "work") + before
    return seconds


def job_growth(evidence: Evidence, run: JobRun) -> LiveGrowth:
    """The course of a job's live heap by work, from an empty heap on; none if the live heap does not move.

    It has a knot for each block of cycles (``best_stride``). After the last cycle the live heap rises as it did in the
    second half of the logged work, to at most the heap at the end; it does not fall.
    """
    steady = LiveGrowth.none()
    live = evidence.live_bytes
    least = -(-live.size // _MOST_KNOTS)
    means, _ = _blocks(live, least)
    if live.size < _LEAST_JOB_CYCLES or float(np.ptp(means)) < _LIVE_MOVES * float(means.mean()):
        return steady
    clock = job_clock_seconds(evidence)
    stride = best_stride(clock, live, least=least)
    (means, _), (middles, _) = _blocks(live, stride), _blocks(clock, stride)
    # one cycle is enough for the ends of a course
    knots = np.concatenate([clock[:1], middles, clock[-1:]])
    levels = np.concatenate([live[:1], means, live[-1:]]) / max(float(live.mean()), 1.0)
    apart = np.append(np.diff(knots) > 1e-6, True)
    last_bytes = max(
        float(evidence.heap_end_bytes[-1] - evidence.heap_start_bytes[-1]), 0.0
    )  # of the last mark phase
    tail = (last_bytes + run.tail_bytes) / mean_rate(evidence)
    knots, levels = np.append(0.0, knots[apart]), np.append(0.0, levels[apart])
    end_level = _level_at_end(knots, levels, tail)
    most_level = max(run.heap_at_end_bytes / max(float(live.mean()), 1.0), float(levels[-1]))
    end_seconds = float(clock[-1]) + max(tail, 1e-6)
    return replace(
        steady,
        form="job",
        clock="work",
        log_seconds=float(clock[-1]) + tail,
        bytes_per_second=mean_rate(evidence),
        job_wall_seconds=run.wall_seconds,
        job_cpu_seconds=run.cpu_seconds,
        seconds=np.append(knots, end_seconds),
        levels=np.append(levels, min(end_level, most_level)),
    )


def best_stride(clock: FloatArray, live: FloatArray, *, least: int = 1) -> int:
    """The number of cycles per knot of a job's course, ``least`` or twice as many, and so on.

    Longer blocks count only if they clearly predict cycles that are left out better: each cycle is predicted by the
    line between the mean of its block without it and the mean of the next block. The rest of the movement is scatter
    that is drawn for each cycle. A live heap that moves from cycle to cycle with the work must not be taken for
    scatter: at a low GOGC one small draw makes the next goal small, and the heap needs many cycles to grow again.
    """
    chosen = least
    errors = _left_out_errors(clock, live, least)
    stride = 2 * least
    while live.size >= _LEAST_BLOCKS * stride:
        better = errors - _left_out_errors(clock, live, stride)
        if float(better.mean()) > _CLEARLY * standard_error(better):
            chosen, errors = stride, errors - better
        stride *= 2
    return chosen


def _left_out_errors(clock: FloatArray, live: FloatArray, stride: int) -> FloatArray:
    """Squared error of the course at each cycle that its blocks of ``stride`` cycles leave out, without both ends."""
    (means, counts), (middles, _) = _blocks(live, stride), _blocks(clock, stride)
    cycle = np.arange(1, live.size - 1)
    block = cycle // stride
    others, alone = np.maximum(counts[block] - 1, 1), counts[block] == 1
    own_live = (means[block] * counts[block] - live[cycle]) / others
    own_clock = (middles[block] * counts[block] - clock[cycle]) / others
    before, after = np.maximum(block - 1, 0), np.minimum(block + 1, means.size - 1)
    is_first = ~alone & (clock[cycle] >= own_clock)  # the block itself is the left end of the line
    is_last = ~alone & ~is_first
    x0, y0 = np.where(is_first, own_clock, middles[before]), np.where(is_first, own_live, means[before])
    x1, y1 = np.where(is_last, own_clock, middles[after]), np.where(is_last, own_live, means[after])
    share = np.clip((clock[cycle] - x0) / np.maximum(x1 - x0, 1e-12), 0.0, 1.0)
    errors: FloatArray = (live[cycle] - (y0 + share * (y1 - y0))) ** 2
    return errors


def _blocks(values: FloatArray, stride: int) -> tuple[FloatArray, FloatArray]:
    """(mean, number of cycles) of each block of ``stride`` cycles; the last one may be shorter."""
    edges = np.arange(0, values.size, stride)
    counts = np.diff(np.append(edges, values.size)).astype(np.float64)
    means: FloatArray = np.add.reduceat(values, edges) / counts
    return means, counts


def _level_at_end(seconds: FloatArray, levels: FloatArray, tail_seconds: float) -> float:
    """The level after ``tail_seconds`` more work, at the mean slope since half of the logged work, at least the last.

    Two real development jobs had 620 and 59 MiB live near their ends, which no cycle of their logs at GOGC=100 showed;
    the result is 620 and 59 MiB, the last levels of the logs are 360 and 54 MiB.
    """
    last = float(seconds[-1])
    risen = float(levels[-1]) - float(np.interp(0.5 * last, seconds, levels))
    return float(levels[-1]) + max(risen, 0.0) / max(0.5 * last, 1e-9) * tail_seconds
