"""Several logs' measurements of one thing: a regression whose logs differ by more than their own errors.

Log k measures y_k = design_k . b + between_k + error_k, with its own standard error, and ``between`` normal with an
unknown standard deviation tau: another minute, another neighbour on the machine. Two logs say little about tau, so it
has a prior, half-Cauchy around what repeated runs of one program differ by, and is integrated out.
"""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray

USUAL_SCATTER = 0.03  # of mark cost and speeds, between runs on a quiet machine
_TAUS: FloatArray = np.concatenate([[0.0], np.geomspace(0.0005, 1.0, 60)])
_LEAST_ERROR = 1e-4
_FLAT = 1e6  # standard deviation of a coefficient of which nothing is known, y being of order 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Coefficients of shape (p,) with their standard deviations, and the scatter between logs."""

    coefficients: FloatArray
    sds: FloatArray
    between: float


def pooled(
    y: FloatArray,
    errors: FloatArray,
    design: FloatArray | None = None,
    *,
    prior_means: FloatArray | None = None,
    prior_sds: FloatArray | None = None,
    usual_scatter: float = USUAL_SCATTER,
) -> Pooled:
    """Posterior of the coefficients; arrays (k,), (k,), (k, p), (p,), (p,).

    Without a design the one coefficient is the mean; without priors nothing is known of coefficients. ``y`` and errors
    are of order 1 or below: logarithms, or values over a typical one. ``usual_scatter`` is tau's prior median.
    """
    rows = np.ones((y.size, 1)) if design is None else design
    means = np.zeros(rows.shape[1]) if prior_means is None else prior_means
    sds = np.full(rows.shape[1], _FLAT) if prior_sds is None else prior_sds
    fits = [_given(tau, y, np.maximum(errors, _LEAST_ERROR), rows, means, sds) for tau in _TAUS]
    weights = np.array([fit[0] for fit in fits]) + np.log(_prior_weights(usual_scatter))
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    found = np.stack([fit[1] for fit in fits])
    variances = np.stack([fit[2] for fit in fits])
    centre = weights @ found
    spread = weights @ (variances + (found - centre) ** 2)
    return Pooled(coefficients=centre, sds=np.sqrt(spread), between=float(weights @ _TAUS))


def _given(
    tau: float, y: FloatArray, errors: FloatArray, rows: FloatArray, means: FloatArray, sds: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Log marginal likelihood, means and variances of the coefficients at one tau."""
    variance = errors**2 + tau**2
    precision = (rows.T / variance) @ rows + np.diag(sds**-2.0)
    right = (rows.T / variance) @ y + means / sds**2
    covariance = np.linalg.inv(precision)
    centre = covariance @ right
    residual = y - rows @ centre
    misfit = float((residual**2 / variance).sum() + (((centre - means) / sds) ** 2).sum())
    _, log_determinant = np.linalg.slogdet(precision)
    log_likelihood = -0.5 * (misfit + float(np.log(variance).sum()) + float(log_determinant))
    return log_likelihood, centre, np.diag(covariance)


def _prior_weights(median: float) -> FloatArray:
    """Half-Cauchy mass around each tau of the grid; its scale is its median."""
    edges = np.concatenate([[0.0], np.sqrt(_TAUS[1:-1] * _TAUS[2:]), [math.inf]])
    edges = np.concatenate([edges[:1], [_TAUS[1] / 2.0], edges[1:]])
    cumulated = 2.0 / math.pi * np.arctan(edges / median)
    return np.diff(cumulated)
