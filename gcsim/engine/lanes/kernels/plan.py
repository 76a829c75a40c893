"""Divides a straight path of operations into kernels and the NumPy calls between them.

A kernel takes operations on arrays of one shape. Other calls, such as powers and logarithms, remain NumPy's, because
other implementations differ in the last bit. Each value has a stage: that of its inputs, or the next one after a NumPy
call or an operation on another shape. Kernels of a stage run first, then its NumPy calls.

All tests of a path have the outcome that the path took, or the kernel refuses. A NumPy call has at least the stage of
every test before it, so that it runs only if they have this outcome.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gcsim.engine.lanes.array_values import Leaf, Name, Operation, Values, all_true
from gcsim.engine.lanes.kernels.instructions import is_compiled
from gcsim.engine.lanes.kernels.text import Stretch, Test

Item = Name | tuple[Name, bool]  # a value, or a test with its outcome


@dataclass(frozen=True, slots=True)
class Called:
    """An operation that NumPy computes."""

    name: Name


@dataclass(frozen=True, slots=True)
class Checked:
    """A test of a number, with the outcome that it must have."""

    name: Name
    expected: bool


Part = Stretch | Called | Checked


@dataclass(slots=True)
class _Draft:
    """A kernel that is not finished."""

    steps: list[Name] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)


class PathPlan:
    """The parts of a path, in the order in which they run."""

    def __init__(
        self,
        values: Values,
        items: Sequence[Item],
        *,
        wanted: set[Name],  # values that are used after the path
        test: Name | None,  # a test at the end of the path, whose outcome is not known
    ) -> None:
        self._values, self._test = values, test
        self._wanted = wanted
        self._steps = {item for item in items if not isinstance(item, tuple)}
        self._needed = self._needed_of(items)
        self._stages: dict[Name, int] = {}
        self._compiled: set[Name] = set()
        self._drafts: dict[tuple[int, Any], _Draft] = {}
        self._calls: dict[int, list[Called | Checked]] = {}
        self.returned: Name | None = None  # the array whose kernel returns the outcome of the last test
        least = 0  # the stage of all tests before
        for item in items:
            if isinstance(item, tuple):
                least = max(least, self._take_test(*item, least))
            elif item in self._needed:
                self._take(item, least)
        if test is not None:
            self._take_test(test, None, least)
        self.parts = list(self._parts())

    def _needed_of(self, items: Sequence[Item]) -> set[Name]:
        """The values that other values or the rest of the program need, without tests that kernels make."""
        found = set(self._wanted)
        tests = [item[0] for item in items if isinstance(item, tuple)] + (
            [] if self._test is None else [self._test]
        )
        used = set(found)
        for step in self._steps:
            used.update(self._inputs(step))
        for name in tests:
            array = self._tested_array(name)
            found.add(name if array is None or name in used else array)
        for item in reversed(items):
            if not isinstance(item, tuple) and item in found:
                found.update(self._inputs(item))
        return found

    def _inputs(self, name: Name) -> tuple[Name, ...]:
        value = self._values.made[name]
        return () if isinstance(value, Leaf) or self._values.is_fixed[name] else tuple(value.inputs)

    def _tested_array(self, name: Name) -> Name | None:
        """The array that a test looks at, if a kernel can test it."""
        value = self._values.made[name]
        if isinstance(value, Leaf) or self._values.is_fixed[name]:
            return None
        if value.call not in (np.count_nonzero, all_true) or len(value.arguments) != 1:
            return None
        array = next(iter(value.inputs))
        is_bool = self._values.forms[array].dtype == np.bool_
        return array if is_bool and array in self._steps and is_compiled(self._values, array) else None

    def _take(self, name: Name, least: int) -> None:
        if self._values.is_fixed[name] or isinstance(self._values.made[name], Leaf):
            return
        form = self._values.forms[name]
        compiled = is_compiled(self._values, name)
        stage = 0 if compiled else least
        for one in self._inputs(name):
            if one in self._stages:
                same = one in self._compiled and (not compiled or self._values.forms[one].shape == form.shape)
                late = compiled and not same
                stage = max(stage, self._stages[one] + late)
        self._stages[name] = stage
        if compiled:
            self._compiled.add(name)
            self._drafts.setdefault((stage, form.shape), _Draft()).steps.append(name)
        else:
            self._calls.setdefault(stage, []).append(Called(name))

    def _take_test(self, name: Name, outcome: bool | None, least: int) -> int:
        """Adds a test; returns its stage."""
        array = self._tested_array(name)
        if array is not None and array in self._compiled and name not in self._needed:
            stage = self._stages[array]
            is_all = self._values.made[name].call is all_true  # type: ignore[union-attr]
            self._drafts[stage, self._values.forms[array].shape].tests.append(Test(array, is_all, outcome))
            if outcome is None:
                self.returned = array
            return stage
        if name in self._needed or outcome is None or self._values.is_fixed[name]:
            stage = max(self._stages.get(name, 0), least)
            if outcome is not None:
                self._calls.setdefault(stage, []).append(Checked(name, outcome))
            return stage
        raise AssertionError("a test of a value that is not made")

    def _parts(self) -> Iterator[Part]:
        stages = {stage for stage, _ in self._drafts} | set(self._calls)
        used_by_calls = {
            one
            for calls in self._calls.values()
            for call in calls
            for one in ((call.name,) if isinstance(call, Checked) else self._inputs(call.name))
        }
        for stage in sorted(stages):
            for (of, shape), draft in self._drafts.items():
                if of == stage:
                    yield self._stretch(draft, stage, shape, self._wanted | used_by_calls)
            yield from self._calls.get(stage, ())

    def _stretch(self, draft: _Draft, stage: int, shape: Any, used: set[Name]) -> Stretch:
        own = set(draft.steps)
        for place, other in self._drafts.items():
            if place != (stage, shape):
                used = used.union(*(self._inputs(step) for step in other.steps))
        taken = dict.fromkeys(one for step in draft.steps for one in self._operands(step) if one not in own)
        return Stretch(
            steps=tuple(draft.steps),
            tests=tuple(draft.tests),
            fixed=tuple(one for one in taken if self._values.is_fixed[one]),
            inputs=tuple(one for one in taken if not self._values.is_fixed[one]),
            results=tuple(step for step in draft.steps if step in used),
        )

    def _operands(self, name: Name) -> Iterator[Name]:
        value = self._values.made[name]
        assert isinstance(value, Operation)
        return value.inputs
