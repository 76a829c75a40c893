"""Feasibility of settings: memory, limit and GC CPU."""

from typing import Literal

from gcsim.engine.run import Run

SHARE_OF_A_BINDING_LIMIT = (
    0.85  # RSS over limit, at least: the limit's headroom is 3 %, and estimates have errors
)
LIMITER_SHARE_OF_A_KEPT_LIMIT = 0.01  # of the time with the CPU limiter on, at most
MOST_GC_CPU = 0.5  # of all CPU: Go's limiter (Go 1.19+ gcCPULimiterState) disables assists there

Fault = Literal["memory", "limit", "gc_cpu"]


def fault_of(run: Run, memory_bytes: int | None) -> Fault | None:
    """The gravest reason that makes the setting infeasible; None for a feasible setting.

    "memory": the 95th percentile of its peak RSS is above the memory given. "limit": it cannot keep its own
    GOMEMLIMIT. "gc_cpu": the 95th percentile of its GC CPU is above half of all CPU.
    """
    if memory_bytes is not None and not run.metrics["rss_peak_bytes"].high <= memory_bytes:
        return "memory"
    if not keeps_limit(run):
        return "limit"
    gc_cpu = run.metrics.get("gc_cpu_fraction")
    if gc_cpu is not None and gc_cpu.high > MOST_GC_CPU:
        return "gc_cpu"
    return None


def is_feasible(run: Run, memory_bytes: int | None) -> bool:
    """Whether the setting has no fault."""
    return fault_of(run, memory_bytes) is None


def keeps_limit(run: Run) -> bool:
    """Whether the run stays under its own GOMEMLIMIT, with the GC CPU limiter on for at most 1 % of the time.

    The limit is soft. If live memory does not fit under it, the runtime collects continuously until the limiter caps GC
    at half of the CPU, and then lets the heap grow (Go 1.19+ ``gcCPULimiterState``). A run does not keep its limit if
    the heap peak is above it, or if the limiter is on while RSS is near the limit. A low GOGC alone can also start the
    limiter; RSS is then far below the limit.
    """
    limit = run.settings.gomemlimit_bytes
    if limit is None:
        return True
    limiter = run.metrics.get("limiter_time_fraction")
    resident = run.metrics.get("rss_peak_bytes")
    binds = resident is None or resident.value > SHARE_OF_A_BINDING_LIMIT * limit
    on_limiter = binds and limiter is not None and limiter.value > LIMITER_SHARE_OF_A_KEPT_LIMIT
    peak = run.metrics.get("heap_peak_bytes")
    over_limit = peak is not None and peak.value > limit
    return not (on_limiter or over_limit)
