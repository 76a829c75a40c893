"""Panels of figures with one row per log: how many are drawn, their titles and their time."""

from pathlib import Path

from gcsim.arrays import FloatArray
from gcsim.gctrace.source import source_name
from gcsim.gctrace.trace import Trace
from gcsim.printable import printable

MOST_LOGS = 4
NS_PER_SECOND = 1e9
TIME_LABEL = "seconds since the start of the process"


def log_title(log: str) -> str:
    """The title of the panel of a log: its name without folders."""
    return printable(Path(source_name(log)).name)


def start_seconds(trace: Trace) -> FloatArray:
    """The start of each cycle since the start of the process, shape (cycles,)."""
    return trace.cycles.start_ns / NS_PER_SECOND
