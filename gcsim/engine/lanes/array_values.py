"""The values of a program of array operations: their names, operations, types and shapes."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Name = int  # of a value: equal operations on equal values have one name


def put(values: Any, places: Any, new: Any) -> Any:
    """A copy of ``values`` with ``new`` at ``places``."""
    changed = values.copy()
    changed[places] = new
    return changed


def all_true(values: Any) -> Any:
    """Whether all elements are true."""
    return np.count_nonzero(values) == values.size


def places_of(values: Any) -> Any:
    """The places of the true elements."""
    return values.nonzero()[0]


def sliced(values: Any, ends: tuple[Any, Any, Any]) -> Any:
    """The elements of a slice."""
    return values[slice(*ends)]


def zeros_of(shaped: Any) -> Any:
    """Zeros of the type and shape of ``shaped``."""
    return np.zeros(shaped.shape, shaped.dtype)


_SAME_SHAPE = (zeros_of, np.where, np.full_like, np.ndarray.astype, np.ndarray.view, np.ndarray.copy)
#: Their results share no memory with their arguments; those of ufuncs do not either.
_FRESH = (
    np.where,
    zeros_of,
    np.full_like,
    np.ndarray.astype,
    np.ndarray.copy,
    put,
    all_true,
    places_of,
    np.count_nonzero,
)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, type or other value that does not change between calls."""

    value: Any

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal constants, with -0.0 and 0.0, 1 and True apart."""
        value = self.value
        return (type(value), repr(value) if isinstance(value, float | np.generic) else value)


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that makes one value; arguments are names of values, constants, or tuples of them."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Constant], ...] = ()
    errors: tuple[tuple[str, str], ...] = ()  # NumPy's error handling where it differs from the caller's

    @property
    def inputs(self) -> Iterator[Name]:
        """The names of the values that the operation takes."""
        return (one for one in self.arguments if isinstance(one, int))


Place = tuple[str | int, ...]  # of an array in a record: names of attributes, and indices


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array of the arguments: where it is found, and whether it is one of those that stay the same."""

    place: Place
    fixed: bool

    @property
    def text(self) -> str:
        """The expression of the array."""
        steps = (f".{step}" if isinstance(step, str) else f"[{step}]" for step in self.place)
        return ("fixed" if self.fixed else "varying") + "".join(steps)

    def of(self, record: Any) -> Any:
        """The array in the arguments that stay the same, or in the others."""
        for step in self.place:
            record = getattr(record, step) if isinstance(step, str) else record[step]
        return record


ONE = "one"  # the shape of an array of one element, which an operation repeats for each element of others


@dataclass(frozen=True, slots=True)
class Form:
    """The type and shape of a value. Equal forms have equal shapes in each call, whatever the number of lanes."""

    dtype: np.dtype[Any]
    shape: Any  # None for a single number, else a name

    @property
    def is_array(self) -> bool:
        """Whether the value is an array of one dimension."""
        return self.shape is not None


class Values:
    """The values of a program by name: leaves of the arguments, and operations."""

    def __init__(self) -> None:
        self.made: list[Leaf | Operation] = []
        self.forms: list[Form] = []
        self.is_fixed: list[bool] = []
        self.viewed: set[Name] = set()  # values whose memory another value may share
        self._names: dict[Any, Name] = {}

    def name_of(self, value: Leaf | Operation, array: np.ndarray[Any, Any]) -> Name:
        """The name of a leaf or operation with this result; an equal one has the same."""
        key: Any = value
        if isinstance(value, Operation):
            inputs = tuple(one.key if isinstance(one, Constant) else one for one in value.arguments)
            key = (value.call, inputs, tuple((k, c.key) for k, c in value.keywords), value.errors)
        if key not in self._names:
            name = self._names[key] = len(self.made)
            self.made.append(value)
            self.forms.append(Form(array.dtype, self._shape(value, name) if array.ndim else None))
            if isinstance(value, Leaf):
                self.is_fixed.append(value.fixed)
            else:
                self.is_fixed.append(all(self.is_fixed[x] for x in value.inputs))
                if value.call not in _FRESH and not isinstance(value.call, np.ufunc):
                    self.viewed.update((name, *value.inputs))
        return self._names[key]

    def _shape(self, value: Leaf | Operation, name: Name) -> Any:
        if isinstance(value, Leaf):
            return "lanes"
        shapes = {self.forms[one].shape for one in value.inputs} - {None}
        if value.call is sliced and value.arguments[1] == Constant((None, 1, None)):
            return ONE
        shapes = shapes - {ONE} or shapes
        if value.call is operator.getitem:
            return self.forms[list(value.inputs)[-1]].shape
        if value.call is put:
            return self.forms[next(iter(value.inputs))].shape
        alike = value.call in _SAME_SHAPE or isinstance(value.call, np.ufunc)
        return shapes.pop() if alike and len(shapes) == 1 else name

    def fixed_value(self, name: Name, fixed: Any, kept: dict[Name, Any]) -> Any:
        """A value that follows from the fixed arguments alone; ``kept`` holds those that are already made."""
        if name not in kept:
            value = self.made[name]
            kept[name] = value.of(fixed) if isinstance(value, Leaf) else self._computed(value, fixed, kept)
        return kept[name]

    def _computed(self, value: Operation, fixed: Any, kept: dict[Name, Any]) -> Any:
        arguments = [
            one.value if isinstance(one, Constant) else self.fixed_value(one, fixed, kept)
            for one in value.arguments
        ]
        with np.errstate(**dict(value.errors)):  # type: ignore[arg-type]
            return value.call(*arguments, **{key: one.value for key, one in value.keywords})
