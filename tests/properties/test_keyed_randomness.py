"""A setting's prediction is the same bytes alone, in any grid, in any order, in any chunk and with more replicas."""

import json
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from example_service import example_service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcsim.engine.plan import Engine
from gcsim.engine.simulate import replica_metrics, simulate
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.service.profile import Profile
from gcsim.settings import Settings
from gcsim.tuning import sweep as sweep_module
from gcsim.tuning.sweep import sweep
from gcsim.units import MIB

SECONDS: dict[Engine, float] = {"lanes": 40.0, "des": 0.5}
GOGCS = (10, 50, 100, 170, 400, None)
LIMITS = (None, 100 * MIB, 140 * MIB, 300 * MIB)


def _closed() -> Model:
    return example_service()


def _open() -> Model:
    """Arrivals on half of two Ps, with idle marking."""
    rate = Parameter(200.0 * MIB)
    changed = {"alloc_bytes_per_second": rate, "alloc_bytes_per_cpu_second": rate}
    return replace(
        example_service(), loop="open", parameters=replace(example_service().parameters, **changed)
    )


def _moving() -> Model:
    """A load that doubles and a live heap that grows by half, over eight seconds."""
    profile = Profile(
        seconds=np.array([0.0, 4.0, 8.0]),
        live_factor=np.array([0.8, 1.2, 1.0]),
        alloc_factor=np.array([0.7, 1.3, 1.0]),
    )
    return replace(example_service(), profile=profile)


MODELS = {"closed": _closed, "open": _open, "moving": _moving}

grids = st.lists(
    st.tuples(st.sampled_from(GOGCS), st.sampled_from(LIMITS)).filter(lambda knobs: knobs != (None, None)),
    min_size=1,
    max_size=6,
    unique=True,
)


def _settings(knobs: Sequence[tuple[int | None, int | None]], gomaxprocs: int = 2) -> list[Settings]:
    return [Settings(gogc=g, gomemlimit_bytes=limit, gomaxprocs=gomaxprocs, go="1.27") for g, limit in knobs]


def _bytes(model: Model, asked: Sequence[Settings], engine: Engine, replicas: int) -> list[str]:
    runs = simulate(model, asked, duration_seconds=SECONDS[engine], replicas=replicas, seed=7, engine=engine)
    return [json.dumps(run.to_json()) for run in runs]


@pytest.mark.parametrize("kind", sorted(MODELS))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(knobs=grids, place=st.integers(0, 5), replicas=st.integers(1, 6))
def test_lanes_alone_in_a_grid_and_in_any_order(
    kind: str, knobs: list[tuple[int | None, int | None]], place: int, replicas: int
) -> None:
    """Neither the company of a setting nor its place changes a byte of the fast engine's figures."""
    model, asked = MODELS[kind](), _settings(knobs)
    one = asked[place % len(asked)]
    alone = _bytes(model, [one], "lanes", replicas)[0]
    assert _bytes(model, asked, "lanes", replicas)[place % len(asked)] == alone
    assert _bytes(model, asked[::-1], "lanes", replicas)[::-1][place % len(asked)] == alone


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_events_alone_in_a_grid_and_in_any_order(kind: str) -> None:
    """The same holds event by event."""
    model, asked = MODELS[kind](), _settings([(100, None), (50, 140 * MIB)])
    alone = [_bytes(model, [one], "des", 2)[0] for one in asked]
    assert _bytes(model, asked, "des", 2) == alone
    assert _bytes(model, asked[::-1], "des", 2)[::-1] == alone


@pytest.mark.parametrize("engine", ["lanes", "des"])
@pytest.mark.parametrize("kind", sorted(MODELS))
def test_more_replicas_leave_the_first_ones_as_they_are(kind: str, engine: Engine) -> None:
    """Replica r is the same run however many follow it."""
    model, asked = MODELS[kind](), _settings([(100, None), (50, 140 * MIB)])
    few, many = (
        replica_metrics(model, asked, duration_seconds=SECONDS[engine], replicas=count, seed=7, engine=engine)
        for count in (2, 3)
    )
    for name, values in few.items():
        np.testing.assert_array_equal(values, many[name][:, :2], err_msg=name)


@pytest.mark.parametrize("lanes_per_chunk", [1, 7, 4096])
def test_chunks_of_a_sweep_change_nothing(lanes_per_chunk: int) -> None:
    """How many settings are simulated in one call is a matter of speed only."""
    asked = {"gogc": (25, 100, 400), "gomemlimit_bytes": (None, 140 * MIB)}
    whole = sweep(_closed(), **asked, duration_seconds=40.0, replicas=3, seed=7)
    with patch.object(sweep_module, "LANES_PER_CHUNK", lanes_per_chunk):
        parts = sweep(_closed(), **asked, duration_seconds=40.0, replicas=3, seed=7)
    assert json.dumps(parts.to_json()) == json.dumps(whole.to_json())


def test_other_versions_in_one_call_change_nothing() -> None:
    """Settings of several Go versions may be asked for together."""
    new, old = _settings([(100, None)])[0], replace(_settings([(100, None)])[0], go="1.19")
    together = _bytes(_closed(), [old, new, old], "lanes", 3)
    assert together == [_bytes(_closed(), [one], "lanes", 3)[0] for one in (old, new, old)]


def test_near_settings_meet_the_same_luck() -> None:
    """Common random numbers: between two near settings the replicas' highest heaps go up and down together."""
    model, asked = _closed(), _settings([(100, None), (105, None)])
    peaks = replica_metrics(model, asked, duration_seconds=40.0, replicas=64, seed=7)["heap_peak_bytes"]
    assert np.corrcoef(peaks)[0, 1] > 0.9  # 0.2 where each setting draws for itself
