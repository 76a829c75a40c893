"""Standard errors of means over a log's cycles, which depend on each other, and whose numbers are printed in steps.

gctrace truncates (Go 1.5+ ``fmtNSAsMS``; sizes to whole MiB). Calibration reads each number as the middle of what
may have been printed so. What is left of truncation in a mean depends on the spread: where cycles scatter over
several steps their errors are independent and vanish; where all fall into one step they are one error, as large
as the step allows. The part in common of a step d, for values of standard deviation s, is the covariance of two
truncation errors over all places of the mean (Fourier series of the sawtooth):

    d^2 / (2 pi^2) * sum over k of exp(-(2 pi k s / d)^2) / k^2        d^2 / 12 at s = 0
"""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence, time_steps

_MOST_LAGS = 60
_LEAST_SHARE = (
    0.2  # of independent cycles' variance: what one interval has too much, the next may have too little
)
_HARMONICS = np.arange(1, 40, dtype=np.float64)


def standard_error(values: FloatArray) -> float:
    """Of the mean of successive cycles' values, with the correlation that they themselves show.

    Autocovariances are summed in pairs of neighbouring lags while the pairs stay positive and do not rise (Geyer 1992,
    initial monotone sequence). At fewer than five values the spread is unknown: the root mean square stands for it.
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
    """Standard deviation of the error that truncation leaves in the mean; ``step`` is 0 where nothing was lost.

    The spread is that between the outer twentieths, less the steps' own part: a rare outlier does not blur a step.
    Overstated up to fourfold where the spread is a fifth to a half of a step, for then it is blurred itself.
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
    """Standard deviation that truncation adds to the values' own spread: all its error but what is in common."""
    whole = float(np.mean(np.broadcast_to(np.asarray(step, dtype=np.float64), values.shape) ** 2)) / 12.0
    return math.sqrt(max(whole - printing_error(values, step) ** 2, 0.0))


def ratio_of_sums(above: FloatArray, below: FloatArray) -> float:
    """The sums' ratio, less the part of its bias that falls with the number of cycles (Cochran, ratio estimators)."""
    bias = (
        float((ratio_difference(above, below) * below).mean()) / max(float(below.mean()), 1e-30) / below.size
    )
    return float(above.sum() / below.sum()) * (1.0 + bias)


def ratio_difference(above: FloatArray, below: FloatArray) -> FloatArray:
    """What each cycle adds to the relative error of sum(above) / sum(below)."""
    return above / max(float(above.mean()), 1e-30) - below / max(float(below.mean()), 1e-30)


def time_printing_error(seconds: FloatArray) -> float:
    """What truncation leaves in the mean of printed times, in seconds."""
    return printing_error(seconds, time_steps(seconds))


def black_printing_error(evidence: Evidence) -> float:
    """What truncation leaves in the mean of h1 - h0, in bytes.

    One cycle more that prints a whole step, or one less, is always possible: no difference seen is not none.
    """
    step = evidence.heap_step_bytes
    return math.hypot(
        printing_error(evidence.heap_start_bytes, step),
        printing_error(evidence.heap_end_bytes, step),
        float(step.mean()) / (len(evidence) + 1),
    )
