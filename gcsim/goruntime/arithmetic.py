"""Go's integer and float64 arithmetic, for Python numbers and NumPy arrays.

A rule of the runtime is one formula. It works on Python ``int``/``float`` and on ``int64``/``float64`` arrays, with
equal results. The functions here select the form by type. They reproduce Go on amd64 where Python differs: two's
complement wrap-around, and the conversion of floats out of range.
"""

# mypy: disable-error-code="overload-overlap"
# To mypy a bool is an int and an int is a float, so that overloads overlap; the narrowest comes first.

import math
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import (
    BoolArray,
    BoolOrArray,
    FloatArray,
    FloatOrArray,
    Int64Array,
    Integer,
    IntOrArray,
    NumberOrArray,
)
from gcsim.units import MAX_INT64

# The form of a rule's first argument is the form of its result; others may be arrays where it is one.

_AnyInteger = int | NDArray[np.signedinteger[Any]]
_AnyArray = NDArray[np.floating[Any]] | NDArray[np.signedinteger[Any]]
_Value = BoolOrArray | NumberOrArray

MIN_INT64 = -MAX_INT64 - 1
_LARGEST_FLOAT_BELOW_2_63 = float(2**63 - 1024)
_ABOVE_MINUS_1 = math.nextafter(-1.0, 0.0)
_MASK_64 = 2**64 - 1


@overload
def where(condition: bool, if_true: bool, if_false: bool) -> bool: ...
@overload
def where(condition: bool, if_true: int, if_false: int) -> int: ...
@overload
def where(condition: bool, if_true: float, if_false: float) -> float: ...
@overload
def where(condition: BoolArray, if_true: bool | BoolArray, if_false: bool | BoolArray) -> BoolArray: ...
@overload
def where(condition: BoolArray, if_true: IntOrArray, if_false: IntOrArray) -> Int64Array: ...
@overload
def where(condition: BoolArray, if_true: FloatOrArray, if_false: FloatOrArray) -> FloatArray: ...
@overload
def where(condition: BoolOrArray, if_true: Int64Array, if_false: IntOrArray) -> Int64Array: ...
@overload
def where(condition: BoolOrArray, if_true: FloatArray, if_false: FloatOrArray) -> FloatArray: ...
@overload
def where(condition: BoolOrArray, if_true: BoolOrArray, if_false: BoolOrArray) -> BoolOrArray: ...
@overload
def where(condition: BoolOrArray, if_true: IntOrArray, if_false: IntOrArray) -> IntOrArray: ...
@overload
def where(condition: BoolOrArray, if_true: FloatOrArray, if_false: FloatOrArray) -> FloatOrArray: ...
@overload
def where(condition: BoolOrArray, if_true: NumberOrArray, if_false: NumberOrArray) -> NumberOrArray: ...
def where(condition: BoolOrArray, if_true: _Value, if_false: _Value) -> _Value:
    """``if_true`` where the condition is true, else ``if_false``; element by element for arrays."""
    if (
        isinstance(condition, np.ndarray)
        or isinstance(if_true, np.ndarray)
        or isinstance(if_false, np.ndarray)
    ):
        return np.where(condition, if_true, if_false)
    return if_true if condition else if_false


def filled_like(form: Integer, value: int) -> Integer:
    """``value`` in the form of ``form``: an int, or an array of the same shape."""
    return np.full_like(form, value) if isinstance(form, np.ndarray) else value


@overload
def maximum(a: int, b: int) -> int: ...
@overload
def maximum(a: float, b: float) -> float: ...
@overload
def maximum(a: Int64Array, b: IntOrArray) -> Int64Array: ...
@overload
def maximum(a: FloatArray, b: FloatOrArray) -> FloatArray: ...
@overload
def maximum(a: int, b: Int64Array) -> Int64Array: ...
@overload
def maximum(a: float, b: FloatArray) -> FloatArray: ...
@overload
def maximum(a: IntOrArray, b: IntOrArray) -> IntOrArray: ...
@overload
def maximum(a: FloatOrArray, b: FloatOrArray) -> FloatOrArray: ...
@overload
def maximum(a: NumberOrArray, b: NumberOrArray) -> NumberOrArray: ...
def maximum(a: _Value, b: _Value) -> _Value:
    """The larger of two numbers, element by element for arrays."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.maximum(a, b)
    return a if a >= b else b


@overload
def minimum(a: int, b: int) -> int: ...
@overload
def minimum(a: float, b: float) -> float: ...
@overload
def minimum(a: Int64Array, b: IntOrArray) -> Int64Array: ...
@overload
def minimum(a: FloatArray, b: FloatOrArray) -> FloatArray: ...
@overload
def minimum(a: int, b: Int64Array) -> Int64Array: ...
@overload
def minimum(a: float, b: FloatArray) -> FloatArray: ...
@overload
def minimum(a: IntOrArray, b: IntOrArray) -> IntOrArray: ...
@overload
def minimum(a: FloatOrArray, b: FloatOrArray) -> FloatOrArray: ...
@overload
def minimum(a: NumberOrArray, b: NumberOrArray) -> NumberOrArray: ...
def minimum(a: _Value, b: _Value) -> _Value:
    """The smaller of two numbers, element by element for arrays."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.minimum(a, b)
    return a if a <= b else b


@overload
def to_float64(value: float) -> float: ...
@overload
def to_float64(value: Int64Array | FloatArray) -> FloatArray: ...
@overload
def to_float64(value: NumberOrArray) -> FloatOrArray: ...
def to_float64(value: NumberOrArray) -> FloatOrArray:
    """Go's ``float64(int64)``: rounds to nearest, ties to even."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) else float(value)


@overload
def truncate_to_int64(value: float) -> int: ...
@overload
def truncate_to_int64(value: FloatArray) -> Int64Array: ...
@overload
def truncate_to_int64(value: NumberOrArray) -> IntOrArray: ...
def truncate_to_int64(value: NumberOrArray) -> IntOrArray:
    """Go's ``int64(float64)`` on amd64 (CVTTSD2SQ): truncates; MIN_INT64 for a value out of range or NaN."""
    if isinstance(value, np.ndarray):
        if _is_within(value, float(MIN_INT64)):
            return value.astype(np.int64)
        in_range = (value >= float(MIN_INT64)) & (value <= _LARGEST_FLOAT_BELOW_2_63)
        return np.where(in_range, value, float(MIN_INT64)).astype(np.int64)
    return int(value) if MIN_INT64 <= value <= _LARGEST_FLOAT_BELOW_2_63 else MIN_INT64


@overload
def truncate_to_uint64(value: float) -> int: ...
@overload
def truncate_to_uint64(value: FloatArray) -> Int64Array: ...
@overload
def truncate_to_uint64(value: NumberOrArray) -> IntOrArray: ...
def truncate_to_uint64(value: NumberOrArray) -> IntOrArray:
    """Go's ``uint64(float64)`` on amd64, at most MAX_INT64.

    For a value of -1 or less, of 2^63 or more, or NaN, Go gives 2^63 or more (measured on 1.19, 1.21, 1.26 and 1.27;
    other architectures differ). No heap size reaches that, and this function returns MAX_INT64 for all of them.
    """
    if isinstance(value, np.ndarray):
        if _is_within(value, _ABOVE_MINUS_1):
            return value.astype(np.int64)
        in_range = (value > -1.0) & (value <= _LARGEST_FLOAT_BELOW_2_63)
        return np.where(in_range, np.where(in_range, value, 0.0).astype(np.int64), MAX_INT64)
    return int(value) if -1.0 < value <= _LARGEST_FLOAT_BELOW_2_63 else MAX_INT64


def _is_within(value: _AnyArray, least: float) -> bool:
    """Whether every element is at least ``least`` and below 2^63; False with a NaN."""
    return bool(((value >= least) & (value <= _LARGEST_FLOAT_BELOW_2_63)).all())


@overload
def wrap_int64(value: int) -> int: ...
@overload
def wrap_int64(value: Int64Array) -> Int64Array: ...
@overload
def wrap_int64(value: _AnyInteger) -> _AnyInteger: ...
def wrap_int64(value: _AnyInteger) -> _AnyInteger:
    """The low 64 bits of ``value`` as a signed number, as in a 64-bit register. Arrays wrap by themselves."""
    if isinstance(value, np.ndarray):
        return value
    return ((value - MIN_INT64) & _MASK_64) + MIN_INT64


def unsigned_quotient(value: Integer, divisor: int) -> Integer:
    """Go's ``uint64(value) / divisor`` for a product that may have wrapped past 2^63; ``divisor`` is 2 or more."""
    if isinstance(value, np.ndarray):
        return (value.view(np.uint64) // np.uint64(divisor)).view(np.int64)
    return (value & _MASK_64) // divisor


@overload
def divide(numerator: float, denominator: float) -> float: ...
@overload
def divide(numerator: FloatArray, denominator: FloatArray | float) -> FloatArray: ...
@overload
def divide(numerator: FloatOrArray, denominator: FloatOrArray) -> FloatOrArray: ...
def divide(numerator: FloatOrArray, denominator: FloatOrArray) -> FloatOrArray:
    """Go's float64 division: x/0 is an infinity and 0/0 is NaN, without an error or warning."""
    if isinstance(numerator, np.ndarray) or isinstance(denominator, np.ndarray):
        with np.errstate(divide="ignore", invalid="ignore"):
            return numerator / denominator
    if denominator:
        return numerator / denominator
    if not numerator or math.isnan(numerator):
        return math.nan
    return math.copysign(math.inf, numerator) * math.copysign(1.0, denominator)
