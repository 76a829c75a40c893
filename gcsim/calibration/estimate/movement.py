"""Whether live heap and allocation move with time, and if so how: steps, ramps, bursts, leaks, daily shapes."""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.service.profile import Profile
from gcsim.units import MIB

MAX_STRETCHES = 256
_CYCLES_PER_STRETCH = 3  # where only slow movement is looked for
_MIN_STRETCHES = 4
_LIVE_MOVES = 0.06  # relative standard deviation between stretches
_ALLOCATION_MOVES = 0.20
_BURSTS = 0.35  # of single cycles' rates: more than a steady program's, which scatter by a tenth or two
_STEP_SHARE = 1e-3  # of a stretch, in which a burst begins or ends
_MORE_THAN_CHANCE = 3.0  # times the variance that scatter within stretches explains
_PRINTED_SD = 0.41 * MIB  # of a difference of two sizes truncated to whole MiB


def find_profile(evidence: Evidence) -> Profile:
    """The factors on live heap and allocation rate over the window; steady where chance explains what is seen.

    The window is cut into stretches of a few cycles. A quantity moves where its means over stretches differ by
    more than scatter within them explains, and by enough to matter. Where single cycles' rates differ by more
    than any steady program's, they are bursts, and every cycle is a stretch of its own.
    """
    rates, sizes = _cycle_rates(evidence), _period_bytes(evidence)
    if rates.size < _MIN_STRETCHES * _CYCLES_PER_STRETCH:
        return Profile.steady()
    bursts = _spread(rates, sizes) > _BURSTS
    stride = 1 if bursts else _CYCLES_PER_STRETCH
    stride = max(stride, -(-rates.size // MAX_STRETCHES))
    edges = np.append(np.arange(0, rates.size, stride), rates.size)
    start_s = evidence.start_seconds - evidence.start_seconds[0]
    spans_s = np.diff(start_s[edges])
    rate = np.add.reduceat(sizes, edges[:-1]) / np.maximum(spans_s, 1e-9)
    live = np.add.reduceat(evidence.live_bytes[:-1], edges[:-1]) / np.diff(edges)
    rate_moves = bursts or _moves(rate, rates, _ALLOCATION_MOVES)
    live_moves = _moves(live, evidence.live_bytes, _LIVE_MOVES)
    if not (live_moves or rate_moves):
        return Profile.steady()
    shape = _stepped if bursts else _joined
    one = np.ones(rate.size)
    live_mean = max(float(evidence.live_bytes.mean()), 1.0)  # over cycles, as the model's live heap is
    return shape(
        start_s[edges],
        live / live_mean if live_moves else one,
        rate / _mean(rate, spans_s) if rate_moves else one,
    )


def _joined(edges_s: FloatArray, live: FloatArray, rate: FloatArray) -> Profile:
    """Knots at the stretches' middles, and at both ends of the window with the nearest stretch's values."""

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
    """Knots at both ends of each stretch: a burst joined to its neighbours' middles would allocate too much."""
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
    """Allocated from each cycle's start to the next one's, shape (n - 1,); at the usual rate where lines are lost."""
    allocated = np.maximum(evidence.allocated_between_bytes, 0.0) + evidence.allocated_bytes[:-1]
    if evidence.follows.all() or not evidence.follows.any():
        return allocated
    seconds = np.maximum(np.diff(evidence.start_seconds), 1e-9)
    usual = float(np.median((allocated / seconds)[evidence.follows]))
    return np.where(evidence.follows, allocated, usual * seconds)


def _cycle_rates(evidence: Evidence) -> FloatArray:
    return _period_bytes(evidence) / np.maximum(np.diff(evidence.start_seconds), 1e-9)


def _spread(rates: FloatArray, sizes: FloatArray) -> float:
    """Relative standard deviation of single cycles' rates, less what truncated printing adds."""
    printed = _PRINTED_SD / max(float(sizes.mean()), 1.0)
    low, high = (float(q) for q in np.quantile(rates, (0.1, 0.9)))
    seen = (high - low) / 2.563 / max(float(np.median(rates)), 1e-9)
    return math.sqrt(max(seen**2 - printed**2, 0.0))


def _moves(means: FloatArray, values: FloatArray, enough: float) -> bool:
    """Whether means of stretches differ by more than neighbours' differences, from cycle to cycle, explain."""
    centre = float(values.mean())
    if centre <= 0:
        return False
    neighbour_variance = float(np.mean(np.diff(values) ** 2)) / 2.0
    by_chance = neighbour_variance * means.size / values.size
    between = float(np.var(means))
    return between > _MORE_THAN_CHANCE * by_chance and math.sqrt(between) > enough * centre
