"""The 90 % interval of a parameter, as reports and documents show it."""

import math

from gcsim.service.parameters import MAY_BE_NEGATIVE, Parameter

_Z90 = 1.645  # standard deviations on either side
_WIDEST = 100.0  # a factor; beyond it an interval says no more than that it is wide


def interval(name: str, parameter: Parameter) -> tuple[float, float]:
    """Low and high end. ``rel_sd`` is of the logarithm, but for parameters that may be negative."""
    if name in MAY_BE_NEGATIVE:
        reach = _Z90 * parameter.rel_sd * abs(parameter.value)
        return parameter.value - reach, parameter.value + reach
    factor = min(math.exp(_Z90 * parameter.rel_sd), _WIDEST)
    return parameter.value / factor, parameter.value * factor
