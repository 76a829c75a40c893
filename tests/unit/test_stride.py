"""Runs of services that move are bounded in cycles, and skipped cycles change the prediction little."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine import simulate as engine
from gcsim.engine.lanes import run, stride
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.stride import EXACT_CYCLES, MAX_MOVING_CYCLES, repeats
from gcsim.engine.plan import WARM_UP_CYCLES
from gcsim.service.model import Model
from gcsim.service.profile import Profile
from gcsim.settings import Settings
from gcsim.units import MIB

WAVES = Profile(
    seconds=np.array([0.0, 150.0, 300.0, 450.0, 600.0]),
    live_factor=np.array([0.8, 1.2, 0.8, 1.2, 0.8]),
    alloc_factor=np.array([0.5, 1.5, 0.5, 1.5, 0.5]),
)


def moving() -> Model:
    return replace(example_service(), profile=WAVES)


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_a_limit_without_room_takes_a_bounded_number_of_steps(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes under a limit below the live heap collect many thousand times; few of those are simulated."""
    steps = 0
    one_step = LaneEngine.step

    def counted(lanes: LaneEngine) -> object:
        nonlocal steps
        steps += 1
        return one_step(lanes)

    monkeypatch.setattr(LaneEngine, "step", counted)
    settings = Settings(gogc=None, gomemlimit_bytes=64 * MIB, gomaxprocs=2)
    model = replace(moving(), loop=loop)
    (found,) = engine.simulate(model, [settings], replicas=2, duration_seconds=600.0)
    assert found.metrics["gc_rate_hz"].value * 600.0 > MAX_MOVING_CYCLES
    assert steps <= MAX_MOVING_CYCLES + WARM_UP_CYCLES


@pytest.mark.usefixtures("only_large")
def test_skipped_cycles_change_the_prediction_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a simulation of every cycle, over ten minutes at some eight cycles a second."""
    settings = [Settings(gogc=50, gomaxprocs=2), Settings(gogc=50, gomemlimit_bytes=180 * MIB, gomaxprocs=2)]
    quick = engine.simulate(moving(), settings, replicas=2)
    monkeypatch.setattr(stride, "EXACT_CYCLES", 10**9)
    monkeypatch.setattr(run, "MAX_MOVING_CYCLES", 10**9)
    whole = engine.simulate(moving(), settings, replicas=2)
    for fast, exact in zip(quick, whole, strict=True):
        for name in ("gc_rate_hz", "gc_cpu_fraction", "heap_peak_mean_bytes", "heap_live_mean_bytes"):
            assert fast.metrics[name].value == pytest.approx(exact.metrics[name].value, rel=0.03), name


def test_each_lane_is_skipped_by_its_own_pace() -> None:
    """One by one or together; cycles that are long enough by themselves stand for one each."""
    now, length = np.array([10.0, 400.0, 590.0]), np.array([0.001, 0.1, 5.0])
    together = repeats(EXACT_CYCLES + 1, now, length, 600.0)
    alone = [repeats(EXACT_CYCLES + 1, now[i : i + 1], length[i : i + 1], 600.0)[0] for i in range(3)]
    assert together.tolist() == alone
    assert together[0] > 100.0
    assert together[2] == 1.0
    assert (repeats(EXACT_CYCLES, now, length, 600.0) == 1.0).all()


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_a_moving_setting_does_not_depend_on_its_company(loop: str) -> None:
    """The same figures alone and next to a setting that collects without pause, where cycles are skipped in both."""
    model = replace(moving(), loop=loop)
    asked = Settings(gogc=30, gomaxprocs=2)
    tight = Settings(gogc=None, gomemlimit_bytes=64 * MIB, gomaxprocs=2)
    (alone,) = engine.simulate(model, [asked], replicas=3)
    _, among, _ = engine.simulate(model, [tight, asked, tight], replicas=3)
    assert among.metrics == alone.metrics
