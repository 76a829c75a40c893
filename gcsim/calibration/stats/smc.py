"""Posterior draws by sequential Monte Carlo, for a few unknowns and any shape of posterior."""

from collections.abc import Callable

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.streams import stream

_DRAWS = 4096
_MOVES = 6  # Metropolis steps of every draw after each tempering step
_LEAST_STEP = 1e-4
_REACH = 2.38  # times the draws' spread over the square root of the dimension: Roberts, Gelman & Gilks 1997
_JITTER = 1e-9


def posterior_draws(residuals: Callable[[FloatArray], FloatArray], dimensions: int) -> FloatArray:
    """Posterior draws, shape (dimensions, n): standard normal a priori, with standard normal ``residuals``.

    ``residuals`` maps draws of shape (dimensions, n) to standardized residuals of measurements, shape (k, n).
    Sequential Monte Carlo (Del Moral, Doucet & Jasra 2006): the exponent of the likelihood rises from 0 to 1 in steps
    that keep an effective sample size of half the draws; after each step the draws are resampled and moved by
    Metropolis steps. The result is deterministic.
    """
    generator = stream(0, "posterior draws")
    draws = generator.standard_normal((dimensions, _DRAWS))
    squares = _squares(residuals, draws)
    exponent = 0.0
    while exponent < 1.0:
        step = _next_step(squares, 1.0 - exponent)
        exponent += step
        weights = _weights(squares, step)
        positions = (np.arange(_DRAWS) + generator.uniform()) / _DRAWS
        chosen = np.minimum(np.searchsorted(np.cumsum(weights), positions), _DRAWS - 1)
        draws, squares = draws[:, chosen], squares[chosen]
        for _ in range(_MOVES):
            draws, squares = _moved(residuals, draws, squares, exponent, generator)
    return draws


def _squares(residuals: Callable[[FloatArray], FloatArray], draws: FloatArray) -> FloatArray:
    total: FloatArray = (residuals(draws) ** 2).sum(axis=0)
    return total


def _weights(squares: FloatArray, step: float) -> FloatArray:
    weights: FloatArray = np.exp(-0.5 * step * (squares - squares.min()))
    weights /= weights.sum()
    return weights


def _next_step(squares: FloatArray, most: float) -> float:
    """The largest step, at most ``most``, with an effective sample size of half the draws, by bisection."""
    low, high = 0.0, most
    if _effective_sample_size(squares, most) >= _DRAWS / 2:
        return most
    while high - low > _LEAST_STEP * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _effective_sample_size(squares, middle) >= _DRAWS / 2 else (low, middle)
    return high


def _effective_sample_size(squares: FloatArray, step: float) -> float:
    weights = _weights(squares, step)
    return 1.0 / float(weights @ weights)


def _moved(
    residuals: Callable[[FloatArray], FloatArray],
    draws: FloatArray,
    squares: FloatArray,
    exponent: float,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """The draws and their squares after one Metropolis step of every draw."""
    dimensions = draws.shape[0]
    covariance = np.cov(draws) + _JITTER * np.eye(dimensions)
    reach = _REACH / np.sqrt(dimensions) * np.linalg.cholesky(covariance)
    proposed = draws + reach @ generator.standard_normal(draws.shape)
    proposed_squares = _squares(residuals, proposed)
    gain = exponent * (squares - proposed_squares) + (draws**2).sum(axis=0) - (proposed**2).sum(axis=0)
    accepted = np.log(generator.uniform(size=squares.size)) < 0.5 * gain
    return np.where(accepted, proposed, draws), np.where(accepted, proposed_squares, squares)
