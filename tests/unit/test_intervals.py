"""Intervals: replicas' scatter and the discrepancy together."""

import numpy as np
import pytest

from gcsim.engine.discrepancy import DISCREPANCY, Course, Distance, widened
from gcsim.metrics import METRICS

NEAR, FAR = Distance(0.0, False), Distance(3.0, True)


@pytest.mark.parametrize("course", list(DISCREPANCY))
@pytest.mark.parametrize("name", METRICS)
def test_an_interval_holds_its_value_and_shares_end_at_one(name: str, course: Course) -> None:
    """However wide: no share of the CPU or of the time is more than all of it."""
    for values in (np.full(8, 0.4), np.geomspace(0.05, 0.99, 9), np.zeros(4)):
        near, far = (widened(name, values, course=course, away=away) for away in (NEAR, FAR))
        assert far.low <= near.low <= near.value <= near.high <= far.high
        if name.endswith("_fraction"):
            assert far.high <= 1.0
