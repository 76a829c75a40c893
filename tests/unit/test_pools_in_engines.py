"""A service with a pool in both engines."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from des_fingerprint import open_service

from gcsim.arrays import FloatArray
from gcsim.cli.main import run
from gcsim.engine.des.run.replicas import record_events
from gcsim.engine.plan import Engine, Plan
from gcsim.engine.pooled import interval_of, use_of, with_pools
from gcsim.engine.simulate import record_cycles, simulate, simulate_replicas
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.model import Model
from gcsim.service.pools import ServicePool
from gcsim.units import KIB

# large objects, so that misses and unused objects matter
POOL = ServicePool(gets_per_second=2000.0, hold_seconds=0.005, object_bytes=512.0 * KIB)
SECONDS: dict[Engine, float] = {"lanes": 100.0, "des": 15.0}
REPLICAS = 6


@cache
def service() -> Model:
    """The open example with a pool that it has had at calibration."""
    model = replace(open_service(), requests=None)
    (home,) = simulate(model, [model.settings], duration_seconds=20.0, replicas=8)
    return with_pools(model, [POOL], home, seed=1)


def values(model: Model, gogc: int, engine: Engine) -> dict[str, FloatArray]:
    """The metrics of each replica."""
    plan = Plan(duration_seconds=SECONDS[engine], replicas=REPLICAS, engine=engine)
    return simulate_replicas(model, replace(model.settings, gogc=gogc), plan).values


@pytest.mark.parametrize("gogc", [25, 100])
def test_engines_agree_on_a_service_with_a_pool(gogc: int) -> None:
    """As without pools: heap peak, cycle rate and GC CPU, by no more than is allowed, or than luck makes."""
    fast, slow = values(service(), gogc, "lanes"), values(service(), gogc, "des")
    for metric, allowed in (("heap_peak_mean_bytes", 0.02), ("gc_rate_hz", 0.03), ("gc_cpu_fraction", 0.05)):
        ratio = slow[metric] / fast[metric] - 1.0
        luck = 2.0 * float(ratio.std(ddof=1)) / np.sqrt(REPLICAS)
        assert abs(float(ratio.mean())) <= max(allowed, luck), f"{metric}: {ratio.mean():+.3f}"


def test_a_pool_at_its_calibrated_setting_changes_nothing() -> None:
    """Its misses and unused objects are what was taken out."""
    model = replace(open_service(), requests=None)
    before, after = (values(one, 100, "lanes") for one in (model, service()))
    for metric in ("gc_rate_hz", "heap_peak_mean_bytes", "gc_cpu_fraction"):
        assert after[metric].mean() == pytest.approx(before[metric].mean(), rel=0.01)


def test_the_played_pool_has_the_hits_and_objects_of_the_closed_form() -> None:
    """At the mean time between the run's collections."""
    model = service()
    plan = Plan(duration_seconds=30.0, engine="des")
    recording = record_events(model, model.settings, plan)
    counts = [one for (one,) in recording.pools]
    interval = float(np.diff(recording.cycles.start_ns).mean()) * 1e-9
    expected = use_of(POOL, 2).at(interval, rules=rules_for("1.27"), seed=1)
    gets, hits = counts[-1].gets - counts[0].gets, counts[-1].hits - counts[0].hits
    assert 1.0 - hits / gets == pytest.approx(1.0 - expected.hit_share, rel=0.25)
    assert np.mean([one.pooled for one in counts]) == pytest.approx(expected.retained_objects, rel=0.15)


def test_more_collections_make_more_misses() -> None:
    """So the service allocates more, and collects still more often."""
    with_pool, fixed = service(), replace(open_service(), requests=None)
    ratios = []
    for model in (with_pool, fixed):
        often, rarely = values(model, 25, "lanes"), values(model, 100, "lanes")
        ratios.append(often["gc_rate_hz"].mean() / rarely["gc_rate_hz"].mean())
    assert ratios[0] > 1.02 * ratios[1]


def test_a_model_file_keeps_its_pools(tmp_path: object) -> None:
    """And their use follows the load, not the allocation."""
    path = f"{tmp_path}/model.toml"
    model = replace(service(), pools=(POOL, replace(POOL, goroutines=50)))
    model.save(path)
    assert Model.load(path).pools == model.pools
    assert model.scaled(load=2.0, allocation=0.5).pools[0].gets_per_second == 2.0 * POOL.gets_per_second


def test_the_lane_engine_alone_refuses_pools() -> None:
    """Its callers replace them first."""
    with pytest.raises(InputError, match="has pools"):
        record_cycles(service(), service().settings, duration_seconds=1.0)


def test_a_pool_larger_than_the_service_is_bad_input() -> None:
    """The sentence says what to check."""
    model = replace(open_service(), requests=None)
    (home,) = simulate(model, [model.settings], duration_seconds=5.0, replicas=4)
    assert interval_of(home, model) > 0
    with pytest.raises(InputError, match="check the size, the number and the hold time"):
        with_pools(model, [replace(POOL, object_bytes=2.0**30)], home, seed=1)


def test_the_command_counts_the_hits_of_the_event_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """And refuses more Gets than it can play."""
    asked = (
        "pool",
        "order-service-open",
        "--hold",
        "5ms",
        "--size",
        "64KiB",
        "--engine",
        "des",
        "--duration",
        "8s",
    )
    asked = (*asked, "--replicas", "1", "--json")
    assert run([*asked, "--gets", "2000", "--gogc", "50"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    assert 0.9 < point["hit_share"] < 1.0
    assert 0.0 < point["retained_objects"] < 50.0
    assert run([*asked, "--gets", "300000"]) == 2
    assert "--engine lanes" in capsys.readouterr().err
