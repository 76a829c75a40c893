"""A grid that is filled with equal lanes has the bytes of the grid that is simulated in full."""

import json
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from example_service import example_service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcsim.engine.lanes.equal import KnownLanes, outline_of
from gcsim.engine.plan import Plan
from gcsim.engine.simulate import simulate
from gcsim.service.growth import LiveGrowth
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.service.profile import Profile
from gcsim.settings import Settings
from gcsim.tuning import sweep as sweep_module
from gcsim.tuning.sweep import sweep
from gcsim.units import MIB

PLAN = Plan(duration_seconds=25.0, replicas=3, seed=7)
SCALES = {  # factors on parameters of the example service, which has 100 MiB live
    "live_bytes": st.floats(0.02, 4.0),
    "mark_cpu_seconds": st.floats(0.1, 4.0),
    "assist_cpu_seconds": st.floats(0.1, 2.0),
    "alloc_bytes_per_second": st.floats(0.1, 1.0),
    "mark_cpu_heap_ratio": st.floats(0.7, 1.5),
}
VALUES = {
    "slot_garbage_share": st.floats(0.0, 1.0),
    "unfilled_slot_share": st.floats(0.0, 0.3),
    "metadata_share": st.floats(0.0, 0.1),
    "metadata_base_bytes": st.floats(0.0, 20.0 * MIB),
    "allocated_stack_bytes": st.floats(0.0, 30.0 * MIB),
    "globals_bytes": st.floats(0.0, 30.0 * MIB),
    "live_per_doubling": st.floats(0.9, 1.1),
    "mark_cpu_heap_exponent": st.floats(-0.5, 0.5),
}
STEADY = Profile.steady()
MOVING = Profile(
    seconds=np.array([0.0, 4.0, 8.0]),
    live_factor=np.array([0.8, 1.2, 1.0]),
    alloc_factor=np.array([0.7, 1.3, 1.0]),
)
GROWING = replace(  # the live heap doubles in a minute
    LiveGrowth.none(),
    form="linear",
    log_seconds=60.0,
    pace_sd=0.12,
    curvature_per_second=np.zeros(1),
    weight=np.ones(1),
    slope_per_second=np.array([0.011]),
    slope_sd=np.array([0.02]),
    pivot_seconds=np.array([30.0]),
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Services of many sizes, with an open or closed loop, steady, moving or growing."""
    base = example_service()
    known = base.parameters
    scaled = {name: getattr(known, name).value * draw(factor) for name, factor in SCALES.items()}
    given_values = {name: draw(value) for name, value in VALUES.items()}
    spread = draw(st.floats(0.0, 0.3))
    changed = {name: Parameter(value, spread) for name, value in {**scaled, **given_values}.items()}
    return replace(
        base,
        loop=draw(st.sampled_from(["closed", "open"])),
        profile=draw(st.sampled_from([STEADY, STEADY, MOVING])),
        parameters=replace(known, **changed),
    )


def grid(gogcs: Sequence[int | None], limits: Sequence[int | None], go: str) -> list[Settings]:
    return [
        Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=2, go=go) for limit in limits for gogc in gogcs
    ]


def assert_filled_is_full(model: Model, asked: Sequence[Settings], plan: Plan) -> KnownLanes:
    """Compares both ways byte by byte; returns the lanes that were filled."""
    outline = outline_of(model, asked, plan)
    assert outline is not None
    known = outline.known(asked)
    is_known = known.is_known.copy()
    filled = simulate(model, asked, plan, known=known)
    full = simulate(model, asked, plan)
    assert [json.dumps(run.to_json()) for run in filled] == [json.dumps(run.to_json()) for run in full]
    return KnownLanes(totals=known.totals, is_known=is_known)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    model=models(),
    gogcs=st.lists(st.sampled_from((0, 1, 10, 50, 75, 100, 150, 400, 5000, None)), min_size=2, unique=True),
    shares=st.lists(st.floats(0.3, 8.0), min_size=1, max_size=6, unique=True),
    unlimited=st.booleans(),
    go=st.sampled_from(["1.19", "1.20", "1.21", "1.27"]),
)
def test_a_filled_grid_is_the_grid_in_full(
    model: Model, gogcs: list[int | None], shares: list[float], unlimited: bool, go: str
) -> None:
    """For chosen models, axes and versions; limits are from less than the live heap to several times as much."""
    live = model.parameters.live_bytes.value
    limits = [int(live * share) for share in shares] + ([None] if unlimited else [])
    if gogcs == [None]:
        gogcs = [None, 100]
    assert_filled_is_full(model, grid(gogcs, limits, go), PLAN)


@pytest.mark.parametrize("profile", [STEADY, MOVING], ids=["steady", "moving"])
@pytest.mark.parametrize("loop", ["closed", "open"])
def test_most_of_a_usual_grid_is_filled(profile: Profile, loop: str) -> None:
    """The comparison above is not empty: both kinds of equality fill lanes of a grid with tight and loose limits."""
    model = replace(example_service(), profile=profile, loop=loop)
    gogcs, limits = [25, 50, 100, 200, 400, 800], [None, *(size * MIB for size in (110, 150, 250, 500, 2000))]
    known = assert_filled_is_full(model, grid(gogcs, limits, "1.27"), PLAN)
    is_known = known.is_known.reshape(len(limits), len(gogcs), PLAN.replicas)
    assert is_known[1:, :-1].mean() > 0.5
    assert is_known[-1, :4].all()  # a limit of 2000 MiB sets no trigger
    assert is_known[1, 2:].all()  # a limit near the live heap sets every trigger


def test_a_growing_service_is_filled_only_where_its_whole_run_is_equal() -> None:
    """The live heap passes some of the limits during the run."""
    model = replace(example_service(), growth=GROWING)
    plan = PLAN.changed(duration_seconds=60.0)
    asked = grid([50, 100, 400], [None, 150 * MIB, 300 * MIB, 600 * MIB], "1.27")
    known = assert_filled_is_full(model, asked, plan)
    assert 0 < known.is_known.sum() < known.is_known.size


def test_a_large_sweep_simulates_each_equal_lane_once() -> None:
    """The sweep in chunks uses the equality, and has the bytes of one call in full."""
    asked = {"gogc": (25, 100, 400, 800), "gomemlimit_bytes": (None, 110 * MIB, 140 * MIB, 900 * MIB)}
    plan = {"duration_seconds": 25.0, "replicas": 3, "seed": 7}
    whole = sweep(example_service(), **asked, **plan)
    simulated: list[int] = []

    def counted(*arguments: object, known: KnownLanes | None = None) -> object:
        assert known is not None
        simulated.append(int((~known.is_known).sum()))
        return simulate(*arguments, known=known)  # type: ignore[arg-type]

    with (
        patch.object(sweep_module, "LANES_PER_CHUNK", 6),
        patch.object(sweep_module, "simulate", counted),
    ):
        parts = sweep(example_service(), **asked, **plan)
    assert json.dumps(parts.to_json()) == json.dumps(whole.to_json())
    assert max(simulated) <= 6
    assert sum(simulated) < 16 * 3 / 2
