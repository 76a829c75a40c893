"""Reading and writing what Go's garbage collector logs."""

from gcsim.gctrace.capture_info import CaptureInfo
from gcsim.gctrace.reader import read_gctrace, read_processes
from gcsim.gctrace.trace import Oddity, Trace
from gcsim.gctrace.writer import format_gctrace, quantize_cycles, write_gctrace

__all__ = [
    "CaptureInfo",
    "Oddity",
    "Trace",
    "format_gctrace",
    "quantize_cycles",
    "read_gctrace",
    "read_processes",
    "write_gctrace",
]
