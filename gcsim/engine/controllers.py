"""Policies that set GOGC and the memory limit while a program runs.

Both engines call the controller of their plan (``Plan.controller``) when a GC cycle commits. The controller is like a
tuner that calls ``debug.SetGCPercent`` and ``debug.SetMemoryLimit`` at the end of each cycle. The pacer computes the
next goal from its setting, and the memory metrics use the settings that were in force.

A new policy is a frozen dataclass with ``at_commit`` and a row of ``CONTROLLERS``. The module loads no NumPy before a
policy runs, because ``gcsim --help`` imports the plan.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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
    setting: GcSetting  # during the cycle


class Controller(Protocol):
    """A policy without state: its setting depends only on the commit.

    A run with another policy than ``FIXED_SETTING`` is simulated to its end. In the lane engine each cycle beyond the
    first thousand may stand for several (``engine.lanes.stride``); the engine asks the policy once for all of them.
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


FIXED_SETTING = FixedSetting()

#: The policies that a JSON document can name.
CONTROLLERS: dict[str, type[Any]] = {"fixed": FixedSetting, "change at": ChangeAt}
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
