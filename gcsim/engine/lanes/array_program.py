"""Replays a pure function of arrays as a flat program of NumPy calls.

The function is the one source. The first call records its array operations (``array_recording``). Later calls of the
same path run a generated Python function that makes these NumPy calls and nothing else: no calls of rules, no records
in between, no operation twice. So their results have the same bytes. Operations on values that stay the same for a
lane are made once. A test of a value, such as ``full.any()``, becomes an ``if``; a call that takes an unknown branch
is recorded too. With the extra ``fast``, ``kernels`` compiles stretches of the program.
"""

from collections.abc import Callable
from time import thread_time
from typing import Any, Generic, TypeVar

from gcsim.engine.lanes.array_recording import CannotRecordError, record
from gcsim.engine.lanes.array_text import Node, UnknownBranchError, Writer, python_function
from gcsim.engine.lanes.array_values import Values
from gcsim.engine.lanes.kernels.policy import KernelPolicy

_MOST_PATHS = 24  # a function with more is no program: each one is recorded, which is slow

_LEAST_CALLS = (
    16  # before the first recording, which takes as long as some twenty calls: short runs need none
)
_RECORDED_EACH = 2  # of the calls with an unknown branch: some branches are taken once

Fixed = TypeVar("Fixed")
Varying = TypeVar("Varying")
Result = TypeVar("Result")
Kept = dict[Any, Any]  # by name: values that follow from the fixed arguments alone


class ArrayProgram(Generic[Fixed, Varying, Result]):
    """A pure function ``(fixed, varying) -> result`` on records of arrays, which is recorded and replayed."""

    def __init__(self, function: Callable[[Fixed, Varying], Result]) -> None:
        self._function = function
        self._values = Values()
        self._root: Node | None = None
        self._replay: Callable[[Fixed, Varying, Kept], Result] | None = None
        self._with_kernels: Callable[[Fixed, Varying, Kept], Result] | None = None  # a faster replay
        self._kernel_calls = 0
        self.policy = KernelPolicy()
        self.paths = 0  # that are recorded
        self._unknown = 0  # calls that took an unknown branch
        self.recordable = True  # False after an operation that cannot be recorded

    def __call__(self, fixed: Fixed, varying: Varying, kept: Kept) -> Result:
        """The function's result. ``kept`` is empty at first, and belongs to ``fixed``."""
        with_kernels = self._with_kernels
        if with_kernels is not None:
            self._kernel_calls += 1
            try:
                return with_kernels(fixed, varying, kept)
            except (UnknownBranchError, FloatingPointError):  # the calls below say what is wrong
                if self.policy.refused(self._kernel_calls):
                    self._with_kernels = None
        began = thread_time()
        result = self._without_kernels(fixed, varying, kept)
        if self._root is not None and self.policy.made_call(thread_time() - began, self._values):
            self._with_kernels, self._kernel_calls = self.policy.program(self._root, self._values), 0
        return result

    def _without_kernels(self, fixed: Fixed, varying: Varying, kept: Kept) -> Result:
        if self._root is not None and self.policy.needs_numpy():
            if self._replay is None:
                text, constants = Writer(self._values).program(self._root)
                self._replay = python_function(text)(constants)
            try:
                return self._replay(fixed, varying, kept)
            except UnknownBranchError:
                pass
        self._unknown += 1
        if not self._records_next():
            return self._function(fixed, varying)
        try:
            result, path = record(self._function, self._values, fixed, varying)
        except CannotRecordError:
            self.recordable = False
            return self._function(fixed, varying)
        self.paths += 1
        self._root = _merged(self._root, path.steps, path.result)
        self._replay = None
        self.policy.path_found()
        return result  # type: ignore[no-any-return]

    def _records_next(self) -> bool:
        """Whether a call with an unknown branch is to be recorded."""
        pays = self._unknown > _LEAST_CALLS and self._unknown % _RECORDED_EACH == 0
        return pays and self.recordable and self.paths < _MOST_PATHS


def _merged(node: Node | None, steps: list[Any], result: Any) -> Node:
    """The tree with one more path."""
    place = next((i for i, step in enumerate(steps) if isinstance(step, tuple)), None)
    if node is None:
        node = Node(steps=list(steps[:place]))
        if place is None:
            node.result = result
    if place is not None:
        node.test, outcome = steps[place]
        node.branches = node.branches or {}
        node.branches[outcome] = _merged(node.branches.get(outcome), steps[place + 1 :], result)
    return node
