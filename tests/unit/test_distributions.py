"""Normal and beta distributions without SciPy: the values are SciPy's."""

import numpy as np
import pytest
from scipy.special import betaincinv, ndtr, ndtri

from gcsim.distributions import beta_quantile, normal_cdf, normal_quantile

LEVELS = np.linspace(0.001, 0.999, 101)


def test_the_normal_distribution_is_exact() -> None:
    """Distribution function and quantile agree with SciPy's to the last digits, in any shape."""
    deviations = np.linspace(-8.0, 8.0, 400).reshape(20, 20)
    np.testing.assert_allclose(normal_cdf(deviations), ndtr(deviations), rtol=1e-13)
    np.testing.assert_allclose(normal_quantile(LEVELS), ndtri(LEVELS), atol=1e-13)


@pytest.mark.parametrize("draws", [1, 2, 3, 10, 50, 61, 200, 1000, 3000, 6000, 200_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
def test_the_level_of_an_order_statistic_is_within_its_stated_error(draws: int, share: float) -> None:
    """The beta quantile is exact for few draws and near for many."""
    a = np.full(LEVELS.size, share * (draws - 1) + 1)
    b = draws - a + 1
    found, exact = beta_quantile(a, b, LEVELS), betaincinv(a, b, LEVELS)
    deviation = np.sqrt(a * b / (a + b + 1)) / (a + b)
    few = min(a[0], b[0]) < 30
    assert np.abs((found - exact) / deviation).max() < (1e-8 if few else 0.005)


def test_a_quantile_does_not_depend_on_its_neighbours() -> None:
    """An element has the same bytes in an array of others as alone."""
    a, b = np.array([1.5, 20.0, 80.0, 5.0]), np.array([2.0, 3.0, 80.0, 1.0])
    levels = np.array([0.2, 0.9, 0.4, 0.7])
    together = beta_quantile(a, b, levels)
    alone = [beta_quantile(a[i : i + 1], b[i : i + 1], levels[i : i + 1])[0] for i in range(4)]
    assert together.tolist() == [float(each) for each in alone]
