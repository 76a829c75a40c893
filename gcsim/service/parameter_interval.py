"""The 90 % interval of a parameter, for reports and documents."""

import math

from gcsim.service.parameters import MAY_BE_NEGATIVE, Parameter

_Z90 = 1.645  # standard normal quantile of 0.95
_WIDEST = 100.0  # largest factor of an interval


def interval(name: str, parameter: Parameter) -> tuple[float, float]:
    """Low and high end: value */ exp(1.645 rel_sd); value +- 1.645 rel_sd |value| for ``MAY_BE_NEGATIVE``."""
    if name in MAY_BE_NEGATIVE:
        reach = _Z90 * parameter.rel_sd * abs(parameter.value)
        return parameter.value - reach, parameter.value + reach
    factor = min(math.exp(_Z90 * parameter.rel_sd), _WIDEST)
    return parameter.value / factor, parameter.value * factor
