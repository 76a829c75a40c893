"""The length of a run of a steady service: the run ends once its sampling error is at most the model's error.

A run of n cycles is cut into ``STRETCHES`` equal stretches. The sampling error of a metric in this run is

    w = standard deviation of the metric over the stretches / sqrt(STRETCHES) / mean over the stretches

The run has enough cycles if for every metric, with its model error e (a relative standard deviation),

    w <= max(e, LEAST_ERROR)   or, for a share of CPU or time,   w * mean <= LEAST_SHARE

The sampling error of the median of 32 replicas is then at most 0.13 of the half width of its interval
(1.25 w / sqrt(32) <= 0.13 * 1.645 e), or 0.25 % of its value. The rule reads its own run only. A run is therefore the
same in every grid and for any number of processes.

No such rule holds for peaks. ``engine.summary.metrics`` extrapolates them, from at least ``CHECKS[0]`` cycles.
"""

import itertools
import math

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.engine.des.program.latency import LatencySums, quantile_seconds
from gcsim.engine.des.program.waits import Waits
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.summary.model_errors import LoadKind, error_at_home

STRETCHES = 12
CHECKS = tuple(
    1 + STRETCHES * cycles for cycles in (4, 5, 7, 10, 14, 20)
)  # numbers of cycles at which a run may end
LEAST_ERROR = 0.011
LEAST_SHARE = 0.001
LATENCY_LEVELS = {"request_p50_seconds": 0.50, "request_p99_seconds": 0.99}
_NS = 1e-9


class RunLength:
    """The cycles of one run, and whether they are enough."""

    def __init__(self, load: LoadKind, *, gomaxprocs: int) -> None:
        self._load: LoadKind = load
        self._procs = gomaxprocs
        self._rows: list[tuple[float, ...]] = []
        self._counts: list[Int64Array] = []  # histogram of request latencies after each cycle
        self._waits: Waits | None = None  # of the requests

    def add(self, cycle: Cycle, start_s: float, latencies: LatencySums | None) -> bool:
        """Adds a cycle; returns whether the run has enough cycles with it."""
        c, procs = cycle, self._procs
        work = (c.assist_ns + c.background_ns + (c.sweep_term_ns + c.mark_term_ns) * procs) * _NS / procs
        shares = (work, c.assist_ns * _NS / procs, c.idle_mark_ns * _NS / procs, c.limited_ns * _NS)
        sizes = (c.heap_end_bytes, c.heap_marked_bytes, float(c.heap_goal_bytes), c.live_bytes)
        self._rows.append((start_s, c.mutator_bytes, *shares, *sizes))
        if latencies is not None:
            self._counts.append(latencies.counts())
            self._waits = latencies.waits
        return len(self._rows) in CHECKS and all(
            error <= max(error_at_home(name, self._load), LEAST_ERROR)
            or (name.endswith("_fraction") and error * mean <= LEAST_SHARE)
            for name, (mean, error) in self._measured().items()
        )

    def errors(self) -> dict[str, float]:
        """The sampling error of each metric that is no peak, relative; 0 for a run that is too short to be cut."""
        return {name: error for name, (_, error) in self._measured().items()}

    def _measured(self) -> dict[str, tuple[float, float]]:
        """(mean, sampling error) of each metric over the stretches."""
        return {name: _mean_and_error(values) for name, values in self._by_stretch().items()}

    def _by_stretch(self) -> dict[str, FloatArray]:
        """Each metric in each stretch; work belongs to the interval that its cycle begins."""
        if len(self._rows) < CHECKS[0]:
            return {}
        edges = np.linspace(0, len(self._rows) - 1, STRETCHES + 1).astype(np.int64)
        columns = np.array(self._rows).T
        seconds, cycles = np.diff(columns[0][edges]), np.diff(edges)
        _, allocated, work, assist, idle, limited, *sizes = np.add.reduceat(
            columns[:, :-1], edges[:-1], axis=1
        )
        peak, marked, goal, live = sizes
        return {
            "gc_rate_hz": cycles / seconds,
            "stw_time_fraction": cycles / seconds,
            "heap_peak_mean_bytes": peak / cycles,
            "heap_marked_mean_bytes": marked / cycles,
            "heap_goal_mean_bytes": goal / cycles,
            "heap_live_mean_bytes": live / cycles,
            "gc_cpu_fraction": work / seconds,
            "gc_assist_cpu_fraction": assist / seconds,
            "gc_idle_cpu_fraction": idle / seconds,
            "limiter_time_fraction": limited / seconds,
            "throughput_ratio": allocated / seconds,
            **self._latencies(edges),
        }

    def _latencies(self, edges: Int64Array) -> dict[str, FloatArray]:
        """The latency quantiles of the requests that ended in each stretch."""
        if not self._counts:
            return {}
        at_edges = [self._counts[edge] for edge in edges.tolist()]
        counts = [after - before for before, after in itertools.pairwise(at_edges)]
        return {
            name: np.array([quantile_seconds(each, level, self._waits) for each in counts])
            for name, level in LATENCY_LEVELS.items()
        }


def _mean_and_error(values: FloatArray) -> tuple[float, float]:
    mean = float(values.mean())
    return mean, float(values.std(ddof=1)) / math.sqrt(values.size) / mean if mean > 0 else 0.0
