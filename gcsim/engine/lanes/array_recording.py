"""Records the array operations of a pure function while it runs.

``record`` calls the function with arrays of the class ``Recorded``. Each operation on one is computed as usual and is
added to a ``Path``: the straight line of operations that this call took, with the outcome of each test of a value.
``array_program`` replays paths.

A recorded function takes and returns records (dataclasses and tuples) of arrays of shape (lanes,). It must compute its
results from these arrays, NumPy functions and numbers alone. An operation outside this raises ``CannotRecordError``: a
new array of another source, or a number made from an array.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Self

import numpy as np

from gcsim.engine.lanes.array_values import (
    Constant,
    Leaf,
    Name,
    Operation,
    Place,
    Values,
    all_true,
    places_of,
    put,
    sliced,
    zeros_of,
)


class CannotRecordError(Exception):
    """The function does something that is not recorded."""


@dataclass(frozen=True, slots=True)
class Made:
    """An array of the result."""

    name: Name


@dataclass(slots=True)
class Path:
    """The operations of one call, in order, and its result."""

    steps: list[Name | tuple[Name, bool]] = field(
        default_factory=list
    )  # a new value, or a test and its outcome
    result: Any = None  # the record of the result, with the names of values in place of arrays


_FASTER: dict[Any, Callable[..., Any]] = {np.flatnonzero: places_of, np.zeros_like: zeros_of}  # same results


class Recording:
    """One call of a function that is being recorded."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.path = Path()
        self._known: set[Name] = set()
        self._errors = _error_handling()

    def leaf(self, array: np.ndarray[Any, Any], place: Place, *, fixed: bool) -> "Recorded":
        """An array of the arguments."""
        return Recorded.named(array, self, self.values.name_of(Leaf(place, fixed), array))

    def add(
        self, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any], result: Any
    ) -> "Recorded":
        """The result of an operation, which is recorded."""
        result = np.asarray(result)
        kinds = set()
        if isinstance(call, np.ufunc) or call is np.where:
            kinds = {one.dtype.kind for one in arguments if isinstance(one, np.ndarray)} - {"b"}
        found = Operation(
            call,
            tuple(self._argument(one, kinds) for one in arguments),
            tuple((key, _constant(value)) for key, value in sorted(keywords.items())),
            tuple(sorted(set(_error_handling()) - set(self._errors))),
        )
        name = self.values.name_of(found, result)
        if name not in self._known:
            self._known.add(name)
            self.path.steps.append(name)
        return Recorded.named(result, self, name)

    def test(self, name: Name, outcome: bool) -> bool:
        """The outcome of a test, which is recorded."""
        self.path.steps.append((name, outcome))
        return outcome

    def _argument(self, value: Any, kinds: set[str]) -> Name | Constant:
        """A value or constant; a number has the type to which NumPy converts it for arrays of these ``kinds``."""
        if isinstance(value, Recorded):
            return value.value_name(self)
        if type(value) is int and kinds == {"i"}:
            return Constant(np.int64(value))
        if type(value) in (int, float) and kinds == {"f"}:
            return Constant(np.float64(value))
        return _constant(value)


def _constant(value: Any) -> Constant:
    if isinstance(value, np.ndarray | list | dict):
        raise CannotRecordError("an array that does not follow from the arguments")
    return Constant(value)


class Recorded(np.ndarray[Any, Any]):
    """An array whose operations are recorded."""

    _recording: Recording | None
    _name: Name

    @classmethod
    def named(cls, array: np.ndarray[Any, Any], recording: Recording, name: Name) -> Self:
        """The array as a value of a recording."""
        made = array.view(cls)
        made._recording, made._name = recording, name
        return made

    def __array_finalize__(self, _: Any) -> None:
        self._recording, self._name = None, -1  # a view that no operation below made

    def value_name(self, recording: Recording) -> Name:
        """The name of the value in a recording."""
        if self._recording is not recording:
            raise CannotRecordError("an array of an operation that is not recorded")
        return self._name

    def _record(self, call: Callable[..., Any], *arguments: Any, **keywords: Any) -> "Recorded":
        if self._recording is None:
            raise CannotRecordError("an array of an operation that is not recorded")
        plain = tuple(plain_of(one) for one in arguments)
        return self._recording.add(call, arguments, keywords, call(*plain, **keywords))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        if "out" in keywords or ufunc.nout != 1:
            raise CannotRecordError(f"{ufunc.__name__} with several results, or with out=")
        owner = next(one for one in inputs if isinstance(one, Recorded))
        return owner._record(ufunc if method == "__call__" else getattr(ufunc, method), *inputs, **keywords)

    def __array_function__(self, function: Any, _: Any, arguments: Any, keywords: Any) -> Any:
        owner = next(one for one in arguments if isinstance(one, Recorded))
        return owner._record(_FASTER.get(function, function), *arguments, **keywords)

    def any(self) -> Any:  # type: ignore[override]
        """Whether an element is true, or not 0."""
        return self._record(np.count_nonzero, self)

    def all(self) -> Any:  # type: ignore[override]
        """Whether all elements are true, or not 0."""
        return self._record(all_true, self)

    def __bool__(self) -> bool:
        if self._recording is None or self.ndim:
            raise CannotRecordError("a test of an array")
        return self._recording.test(self._name, bool(plain_of(self)))

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            place = Constant(place)
            return self._record(sliced, self, (place.value.start, place.value.stop, place.value.step))
        return self._record(operator.getitem, self, place)

    def __setitem__(self, places: Any, new: Any) -> None:
        changed = self._record(put, self, places, new)
        np.ndarray.__setitem__(plain_of(self), plain_of(places), plain_of(new))
        self._name = changed._name

    def astype(self, dtype: Any) -> Any:  # type: ignore[override]
        """The values in another type."""
        return self._record(np.ndarray.astype, self, dtype)

    def view(self, dtype: Any = None) -> Any:  # type: ignore[override]
        """The bits as another type."""
        if isinstance(dtype, type) and issubclass(dtype, np.ndarray):
            return np.ndarray.view(self, dtype)
        return self._record(np.ndarray.view, self, dtype)

    def copy(self) -> Any:  # type: ignore[override]
        """The values, which the caller may change."""
        return self._record(np.ndarray.copy, self)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise CannotRecordError("a number that is made from an array")

    __float__ = __int__ = __index__ = __iter__ = __len__ = __contains__ = _refuse
    item = tolist = tobytes = __array__ = _refuse


def plain_of(value: Any) -> Any:
    """The value without recording."""
    return np.ndarray.view(value, np.ndarray) if isinstance(value, Recorded) else value


def mapped(record: Any, change: Callable[[Any, Place], Any], place: Place = ()) -> Any:
    """The record with each array changed; ``change`` also receives the place of the array in the record."""
    if isinstance(record, np.ndarray):
        return change(record, place)
    if isinstance(record, tuple):
        parts = [mapped(one, change, (*place, i)) for i, one in enumerate(record)]
        return type(record)(*parts) if hasattr(record, "_fields") else tuple(parts)
    if is_dataclass(record) and not isinstance(record, type):
        names = [f.name for f in fields(record)]
        return type(record)(**{name: mapped(getattr(record, name), change, (*place, name)) for name in names})
    return record


def record(function: Callable[[Any, Any], Any], values: Values, fixed: Any, varying: Any) -> tuple[Any, Path]:
    """(the result of ``function(fixed, varying)``, its path). Raises CannotRecordError."""
    recording = Recording(values)
    made = function(
        mapped(fixed, lambda array, place: recording.leaf(array, place, fixed=True)),
        mapped(varying, lambda array, place: recording.leaf(array, place, fixed=False)),
    )
    path = recording.path
    path.result = mapped(made, lambda array, _: Made(_named(array, recording)))
    return mapped(made, lambda array, _: plain_of(array)), path


def _named(array: Any, recording: Recording) -> Name:
    if not isinstance(array, Recorded):
        raise CannotRecordError("a result that does not follow from the arguments")
    return array.value_name(recording)


def _error_handling() -> list[tuple[str, str]]:
    return [(kind, str(how)) for kind, how in np.geterr().items()]
