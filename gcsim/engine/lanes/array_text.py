"""Writes a recorded program as a flat Python function of NumPy calls."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gcsim.engine.lanes.array_recording import Made
from gcsim.engine.lanes.array_values import Constant, Form, Leaf, Name, Operation, Values

# NumPy reads a keyword more slowly than a third argument, which it deprecates for these
_NEED_KEYWORD = (np.maximum, np.minimum)


@dataclass(slots=True)
class Node:
    """A stretch of a program without tests, and the test at its end or the result."""

    steps: list[Name]
    test: Name | None = None
    branches: dict[bool, "Node"] | None = None
    result: Any = None


class UnknownBranchError(Exception):
    """A test had an outcome that is not recorded."""


@lru_cache(maxsize=256)
def python_function(text: str) -> Callable[[dict[str, Any]], Callable[..., Any]]:
    code = compile(text, "<array program>", "exec")

    def with_constants(constants: dict[str, Any]) -> Callable[..., Any]:
        names = dict(constants)
        exec(code, names)
        found: Callable[..., Any] = names["program"]
        return found

    return with_constants


_Free = list[tuple[str, Form | None]]  # variables, with the form of an array that may be overwritten


class Writer:
    """Writes a program as Python text. Arrays that are no longer used take the results of later operations."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._lines: list[str] = []
        self._constants: dict[str, Any] = {
            "UnknownBranchError": UnknownBranchError,
            "errstate": np.errstate,
            "fixed_value": values.fixed_value,
        }
        self._constant_names: dict[Any, str] = {}
        self._made = 0
        self._uses: dict[int, set[Name]] = {}  # of a node with its branches

    def program(self, root: Node) -> tuple[str, dict[str, Any]]:
        """(text that defines ``program``, its global names)."""
        self._lines = ["def program(fixed, varying, kept):"]
        self._write(root, {}, [], "    ")
        return "\n".join(self._lines), self._constants

    def _write(self, node: Node, names: dict[Name, str], free: _Free, indent: str) -> None:
        """Writes a node; ``names`` are the variables that hold values, ``free`` those whose value is not used again."""
        for step, later in zip(node.steps, self._needed(node), strict=True):
            if step in later and step not in names and not self._values.is_fixed[step]:
                self._set(step, names, free, indent)
            for one in [x for x in names if x not in later]:
                free.append((names.pop(one), self._reusable(one)))
        if node.test is None:
            self._lines.append(f"{indent}return {self._result(node.result, names, indent)}")
            return
        test = self._variable(node.test, names, indent)
        branches = node.branches or {}
        for outcome in (True, False):
            self._lines.append(f"{indent}if {test}:" if outcome else f"{indent}else:")
            if outcome in branches:
                self._write(branches[outcome], dict(names), list(free), indent + " ")
            else:
                self._lines.append(f"{indent} raise UnknownBranchError")

    def _reusable(self, name: Name) -> Form | None:
        """The form of a value whose memory is its own; None if it may be used elsewhere."""
        values = self._values
        shared = isinstance(values.made[name], Leaf) or values.is_fixed[name] or name in values.viewed
        return values.forms[name] if values.forms[name].is_array and not shared else None

    def _needed(self, node: Node) -> list[set[Name]]:
        """The values that are used after each step of a node."""
        after = set(self._used_at_end(node))
        found = []
        for step in reversed(node.steps):
            found.append(set(after))
            if step in after:  # an operation whose value is not used is left out
                after |= self._used_by(step)
        return found[::-1]

    def _used_at_end(self, node: Node) -> set[Name]:
        if node.test is None:
            return set(_made_in(node.result))
        found = {node.test}
        for branch in (node.branches or {}).values():
            if id(branch) not in self._uses:
                uses = set(self._used_at_end(branch))
                for step in reversed(branch.steps):
                    uses |= self._used_by(step) if step in uses else set()
                self._uses[id(branch)] = uses
            found |= self._uses[id(branch)]
        return found

    def _used_by(self, name: Name) -> set[Name]:
        """The values that a step takes; a value of fixed arguments alone is made where it is used."""
        value = self._values.made[name]
        return set() if isinstance(value, Leaf) or self._values.is_fixed[name] else set(value.inputs)

    def _set(self, name: Name, names: dict[Name, str], free: _Free, indent: str) -> None:
        """Writes the lines that make a value."""
        value, form = self._values.made[name], self._values.forms[name]
        assert isinstance(value, Operation)
        text = self._call(value, names, indent)
        place = next((i for i in reversed(range(len(free))) if free[i][1] == form), None)
        if isinstance(value.call, np.ufunc) and place is not None:
            names[name] = free.pop(place)[0]
            word = "out=" if value.call in _NEED_KEYWORD or value.keywords else ""
            self._lines.append(f"{indent}{_under(value)}{text[:-1]}, {word}{names[name]})")
            return
        place = next((i for i in reversed(range(len(free))) if free[i][1] is None), None)
        names[name] = self._new_variable() if place is None else free.pop(place)[0]
        self._lines.append(f"{indent}{_under(value)}{names[name]} = {text}")

    def _call(self, value: Operation, names: dict[Name, str], indent: str) -> str:
        parts = [
            self._variable(one, names, indent) if isinstance(one, int) else self._constant(one)
            for one in value.arguments
        ]
        parts += [f"{key}={self._constant(one)}" for key, one in value.keywords]
        return f"{self._constant(Constant(value.call))}({', '.join(parts)})"

    def _variable(self, name: Name, names: dict[Name, str], indent: str) -> str:
        """The variable that holds a value; writes lines that read or make it if it has none."""
        if name in names:
            return names[name]
        variable, value = self._new_variable(), self._values.made[name]
        if isinstance(value, Leaf):
            self._lines.append(f"{indent}{variable} = {value.text}")
        else:
            self._lines.append(f"{indent}if ({variable} := kept.get({name})) is None:")
            self._lines.append(f"{indent} {variable} = fixed_value({name}, fixed, kept)")
        names[name] = variable
        return variable

    def _new_variable(self) -> str:
        self._made += 1
        return f"v{self._made}"

    def _constant(self, constant: Constant) -> str:
        value = constant.value
        if value is None or type(value) in (bool, tuple):
            return repr(value)
        if constant.key not in self._constant_names:
            text = f"c{len(self._constant_names)}"
            self._constant_names[constant.key] = text
            # NumPy converts a Python number at each use
            self._constants[text] = _as_array(value)
        return self._constant_names[constant.key]

    def _result(self, record: Any, names: dict[Name, str], indent: str) -> str:
        """An expression that makes the record of the result."""
        if isinstance(record, Made):
            return self._variable(record.name, names, indent)
        if isinstance(record, tuple):
            parts = [self._result(one, names, indent) for one in record]
            if hasattr(record, "_fields"):
                return f"{self._constant(Constant(type(record)))}({', '.join(parts)})"
            return f"({''.join(part + ',' for part in parts)})"
        if is_dataclass(record) and not isinstance(record, type):
            made = [
                f"{f.name}={self._result(getattr(record, f.name), names, indent)}" for f in fields(record)
            ]
            return f"{self._constant(Constant(type(record)))}({', '.join(made)})"
        return self._constant(Constant(record))


def _as_array(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.float64 | np.int64) else value


def _under(value: Operation) -> str:
    """The context of an operation whose errors NumPy handles in another way than the caller's."""
    if not value.errors:
        return ""
    return f"with errstate({', '.join(f'{key}={how!r}' for key, how in value.errors)}): "


def _made_in(record: Any) -> list[Name]:
    """The names of the arrays of a result."""
    if isinstance(record, Made):
        return [record.name]
    if isinstance(record, tuple):
        return [name for one in record for name in _made_in(one)]
    if is_dataclass(record) and not isinstance(record, type):
        return [name for f in fields(record) for name in _made_in(getattr(record, f.name))]
    return []
