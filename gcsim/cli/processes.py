"""The table of ``gcsim inspect --processes``: the processes in logs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gcsim.cli.console import emit, emit_json, emit_table
from gcsim.units import format_mib, format_seconds

if TYPE_CHECKING:
    from gcsim.gctrace.trace import Trace

_GO = {
    "1.2": "1.2", "1.3": "1.3", "1.4": "1.4", "1.5beta": "1.5 beta", "1.5": "1.5", "1.6": "1.6 to 1.17",
    "1.18": "1.18 or later",
}  # fmt: skip


def list_processes(logs: Sequence[str], *, as_json: bool) -> None:
    """Prints the processes of each log, numbered as ``--process`` counts them."""
    found = {log: _rows_of(log) for log in dict.fromkeys(logs)}
    if as_json:
        emit_json({"logs": [{"log": log, "processes": rows} for log, rows in found.items()]})
        return
    for place, (log, rows) in enumerate(found.items()):
        if place:
            emit("")
        emit(f"{log}: {len(rows)} process{'es' * (len(rows) != 1)}\n")
        emit_table(
            [
                "process",
                "first line",
                "last line",
                "cycles",
                "time",
                "last live heap",
                "GOMAXPROCS",
                "Go",
                "",
            ],
            [_shown(row) for row in rows],
        )


def _rows_of(log: str) -> list[dict[str, Any]]:
    from pathlib import Path

    from gcsim.gctrace import read_processes
    from gcsim.scrapes.files import is_metrics, processes_in

    if log != "-" and "\0" not in log and is_metrics(Path(log)):
        return [
            {"process": number, "labels": labels, "samples": samples}
            for number, (labels, samples) in enumerate(processes_in(Path(log)) or [("", 1)], start=1)
        ]
    traces = read_processes(log)
    used = max(range(len(traces)), key=lambda i: len(traces[i].cycles))
    return [_row(i + 1, trace, is_used=i == used) for i, trace in enumerate(traces)]


def _row(number: int, trace: "Trace", *, is_used: bool) -> dict[str, Any]:
    cycles = trace.cycles
    has_times = bool(cycles.start_ns[-1] > 0)
    return {
        "process": number,
        "first_line": int(trace.line_numbers.min()),
        "last_line": int(trace.line_numbers.max()),
        "cycles": len(cycles),
        "seconds": float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9 if has_times else None,
        "last_live_bytes": int(cycles.heap_live_bytes[-1]),
        "gomaxprocs": int(cycles.gomaxprocs[-1]),
        "go": _GO[trace.generation],
        "used": is_used,
    }


def _shown(row: dict[str, Any]) -> list[str]:
    if "labels" in row:
        return [str(row["process"]), "", "", f"{row['samples']} samples", "", "", "", "", row["labels"]]
    seconds = row["seconds"]
    return [
        str(row["process"]), str(row["first_line"]), str(row["last_line"]), str(row["cycles"]),
        "" if seconds is None else format_seconds(seconds), format_mib(row["last_live_bytes"]),
        str(row["gomaxprocs"]), row["go"], "used without --process" if row["used"] else "",
    ]  # fmt: skip
