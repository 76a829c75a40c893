"""Normal and beta distributions in arrays, without SciPy, whose import takes longer than many a command.

``tests/unit/test_distributions.py`` compares each function with SciPy's.
"""

import math
from statistics import NormalDist

import numpy as np

from gcsim.arrays import FloatArray

_INVERSE = NormalDist().inv_cdf
_ROOT_HALF = math.sqrt(0.5)
_LARGE = 30.0  # from this a and b on, the closed form is within a 200th of a standard deviation
_STEPS = 60  # of Newton's method, in which a step that leaves the bracket halves it
_LAST_STEP = 1e-9  # relative; the error after it is its square
_TERMS = 40  # of a continued fraction: it has converged by then below _LARGE


def normal_cdf(values: FloatArray) -> FloatArray:
    """The standard normal distribution function, element by element."""
    found = [0.5 * math.erfc(-value * _ROOT_HALF) for value in values.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(values.shape)


def normal_quantile(levels: FloatArray) -> FloatArray:
    """The standard normal quantile at levels between 0 and 1, element by element."""
    found = [_INVERSE(level) for level in levels.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(levels.shape)


def beta_quantile(a: FloatArray, b: FloatArray, levels: FloatArray) -> FloatArray:
    """The quantile of the beta distribution with a, b of 1 or more at levels between 0 and 1; arrays of one shape.

    Exact to 1e-9 of a standard deviation where a or b is below 30. Elsewhere the result is Abramowitz and Stegun's
    formula 26.5.22, within a 200th of a standard deviation.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # the formula is not for a or b near 1
        found = _closed_form(a, b, levels)
    found = np.where(b == 1.0, levels ** (1.0 / a), found)
    exact = ((a < _LARGE) | (b < _LARGE)) & (b != 1.0)
    if exact.any():
        found[exact] = _solved(a[exact], b[exact], levels[exact], found[exact])
    return found


def _closed_form(a: FloatArray, b: FloatArray, levels: FloatArray) -> FloatArray:
    """Abramowitz and Stegun 26.5.22."""
    deviation = -normal_quantile(levels)
    per_a, per_b = 1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0)
    size = 2.0 / (per_a + per_b)
    curve = (deviation * deviation - 3.0) / 6.0
    spread = deviation * np.sqrt(np.maximum(size + curve, 0.0)) / size
    shift = (per_b - per_a) * (curve + 5.0 / 6.0 - 2.0 / (3.0 * size))
    found: FloatArray = a / (a + b * np.exp(2.0 * (spread - shift)))
    return found


def _solved(a: FloatArray, b: FloatArray, levels: FloatArray, start: FloatArray) -> FloatArray:
    """The quantile by Newton's method within a bracket; each element stops by itself."""
    log_beta = _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)
    found = np.clip(np.where(np.isfinite(start), start, 0.5), 1e-9, 1.0 - 1e-9)
    low, high = np.zeros(a.shape), np.ones(a.shape)
    active = np.arange(a.size)
    for _ in range(_STEPS):
        x, first, second, scale = found[active], a[active], b[active], log_beta[active]
        density = np.exp((first - 1.0) * np.log(x) + (second - 1.0) * np.log1p(-x) - scale)
        excess = _beta_cdf(first, second, x, scale) - levels[active]
        low[active] = np.where(excess < 0, x, low[active])
        high[active] = np.where(excess < 0, high[active], x)
        step = x - excess / np.maximum(density, 1e-12)
        inside = (step > low[active]) & (step < high[active])
        found[active] = np.where(inside, step, (low[active] + high[active]) / 2.0)
        moves = np.abs(found[active] - x) > _LAST_STEP * np.minimum(x, 1.0 - x)
        active = active[moves]
        if not active.size:
            break
    return found


def _beta_cdf(a: FloatArray, b: FloatArray, x: FloatArray, log_beta: FloatArray) -> FloatArray:
    """The regularized incomplete beta function, by its continued fraction (Lentz's method)."""
    swap = x > (a + 1.0) / (a + b + 2.0)
    first, second = np.where(swap, b, a), np.where(swap, a, b)
    part = np.where(swap, 1.0 - x, x)
    total = first + second
    c, d = np.ones(x.shape), 1.0 / (1.0 - total * part / (first + 1.0))
    fraction = d
    for m in range(1, _TERMS):
        place = first + 2 * m
        for term in (
            m * (second - m) * part / ((place - 1.0) * place),
            -(first + m) * (total + m) * part / (place * (place + 1.0)),
        ):
            d, c = 1.0 / (1.0 + term * d), 1.0 + term / c
            fraction = fraction * d * c
    head = np.exp(first * np.log(part) + second * np.log1p(-part) - log_beta) / first
    found: FloatArray = np.where(swap, 1.0 - head * fraction, head * fraction)
    return found


def _log_gamma(values: FloatArray) -> FloatArray:
    return np.array([math.lgamma(value) for value in values.ravel().tolist()]).reshape(values.shape)
