"""The plan of a simulation: its fields reach every function that takes one."""

import inspect
from dataclasses import fields
from typing import get_type_hints

import numpy as np
import pytest
from example_service import example_service

import gcsim
from gcsim.cli.main import app
from gcsim.cli.options import simulation
from gcsim.engine.controllers import ChangeAt
from gcsim.engine.des.run.replicas import record_events
from gcsim.engine.plan import Engine, Plan, PlanFields
from gcsim.engine.simulate import record_cycles, replica_metrics, simulate
from gcsim.tuning.recorded import record_runs
from gcsim.tuning.sweep import sweep

SIMULATING = ("simulate", "sweep", "recommend", "report")
OTHER = Plan(
    duration_seconds=3.0,
    replicas=2,
    seed=9,
    engine="des",
    length="needed",
    warm_up_cycles=3,
    explicit_gc_seconds=0.5,
    controller=ChangeAt(seconds=1.0, gc_percent=50),
)


def test_each_field_is_a_keyword_of_the_same_type() -> None:
    """``PlanFields`` and ``Plan`` hold the same names and types."""
    assert get_type_hints(PlanFields) == get_type_hints(Plan)


def test_a_document_restores_every_field() -> None:
    """Also the fields that a document holds only when they are not usual."""
    assert all(getattr(OTHER, field.name) != field.default for field in fields(Plan))
    assert Plan.from_json(OTHER.to_json("any")) == OTHER
    assert Plan.from_json(Plan().to_json("any")) == Plan.from_json({}) == Plan()


def test_the_usual_document_has_no_rare_field() -> None:
    """The documents of ``sweep`` and ``recommend`` keep their shape."""
    names = {"gcsim_version", "model", "duration_seconds", "replicas", "seed", "engine"}
    assert set(Plan().to_json("any")) == names


@pytest.mark.parametrize("command", SIMULATING)
def test_a_command_has_every_option_of_a_simulation(command: str) -> None:
    """One table declares them for all commands."""
    (found,) = (each.callback for each in app.registered_commands if each.callback.__name__ == command)
    assert set(inspect.signature(simulation).parameters) < set(inspect.signature(found).parameters)


def test_a_keyword_and_a_plan_are_the_same() -> None:
    """In the public functions."""
    model = example_service()
    plan = Plan(duration_seconds=20.0, replicas=2, seed=4)
    words = {"duration_seconds": 20.0, "replicas": 2, "seed": 4}
    assert simulate(model, [model.settings], plan) == simulate(model, [model.settings], **words)
    assert sweep(model, gogc=[50], plan=plan) == sweep(model, gogc=[50], **words)
    asked = gcsim.recommend(model, memory_bytes=512 << 20, plan=plan)
    assert asked == gcsim.recommend(model, memory_bytes=512 << 20, **words)
    assert asked.plan == plan


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_run_without_warm_up_has_the_start_of_the_process(engine: Engine) -> None:
    """Its first cycles are those that the warm-up leaves out."""
    model = example_service()
    record = record_cycles if engine == "lanes" else lambda *args: record_events(*args).cycles
    usual = record(model, model.settings, Plan(duration_seconds=3.0))
    whole = record(model, model.settings, Plan(duration_seconds=9.0, warm_up_cycles=0))
    assert whole.start_ns[0] > 0
    np.testing.assert_array_equal(whole.heap_live_bytes[8:12], usual.heap_live_bytes[:4])


def test_forced_collections_are_in_a_recording_too() -> None:
    """A recorded run follows the whole plan, as the metrics do."""
    model = example_service()
    off = [gcsim.Settings(gogc=None, gomaxprocs=2, go="1.27")]
    forced = Plan(duration_seconds=30.0, replicas=1, engine="des", explicit_gc_seconds=1.0)
    assert len(record_runs(model, off, forced)[0].cycles) > 20
    assert replica_metrics(model, off, forced)["gc_rate_hz"] > 0.5
