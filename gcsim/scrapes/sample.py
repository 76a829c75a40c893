"""One sample: the numbers of a Go process at one moment, by the names of the Prometheus client for Go."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: runtime.MemStats field: (name of the metric, factor)
MEMSTATS: Mapping[str, tuple[str, float]] = {
    "NumGC": ("go_gc_duration_seconds_count", 1.0),
    "PauseTotalNs": ("go_gc_duration_seconds_sum", 1e-9),
    "NumForcedGC": ("go_gc_cycles_forced_gc_cycles_total", 1.0),
    "TotalAlloc": ("go_memstats_alloc_bytes_total", 1.0),
    "Mallocs": ("go_memstats_mallocs_total", 1.0),
    "HeapAlloc": ("go_memstats_heap_alloc_bytes", 1.0),
    "HeapIdle": ("go_memstats_heap_idle_bytes", 1.0),
    "HeapInuse": ("go_memstats_heap_inuse_bytes", 1.0),
    "HeapReleased": ("go_memstats_heap_released_bytes", 1.0),
    "HeapSys": ("go_memstats_heap_sys_bytes", 1.0),
    "NextGC": ("go_memstats_next_gc_bytes", 1.0),
    "LastGC": ("go_memstats_last_gc_time_seconds", 1e-9),
    "StackInuse": ("go_memstats_stack_inuse_bytes", 1.0),
    "Sys": ("go_memstats_sys_bytes", 1.0),
    "GCCPUFraction": ("go_memstats_gc_cpu_fraction", 1.0),
}
_CPU = "go_cpu_classes_"
CPU_CLASSES = tuple(
    f"{_CPU}{name}_cpu_seconds_total"
    for name in ("gc_mark_assist", "gc_mark_dedicated", "gc_mark_idle", "gc_pause", "gc_total", "total", "user", "idle")
)  # fmt: skip
#: counters of the queues of finalizers and cleanups, Go 1.26: (queued, executed)
QUEUES: Mapping[str, tuple[str, str]] = {
    name: (f"go_gc_{name}_queued_{name}_total", f"go_gc_{name}_executed_{name}_total")
    for name in ("finalizers", "cleanups")
}
GOROUTINES = ("go_goroutines", "go_sched_goroutines_goroutines")
#: names that a sample keeps; all others are skipped
KEPT = frozenset(
    {
        *(name for name, _ in MEMSTATS.values()),
        *CPU_CLASSES,
        *GOROUTINES,
        *(name for pair in QUEUES.values() for name in pair),
        "go_gc_cycles_total_gc_cycles_total",
        "go_gc_heap_allocs_bytes_total",
        "go_gc_heap_goal_bytes",
        "go_gc_heap_live_bytes",
        "go_gc_scan_heap_bytes",
        "go_gc_scan_stack_bytes",
        "go_gc_scan_globals_bytes",
        "go_gc_gogc_percent",
        "go_gc_gomemlimit_bytes",
        "go_sched_gomaxprocs_threads",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    }
)
PAUSES = ("go_sched_pauses_total_gc_seconds", "go_gc_pauses_seconds", "go_gc_pauses_seconds_total")
_VERSION = re.compile(r"go1\.\d{1,3}(?:\.\d{1,3}|rc\d{1,2}|beta\d{1,2})?")


@dataclass(slots=True, kw_only=True)
class Sample:
    """The numbers of one process at one moment."""

    source: str
    seconds: float = math.nan  # since 1970
    values: dict[str, float] = field(default_factory=dict)
    pauses: dict[float, float] = field(default_factory=dict)  # of stop-the-world phases: count up to a time
    go_version: str = ""  # such as go1.27.3

    def put(self, name: str, value: float) -> None:
        """Keeps a number that readers use, if it is finite."""
        if name in KEPT and math.isfinite(value):
            self.values[name] = value

    def put_version(self, text: str) -> None:
        """Keeps a Go version."""
        found = _VERSION.search(text[:100])
        if found is not None:
            self.go_version = found[0]

    def first_of(self, *names: str) -> float | None:
        """The first of the numbers that the sample has."""
        return next((self.values[name] for name in names if name in self.values), None)

    def complete(self, other: "Sample") -> None:
        """Adds the numbers of another page of the same moment that this one lacks."""
        self.values = {**other.values, **self.values}
        self.pauses = self.pauses or other.pauses
        self.go_version = self.go_version or other.go_version


def metric_of(runtime_name: str) -> str:
    """The metric that the client makes of a name of runtime/metrics, without the ending of counters.

    Client ``RuntimeMetricsToProm``: ``/gc/heap/live:bytes`` is ``go_gc_heap_live_bytes``.
    """
    path, _, unit = runtime_name.partition(":")
    return (
        "go"
        + re.sub(r"[/*-]", "_", path)
        + "_"
        + unit.replace("/", "_per_").replace("-", "_").replace("*", "_")
    )
