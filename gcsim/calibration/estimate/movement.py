"""The movement of a log: growth of the live heap, and the profile of live heap and allocation rate over time."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.live_growth import better_clock, find_growth
from gcsim.calibration.evidence import Evidence
from gcsim.capture.info import CaptureInfo
from gcsim.priors.heap_fragments import HEAP_FRAGMENTS
from gcsim.service.growth import GrowthClock, LiveGrowth
from gcsim.service.model import Loop
from gcsim.service.profile import Profile
from gcsim.submodels.live_growth import central_course
from gcsim.units import MIB

MAX_BLOCKS = 256
_CYCLES_PER_BLOCK = 3  # without bursts
_MIN_BLOCKS = 4
_LEAST_JOB_CYCLES = 3
_ABOVE = (
    1.05  # resident memory of the heap over its highest logged peak: more is heap that the log does not show
)
_LIVE_MOVES = 0.06  # relative standard deviation between blocks
_ALLOCATION_MOVES = 0.20
_BURSTS = 0.35  # relative standard deviation of single cycles' rates; 0.1 to 0.2 in steady programs
_STEP_SHARE = 1e-3  # of a block: duration in which a burst begins or ends
_MORE_THAN_CHANCE = 3.0  # times the variance that scatter within blocks explains
_PRINTED_SD = 0.41 * MIB  # of a difference of two sizes truncated to whole MiB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Movement:
    """The movement of a log: the live heap is its mean times growth times the profile's factor times scatter."""

    growth: LiveGrowth
    profile: Profile
    live_trend: FloatArray  # the factor of growth at each cycle


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
            ahead = min(ahead, seconds * _rate(evidence))
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
            tail_seconds=tail_bytes / _rate(evidence),
            heap_at_end_bytes=float(evidence.heap_marked_bytes[-1]) + tail_bytes,
        )


def _rate(evidence: Evidence) -> float:
    """Mean allocation, bytes/s, over the log."""
    length = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    return float(np.maximum(_period_bytes(evidence), 1.0).sum()) / max(length, 1e-9)


def find_movement(evidence: Evidence, loop: Loop, *, job: JobRun | None = None) -> Movement:
    """Growth and profile of the window. The profile is what repeats: the live heap without its growth.

    The growth of a closed loop follows its work unless the log shows that it follows time: a setting with cheaper
    collections does more work in a second. The whole movement of a job's live heap is growth.
    """
    time, work = clock_seconds(evidence, "time"), clock_seconds(evidence, "work")
    by_work = job is not None or (
        loop == "closed" and better_clock(evidence.live_bytes, time, work) == "work"
    )
    clock = work if by_work else time
    growth = (
        _job(evidence, clock, job)
        if job is not None
        else find_growth(evidence.live_bytes, clock, "work" if by_work else "time")
    )
    if by_work and not growth.is_none:
        growth = replace(growth, bytes_per_second=_rate(evidence))
    if growth.is_none:
        return Movement(
            growth=growth,
            profile=find_profile(evidence, evidence.live_bytes),
            live_trend=np.ones(len(evidence)),
        )
    trend = central_course(growth).factor(clock, np.zeros(len(evidence), dtype=np.int64))
    profile = find_profile(evidence, evidence.live_bytes / trend)
    if growth.form == "levels off" and not profile.is_steady:
        # the first half holds the fill-up, whose allocation does not come again
        profile = replace(profile, repeats_from_seconds=0.5 * float(profile.seconds[-1]))
    return Movement(growth=growth, profile=profile, live_trend=trend)


def clock_seconds(evidence: Evidence, clock: GrowthClock) -> FloatArray:
    """Each cycle's start by a clock; of work it is the bytes allocated since the first cycle, over their mean rate."""
    if clock == "time":
        since: FloatArray = evidence.start_seconds - evidence.start_seconds[0]
        return since
    worked = np.concatenate([[0.0], np.cumsum(np.maximum(_period_bytes(evidence), 1.0))])
    length = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    seconds: FloatArray = worked * length / worked[-1]
    return seconds


def _job(evidence: Evidence, clock: FloatArray, run: JobRun) -> LiveGrowth:
    """The course of a job's live heap by work, with a knot at each cycle; none if the live heap does not move.

    Cycles of a long log are averaged in blocks. After the last cycle the live heap rises as it did in the second half
    of the logged work, to at most the heap at the end; it does not fall.
    """
    steady = LiveGrowth.none()
    live = evidence.live_bytes
    stride = -(-live.size // MAX_BLOCKS)
    edges = np.arange(0, live.size, stride)
    counts = np.diff(np.append(edges, live.size))
    means = np.add.reduceat(live, edges) / counts
    if live.size < _LEAST_JOB_CYCLES or float(np.ptp(means)) < _LIVE_MOVES * float(means.mean()):
        return steady
    middles = np.add.reduceat(clock, edges) / counts
    # one cycle is enough for the ends of a course
    knots = np.concatenate([[0.0], middles, [clock[-1]]])
    levels = np.concatenate([live[:1], means, live[-1:]]) / max(float(live.mean()), 1.0)
    apart = np.append(np.diff(knots) > 1e-6, True)
    last_bytes = max(
        float(evidence.heap_end_bytes[-1] - evidence.heap_start_bytes[-1]), 0.0
    )  # of the last mark phase
    tail = (last_bytes + run.tail_bytes) / _rate(evidence)
    end_level = _level_at_end(knots[apart], levels[apart], tail)
    most_level = max(run.heap_at_end_bytes / max(float(live.mean()), 1.0), float(levels[-1]))
    return replace(
        steady,
        form="job",
        clock="work",
        log_seconds=float(clock[-1]) + tail,
        job_wall_seconds=run.wall_seconds,
        job_cpu_seconds=run.cpu_seconds,
        seconds=np.append(knots[apart], float(clock[-1]) + max(tail, 1e-6)),
        levels=np.append(levels[apart], min(end_level, most_level)),
    )


def _level_at_end(seconds: FloatArray, levels: FloatArray, tail_seconds: float) -> float:
    """The level after ``tail_seconds`` more work, at the mean slope since half of the logged work, at least the last.

    Two real development jobs had 620 and 59 MiB live near their ends, which no cycle of their logs at GOGC=100 showed;
    the result is 620 and 59 MiB, the last levels of the logs are 360 and 54 MiB.
    """
    last = float(seconds[-1])
    risen = float(levels[-1]) - float(np.interp(0.5 * last, seconds, levels))
    return float(levels[-1]) + max(risen, 0.0) / max(0.5 * last, 1e-9) * tail_seconds


def find_profile(evidence: Evidence, live_bytes: FloatArray) -> Profile:
    """The factors on live heap and allocation rate over the window; steady if chance explains their movement.

    ``live_bytes`` is the live heap of each cycle without its growth. The window is cut into blocks of a few cycles. A
    quantity moves if its block means differ by more than the scatter within blocks explains, and by more than a
    threshold. If single cycles' rates scatter more than in any steady
    program, the load has bursts, and each cycle is a block.
    """
    rates, sizes = _cycle_rates(evidence), _period_bytes(evidence)
    if rates.size < _MIN_BLOCKS * _CYCLES_PER_BLOCK:
        return Profile.steady()
    bursts = _spread(rates, sizes) > _BURSTS
    stride = 1 if bursts else _CYCLES_PER_BLOCK
    stride = max(stride, -(-rates.size // MAX_BLOCKS))
    edges = np.append(np.arange(0, rates.size, stride), rates.size)
    start_s = evidence.start_seconds - evidence.start_seconds[0]
    spans_s = np.diff(start_s[edges])
    rate = np.add.reduceat(sizes, edges[:-1]) / np.maximum(spans_s, 1e-9)
    live = np.add.reduceat(live_bytes[:-1], edges[:-1]) / np.diff(edges)
    rate_moves = bursts or _moves(rate, rates, _ALLOCATION_MOVES)
    live_moves = _moves(live, live_bytes, _LIVE_MOVES)
    if not (live_moves or rate_moves):
        return Profile.steady()
    shape = _stepped if bursts else _joined
    one = np.ones(rate.size)
    live_mean = max(float(live_bytes.mean()), 1.0)  # over cycles, as the model's live heap is
    return shape(
        start_s[edges],
        live / live_mean if live_moves else one,
        rate / _mean(rate, spans_s) if rate_moves else one,
    )


def _joined(edges_s: FloatArray, live: FloatArray, rate: FloatArray) -> Profile:
    """The profile with knots at the middle of each block and at both ends of the window."""

    def ended(values: FloatArray) -> FloatArray:
        return np.concatenate([values[:1], values, values[-1:]])

    seconds = ended(0.5 * (edges_s[1:] + edges_s[:-1]))
    seconds[0], seconds[-1] = 0.0, edges_s[-1]
    rates = ended(rate)
    between = 0.5 * (rates[1:] + rates[:-1])
    return Profile(
        seconds=seconds, live_factor=ended(live), alloc_factor=rates / _mean(between, np.diff(seconds))
    )


def _stepped(edges_s: FloatArray, live: FloatArray, rate: FloatArray) -> Profile:
    """The profile with knots at both ends of each block: lines between the middles would make bursts too long."""
    starts, ends = edges_s[:-1], edges_s[1:].copy()
    ends[:-1] -= _STEP_SHARE * np.diff(edges_s)[:-1]
    return Profile(
        seconds=np.stack([starts, ends], axis=1).ravel(),
        live_factor=np.repeat(live, 2),
        alloc_factor=np.repeat(rate, 2),
    )


def _mean(values: FloatArray, weights: FloatArray) -> float:
    return max(float((values * weights).sum() / weights.sum()), 1e-9)


def _period_bytes(evidence: Evidence) -> FloatArray:
    """Bytes allocated from each cycle's start to the next, shape (n - 1,); at the median rate across lost lines."""
    allocated = np.maximum(evidence.allocated_between_bytes, 0.0) + evidence.allocated_bytes[:-1]
    if evidence.follows.all() or not evidence.follows.any():
        return allocated
    seconds = np.maximum(np.diff(evidence.start_seconds), 1e-9)
    usual = float(np.median((allocated / seconds)[evidence.follows]))
    return np.where(evidence.follows, allocated, usual * seconds)


def _cycle_rates(evidence: Evidence) -> FloatArray:
    return _period_bytes(evidence) / np.maximum(np.diff(evidence.start_seconds), 1e-9)


def _spread(rates: FloatArray, sizes: FloatArray) -> float:
    """Relative standard deviation of single cycles' rates, without the part that truncation adds."""
    printed = _PRINTED_SD / max(float(sizes.mean()), 1.0)
    low, high = (float(q) for q in np.quantile(rates, (0.1, 0.9)))
    observed = (high - low) / 2.563 / max(float(np.median(rates)), 1e-9)
    return math.sqrt(max(observed**2 - printed**2, 0.0))


def _moves(means: FloatArray, values: FloatArray, enough: float) -> bool:
    """Whether block means differ by more than the differences between consecutive cycles explain."""
    centre = float(values.mean())
    if centre <= 0:
        return False
    neighbour_variance = float(np.mean(np.diff(values) ** 2)) / 2.0
    by_chance = neighbour_variance * means.size / values.size
    between = float(np.var(means))
    return between > _MORE_THAN_CHANCE * by_chance and math.sqrt(between) > enough * centre
