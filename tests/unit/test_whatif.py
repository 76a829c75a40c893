"""A change of a service: before and after with common random numbers, and the ratio's interval."""

from dataclasses import replace

import numpy as np
import pytest
from des_fingerprint import open_service
from example_service import example_service

from gcsim.engine.plan import Plan
from gcsim.engine.simulate import simulate, simulate_replicas
from gcsim.engine.summary.intervals import ratio_interval
from gcsim.engine.summary.model_errors import Extrapolation
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.tuning.changes import Changes
from gcsim.tuning.quota import Quota
from gcsim.tuning.whatif import WhatIf, what_if
from gcsim.units import MIB

PLAN = Plan(duration_seconds=20.0, replicas=8, seed=3)


def changed(model: Model, changes: Changes, **settings: object) -> WhatIf:
    return what_if(model, replace(model.settings, **settings), changes, plan=PLAN)  # type: ignore[arg-type]


def test_before_and_after_are_what_simulate_predicts() -> None:
    """The same runs as two calls of simulate, with replicas that have the runs' medians."""
    model = example_service()
    found = changed(model, Changes(live=1.5), gogc=200)
    (before,) = simulate(model, [model.settings], PLAN)
    (after,) = simulate(model.scaled(live=1.5), [replace(model.settings, gogc=200)], PLAN)
    assert found.before == before
    assert found.after.metrics == after.metrics
    one = simulate_replicas(model, model.settings, PLAN)
    assert np.median(one.values["gc_rate_hz"]) == pytest.approx(before.metrics["gc_rate_hz"].value)


def test_a_ratio_is_narrower_than_what_two_intervals_would_give() -> None:
    """The uncertainty about the service is common to before and after."""
    found = changed(example_service(), Changes(live=2.0))
    for name in ("heap_peak_bytes", "gc_cpu_fraction"):
        before, after, ratio = found.before.metrics[name], found.after.metrics[name], found.ratios[name]
        assert ratio.low < ratio.value < ratio.high
        assert ratio.high / ratio.low < (after.high / after.low) * (before.high / before.low)
    assert found.ratios["heap_live_mean_bytes"].value == pytest.approx(2.0, rel=0.02)


def test_equal_replicas_leave_the_error_of_the_model() -> None:
    """A metric that is 0 has no ratio; one that does not move has 1 with the model's error around it."""
    values = np.array([1.0, 2.0, 3.0, 4.0])
    home = Extrapolation(0.0, limited=False)
    same = ratio_interval("heap_peak_bytes", values, values, load="open", extrapolation=home)
    assert same is not None
    assert same.value == 1.0
    assert same.low == pytest.approx(np.exp(-1.645 * 0.05), rel=1e-3)
    assert ratio_interval("gc_cpu_fraction", values * 0, values, load="open", extrapolation=home) is None
    many = ratio_interval("gc_cpu_fraction", values, 3 * values, load="open", extrapolation=home)
    assert many is not None
    assert many.high > many.value == 3.0  # a share's ratio may be above 1


def test_traffic_multiplies_the_work_of_an_open_loop_and_a_closed_one_refuses_it() -> None:
    """Half the arrivals: half the cycles and the throughput, the same heap."""
    found = changed(open_service(), Changes(traffic=0.5))
    assert found.ratios["throughput_ratio"].value == pytest.approx(0.5, rel=0.02)
    assert found.ratios["gc_rate_hz"].value == pytest.approx(0.5, rel=0.2)
    assert found.ratios["heap_live_mean_bytes"].value == pytest.approx(1.0, rel=0.01)
    assert {"gc_rate_hz", "gc_cpu_fraction", "throughput_ratio"} <= set(found.moved)
    with pytest.raises(InputError, match="closed loop"):
        changed(example_service(), Changes(traffic=2.0))


def test_less_allocation_means_fewer_cycles_for_the_same_work() -> None:
    """In a closed loop the freed CPU is used for more work."""
    found = changed(example_service(), Changes(allocation=0.5))
    assert found.ratios["gc_rate_hz"].value < 0.65
    assert found.ratios["throughput_ratio"].value > 1.0


def test_a_quota_below_the_need_slows_program_and_collector_alike() -> None:
    """A closed loop at half of its cores: half the cycles and the work, the same heap and share of GC."""
    model = example_service()
    found = changed(model, Changes(cpu_quota=model.settings.gomaxprocs / 2))
    assert found.ratios["throughput_ratio"].value == pytest.approx(0.5, rel=0.05)
    assert found.ratios["gc_rate_hz"].value == pytest.approx(0.5, rel=0.1)
    assert found.ratios["heap_peak_bytes"].value == pytest.approx(1.0, rel=0.05)
    assert found.ratios["gc_cpu_fraction"].value == pytest.approx(1.0, rel=0.1)


def test_a_quota_above_the_need_changes_nothing() -> None:
    """An open loop with cores to spare runs at full speed, and the note says that nothing is simulated."""
    model = open_service()
    (run,) = simulate(model, [model.settings], PLAN)
    enough = Quota.of(model, model.settings, run, cores=float(model.settings.gomaxprocs))
    assert enough.speed == 1.0
    assert 0 < enough.needed_cores <= model.settings.gomaxprocs
    found = changed(model, Changes(cpu_quota=float(model.settings.gomaxprocs)))
    assert found.moved == []
    assert found.notes[0].modelled.startswith("nothing")


def test_every_change_has_a_note() -> None:
    """Each names what the simulation lacks; another Go version names the cost of marking."""
    model = open_service()
    changes = Changes(allocation=2.0, live=2.0, traffic=0.5, cpu_quota=1.0)
    settings = {"gogc": 200, "gomemlimit_bytes": 512 * MIB, "gomaxprocs": 4, "go": "1.25"}
    found = changed(model, changes, **settings)
    assert [note.change.split()[0] for note in found.notes] == [
        "allocation", "live", "traffic", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "Go", "CPU",
    ]  # fmt: skip
    assert all(note.modelled and note.not_modelled for note in found.notes)
    assert "marking costs" in next(n for n in found.notes if n.change.startswith("Go 1")).not_modelled


def test_more_load_keeps_the_share_of_arrivals_that_marking_serves() -> None:
    """Both engines agree on the cycle rate at a quarter more load."""
    model = Model.load("order-service-open").scaled(load=1.25)
    rates = [
        simulate(model, [model.settings], PLAN, duration_seconds=seconds, replicas=2, engine=engine)[0]
        .metrics["gc_rate_hz"]
        .value
        for engine, seconds in (("lanes", 30.0), ("des", 4.0))
    ]
    assert rates[0] == pytest.approx(rates[1], rel=0.1)
