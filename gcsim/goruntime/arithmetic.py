"""Go's integer and float64 arithmetic, written once for scalars and NumPy arrays.

A rule of the runtime is one formula that works on Python ``int``/``float`` and on ``int64``/``float64``
arrays and gives equal results on both. The helpers here pick the form by type and reproduce what Go on
amd64 does where Python differs: two's complement wrap-around and conversions of floats out of range.
"""

import math
from typing import Any, overload

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array, Integer
from gcsim.units import MAX_INT64

# The form of a rule's first argument is the form of its result; others may be arrays where it is one.

MIN_INT64 = -MAX_INT64 - 1
_LARGEST_FLOAT_BELOW_2_63 = float(2**63 - 1024)
_MASK_64 = 2**64 - 1


def where(condition: bool | BoolArray, if_true: Any, if_false: Any) -> Any:
    """``if_true`` where the condition holds, else ``if_false``."""
    if (
        isinstance(condition, np.ndarray)
        or isinstance(if_true, np.ndarray)
        or isinstance(if_false, np.ndarray)
    ):
        return np.where(condition, if_true, if_false)
    return if_true if condition else if_false


def filled_like(form: Integer, value: int) -> Integer:
    """``value`` in the form of ``form``: an int, or an array of its shape."""
    return np.full_like(form, value) if isinstance(form, np.ndarray) else value


def maximum(a: Any, b: Any) -> Any:
    """The larger, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.maximum(a, b)
    return a if a >= b else b


def minimum(a: Any, b: Any) -> Any:
    """The smaller, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.minimum(a, b)
    return a if a <= b else b


@overload
def to_float64(value: int) -> float: ...
@overload
def to_float64(value: Int64Array) -> FloatArray: ...
def to_float64(value: Any) -> Any:
    """Go's ``float64(int64)``: round to nearest, ties to even."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) else float(value)


@overload
def truncate_to_int64(value: float) -> int: ...
@overload
def truncate_to_int64(value: FloatArray) -> Int64Array: ...
def truncate_to_int64(value: Any) -> Any:
    """Go's ``int64(float64)`` on amd64 (CVTTSD2SQ): toward zero; out of range or NaN gives MIN_INT64."""
    if isinstance(value, np.ndarray):
        in_range = (value >= float(MIN_INT64)) & (value <= _LARGEST_FLOAT_BELOW_2_63)
        return np.where(in_range, value, float(MIN_INT64)).astype(np.int64)
    return int(value) if MIN_INT64 <= value <= _LARGEST_FLOAT_BELOW_2_63 else MIN_INT64


@overload
def truncate_to_uint64(value: float) -> int: ...
@overload
def truncate_to_uint64(value: FloatArray) -> Int64Array: ...
def truncate_to_uint64(value: Any) -> Any:
    """Go's ``uint64(float64)`` on amd64, capped at MAX_INT64.

    A value of -1 or less, of 2^63 or more, or NaN gives 2^63 or more in Go (seen on 1.19, 1.21, 1.26 and
    1.27; other architectures differ), which no heap size reaches: the cap stands for all of these.
    """
    if isinstance(value, np.ndarray):
        in_range = (value > -1.0) & (value <= _LARGEST_FLOAT_BELOW_2_63)
        truncated = np.where(in_range, value, 0.0).astype(np.int64)
        return truncated if in_range.all() else np.where(in_range, truncated, MAX_INT64)
    return int(value) if -1.0 < value <= _LARGEST_FLOAT_BELOW_2_63 else MAX_INT64


def wrap_int64(value: Integer) -> Integer:
    """The low 64 bits as a signed number: what a 64-bit register holds. Arrays wrap by themselves."""
    if isinstance(value, np.ndarray):
        return value
    return ((value - MIN_INT64) & _MASK_64) + MIN_INT64


def unsigned_quotient(value: Integer, divisor: int) -> Integer:
    """Go's ``uint64(value) / divisor`` of a product that may have wrapped past 2^63; divisor >= 2."""
    if isinstance(value, np.ndarray):
        return (value.view(np.uint64) // np.uint64(divisor)).view(np.int64)
    return (value & _MASK_64) // divisor


@overload
def divide(numerator: float, denominator: float) -> float: ...
@overload
def divide(numerator: FloatArray, denominator: FloatArray | float) -> FloatArray: ...
def divide(numerator: Any, denominator: Any) -> Any:
    """Go's float64 division: x/0 is an infinity and 0/0 is NaN, without complaint."""
    if isinstance(numerator, np.ndarray) or isinstance(denominator, np.ndarray):
        with np.errstate(divide="ignore", invalid="ignore"):
            return numerator / denominator
    if denominator:
        return numerator / denominator
    if not numerator or math.isnan(numerator):
        return math.nan
    return math.copysign(math.inf, numerator) * math.copysign(1.0, denominator)
