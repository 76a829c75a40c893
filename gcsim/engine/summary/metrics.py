"""The metrics of lanes from their sums, with the definitions of ``gcsim.metrics``."""

from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.distributions import beta_quantile
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.summary.memory import ProcessDraws, memory_bounds, memory_metrics
from gcsim.engine.summary.totals import LaneTotals
from gcsim.metrics import PAUSE_QUANTILES
from gcsim.service.pauses import Pauses
from gcsim.units import MIB


class LaneMetrics(NamedTuple):
    """Arrays of shape (lanes,) by the name of the metric."""

    metrics: dict[str, FloatArray]
    bounds: dict[str, FloatArray]  # the most that some of them can be, infinite without a bound


class JobRuns(NamedTuple):
    """Whole runs of a job; arrays of shape (lanes,)."""

    allocated_bytes: FloatArray  # by the whole job
    calibrated_wall_seconds: float
    wall_per_simulated_second: (
        FloatArray  # of the calibrated run: the program allocates slowly in some phases
    )

    def tiled(self, settings: int) -> "JobRuns":
        """The same runs at each of some settings."""
        return self._replace(
            allocated_bytes=np.tile(self.allocated_bytes, settings),
            wall_per_simulated_second=np.tile(self.wall_per_simulated_second, settings),
        )


def lane_metrics(
    totals: LaneTotals,
    parameters: LaneParameters,
    *,
    duration_seconds: float,
    job: JobRuns | None,
    pauses: Pauses,
    pause_scale: FloatArray,
    process: ProcessDraws,
    calibrated_bytes_per_second: FloatArray,
    pause_levels: dict[str, FloatArray],
) -> LaneMetrics:
    """The metrics of each lane, and the bounds that its memory limit gives.

    A lane with fewer than two collections has rates and shares of 0. A lane without collections, as with GOGC=off and
    no limit, has a heap of all allocated bytes. ``pause_levels`` holds a uniform draw, 0 to 1, for each of
    PAUSE_QUANTILES in each lane. The rates and shares of a job are over the wall time of the whole job, so that one
    cycle is enough for them.
    """
    cycles = np.maximum(totals.cycles, 1.0)
    if job is None:
        window_s = totals.last_start_seconds - totals.first_start_seconds
        has_window = (totals.cycles >= 2) & (window_s > 0)
        counted, seconds = cycles - 1.0, np.full_like(window_s, duration_seconds)
    else:
        totals = totals.with_last_cycle()
        usual_s = (
            job.allocated_bytes / calibrated_bytes_per_second
        )  # an event run without a cycle states no end
        simulated_s = np.where(totals.end_seconds > 0, totals.end_seconds, usual_s)
        window_s = seconds = simulated_s * job.wall_per_simulated_second
        calibrated_bytes_per_second = job.allocated_bytes / job.calibrated_wall_seconds
        counted, has_window = totals.cycles, window_s > 0
    per_window = np.where(has_window, 1.0 / np.where(has_window, window_s, 1.0), 0.0)
    rate_hz = counted * per_window
    expected_cycles = np.maximum(rate_hz * seconds, 1.0)
    per_capacity = per_window / parameters.gomaxprocs
    pause_cpu = (parameters.sweep_term_seconds + parameters.mark_term_seconds) * rate_hz
    worked = totals.assist_cpu_seconds + totals.background_cpu_seconds
    peak_bytes = _extrapolated_peak(totals, cycles, expected_cycles)
    rate = np.minimum(parameters.arrival_bytes_per_second, parameters.capacity_bytes_per_second)
    uncollected = totals.cycles == 0
    kept = parameters.live_bytes + rate * seconds if job is None else totals.heap_at_end_bytes
    kept_bytes = np.where(uncollected, kept, 0.0)
    peak_bytes = np.maximum(peak_bytes, kept_bytes)
    allocated = totals.mutator_bytes if job is None else job.allocated_bytes
    mutator_rate = np.where(has_window, allocated * per_window, rate)
    highest = np.maximum(peak_bytes, totals.heap_at_end_bytes)
    metrics = {
        "gc_rate_hz": rate_hz,
        **_heap(totals, cycles, peak_bytes, kept_bytes),
        "gc_cpu_fraction": worked * per_capacity + pause_cpu,
        "gc_assist_cpu_fraction": totals.assist_cpu_seconds * per_capacity,
        "gc_idle_cpu_fraction": totals.idle_cpu_seconds * per_capacity,
        **_pauses(pauses, pause_scale, expected_cycles, pause_levels),
        "stw_time_fraction": pause_cpu,
        **memory_metrics(totals, parameters, process, highest),
        "limiter_time_fraction": totals.limited_seconds * per_window,
        "throughput_ratio": mutator_rate / calibrated_bytes_per_second,
    }
    return LaneMetrics(metrics, memory_bounds(totals, parameters, process, highest))


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
        levels = beta_quantile(rank, drawn - rank + 1.0, pause_levels[name])
        return scale * pauses.quantile_of_both(levels)

    return {name: quantile(name) for name in PAUSE_QUANTILES}
