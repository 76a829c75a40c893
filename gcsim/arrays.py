"""The array types of gcsim, and the types of functions that take numbers or arrays.

Times are float seconds or integer nanoseconds, sizes are bytes; the name of a variable gives its unit.
A function of ``Real`` or ``Integer`` returns a number for numbers and an array for arrays. Where a rule mixes a
number with arrays, its arguments are ``FloatOrArray``, ``IntOrArray`` or ``BoolOrArray``.
"""

import statistics
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Int64Array: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

Real = TypeVar("Real", float, FloatArray)
Integer = TypeVar("Integer", int, Int64Array)

FloatOrArray: TypeAlias = float | FloatArray
IntOrArray: TypeAlias = int | Int64Array
BoolOrArray: TypeAlias = bool | BoolArray
NumberOrArray: TypeAlias = float | NDArray[np.floating[Any]] | NDArray[np.signedinteger[Any]]


def median(values: FloatArray) -> float:
    """The median of one or more numbers. ``numpy.median`` loads NumPy's masked arrays, which takes 20 ms of CPU."""
    return float(statistics.median(values.tolist()))
