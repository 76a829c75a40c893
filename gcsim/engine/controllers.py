"""Policies that set GOGC and the memory limit while a program runs.

Both engines call the controller of their plan (``Plan.controller``) when a GC cycle commits. The controller is like a
tuner that calls ``debug.SetGCPercent`` and ``debug.SetMemoryLimit`` at the end of each cycle. The pacer computes the
next goal from its setting, and the memory metrics use the settings that were in force.

A new policy is a frozen dataclass with ``at_commit`` and a row of ``CONTROLLERS``. The module loads no NumPy before a
policy runs, because ``gcsim --help`` imports the plan. A policy of a user is a function in a file of their own
(``tuning.own_controller``).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.arrays import FloatArray, Int64Array


class GcSetting(NamedTuple):
    """GOGC and the memory limit of each lane; arrays of shape (lanes,)."""

    gc_percent: "Int64Array"  # -1: off
    memory_limit_bytes: "Int64Array"  # MAX_INT64: off


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A GC cycle that has just ended, in each lane; arrays of shape (lanes,). The event engine has one lane."""

    now_seconds: "FloatArray"  # since the end of the warm-up, 0 within it
    heap_marked_bytes: "FloatArray"
    heap_end_bytes: "FloatArray"  # heapLive at mark termination: the cycle's peak
    live_bytes: "FloatArray"
    root_bytes: "FloatArray"  # scanned stacks and globals
    setting: GcSetting  # during the cycle

    def percent_for(self, goal_bytes: "float | FloatArray") -> "Int64Array":
        """The GOGC with which the next heap goal is ``goal_bytes``, rounded down to whole percent, 0 or more."""
        import numpy as np

        base = np.maximum(self.heap_marked_bytes + self.root_bytes, 1.0)
        percent = 100.0 * (goal_bytes - self.heap_marked_bytes) / base
        return np.clip(np.floor(percent), 0, MOST_PERCENT).astype(np.int64)


class Controller(Protocol):
    """A policy without state: its setting depends only on the commit.

    A run is simulated to its end, unless the policy is ``FIXED_SETTING`` or has ``looks_at_time = False``. In the lane
    engine each cycle beyond the first thousand may stand for several (``engine.lanes.stride``); the engine asks the
    policy once for all of them.
    """

    def at_commit(self, commit: Commit) -> GcSetting:
        """The setting from now on; the object ``commit.setting`` if nothing changes."""
        ...


@dataclass(frozen=True, slots=True)
class FixedSetting:
    """A controller that never changes the setting."""

    def at_commit(self, commit: Commit) -> GcSetting:
        """The setting in force."""
        return commit.setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAt:
    """A controller that changes GOGC, the memory limit or both once, at the first commit after a time of the run.

    None leaves a value as it is. GOGC=off is -1, no limit is ``units.MAX_INT64``.
    """

    seconds: float
    gc_percent: int | None = None
    memory_limit_bytes: int | None = None

    def at_commit(self, commit: Commit) -> GcSetting:
        """The changed setting from ``seconds`` on, before it the setting in force."""
        import numpy as np

        late, (percent, limit) = commit.now_seconds >= self.seconds, commit.setting
        if self.gc_percent is not None:
            percent = np.where(late, np.int64(self.gc_percent), percent)
        if self.memory_limit_bytes is not None:
            limit = np.where(late, np.int64(self.memory_limit_bytes), limit)
        return GcSetting(percent, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapTarget:
    """A tuner that sets GOGC after each collection so that the heap goal stays at ``goal_bytes``.

    Uber's GOGCTuner and the gctuner of bytedance/gopkg work so. The latter keeps GOGC between 50 and 500.
    """

    looks_at_time: ClassVar[bool] = False
    goal_bytes: float
    least_percent: int = 50
    most_percent: int = 500

    def at_commit(self, commit: Commit) -> GcSetting:
        """GOGC for the goal, within its bounds; the memory limit stays."""
        import numpy as np

        percent = np.clip(commit.percent_for(self.goal_bytes), self.least_percent, self.most_percent)
        return GcSetting(percent, commit.setting.memory_limit_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballast:
    """A heap ballast: ``size_bytes`` of the heap that the program allocates at its start and never touches.

    The ballast is live and holds no pointers. It counts for the heap goal, and it has no resident pages and no marking
    cost. With GOGC=100 the goal without the ballast is 2 x (marked + roots) + ballast - roots, so that the ballast acts
    as a larger GOGC.
    """

    looks_at_time: ClassVar[bool] = False
    size_bytes: float

    def at_commit(self, commit: Commit) -> GcSetting:
        """The GOGC that has the goal of GOGC=100 with the ballast; the memory limit stays."""
        goal = 2.0 * commit.heap_marked_bytes + commit.root_bytes + self.size_bytes
        return GcSetting(commit.percent_for(goal), commit.setting.memory_limit_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedAt:
    """GOGC=100, and a forced collection when heapLive reaches ``heap_bytes``.

    The memory limiter of the OpenTelemetry Collector calls ``runtime.GC`` so, once per check. Here the goal is set so
    that the pacer starts the collection near ``heap_bytes``: the goal is higher by the last cycle's allocation while
    marking. A live heap above ``heap_bytes`` makes the program collect without a pause.
    """

    looks_at_time: ClassVar[bool] = False
    heap_bytes: float

    def at_commit(self, commit: Commit) -> GcSetting:
        """GOGC=100, or the lower GOGC that starts the next cycle at ``heap_bytes``; the memory limit stays."""
        import numpy as np

        allocated_black = np.maximum(commit.heap_marked_bytes - commit.live_bytes, 0.0)
        percent = np.clip(commit.percent_for(self.heap_bytes + allocated_black), 1, 100)
        return GcSetting(percent, commit.setting.memory_limit_bytes)


FIXED_SETTING = FixedSetting()
MOST_PERCENT = (1 << 31) - 1  # of GOGC: an int32

#: The policies that a JSON document can name.
CONTROLLERS: dict[str, type[Any]] = {
    "fixed": FixedSetting,
    "change at": ChangeAt,
    "heap target": HeapTarget,
    "ballast": Ballast,
    "forced at": ForcedAt,
}
_NUMBERS = (int, float, type(None))


def controller_json(controller: Controller) -> dict[str, Any]:
    """The policy and its fields for a JSON document; a class outside ``CONTROLLERS`` by its name."""
    names = {kind: name for name, kind in CONTROLLERS.items()}
    policy = names.get(type(controller), type(controller).__name__)
    values: dict[str, Any] = asdict(controller) if is_dataclass(controller) else {}
    return {"policy": policy, **values}


def controller_of(document: Mapping[str, Any]) -> Controller:
    """The controller of ``controller_json``. Raises InputError."""
    values = {name: value for name, value in document.items() if name != "policy"}
    kind = CONTROLLERS.get(str(document.get("policy")))
    known = kind is not None and set(values) <= {field.name for field in fields(kind)}
    if kind is None or not known or not all(type(value) in _NUMBERS for value in values.values()):
        raise InputError(f"controller must be a policy of {', '.join(CONTROLLERS)} with its own fields")
    made: Controller = kind(**values)
    return made
