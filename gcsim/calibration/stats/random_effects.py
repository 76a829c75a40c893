"""Random-effects regression: measurements of several logs that differ by more than their own errors.

    y_k = design_k . b + between_k + error_k

Log k has the standard error of error_k. between_k is normal with an unknown standard deviation tau: the scatter
between runs. Two logs determine tau poorly, so tau has a half-Cauchy prior, scaled to repeated runs of one program,
and is integrated out.
"""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray

USUAL_SCATTER = 0.03  # standard deviation of log mark cost and log speeds between runs on a quiet machine
_TAUS: FloatArray = np.concatenate([[0.0], np.geomspace(0.0005, 1.0, 60)])
_LEAST_ERROR = 1e-4
_NEWTON_STEPS = 5
_FLAT = 1e6  # standard deviation of a coefficient without a prior, for y of order 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Posterior means and standard deviations of the coefficients, shape (p,), and the scatter between logs."""

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
    """The posterior of the coefficients; arguments (k,), (k,), (k, p), (p,), (p,).

    Without a design the only coefficient is the mean. Without priors the coefficients are free. ``y`` and errors are of
    order 1 or below: logarithms, or values over a typical value. ``usual_scatter`` is the prior median of tau.
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


def pooled_log_slope(cost: FloatArray, errors: FloatArray, swept: FloatArray, rel_sd: float) -> Pooled:
    """The fit of cost = a + swept * exp(u), u normal with mean 0 and standard deviation ``rel_sd``."""
    log_factor = 0.0
    for _ in range(_NEWTON_STEPS):
        slope = swept * math.exp(log_factor)
        law = pooled(
            cost - slope * (1.0 - log_factor),
            errors,
            np.stack([np.ones(cost.size), slope], axis=1),
            prior_means=np.zeros(2),
            prior_sds=np.array([1e6, rel_sd]),
        )
        log_factor = float(np.clip(law.coefficients[1], -2.0, 2.0))
    return law


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
    """The half-Cauchy mass around each tau of the grid; the scale equals the median."""
    edges = np.concatenate([[0.0], np.sqrt(_TAUS[1:-1] * _TAUS[2:]), [math.inf]])
    edges = np.concatenate([edges[:1], [_TAUS[1] / 2.0], edges[1:]])
    cumulated = 2.0 / math.pi * np.arctan(edges / median)
    return np.diff(cumulated)
