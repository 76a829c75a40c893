"""Loads that move: what the profile allocates over a time, and what an engine makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service
from hypothesis import given
from hypothesis import strategies as st

from gcsim.engine.simulate import lanes_for
from gcsim.errors import InputError
from gcsim.service.parameters import Parameter
from gcsim.service.profile import Profile
from gcsim.settings import Settings

BURSTS = Profile(  # a twentieth of the time at ten times the pace of the rest
    seconds=np.array([0.0, 0.05, 0.0501, 1.0]),
    live_factor=np.ones(4),
    alloc_factor=np.array([10.0, 10.0, 1.0, 1.0]) / 1.45,
)
#: The same, after a start that does not come again.
ONCE = Profile(
    seconds=np.array([0.0, 0.5, 0.5001, 1.0, 1.05, 1.0501, 2.0]),
    live_factor=np.ones(7),
    alloc_factor=np.array([20.0, 20.0, 1.0, 1.0, 5.0, 1.0, 1.0]),
    repeats_from_seconds=1.0,
)
TIMES = st.floats(0.001, 3.5)


@pytest.mark.parametrize("profile", [BURSTS, ONCE])
@given(now=st.floats(0.0, 5.0), seconds=TIMES)
def test_what_is_allocated_over_a_wait_is_what_was_waited_for(
    profile: Profile, now: float, seconds: float
) -> None:
    """The mean pace over the wait for some bytes, times the wait, gives those bytes back, within periods and across."""
    start = np.array([now])
    wait = profile.wait_seconds(start, np.array([seconds]))
    assert float((profile.mean_alloc(start, wait) * wait)[0]) == pytest.approx(seconds, rel=1e-6)


def test_the_start_of_a_process_does_not_repeat() -> None:
    """After its end the profile repeats from the time that it names."""
    times = np.array([0.1, 2.1, 3.1, 7.02])
    np.testing.assert_allclose(ONCE.alloc_at(times), ONCE.alloc_at(np.array([0.1, 1.1, 1.1, 1.02])))
    assert ONCE.period_seconds == 1.0
    assert Profile.from_document(ONCE.to_document()).repeats_from_seconds == 1.0
    assert "repeats_from_seconds" not in BURSTS.to_document()
    with pytest.raises(InputError, match="repeats_from_seconds"):
        replace(ONCE, repeats_from_seconds=2.0)


@given(now=st.floats(0.0, 5.0), first=TIMES, second=TIMES)
def test_means_over_parts_make_the_mean_over_the_whole(now: float, first: float, second: float) -> None:
    """Mean paces of two stretches weigh by their lengths; a steady profile's is its factor."""
    start, length = np.array([now]), np.array([first + second])
    parts = BURSTS.mean_alloc(start, np.array([first])) * first
    parts = parts + BURSTS.mean_alloc(start + first, np.array([second])) * second
    np.testing.assert_allclose(BURSTS.mean_alloc(start, length) * length, parts, rtol=1e-6)
    assert Profile.steady().mean_alloc(start, length) == 1.0


@pytest.mark.parametrize("gogc", [50, 100, 400])
def test_bursts_bring_no_more_than_arrives(gogc: int) -> None:
    """An open loop allocates what arrives, though collections start in bursts, which are over before marking is."""
    steady = example_service()
    arrivals = Parameter(120e6)
    parameters = replace(
        steady.parameters, alloc_bytes_per_second=arrivals, mark_mutator_procs=Parameter(0.3)
    )
    model = replace(steady, loop="open", profile=BURSTS, parameters=parameters)
    engine = lanes_for(model, [Settings(gogc=gogc, gomaxprocs=2)], replicas=8)
    for _ in range(3):
        engine.step()
    begun_s, allocated = engine.state.now_seconds.copy(), np.zeros(8)
    for _ in range(150):
        allocated += engine.step().mutator_bytes
    rate = allocated / (engine.state.now_seconds - begun_s)
    np.testing.assert_allclose(rate, arrivals.value, rtol=0.03)
