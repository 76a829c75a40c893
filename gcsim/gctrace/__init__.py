"""Reads and writes the logs of Go's garbage collector. Names are imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcsim.gctrace.reader import read_gctrace, read_processes
    from gcsim.gctrace.trace import ParseWarning, Trace
    from gcsim.gctrace.writer import format_gctrace, quantize_cycles, write_gctrace

__all__ = [
    "ParseWarning",
    "Trace",
    "format_gctrace",
    "quantize_cycles",
    "read_gctrace",
    "read_processes",
    "write_gctrace",
]

_HOMES = {
    "ParseWarning": "trace",
    "Trace": "trace",
    "format_gctrace": "writer",
    "quantize_cycles": "writer",
    "read_gctrace": "reader",
    "read_processes": "reader",
    "write_gctrace": "writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gcsim.gctrace' has no attribute {name!r}")
    return getattr(import_module(f"gcsim.gctrace.{_HOMES[name]}"), name)
