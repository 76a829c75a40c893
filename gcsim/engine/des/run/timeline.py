"""A run as a Chrome trace for Perfetto and chrome://tracing: Ps as tracks, GC phases, pauses, assists.

The format is the JSON object of the Trace Event Format, with complete events ("X", ts and dur in microseconds),
counters ("C"), and metadata ("M") for the names of processes and threads.
"""

from typing import Any

import numpy as np

from gcsim.engine.des.run.recorder import Recording
from gcsim.errors import InputError
from gcsim.units import MIB

MAX_STEPS = 1_000_000  # some hundred MB of JSON
_PROCESS, _COLLECTOR_TRACK = 1, 0
_NAMES = {
    "mutator": "goroutine",
    "program": "program",
    "dedicated": "GC worker (dedicated)",
    "fractional": "GC worker (fractional)",
    "idle_worker": "GC worker (idle)",
    "stopped": "world stopped",
}


def chrome_trace(recording: Recording, *, name: str, step_ns: float | None = None) -> dict[str, Any]:
    """The JSON document of a recording. An idle P is a gap; adjacent activities of one kind are one slice.

    Memory and colours are counters, at every event or at intervals of ``step_ns`` (more than 0). Raises InputError for
    too many steps.
    """
    events: list[dict[str, Any]] = [_metadata("process_name", 0, name), _metadata("thread_name", 0, "GC")]
    processors = sorted(set(recording.spans["processor"].tolist()))
    events += [_metadata("thread_name", p + 1, f"P{p}") for p in processors]
    events += (
        _phases(recording) + _spans(recording, processors) + _assists(recording) + _memory(recording, step_ns)
    )
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _metadata(what: str, track: int, text: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": _PROCESS, "tid": track, "args": {"name": text}}


def _slice(name: str, track: int, start_ns: float, length_ns: float, **args: Any) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": name,
        "pid": _PROCESS,
        "tid": track,
        "ts": start_ns / 1e3,
        "dur": length_ns / 1e3,
        "args": args,
    }


def _phases(recording: Recording) -> list[dict[str, Any]]:
    cycles = recording.cycles
    events = []
    for i in range(len(cycles)):
        start, first = int(cycles.start_ns[i]), int(cycles.stw_sweep_term_ns[i])
        mark, second = int(cycles.mark_ns[i]), int(cycles.stw_mark_term_ns[i])
        number = int(cycles.cycle_number[i])
        sizes = (cycles.heap_start_bytes[i], cycles.heap_end_bytes[i], cycles.heap_marked_bytes[i])
        heap = "->".join(str(int(size) >> 20) for size in sizes) + " MB"
        events.append(_slice(f"GC {number}", _COLLECTOR_TRACK, start, first + mark + second, heap=heap))
        events.append(_slice("STW sweep termination", _COLLECTOR_TRACK, start, first))
        events.append(_slice("concurrent mark", _COLLECTOR_TRACK, start + first, mark))
        events.append(_slice("STW mark termination", _COLLECTOR_TRACK, start + first + mark, second))
    return events


def _spans(recording: Recording, processors: list[int]) -> list[dict[str, Any]]:
    events = []
    for processor in processors:
        rows = recording.spans[recording.spans["processor"] == processor]
        begun: tuple[str, int, int] | None = None
        for kind, start, end in zip(
            rows["kind"].tolist(), rows["start_ns"].tolist(), rows["end_ns"].tolist(), strict=True
        ):
            if begun is not None and begun[0] == kind and begun[2] == start:
                begun = (kind, begun[1], end)
                continue
            if begun is not None and begun[0] in _NAMES:
                events.append(_slice(_NAMES[begun[0]], processor + 1, begun[1], begun[2] - begun[1]))
            begun = (kind, start, end)
        if begun is not None and begun[0] in _NAMES:
            events.append(_slice(_NAMES[begun[0]], processor + 1, begun[1], begun[2] - begun[1]))
    return events


def _assists(recording: Recording) -> list[dict[str, Any]]:
    columns = (recording.assists[name].tolist() for name in ("processor", "start_ns", "assist_ns"))
    return [_slice("assist", p + 1, start, assist) for p, start, assist in zip(*columns, strict=True)]


_COUNTERS = {
    "heapLive": {"MiB": "heap_live_bytes"},
    "memory": {
        "heap in use": "heap_in_use_bytes",
        "heap free": "heap_free_bytes",
        "resident": "resident_bytes",
    },
    "marking": {"white": "white_bytes", "grey": "grey_bytes", "black": "black_bytes"},
}


def _memory(recording: Recording, step_ns: float | None) -> list[dict[str, Any]]:
    """Counters in MiB, at every event or at equal steps. Raises InputError for too many steps."""
    times = recording.heap["time_ns"].astype(np.float64)
    if step_ns is not None and times.size:
        if (times[-1] - times[0]) / step_ns > MAX_STEPS:
            raise InputError(
                f"--timeline-step: more than {MAX_STEPS:,} steps in this run; choose a longer step or a shorter"
                " --duration"
            )
        times = np.arange(max(times[0], 0.0), times[-1] + 1.0, step_ns)
    events = []
    for name, series in _COUNTERS.items():
        columns = [
            recording.heap_at(times, column) if step_ns is not None else recording.heap[column]
            for column in series.values()
        ]
        for row in zip(times.tolist(), *((c / MIB).tolist() for c in columns), strict=True):
            args = dict(zip(series, row[1:], strict=True))
            events.append({"ph": "C", "name": name, "pid": _PROCESS, "ts": row[0] / 1e3, "args": args})
    return events
