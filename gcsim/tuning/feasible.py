"""Feasibility of settings: memory, limit and GC CPU."""

from typing import Literal

from gcsim.engine.run import Run
from gcsim.metrics import Estimate

# Anonymous memory over limit, at least: the limit's headroom is 3 %, and estimates have errors
SHARE_OF_A_BINDING_LIMIT = 0.85
LIMITER_SHARE_OF_A_KEPT_LIMIT = 0.01  # of the time with the CPU limiter on, at most
MOST_GC_CPU = 0.5  # of all CPU: Go's limiter (Go 1.19+ gcCPULimiterState) disables assists there
MOST_LIMIT_SHARE = 0.95  # of the memory: GOMEMLIMIT is soft, and real runs passed it by up to some percent
MEMORY_MARGIN = 0.03  # of the memory, above the 95th percentile, if a setting has it: OOM kills the process

Fault = Literal["memory", "limit", "gc_cpu"]


def container_peak(run: Run) -> Estimate:
    """The peak of container memory. Sweeps of an older gcsim lack it: RSS takes its place there."""
    found = run.metrics.get("container_peak_bytes")
    return run.metrics["rss_peak_bytes"] if found is None else found


def fault_of(run: Run, memory_bytes: int | None) -> Fault | None:
    """The gravest reason that makes the setting infeasible; None for a feasible setting.

    "memory": the 95th percentile of its container memory is above the memory given. "limit": it cannot keep its own
    GOMEMLIMIT. "gc_cpu": the 95th percentile of its GC CPU is above half of all CPU.
    """
    if memory_bytes is not None and not container_peak(run).high <= memory_bytes:
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
    the 95th percentile of its heap peak is above it, or if the limiter is on while anonymous memory is near the limit.
    A low GOGC alone can also start the limiter; anonymous memory is then far below the limit.
    """
    limit = run.settings.gomemlimit_bytes
    if limit is None:
        return True
    peak = run.metrics.get("heap_peak_bytes")
    over_limit = peak is not None and peak.high > limit
    return not (over_limit or _is_on_limiter(run, limit))


def spirals(run: Run) -> bool:
    """Whether the run is in a death spiral: GC takes half of all CPU, or as much as Go's limiter allows."""
    limit, gc_cpu = run.settings.gomemlimit_bytes, run.metrics["gc_cpu_fraction"].value
    return gc_cpu >= MOST_GC_CPU or (limit is not None and _is_on_limiter(run, limit))


def _is_on_limiter(run: Run, limit_bytes: int) -> bool:
    """Whether the limiter is on for more than 1 % of the time while anonymous memory is near the limit."""
    limiter = run.metrics.get("limiter_time_fraction")
    anonymous = run.metrics.get("anonymous_peak_bytes", run.metrics.get("rss_peak_bytes"))
    binds = anonymous is None or anonymous.value > SHARE_OF_A_BINDING_LIMIT * limit_bytes
    return binds and limiter is not None and limiter.value > LIMITER_SHARE_OF_A_KEPT_LIMIT
