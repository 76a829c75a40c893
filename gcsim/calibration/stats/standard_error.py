"""Standard errors of means over correlated cycles whose values are printed in steps.

gctrace truncates (Go 1.5+ ``fmtNSAsMS``; sizes to whole MiB). Calibration replaces each number by the middle of its
step. The remaining error of a mean depends on the spread of the values. If cycles scatter over several steps, their
truncation errors are independent and average out. If all cycles fall into one step, they share one error of up to half
a step. The common variance, for step d and values of standard deviation s, is the covariance of two truncation errors
averaged over all positions of the mean (Fourier series of the sawtooth):

    d^2 / (2 pi^2) * sum over k of exp(-(2 pi k s / d)^2) / k^2        d^2 / 12 at s = 0
"""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.gctrace.numbers import printed_step_ns

_MOST_LAGS = 60
_LEAST_SHARE = (
    0.2  # of the variance of independent cycles: neighbouring intervals may be negatively correlated
)
_HARMONICS = np.arange(1, 40, dtype=np.float64)


def standard_error(values: FloatArray) -> float:
    """The standard error of the mean of consecutive cycles' values, with their own autocorrelation.

    Autocovariances are summed in pairs of neighbouring lags while the pairs are positive and do not rise (Geyer 1992,
    initial monotone sequence). With fewer than five values the result is their root mean square.
    """
    count = values.size
    if count < 5:
        return float(np.sqrt(np.mean(values**2))) if count else 0.0
    deviations = values - values.mean()
    lags = 2 * (min(count // 2, _MOST_LAGS) // 2)
    covariances = np.array([float(deviations[: count - k] @ deviations[k:]) for k in range(lags)]) / count
    pairs = np.minimum.accumulate(covariances[0::2] + covariances[1::2])
    first_negative = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else pairs.size
    variance = max(2.0 * float(pairs[:first_negative].sum()) - covariances[0], _LEAST_SHARE * covariances[0])
    of_t = count / (count - 3.0)  # the spread is estimated: variance of Student's t
    return math.sqrt(variance / count * of_t)


def printing_error(values: FloatArray, step: FloatArray | float) -> float:
    """The standard deviation of the error that truncation leaves in the mean; ``step`` is 0 for exact values.

    The spread is taken between the 5th and 95th percentiles, without the step's own part, so that rare outliers do not
    count. The result is up to four times too large if the spread is 0.2 to 0.5 steps.
    """
    steps = np.broadcast_to(np.asarray(step, dtype=np.float64), values.shape)
    mean_square = float(np.mean(steps**2)) if values.size else 0.0
    if mean_square <= 0:
        return 0.0
    spread = float(np.var(np.clip(values, *np.quantile(values, (0.05, 0.95)))))
    relative = max(spread - mean_square / 12.0, 0.0) / mean_square
    in_common = np.exp(-((2.0 * math.pi * _HARMONICS) ** 2) * relative) / _HARMONICS**2
    return math.sqrt(mean_square * float(in_common.sum()) / (2.0 * math.pi**2))


def printing_scatter(values: FloatArray, step: FloatArray | float) -> float:
    """The standard deviation that truncation adds to the spread of the values: its error without the common part."""
    whole = float(np.mean(np.broadcast_to(np.asarray(step, dtype=np.float64), values.shape) ** 2)) / 12.0
    return math.sqrt(max(whole - printing_error(values, step) ** 2, 0.0))


def ratio_of_sums(above: FloatArray, below: FloatArray) -> float:
    """sum(above) / sum(below), without the bias of order 1 / n (Cochran, ratio estimators)."""
    bias = (
        float((ratio_difference(above, below) * below).mean()) / max(float(below.mean()), 1e-30) / below.size
    )
    return float(above.sum() / below.sum()) * (1.0 + bias)


def ratio_difference(above: FloatArray, below: FloatArray) -> FloatArray:
    """The contribution of each cycle to the relative error of sum(above) / sum(below), shape (n,)."""
    return above / max(float(above.mean()), 1e-30) - below / max(float(below.mean()), 1e-30)


def time_steps(seconds: FloatArray) -> FloatArray:
    """The unit of the last printed digit of each time, in seconds; 0 for a printed 0."""
    step_ns = printed_step_ns(np.round(seconds * 1e9).astype(np.int64))
    return np.where(seconds > 0, step_ns * 1e-9, 0.0)


def time_printing_error(seconds: FloatArray) -> float:
    """The error that truncation leaves in the mean of printed times, in seconds."""
    return printing_error(seconds, time_steps(seconds))
