"""The metrics of lanes from their sums, with the definitions of ``gcsim.metrics``."""

import numpy as np
from scipy.special import betaincinv

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.summary.totals import LaneTotals
from gcsim.goruntime.pacer import gc_percent_heap_goal_bytes
from gcsim.metrics import PAUSE_QUANTILES
from gcsim.service.pauses import Pauses
from gcsim.submodels.process_memory import UNFILLED_AT_PEAK, unfilled_slot_bytes
from gcsim.units import MAX_INT64, MIB

_SET_BY_LIMIT = 0.97  # a goal below this share of GOGC's goal is one that the memory limit sets


def lane_metrics(
    totals: LaneTotals,
    parameters: LaneParameters,
    *,
    duration_seconds: float,
    pauses: Pauses,
    pause_scale: FloatArray,
    rss_base_bytes: FloatArray,
    rss_ratio: FloatArray,
    rss_beside_bytes: FloatArray,
    calibrated_bytes_per_second: FloatArray,
    pause_levels: dict[str, FloatArray],
) -> dict[str, FloatArray]:
    """The metrics of each lane, arrays of shape (lanes,).

    A lane with fewer than two collections has rates and shares of 0. A lane without collections, as with GOGC=off and
    no limit, has a heap of all allocated bytes. ``pause_levels`` holds a uniform draw, 0 to 1, for each of
    PAUSE_QUANTILES in each lane.
    """
    cycles = np.maximum(totals.cycles, 1.0)
    window_s = totals.last_start_seconds - totals.first_start_seconds
    has_window = (totals.cycles >= 2) & (window_s > 0)
    per_window = np.where(has_window, 1.0 / np.where(has_window, window_s, 1.0), 0.0)
    rate_hz = (cycles - 1.0) * per_window
    expected_cycles = np.maximum(rate_hz * duration_seconds, 1.0)
    per_capacity = per_window / parameters.gomaxprocs
    pause_cpu = (parameters.sweep_term_seconds + parameters.mark_term_seconds) * rate_hz
    worked = totals.assist_cpu_seconds + totals.background_cpu_seconds
    peak_bytes = _extrapolated_peak(totals, cycles, expected_cycles)
    rate = np.minimum(parameters.arrival_bytes_per_second, parameters.capacity_bytes_per_second)
    uncollected = totals.cycles == 0
    kept_bytes = np.where(uncollected, parameters.live_bytes + rate * duration_seconds, 0.0)
    peak_bytes = np.maximum(peak_bytes, kept_bytes)
    mutator_rate = np.where(has_window, totals.mutator_bytes * per_window, rate)
    return {
        "gc_rate_hz": rate_hz,
        **_heap(totals, cycles, peak_bytes, kept_bytes),
        "gc_cpu_fraction": worked * per_capacity + pause_cpu,
        "gc_assist_cpu_fraction": totals.assist_cpu_seconds * per_capacity,
        "gc_idle_cpu_fraction": totals.idle_cpu_seconds * per_capacity,
        **_pauses(pauses, pause_scale, expected_cycles, pause_levels),
        "stw_time_fraction": pause_cpu,
        "rss_peak_bytes": np.minimum(
            rss_base_bytes
            + np.maximum(rss_ratio * peak_bytes, _mapped_at_limit(totals, parameters, cycles, peak_bytes)),
            rss_beside_bytes + _most_mapped(parameters, peak_bytes),
        ),
        "limiter_time_fraction": totals.limited_seconds * per_window,
        "throughput_ratio": mutator_rate / calibrated_bytes_per_second,
    }


def _mapped_at_limit(
    totals: LaneTotals, parameters: LaneParameters, cycles: FloatArray, peak_bytes: FloatArray
) -> FloatArray:
    """Memory mapped at mark end beyond the calibrated base in lanes whose goals the limit sets, bytes; else 0.

    At the limit's goal the heap, unusable free slots and all other Go memory add up to the limit
    (``memoryLimitHeapGoal``). A service that grew without collections had filled these slots with live objects or
    garbage, so that all of this memory is resident. In 33 programs peaks of RSS were the limit less 3 %, plus or minus
    memory outside the limit.
    """
    goal = totals.heap_goal_mib / cycles * MIB
    marked = totals.heap_marked_mib / cycles * MIB
    # without the minimum goal: printed in whole MiB, it would look like a goal that a limit has lowered
    own_goal = gc_percent_heap_goal_bytes(
        marked.astype(np.int64), parameters.root_bytes.astype(np.int64), 0, parameters.gc_percent, 0
    )
    binds = (parameters.memory_limit_bytes < MAX_INT64) & (goal < _SET_BY_LIMIT * own_goal)
    highest = np.maximum(peak_bytes, goal)
    constant = parameters.metadata_base_bytes + parameters.allocated_stack_bytes
    share, calibrated = parameters.unfilled_slot_share, parameters.calibrated_peak_bytes
    unfilled = unfilled_slot_bytes(highest, share=share, calibrated_peak_bytes=calibrated)
    mapped = constant + (1.0 + parameters.metadata_share) * highest + unfilled
    mapped = np.minimum(mapped, _most_mapped(parameters, peak_bytes))
    found: FloatArray = np.where(
        binds & (goal > 0), mapped - constant - UNFILLED_AT_PEAK * share * calibrated, 0.0
    )
    return found


def _most_mapped(parameters: LaneParameters, peak_bytes: FloatArray) -> FloatArray:
    """The most memory that is mapped at once, bytes: the limit, or the need of the highest heap if that is more.

    An allocation that would pass the limit first returns free pages (Go 1.19+ ``mheap.allocSpan``). Free slots cannot
    be returned. If they and the heap together pass the limit, this result is too low.
    """
    needed = parameters.metadata_base_bytes + parameters.allocated_stack_bytes
    needed = needed + (1.0 + parameters.metadata_share) * peak_bytes
    most: FloatArray = np.maximum(parameters.memory_limit_bytes, needed)
    return most


def _heap(
    totals: LaneTotals, cycles: FloatArray, peak_bytes: FloatArray, kept_bytes: FloatArray
) -> dict[str, FloatArray]:
    """The metrics of heap sizes."""
    return {
        "heap_peak_bytes": np.floor(peak_bytes / MIB) * MIB,
        "heap_peak_mean_bytes": np.maximum(totals.heap_end_mib / cycles * MIB, kept_bytes),
        "heap_marked_mean_bytes": totals.heap_marked_mib / cycles * MIB,
        "heap_goal_mean_bytes": totals.heap_goal_mib / cycles * MIB,
        "heap_live_mean_bytes": totals.heap_live_mib / cycles * MIB,
    }


def _extrapolated_peak(totals: LaneTotals, cycles: FloatArray, expected_cycles: FloatArray) -> FloatArray:
    """The largest heap of a whole run, bytes, if only a part of its cycles was simulated.

    The highest of n normal draws lies about sqrt(2 ln n) deviations above the mean. The simulated maximum is scaled in
    that proportion. The result is exact if all cycles were simulated, and otherwise a few percent of the scatter off.
    """
    mean = totals.heap_end_mib / cycles * MIB
    reach = np.sqrt(np.log(np.maximum(expected_cycles, cycles) + 1.0) / np.log(cycles + 1.0))
    peak: FloatArray = mean + np.maximum(totals.heap_end_max_bytes - mean, 0.0) * reach
    return peak


def _pauses(
    pauses: Pauses, scale: FloatArray, cycles: FloatArray, pause_levels: dict[str, FloatArray]
) -> dict[str, FloatArray]:
    """Quantiles of the 2n pauses of a run; the level of the k-th of m draws has a Beta distribution."""
    drawn = np.round(2.0 * cycles)

    def quantile(name: str) -> FloatArray:
        rank = PAUSE_QUANTILES[name] * (drawn - 1.0) + 1.0
        levels = np.asarray(betaincinv(rank, drawn - rank + 1.0, pause_levels[name]), dtype=np.float64)
        return scale * pauses.quantile_of_both(levels)

    return {name: quantile(name) for name in PAUSE_QUANTILES}
