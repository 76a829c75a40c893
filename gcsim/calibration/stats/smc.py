"""Draws from a posterior of a few unknowns whose shape is not known beforehand: narrow, broad or bent."""

from collections.abc import Callable

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.streams import stream

_DRAWS = 4096
_MOVES = 6  # of every draw, after each step
_LEAST_STEP = 1e-4
_REACH = 2.38  # times the draws' spread over the root of the dimension: Roberts, Gelman & Gilks 1997
_JITTER = 1e-9


def posterior_draws(misses: Callable[[FloatArray], FloatArray], dimensions: int) -> FloatArray:
    """Draws of standard normals, shape (dimensions, n), given that ``misses`` of them are standard normal too.

    ``misses`` takes draws of shape (dimensions, n) and gives standardised errors of measurements, shape (k, n).
    Sequential Monte Carlo (Del Moral, Doucet & Jasra 2006): the measurements are let in step by step, each step so
    far that half of the draws still count; then draws are resampled and moved by Metropolis steps. The same draws
    for the same measurements.
    """
    generator = stream(0, "posterior draws")
    draws = generator.standard_normal((dimensions, _DRAWS))
    squares = _squares(misses, draws)
    let_in = 0.0
    while let_in < 1.0:
        step = _next_step(squares, 1.0 - let_in)
        let_in += step
        weights = _weights(squares, step)
        places = (np.arange(_DRAWS) + generator.uniform()) / _DRAWS
        kept = np.minimum(np.searchsorted(np.cumsum(weights), places), _DRAWS - 1)
        draws, squares = draws[:, kept], squares[kept]
        for _ in range(_MOVES):
            draws, squares = _moved(misses, draws, squares, let_in, generator)
    return draws


def _squares(misses: Callable[[FloatArray], FloatArray], draws: FloatArray) -> FloatArray:
    total: FloatArray = (misses(draws) ** 2).sum(axis=0)
    return total


def _weights(squares: FloatArray, step: float) -> FloatArray:
    weights: FloatArray = np.exp(-0.5 * step * (squares - squares.min()))
    weights /= weights.sum()
    return weights


def _next_step(squares: FloatArray, most: float) -> float:
    """As far as half of the draws still count, by halving the interval."""
    low, high = 0.0, most
    if _counting(squares, most) >= _DRAWS / 2:
        return most
    while high - low > _LEAST_STEP * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _counting(squares, middle) >= _DRAWS / 2 else (low, middle)
    return high


def _counting(squares: FloatArray, step: float) -> float:
    weights = _weights(squares, step)
    return 1.0 / float(weights @ weights)


def _moved(
    misses: Callable[[FloatArray], FloatArray],
    draws: FloatArray,
    squares: FloatArray,
    let_in: float,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """One Metropolis step of every draw."""
    dimensions = draws.shape[0]
    covariance = np.cov(draws) + _JITTER * np.eye(dimensions)
    reach = _REACH / np.sqrt(dimensions) * np.linalg.cholesky(covariance)
    tried = draws + reach @ generator.standard_normal(draws.shape)
    tried_squares = _squares(misses, tried)
    gain = let_in * (squares - tried_squares) + (draws**2).sum(axis=0) - (tried**2).sum(axis=0)
    accepted = np.log(generator.uniform(size=squares.size)) < 0.5 * gain
    return np.where(accepted, tried, draws), np.where(accepted, tried_squares, squares)
