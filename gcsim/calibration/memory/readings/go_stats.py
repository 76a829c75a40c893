"""Readings that a Go program gives of itself: ``runtime.MemStats`` in several formats."""

import re
from collections.abc import Mapping

from gcsim.calibration.memory.readings.reading import GoMemory, Reading
from gcsim.errors import InputError
from gcsim.scrapes.json_pages import runtime_metrics_in

_FIELDS = {
    "Sys": "sys_bytes",
    "HeapSys": "heap_sys_bytes",
    "HeapIdle": "heap_idle_bytes",
    "HeapInuse": "heap_inuse_bytes",
    "HeapReleased": "heap_released_bytes",
    "HeapAlloc": "heap_alloc_bytes",
    "NextGC": "next_gc_bytes",
}
# names of client_golang's Go collector
_PROMETHEUS = {
    "Sys": "go_memstats_sys_bytes",
    "HeapSys": "go_memstats_heap_sys_bytes",
    "HeapIdle": "go_memstats_heap_idle_bytes",
    "HeapInuse": "go_memstats_heap_inuse_bytes",
    "HeapReleased": "go_memstats_heap_released_bytes",
    "HeapAlloc": "go_memstats_heap_alloc_bytes",
    "NextGC": "go_memstats_next_gc_bytes",
}
_CLASSES = "/memory/classes/{}:bytes"  # of runtime/metrics
_SUMS = {
    "Sys": ("total",),
    "HeapSys": ("heap/objects", "heap/unused", "heap/free", "heap/released"),
    "HeapIdle": ("heap/free", "heap/released"),
    "HeapInuse": ("heap/objects", "heap/unused"),
    "HeapReleased": ("heap/released",),
    "HeapAlloc": ("heap/objects",),
}
_GOAL = "/gc/heap/goal:bytes"
_RESIDENT = "process_resident_memory_bytes"
_TEXT_LINE = re.compile(r"^# ([A-Za-z]+) = (\d+)", re.MULTILINE)
_SAMPLE = re.compile(
    r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?[ \t]+([0-9.eE+]{1,30})(?:[ \t]+-?\d+)?[ \t]*$", re.MULTILINE
)
_MOST_BYTES = 1 << 48
_LEAST_SYS_BYTES = 1 << 20


def go_memory_of(record: Mapping[str, object] | list[object]) -> GoMemory:
    """The account in a MemStats, in one under "memstats" (expvar), or in runtime/metrics. Raises InputError."""
    metrics = memstats_of_metrics(runtime_metrics_in(record))
    inner = record.get("memstats", metrics or record) if isinstance(record, Mapping) else metrics
    if not isinstance(inner, Mapping) or not any(name in inner for name in _FIELDS):
        raise InputError(
            "holds no runtime.MemStats; give its JSON, a page of /debug/vars, which has it under memstats, or all of"
            " runtime/metrics"
        )
    missing = [name for name in _FIELDS if name not in inner]
    if missing:
        raise InputError(f"holds a MemStats without {', '.join(missing)}; save the whole MemStats")
    values: dict[str, int] = {}
    for name, ours in _FIELDS.items():
        value = inner[name]
        if type(value) is not int or not 0 <= value < _MOST_BYTES:
            raise InputError(f"holds a MemStats whose {name} is not a size in bytes; save it again")
        values[ours] = value
    found = GoMemory(**values)
    if not _is_consistent(found):
        raise InputError(
            "holds a MemStats whose fields contradict each other; save one that runtime.ReadMemStats filled"
        )
    return found


def memstats_of_metrics(metrics: Mapping[str, object]) -> dict[str, int]:
    """The fields of MemStats that metrics of runtime/metrics show; empty if one of them is missing."""
    sizes = {
        name: int(value)
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and 0 <= value < _MOST_BYTES
    }
    try:
        found = {field: sum(sizes[_CLASSES.format(name)] for name in names) for field, names in _SUMS.items()}
        return found | {"NextGC": sizes[_GOAL]}
    except KeyError:
        return {}


def record_of_text(text: str) -> dict[str, object]:
    """The MemStats at the end of a heap profile in text form (``/debug/pprof/heap?debug=1``)."""
    _, _, stats = text.partition("# runtime.MemStats")
    return {name: int(value) for name, value in _TEXT_LINE.findall(stats)}


def prometheus_reading(text: str, origin: str) -> Reading:
    """The account and the resident memory in a page of metrics. Raises InputError for several processes."""
    found: dict[str, int] = {}
    for name, value in _SAMPLE.findall(text):
        if name in found:
            raise InputError(f"holds {name} of several processes; save the page of one process")
        if name == _RESIDENT or name in _PROMETHEUS.values():
            found[name] = _size(name, value)
    go = None
    if any(theirs in found for theirs in _PROMETHEUS.values()):
        go = go_memory_of({name: found[theirs] for name, theirs in _PROMETHEUS.items() if theirs in found})
    return Reading(origin=origin, rss_bytes=found.get(_RESIDENT), go=go)


def _size(name: str, text: str) -> int:
    try:
        size = float(text)
    except ValueError as error:
        raise InputError(f"holds a {name} that is not a number; save the page again") from error
    if not 0 <= size < _MOST_BYTES:
        raise InputError(f"holds a {name} that is not a size in bytes; save the page again")
    return int(size)


def _is_consistent(found: GoMemory) -> bool:
    """Whether the sums hold that ``runtime.readmemstats_m`` makes."""
    return (
        found.sys_bytes >= max(found.heap_sys_bytes, _LEAST_SYS_BYTES)
        and found.heap_sys_bytes == found.heap_idle_bytes + found.heap_inuse_bytes
        and found.heap_released_bytes <= found.heap_idle_bytes
        and found.heap_alloc_bytes <= found.heap_inuse_bytes
        and found.sys_bytes > found.heap_sys_bytes
    )
