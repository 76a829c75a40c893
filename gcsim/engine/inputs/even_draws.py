"""Standard normal deviations that are spread evenly, so that few of them have the prior's median and width."""

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.distributions import normal_quantile

_CELLS = 16  # replicas of a usual prediction: so many deviations are the middles of as many equal shares
_LEAST_LEVEL = 1e-3  # a quantile at 0 would be infinite


def even_deviations(count: int, base: int, generator: np.random.Generator) -> FloatArray:
    """The first ``count`` deviations of the sequence in a base, shape (count,), with random digits added.

    The levels are those of Halton's sequence, each digit shifted by a random one. The first deviations do not depend on
    ``count``. Sequences in two bases are spread evenly together.
    """
    levels, number, place = np.zeros(count), np.arange(count), 1.0
    while place * _CELLS > 1.0 or number.any():
        shift = int(generator.integers(base)) if place * _CELLS > 1.0 else 0
        place /= base
        levels += place * ((number + shift) % base)
        number //= base
    levels = (levels + 0.5 / _CELLS) % 1.0
    return normal_quantile(np.clip(levels, _LEAST_LEVEL, 1.0 - _LEAST_LEVEL))
