"""Policies that set GOGC and the memory limit while a program runs.

Both engines call their controller when a GC cycle commits. The controller is like a tuner that calls
``debug.SetGCPercent`` and ``debug.SetMemoryLimit`` at the end of each cycle. The pacer computes the next goal from its
setting.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gcsim.arrays import FloatArray, Int64Array


class GcSetting(NamedTuple):
    """GOGC and the memory limit of each lane; arrays of shape (lanes,)."""

    gc_percent: Int64Array  # -1: off
    memory_limit_bytes: Int64Array  # MAX_INT64: off


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A GC cycle that has just ended, in each lane; arrays of shape (lanes,). The event engine has one lane."""

    now_seconds: FloatArray
    heap_marked_bytes: FloatArray
    heap_end_bytes: FloatArray  # heapLive at mark termination: the cycle's peak
    live_bytes: FloatArray
    setting: GcSetting  # during the cycle


class Controller(Protocol):
    """A policy without state: its setting depends only on the commit.

    Metrics of memory under a limit are computed with the limit at the start of a run.
    """

    def at_commit(self, commit: Commit) -> GcSetting:
        """The setting from now on; the object ``commit.setting`` if nothing changes."""
        ...


class FixedSetting:
    """A controller that never changes the setting."""

    def at_commit(self, commit: Commit) -> GcSetting:
        """The setting in force."""
        return commit.setting


FIXED_SETTING = FixedSetting()
