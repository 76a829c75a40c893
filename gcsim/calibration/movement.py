"""Whether live heap and allocation move with time, and if so how: steps, ramps, bursts, leaks, daily shapes."""

import math

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.evidence import Evidence
from gcsim.workload.profile import Profile

FloatArray = NDArray[np.float64]

MIN_CYCLES_PER_STRETCH = 3
MAX_STRETCHES = 64
_MIN_STRETCHES = 4
_LIVE_MOVES = 0.06  # relative standard deviation between stretches
_ALLOCATION_MOVES = 0.20
_MORE_THAN_CHANCE = 3.0  # times the variance that scatter within stretches explains


def find_profile(evidence: Evidence) -> Profile:
    """The factors on live heap and allocation rate over the window; steady where chance explains what is seen.

    The window is cut into stretches of equal time with some cycles in each. A quantity moves where its means over
    stretches differ by more than scatter within them explains, and by enough to matter.
    """
    start_s = evidence.start_seconds
    window_s = float(start_s[-1] - start_s[0])
    stretches = min(len(evidence) // MIN_CYCLES_PER_STRETCH, MAX_STRETCHES)
    if stretches < _MIN_STRETCHES or window_s <= 0:
        return Profile.steady()
    edges = np.linspace(0.0, window_s, stretches + 1)
    when_s = start_s - start_s[0]
    live = _means(when_s, evidence.live_bytes, edges)
    rate = _allocation_rates(evidence, edges)
    live_moves = _moves(live, evidence.live_bytes, stretches, _LIVE_MOVES)
    rate_moves = _moves(rate, _cycle_rates(evidence), stretches, _ALLOCATION_MOVES)
    if not (live_moves or rate_moves):
        return Profile.steady()
    centres = 0.5 * (edges[1:] + edges[:-1])
    one = np.ones(stretches)
    return _with_ends(
        centres,
        live / live.mean() if live_moves else one,
        rate / rate.mean() if rate_moves else one,
        window_s,
    )


def _with_ends(centres: FloatArray, live: FloatArray, rate: FloatArray, window_s: float) -> Profile:
    """Knots at the stretches' centres, and at both ends of the window with the nearest stretch's values."""

    def ended(values: FloatArray) -> FloatArray:
        return np.concatenate([values[:1], values, values[-1:]])

    seconds = np.concatenate([[0.0], centres, [window_s]])
    return Profile(seconds=seconds, live_factor=ended(live), alloc_factor=ended(rate))


def _means(when_s: FloatArray, values: FloatArray, edges: FloatArray) -> FloatArray:
    """Mean in each stretch; one without a cycle takes its neighbours' by interpolation."""
    place = np.clip(np.searchsorted(edges, when_s, side="right") - 1, 0, edges.size - 2)
    count = np.bincount(place, minlength=edges.size - 1)
    total = np.bincount(place, weights=values, minlength=edges.size - 1)
    filled = count > 0
    index = np.arange(edges.size - 1)
    return np.interp(index, index[filled], total[filled] / count[filled])


def _allocation_rates(evidence: Evidence, edges: FloatArray) -> FloatArray:
    """Bytes per second in each stretch, from the running total of allocation."""
    total = np.concatenate([[0.0], np.cumsum(_period_bytes(evidence))])
    when_s = evidence.start_seconds - evidence.start_seconds[0]
    return np.maximum(np.diff(np.interp(edges, when_s, total)) / np.diff(edges), 0.0)


def _period_bytes(evidence: Evidence) -> FloatArray:
    """Allocated from each cycle's start to the next one's."""
    marked, black = evidence.heap_marked_bytes[:-1], evidence.allocated_bytes[:-1]
    return np.maximum(evidence.heap_start_bytes[1:] - marked, 0.0) + black


def _cycle_rates(evidence: Evidence) -> FloatArray:
    return _period_bytes(evidence) / np.maximum(np.diff(evidence.start_seconds), 1e-9)


def _moves(means: FloatArray, values: FloatArray, stretches: int, enough: float) -> bool:
    """Whether means of stretches differ by more than neighbours' differences, from cycle to cycle, explain."""
    centre = float(values.mean())
    if centre <= 0:
        return False
    neighbour_variance = float(np.mean(np.diff(values) ** 2)) / 2.0
    by_chance = neighbour_variance * stretches / values.size
    between = float(np.var(means))
    return between > _MORE_THAN_CHANCE * by_chance and math.sqrt(between) > enough * centre
