"""What a service keeps when it is collected more or less often."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.plan import Engine
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.settings import Settings
from gcsim.submodels.live_heap import doublings, live_heap_scale


def test_doublings_count_what_is_allocated_between_collections() -> None:
    """A heap that grows by twice its live size instead of once is one doubling away; numbers and arrays alike."""
    assert doublings(3.0, 2.0) == pytest.approx(1.0)
    assert doublings(1.25, 2.0) == pytest.approx(-2.0)
    np.testing.assert_allclose(doublings(np.array([2.0, 5.0]), np.array([2.0, 2.0])), [0.0, 2.0])
    assert np.isfinite(doublings(1.0, 1.0))


def test_nothing_changes_at_the_calibrated_growth_or_where_nothing_survives_longer() -> None:
    """The share kept is 1 there, whatever the other figure."""
    assert live_heap_scale(1.1, 2.0, 2.0) == 1.0
    assert live_heap_scale(1.0, 9.0, 2.0) == 1.0


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_service_that_keeps_more_shows_it_at_a_higher_gogc(engine: Engine, large: bool) -> None:
    """Live heap at GOGC=400 over that at 100, with and without survivors: two to three doublings of 4 %."""
    if engine == "des" and not large:
        pytest.skip("runs with --large")
    model = example_service()
    keeps = replace(model, parameters=replace(model.parameters, live_per_doubling=Parameter(1.04)))

    def live(one: Model, gogc: int) -> float:
        settings = [Settings(gogc=gogc, gomaxprocs=2)]
        run = simulate(one, settings, duration_seconds=20.0, replicas=1, seed=1, record=True, engine=engine)[
            0
        ]
        assert run.cycles is not None
        return float(run.cycles.heap_live_bytes.mean())

    grown = live(keeps, 400) / live(keeps, 100)
    plain = live(model, 400) / live(model, 100)
    assert plain == pytest.approx(1.0, abs=0.01)
    assert 1.06 < grown / plain < 1.13
