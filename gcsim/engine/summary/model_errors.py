"""Measured errors of the model: how far predictions of each metric were from real runs."""

import math
from typing import Literal, NamedTuple

#: Load of a service: a steady closed loop, a steady open loop, or a load that changes.
LoadKind = Literal["closed", "open", "moving"]


class Extrapolation(NamedTuple):
    """How far a setting is from the calibrated one."""

    doublings: float  # of GOGC; another Go version counts as two, because marking costs differ
    limited: bool  # whether a memory limit that the calibrated run did not have may set heap goals
    thrashing: float = 0.0  # share of the time with the GC CPU limiter on
    green_tea: int = 0  # 1 if only the asked version has Green Tea marking, -1 if only the calibrated one has
    other_go: bool = False  # whether the Go version is another one


class ModelError(NamedTuple):
    """Relative standard deviations: at the calibrated setting, per doubling away from it, and under a limit."""

    at_home: float
    per_doubling: float
    under_limit: float

    def at(self, distance: Extrapolation) -> float:
        """The root sum of squares at a distance from the calibrated setting, with the limiter's error."""
        limit = self.under_limit if distance.limited else 0.0
        thrashing = _LIMITER_ERROR * distance.thrashing
        return math.hypot(self.at_home, self.per_doubling * distance.doublings, limit, thrashing)


# Error of every metric with the limiter on all the time: the assists that it allows depend on time slices and on the
# number of goroutines, which a log does not contain. With the limiter on a third of the time, heaps of three
# development programs are 5 % off (median)
_LIMITER_ERROR = 0.2

# Widths at which 90 % intervals contain 90 % of the development programs' runs on Go 1.19 to 1.27, with each program
# judged by the others and at most twice its own width (`python -m experiments.validation discrepancy`). They include
# the scatter of a new run and the machine's drift between runs: the cycle rate of a closed loop differed by 12 %
# between two equal runs. Derived from 33 programs, 884 runs. The highest heap and RSS of a closed loop have the widths
# of an open one: their own (0.025 and 0.010) are too narrow for real development programs. With these widths intervals
# from captures contain 87 % of the highest heaps and 100 % of RSS of 38 runs (`python -m experiments.software report`).
DISCREPANCY: dict[LoadKind, dict[str, ModelError]] = {
    "closed": {
        "gc_rate_hz": ModelError(0.114, 0.000, 0.114),
        "heap_peak_bytes": ModelError(0.050, 0.000, 0.000),
        "heap_peak_mean_bytes": ModelError(0.012, 0.000, 0.024),
        "heap_marked_mean_bytes": ModelError(0.004, 0.000, 0.000),
        "heap_goal_mean_bytes": ModelError(0.004, 0.000, 0.004),
        "heap_live_mean_bytes": ModelError(0.006, 0.000, 0.000),
        "gc_cpu_fraction": ModelError(0.063, 0.000, 0.000),
        "gc_assist_cpu_fraction": ModelError(0.158, 0.237, 0.000),
        "gc_idle_cpu_fraction": ModelError(1.220, 0.000, 1.220),
        "stw_p50_seconds": ModelError(0.032, 0.048, 0.127),
        "stw_p99_seconds": ModelError(0.810, 0.000, 0.000),
        "stw_max_seconds": ModelError(1.167, 0.000, 1.167),
        "stw_time_fraction": ModelError(0.239, 0.060, 0.000),
        "rss_peak_bytes": ModelError(0.034, 0.000, 0.020),
        "throughput_ratio": ModelError(0.131, 0.000, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
    "open": {
        "gc_rate_hz": ModelError(0.124, 0.000, 0.000),
        "heap_peak_bytes": ModelError(0.050, 0.000, 0.000),
        "heap_peak_mean_bytes": ModelError(0.026, 0.019, 0.000),
        "heap_marked_mean_bytes": ModelError(0.034, 0.000, 0.000),
        "heap_goal_mean_bytes": ModelError(0.017, 0.026, 0.000),
        "heap_live_mean_bytes": ModelError(0.007, 0.000, 0.000),
        "gc_cpu_fraction": ModelError(0.234, 0.000, 0.000),
        "gc_assist_cpu_fraction": ModelError(0.438, 0.329, 0.000),
        "gc_idle_cpu_fraction": ModelError(0.810, 1.216, 1.621),
        "stw_p50_seconds": ModelError(0.076, 0.000, 0.304),
        "stw_p99_seconds": ModelError(0.228, 0.171, 0.228),
        "stw_max_seconds": ModelError(0.336, 0.168, 0.000),
        "stw_time_fraction": ModelError(0.306, 0.077, 0.000),
        "rss_peak_bytes": ModelError(0.034, 0.000, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
    "moving": {
        "gc_rate_hz": ModelError(0.121, 0.000, 0.000),
        "heap_peak_bytes": ModelError(0.047, 0.000, 0.000),
        "heap_peak_mean_bytes": ModelError(0.111, 0.000, 0.000),
        "heap_marked_mean_bytes": ModelError(0.074, 0.000, 0.000),
        "heap_goal_mean_bytes": ModelError(0.118, 0.000, 0.000),
        "heap_live_mean_bytes": ModelError(0.004, 0.006, 0.000),
        "gc_cpu_fraction": ModelError(0.004, 0.000, 0.000),
        "gc_assist_cpu_fraction": ModelError(0.277, 0.000, 0.000),
        "gc_idle_cpu_fraction": ModelError(0.657, 0.985, 0.657),
        "stw_p50_seconds": ModelError(0.157, 0.000, 0.157),
        "stw_p99_seconds": ModelError(0.450, 0.000, 0.901),
        "stw_max_seconds": ModelError(0.857, 0.000, 0.857),
        "stw_time_fraction": ModelError(0.154, 0.154, 0.617),
        "rss_peak_bytes": ModelError(0.044, 0.011, 0.000),
        "throughput_ratio": ModelError(0.284, 0.142, 0.000),
        # from 26 runs of two real development jobs (python -m experiments.job_costs); a job always moves
        "job_cpu_seconds": ModelError(0.160, 0.000, 0.000),
        "job_wall_seconds": ModelError(0.180, 0.000, 0.000),
        # from the runs of docs/explanation/latency.md: the tail is the operating system's as much as the collector's
        "request_p50_seconds": ModelError(0.570, 0.410, 0.000),
        "request_p99_seconds": ModelError(0.740, 0.560, 0.000),
    },
}

# Request latencies while the program keeps less than QUIET_BUSY of the Ps busy outside GC. The order service at 30 % of
# its capacity gives 0.11 and 0.00, 0.36 and 0.23 (experiments.latency.report.widths of that load; 0.30 to 0.35 of the
# Ps are busy, and 0.46 or more at 60 %). caddy-templates, a development program, gives no more, except 0.06 per
# doubling of p50. Nearer to saturation the widths of DISCREPANCY hold.
QUIET_BUSY = 0.4
QUIET_REQUESTS = {
    "request_p50_seconds": ModelError(0.110, 0.060, 0.000),
    "request_p99_seconds": ModelError(0.360, 0.230, 0.000),
}

# The model's error of anonymous memory is that of the heap: file pages and kernel memory have their own spread between
# programs, which the replicas draw
ERROR_OF = {
    "anonymous_peak_bytes": "heap_peak_bytes",
    "container_peak_bytes": "heap_peak_bytes",
}


# Metrics without a measured model error: their intervals are the scatter of replicas only. No run's log has the time
# under the limiter, and the throughput of an open load is the load's.
# A job always moves, so a closed or open load has no job times.
_JOB_TIMES = {"job_cpu_seconds", "job_wall_seconds"}
REPLICAS_ONLY: dict[LoadKind, frozenset[str]] = {
    "closed": frozenset({"limiter_time_fraction", *_JOB_TIMES}),
    "open": frozenset({"limiter_time_fraction", "throughput_ratio", *_JOB_TIMES}),
    "moving": frozenset({"limiter_time_fraction"}),
}


def error_at_home(name: str, load: LoadKind) -> float:
    """The model error of a metric at the calibrated setting, relative; 0 for a metric of ``REPLICAS_ONLY``."""
    measured = ERROR_OF.get(name, name)
    return 0.0 if measured in REPLICAS_ONLY[load] else DISCREPANCY[load][measured].at_home
