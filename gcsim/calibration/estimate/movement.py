"""The movement of a log: growth of the live heap, and the profile of live heap and allocation rate over time."""

import math
from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.job_course import JobRun, job_clock_seconds, job_growth
from gcsim.calibration.estimate.live_growth import better_clock, find_growth
from gcsim.calibration.estimate.work_clock import clock_seconds, mean_rate, period_bytes
from gcsim.calibration.evidence import Evidence
from gcsim.service.growth import LiveGrowth
from gcsim.service.model import Loop
from gcsim.service.profile import Profile
from gcsim.submodels.live_growth import central_course
from gcsim.units import MIB

MAX_BLOCKS = 256
_CYCLES_PER_BLOCK = 3  # without bursts
_MIN_BLOCKS = 4
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


def find_movement(evidence: Evidence, loop: Loop, *, job: JobRun | None = None) -> Movement:
    """Growth and profile of the window. The profile is what repeats: the live heap without its growth.

    The growth of a closed loop follows its work unless the log shows that it follows time: a setting with cheaper
    collections does more work in a second. The whole movement of a job's live heap is growth.
    """
    if job is not None:
        clock, growth = job_clock_seconds(evidence), job_growth(evidence, job)
    else:
        clock, growth = _service_growth(evidence, loop)
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


def _service_growth(evidence: Evidence, loop: Loop) -> tuple[FloatArray, LiveGrowth]:
    """(each cycle's start by the clock that the growth follows, the growth) of a service."""
    time, work = clock_seconds(evidence, "time"), clock_seconds(evidence, "work")
    if loop == "closed" and better_clock(evidence.live_bytes, time, work) == "work":
        growth = find_growth(evidence.live_bytes, work, "work")
        if not growth.is_none:
            growth = replace(growth, bytes_per_second=mean_rate(evidence))
        return work, growth
    return time, find_growth(evidence.live_bytes, time, "time")


def find_profile(evidence: Evidence, live_bytes: FloatArray) -> Profile:
    """The factors on live heap and allocation rate over the window; steady if chance explains their movement.

    ``live_bytes`` is the live heap of each cycle without its growth. The window is cut into blocks of a few cycles. A
    quantity moves if its block means differ by more than the scatter within blocks explains, and by more than a
    threshold. If single cycles' rates scatter more than in any steady
    program, the load has bursts, and each cycle is a block.
    """
    rates, sizes = _cycle_rates(evidence), period_bytes(evidence)
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


def _cycle_rates(evidence: Evidence) -> FloatArray:
    return period_bytes(evidence) / np.maximum(np.diff(evidence.start_seconds), 1e-9)


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
