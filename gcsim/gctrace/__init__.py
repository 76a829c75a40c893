"""Reading and writing what Go's garbage collector logs."""

from gcsim.gctrace.reader import read_gctrace, read_processes
from gcsim.gctrace.trace import Oddity, Trace

__all__ = ["Oddity", "Trace", "read_gctrace", "read_processes"]
