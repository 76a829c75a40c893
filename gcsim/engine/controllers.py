"""Policies that set GOGC and the memory limit while a program runs.

Both engines ask their controller when a GC cycle commits, as a tuner that calls ``debug.SetGCPercent`` and
``debug.SetMemoryLimit`` at the end of each cycle. The pacer computes the next goal from the answer.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gcsim.arrays import FloatArray, Int64Array


class GcSetting(NamedTuple):
    """Arrays of shape (lanes,)."""

    gc_percent: Int64Array  # -1: off
    memory_limit_bytes: Int64Array  # MAX_INT64: off


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A GC cycle that has just ended, in each lane; arrays of shape (lanes,). The event engine has one lane."""

    now_seconds: FloatArray
    heap_marked_bytes: FloatArray
    heap_end_bytes: FloatArray  # heapLive at mark termination: the cycle's peak
    live_bytes: FloatArray
    setting: GcSetting  # in force during the cycle


class Controller(Protocol):
    """A policy. It holds no state of a lane: its answer depends on the commit alone."""

    def at_commit(self, commit: Commit) -> GcSetting:
        """The setting from now on; ``commit.setting`` itself where nothing changes."""
        ...


class FixedSetting:
    """Leaves the setting as it is."""

    def at_commit(self, commit: Commit) -> GcSetting:
        """The setting in force."""
        return commit.setting


FIXED_SETTING = FixedSetting()
