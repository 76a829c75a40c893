"""Scrapes that the runtime would have shown during a captured run, computed from the run's GC trace.

A trace has every cycle, so it gives each counter and gauge of the Prometheus client at any moment: they are sums over
cycles, or values of the last cycle. Allocated bytes are the growth of heapLive less the recounted ends of
spans (1.5 %). Process CPU and RSS are those of the side file.
"""

import numpy as np

from gcsim.calibration.evidence import evidence_from
from gcsim.gctrace.trace import Trace
from gcsim.scrapes.sample import Sample
from gcsim.scrapes.series import Series, series_of

_OBJECTS = 0.985  # allocated objects over the growth of heapLive
_EPOCH = 1.7e9
_CPU = "go_cpu_classes_gc_mark_{}_cpu_seconds_total"


def computed_series(trace: Trace, *, every_seconds: float, runtime_metrics: bool) -> Series:
    """The series of a run scraped at an interval, with or without the client's runtime metrics."""
    e, info = evidence_from(trace), trace.info
    assert info is not None
    end = e.end_seconds
    growth = np.concatenate([e.heap_end_bytes[:1], e.heap_end_bytes[1:] - e.heap_marked_bytes[:-1]])
    allocated = _OBJECTS * np.cumsum(np.maximum(growth, 0.0))
    pauses = np.cumsum(e.sweep_term_seconds + e.mark_term_seconds)
    cpu = {
        "assist": np.cumsum(e.assist_cpu_seconds),
        "dedicated": np.cumsum(e.background_cpu_seconds),
        "idle": np.cumsum(e.idle_cpu_seconds),
    }
    found: list[Sample] = []
    for at in np.arange(float(end[0]) + 0.5 * every_seconds, float(end[-1]), every_seconds):
        i = int(np.searchsorted(end, at)) - 1
        part = (at - end[i]) / (end[i + 1] - end[i])
        sample = Sample(source="run", seconds=_EPOCH + float(at), go_version=info.go_version or "")
        values = {
            "go_gc_duration_seconds_count": float(e.cycle_number[i]),
            "go_gc_duration_seconds_sum": float(pauses[i]),
            "go_memstats_alloc_bytes_total": float(allocated[i] + part * (allocated[i + 1] - allocated[i])),
            "go_memstats_next_gc_bytes": float(e.heap_goal_bytes[i + 1]),
            "go_memstats_last_gc_time_seconds": _EPOCH + float(end[i]),
            "go_gc_gogc_percent": 2.0**64 if info.gogc is None else float(info.gogc),
            "go_gc_gomemlimit_bytes": float(info.gomemlimit_bytes or 2**63 - 1),
            "go_sched_gomaxprocs_threads": float(e.gomaxprocs[i]),
            "process_cpu_seconds_total": (info.cpu_seconds or 0.0) * float(at) / (info.wall_seconds or 1.0),
            "process_resident_memory_bytes": float(info.rss_peak_bytes or 0),
        }
        if runtime_metrics:
            values |= {_CPU.format(name): float(sums[i]) for name, sums in cpu.items()}
            values |= {
                "go_gc_heap_live_bytes": float(e.heap_marked_bytes[i]),
                "go_gc_scan_stack_bytes": float(e.stack_bytes[i]),
                "go_gc_scan_globals_bytes": float(e.globals_bytes[i]),
            }
        for name, value in values.items():
            sample.put(name, value)
        found.append(sample)
    return series_of(found, "run")
