"""The metrics of observed and simulated runs.

Every function takes a ``CycleTable`` in gctrace's units. ``docs/reference/metrics.md`` states the same definitions with
symbols.
"""

from dataclasses import dataclass, field

import numpy as np

from gcsim.arrays import Int64Array
from gcsim.cycles import NOT_LOGGED, CycleTable
from gcsim.units import format_mib, format_number, format_percent, format_seconds

NS_PER_SECOND = 1e9

UNIT_OF_SUFFIX = {"_hz": "1/s", "_bytes": "bytes", "_fraction": "share", "_seconds": "s", "_ratio": "ratio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its name, which ends in the unit, and its label in tables and figures."""

    name: str
    label: str
    of_cycles: bool = True  # a CycleTable alone determines it; else it needs a simulation or the process
    pause_quantile: float | None = (
        None  # the metric is this quantile of all stop-the-world pauses, two per cycle
    )

    @property
    def unit(self) -> str:
        """The unit, one of UNIT_OF_SUFFIX."""
        return next(unit for suffix, unit in UNIT_OF_SUFFIX.items() if self.name.endswith(suffix))


def _pauses(name: str, label: str, quantile: float) -> Metric:
    return Metric(name=name, label=label, pause_quantile=quantile)


def _of_run(name: str, label: str) -> Metric:
    return Metric(name=name, label=label, of_cycles=False)


#: All metrics, in the order of reports. Names, labels, units and quantiles of pauses are here only. The widths of a
#: metric's intervals are in ``engine.summary.intervals``, its definition is in ``docs/reference/metrics.md``.
METRIC_TABLE = (
    Metric(name="gc_rate_hz", label="GC cycles per second"),
    Metric(name="heap_peak_bytes", label="heap peak"),
    Metric(name="heap_peak_mean_bytes", label="heap peak, mean of cycles"),
    Metric(name="heap_marked_mean_bytes", label="heap marked, mean"),
    Metric(name="heap_goal_mean_bytes", label="heap goal, mean"),
    Metric(name="heap_live_mean_bytes", label="live at cycle start, mean"),
    Metric(name="gc_cpu_fraction", label="GC CPU"),
    Metric(name="gc_assist_cpu_fraction", label="GC CPU in assists"),
    Metric(name="gc_idle_cpu_fraction", label="idle CPU used for marking"),
    _pauses("stw_p50_seconds", "pause, median", 0.50),
    _pauses("stw_p99_seconds", "pause, 99th percentile", 0.99),
    _pauses("stw_max_seconds", "pause, longest", 1.0),
    Metric(name="stw_time_fraction", label="time stopped"),
    _of_run("rss_peak_bytes", "resident memory, peak"),
    _of_run("anonymous_peak_bytes", "anonymous memory, peak"),
    _of_run("container_peak_bytes", "container memory, peak"),
    _of_run("limiter_time_fraction", "time under the CPU limiter"),
    _of_run("throughput_ratio", "throughput, against calibration"),
    _of_run("job_cpu_seconds", "CPU time of the job"),
    _of_run("job_wall_seconds", "wall time of the job"),
    _of_run("request_p50_seconds", "request latency, median"),
    _of_run("request_p99_seconds", "request latency, 99th percentile"),
)

METRICS = tuple(metric.name for metric in METRIC_TABLE)
CYCLE_METRICS = tuple(metric.name for metric in METRIC_TABLE if metric.of_cycles)
METRIC_LABELS = {metric.name: metric.label for metric in METRIC_TABLE}
PAUSE_QUANTILES = {
    metric.name: metric.pause_quantile for metric in METRIC_TABLE if metric.pause_quantile is not None
}


def format_metric(name: str, value: float) -> str:
    """A value with its unit and three significant digits; an em dash for NaN."""
    if value != value:
        return "—"
    if name.endswith("_bytes"):
        return format_mib(value)
    if name.endswith("_fraction"):
        return format_percent(value)
    if name.endswith("_seconds"):
        return format_seconds(value)
    if name.endswith("_hz"):
        return f"{format_number(value)} /s"
    return f"{format_number(value)} ×"


@dataclass(frozen=True, slots=True)
class Estimate:
    """The prediction of a metric for a new real run of the same length: median, 5th and 95th percentile."""

    value: float
    low: float
    high: float
    fit: "Fit | None" = field(default=None, compare=False, repr=False)  # None in a sweep's file

    def to_json(self) -> dict[str, float]:
        """The JSON document of the prediction."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def contains(self, observed: float) -> bool:
        """Whether an observed value lies inside the prediction interval."""
        return self.low <= observed <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How an estimate was fitted: the parts that its three numbers do not show."""

    scatter: float  # relative scatter of the replicas, a part of the interval's width
    free_high: float  # 95th percentile without ``most``
    most: Estimate | None = None  # the most that the value can be, such as a memory limit allows


def cycle_metrics(cycles: CycleTable, *, job_seconds: float | None = None) -> dict[str, float]:
    """The metrics of CYCLE_METRICS over all rows.

    Rates and shares are over the window from the first cycle's start to the last cycle's start. Sums leave out the last
    cycle, whose work is outside the window, so n - 1 cycles are over n - 1 intervals. A gap in the numbering means
    missing lines: the rate counts the numbers, and shares leave such intervals out. Means and quantiles are over all
    rows. Raises ValueError on fewer than two cycles.

    ``job_seconds`` is the length of a job, from the start of its process to its end. The window is then the whole job,
    and sums are over all cycles. One cycle is enough.
    """
    if job_seconds is not None:
        return _job_metrics(cycles, job_seconds)
    if len(cycles) < 2:
        raise ValueError(f"metrics need at least two GC cycles, got {len(cycles)}")
    window_s = float(cycles.start_ns[-1] - cycles.start_ns[0]) / NS_PER_SECOND
    whole = np.flatnonzero(np.diff(cycles.cycle_number) == 1)  # rows whose next row is the next cycle
    inside = cycles.select(whole)
    interval_ns = np.diff(cycles.start_ns)[whole]
    return {
        "gc_rate_hz": _ratio(float(cycles.cycle_number[-1] - cycles.cycle_number[0]), window_s),
        **_heap_metrics(cycles),
        **_cpu_metrics(inside, _capacity_ns(inside, interval_ns)),
        **_pause_metrics(cycles, inside, float(interval_ns.sum()) / NS_PER_SECOND),
    }


def _job_metrics(cycles: CycleTable, job_seconds: float) -> dict[str, float]:
    if len(cycles) < 1:
        raise ValueError("metrics of a job need at least one GC cycle")
    procs = float(np.maximum(cycles.gomaxprocs, 1).max())
    return {
        "gc_rate_hz": _ratio(float(cycles.cycle_number[-1] - cycles.cycle_number[0] + 1), job_seconds),
        **_heap_metrics(cycles),
        **_cpu_metrics(cycles, job_seconds * NS_PER_SECOND * procs),
        **_pause_metrics(cycles, cycles, job_seconds),
    }


def _heap_metrics(cycles: CycleTable) -> dict[str, float]:
    goals = cycles.heap_goal_bytes
    has_goal = (goals != NOT_LOGGED) & (goals < 1 << 60)  # GOGC=off prints a goal near 2^63
    return {
        "heap_peak_bytes": float(cycles.heap_end_bytes.max()),
        "heap_peak_mean_bytes": float(cycles.heap_end_bytes.mean()),
        "heap_marked_mean_bytes": float(cycles.heap_marked_bytes.mean()),
        "heap_goal_mean_bytes": float(goals[has_goal].mean()) if has_goal.any() else float("nan"),
        "heap_live_mean_bytes": float(cycles.heap_live_bytes.mean()),
    }


def _capacity_ns(inside: CycleTable, interval_ns: Int64Array) -> float:
    return float((interval_ns * np.maximum(inside.gomaxprocs, 1)).sum())


def _cpu_metrics(inside: CycleTable, capacity_ns: float) -> dict[str, float]:
    assist_ns = _logged_sum(inside.assist_cpu_ns)
    gc_ns = (
        _logged_sum(inside.stw_sweep_term_cpu_ns)
        + assist_ns
        + _logged_sum(inside.background_cpu_ns)
        + _logged_sum(inside.stw_mark_term_cpu_ns)
    )
    return {
        "gc_cpu_fraction": _ratio(gc_ns, capacity_ns),
        "gc_assist_cpu_fraction": _ratio(assist_ns, capacity_ns),
        "gc_idle_cpu_fraction": _ratio(_logged_sum(inside.idle_cpu_ns), capacity_ns),
    }


def _pause_metrics(cycles: CycleTable, inside: CycleTable, window_s: float) -> dict[str, float]:
    pauses = pauses_seconds(cycles)
    inside_s = float(pauses_seconds(inside).sum())
    return {
        **{name: float(np.quantile(pauses, level)) for name, level in PAUSE_QUANTILES.items()},
        "stw_time_fraction": _ratio(inside_s, window_s),
    }


def pauses_seconds(cycles: CycleTable) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """All stop-the-world pauses, two per cycle, shape (2n,), in seconds."""
    both = np.concatenate([cycles.stw_sweep_term_ns, cycles.stw_mark_term_ns])
    seconds: np.ndarray[tuple[int], np.dtype[np.float64]] = np.maximum(both, 0) / NS_PER_SECOND
    return seconds


def _logged_sum(column: Int64Array) -> float:
    return float(column[column != NOT_LOGGED].sum())


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else float("nan")
