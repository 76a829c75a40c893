"""Writes a recorded program as a Python function that calls kernels, with NumPy's calls between them."""

from typing import Any

import numpy as np

from gcsim.engine.lanes.array_text import Node, Writer
from gcsim.engine.lanes.array_values import Name, Values
from gcsim.engine.lanes.kernels.native import TYPES_OF_ARRAYS, compiled
from gcsim.engine.lanes.kernels.plan import Called, Checked, Item, PathPlan
from gcsim.engine.lanes.kernels.text import Stretch, kernel_text


class KernelWriter(Writer):
    """Writes a program with kernels. A kernel that refuses raises UnknownBranchError."""

    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self._kernels = 0
        self._constants["empty"] = np.empty

    def _write(self, node: Node, names: dict[Name, str], free: Any, indent: str) -> None:
        items, end = _straight(node)
        later = set(self._used_after(end))
        plan = PathPlan(self._values, items, wanted=later - set(names), test=end.test)
        sizes: dict[Any, str] = {}
        outcome = None
        for part in plan.parts:
            if isinstance(part, Stretch):
                found = self._write_kernel(part, names, sizes, indent)
                outcome = found or outcome
            elif isinstance(part, Called):
                self._set(part.name, names, [], indent)
            else:
                self._write_check(part, names, indent)
        if end.test is None:
            self._lines.append(f"{indent}return {self._result(end.result, names, indent)}")
            return
        test = outcome or self._variable(end.test, names, indent)
        kept = {name: variable for name, variable in names.items() if name in later}
        for branch in (True, False):
            self._lines.append(f"{indent}if {test}:" if branch else f"{indent}else:")
            self._write((end.branches or {})[branch], dict(kept), free, indent + " ")

    def _used_after(self, end: Node) -> set[Name]:
        """The values that are used after the straight path to a node, apart from its test."""
        if end.test is None:
            return self._used_at_end(end)
        found: set[Name] = set()
        for branch in (end.branches or {}).values():
            self._used_at_end(end)
            found |= self._uses[id(branch)]
        return found

    def _write_check(self, check: Checked, names: dict[Name, str], indent: str) -> None:
        test = self._variable(check.name, names, indent)
        self._lines.append(f"{indent}if {'not ' if check.expected else ''}{test}:")
        self._lines.append(f"{indent} raise UnknownBranchError")

    def _write_kernel(
        self, stretch: Stretch, names: dict[Name, str], sizes: dict[Any, str], indent: str
    ) -> str | None:
        """Writes the call of a kernel; returns an expression of the outcome of the test that it returns."""
        values, number = self._values, self._kernels
        self._kernels += 1
        text = kernel_text(values, stretch)
        self._constants[f"kernel{number}"] = compiled(text)
        self._constants[f"fixed{number}"] = _FixedInputs(values, stretch.fixed)
        given = [self._variable(one, names, indent) for one in stretch.inputs]
        self._lines.append(f"{indent}if (f := kept.get(fixed{number})) is None:")
        self._lines.append(f"{indent} f = kept[fixed{number}] = fixed{number}(fixed, kept)")
        shape = values.forms[stretch.steps[0]].shape
        if shape not in sizes:
            sizes[shape] = self._new_variable()
            self._lines.append(f"{indent}{sizes[shape]} = {given[0]}.size")
        for one in stretch.results:
            names[one] = self._new_variable()
            dtype = values.forms[one].dtype
            kind = "" if dtype == np.float64 else f", {self._dtype(dtype)}"
            self._lines.append(f"{indent}{names[one]} = empty({sizes[shape]}{kind})")
        results = [names[one] for one in stretch.results]
        arrays = "".join(f"{one}, " for one in [*given, *results])
        call = f"kernel{number}(f, ({arrays}), {sizes[shape]})"
        if not stretch.returned:
            self._lines.append(f"{indent}if {call}:")
            self._lines.append(f"{indent} raise UnknownBranchError")
            return None
        outcome = self._new_variable()
        self._lines.append(f"{indent}if ({outcome} := {call}) & 1:")
        self._lines.append(f"{indent} raise UnknownBranchError")
        return outcome

    def _dtype(self, dtype: np.dtype[Any]) -> str:
        name = f"dtype_{dtype.kind}"
        self._constants[name] = dtype
        return name


class _FixedInputs:
    """The tuple of a kernel's types and fixed arrays."""

    def __init__(self, values: Values, names: tuple[Name, ...]) -> None:
        self._values, self._names = values, names

    def __call__(self, fixed: Any, kept: dict[Any, Any]) -> tuple[Any, ...]:
        """The tuple for these fixed arguments; a number is an array of one."""
        found = [np.ascontiguousarray(self._values.fixed_value(one, fixed, kept)) for one in self._names]
        return (*TYPES_OF_ARRAYS, *found)


def _straight(node: Node) -> tuple[list[Item], Node]:
    """(items, node): the path from a node to the next test of which both outcomes are known, or to the result."""
    items: list[Item] = list(node.steps)
    while node.test is not None and len(node.branches or {}) == 1:
        [(outcome, following)] = (node.branches or {}).items()
        items.append((node.test, outcome))
        items.extend(following.steps)
        node = following
    return items, node
