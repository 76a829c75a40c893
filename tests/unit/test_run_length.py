"""The length of event runs: as short as their sampling error allows, and the same everywhere."""

import json
from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service
from typer.testing import CliRunner

from gcsim.cli.main import app
from gcsim.cli.options import simulation
from gcsim.engine.controllers import GcSetting
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.length import CHECKS, RunLength
from gcsim.engine.executors import LEAST_CYCLES, Workers
from gcsim.engine.plan import Plan
from gcsim.engine.simulate import replica_metrics, simulate
from gcsim.engine.summary.intervals import SamplingError
from gcsim.service.profile import Profile
from gcsim.units import MIB

NEEDED = Plan(replicas=2, engine="des", length="needed")
SETTING = GcSetting(np.array([100]), np.array([1 << 62]))


def _cycles_until_enough(scatter: float) -> int:
    """The cycles of a made-up run whose heap peaks scatter by a relative standard deviation."""
    length, peaks = RunLength("closed", gomaxprocs=2), np.random.default_rng(7)
    for number in range(1, 301):
        cycle = Cycle(
            number=number,
            start_ns=number * 200_000_000,
            sweep_term_ns=20_000,
            mark_ns=30_000_000,
            mark_term_ns=20_000,
            assist_ns=1e6,
            background_ns=15e6,
            idle_mark_ns=0.0,
            trigger_bytes=90 * MIB,
            heap_start_bytes=90.0 * MIB,
            heap_end_bytes=100.0 * MIB * (1.0 + scatter * float(peaks.standard_normal())),
            heap_marked_bytes=50.0 * MIB,
            heap_goal_bytes=100 * MIB,
            live_bytes=45.0 * MIB,
            limited_ns=0,
            mutator_bytes=50.0 * MIB,
            assists=1,
            setting=SETTING,
        )
        if length.add(cycle, 0.2 * number, None):
            return number
    return 300


def test_a_run_ends_when_its_sampling_error_is_small() -> None:
    """w = scatter / sqrt(cycles) must fall to 1.1 %, so that scatters of 3, 11 and 40 % need ever longer runs."""
    assert _cycles_until_enough(0.03) == CHECKS[0]
    assert _cycles_until_enough(0.11) in CHECKS[1:]
    assert _cycles_until_enough(0.40) == 300


def test_the_errors_are_those_of_the_mean() -> None:
    """The estimate from stretches agrees with scatter / sqrt(cycles), here 0.9 %, within its own error of a fifth."""
    found = []
    for seed in range(40):
        values = 1.0 + 0.07 * np.random.default_rng(seed).standard_normal(60)
        found.append(np.std(values.reshape(12, 5).mean(axis=1), ddof=1) / np.sqrt(12))
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.07 / np.sqrt(60), rel=0.1)


def test_intervals_are_corrected_for_shorter_runs() -> None:
    """Replicas that scatter by 3 % and have a sampling error of 4 % are corrected to 3 %, and never below the share."""
    rng = np.random.default_rng(3)
    services = 1.0 + 0.03 * rng.standard_normal(4000)
    short = services + 0.04 * rng.standard_normal(4000)
    corrected = SamplingError(variance=0.04**2, share=0.0).corrected(short)
    assert np.std(corrected) == pytest.approx(0.03, rel=0.05)
    assert np.median(corrected) == pytest.approx(np.median(short))
    same = SamplingError(variance=0.04**2, share=0.25).corrected(1.0 + 0.04 * rng.standard_normal(4000))
    assert np.std(same) == pytest.approx(0.02, rel=0.1)


def test_the_length_depends_on_the_run_alone() -> None:
    """Alone, in a grid, with more replicas and in two processes: the same bytes."""
    model = example_service()
    grid = [replace(model.settings, gogc=gogc) for gogc in (50, 100)]
    both = replica_metrics(model, grid, NEEDED)
    with pytest.MonkeyPatch.context() as patch, Workers(2) as two:
        patch.setitem(LEAST_CYCLES, "des", 0.0)
        split = replica_metrics(model, grid, NEEDED, executor=two)
    alone = replica_metrics(model, grid[1:], NEEDED, replicas=3)
    for name, values in both.items():
        assert values.tobytes() == split[name].tobytes()
        if not name.startswith(("rss", "anonymous", "container")):  # file pages are spread over the replicas
            assert values[1].tolist() == alone[name][0][:2].tolist()


def test_only_a_steady_service_stops_early() -> None:
    """A run with a moving load, explicit collections or a start-up has its full length."""
    model = example_service()
    short = NEEDED.changed(duration_seconds=14.0, replicas=1)
    steady = simulate(model, [model.settings], short)[0].simulated
    assert steady is not None
    assert steady.cycles == CHECKS[0]
    moving = Profile(
        seconds=np.array([0.0, 3.0, 6.0]), live_factor=np.ones(3), alloc_factor=np.array([0.9, 1.1, 0.9])
    )
    for changed, plan in (
        (replace(model, profile=moving), short.changed(duration_seconds=6.0)),
        (model, short.changed(duration_seconds=4.0, explicit_gc_seconds=1.0)),
        (model, short.changed(duration_seconds=4.0, warm_up_cycles=0)),
    ):
        needed = simulate(changed, [model.settings], plan)
        assert needed == simulate(changed, [model.settings], plan.changed(length="full"))


def test_a_stated_duration_is_simulated() -> None:
    """Only the event engine without ``--duration`` chooses the length."""
    asked = {"replicas": 2, "seed": 1}
    assert simulation(duration=None, engine="des", **asked).plan.length == "needed"
    assert simulation(duration="10m", engine="des", **asked).plan.length == "full"
    assert simulation(duration=None, engine="lanes", **asked).plan == Plan(replicas=2)


def test_the_document_says_how_long_was_simulated() -> None:
    """``simulate --json`` of the event engine, and the line above its table."""
    command = ["simulate", "order-service", "--engine", "des", "--replicas", "1", "--jobs", "1"]
    document = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    simulated = document["simulated"]
    assert simulated["cycles_per_replica"] in CHECKS
    rate_hz = simulated["cycles_per_replica"] / simulated["seconds_per_replica"]
    assert rate_hz == pytest.approx(document["metrics"]["gc_rate_hz"]["value"], rel=0.05)
    text = CliRunner().invoke(app, command).stdout
    assert f"simulated {simulated['cycles_per_replica']:.0f} GC cycles" in text
