"""Runs that would have no end are refused or cut short, and say so; figures stay finite."""

import json
import math
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.inputs.bounds import MAX_RECORDED_CYCLES, check_pace, finite_arithmetic
from gcsim.engine.plan import Plan
from gcsim.engine.replicas import _checked
from gcsim.engine.simulate import record_cycles, simulate
from gcsim.errors import InputError
from gcsim.report.sweep_figures import recorded_curves
from gcsim.service.model import Model
from gcsim.service.parameters import PARAMETER_NAMES, RANGES, Parameter
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests
from gcsim.settings import Settings
from gcsim.tuning.recorded import SHOWN_CYCLES, record_runs

GCSIM = (sys.executable, "-m", "gcsim")
SETTINGS = Settings(gogc=100, gomaxprocs=2)


def with_value(model: Model, name: str, value: float) -> Model:
    return replace(model, parameters=replace(model.parameters, **{name: Parameter(value)}))


@pytest.mark.parametrize("name", PARAMETER_NAMES)
def test_both_ends_of_every_range_can_be_simulated(name: str) -> None:
    """Finite figures or one sentence, and no warning; beyond either end a sentence that names the parameter."""
    known = RANGES[name]
    for value in (known.low, known.high):
        model = with_value(example_service(), name, value)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                run = simulate(model, [SETTINGS], duration_seconds=5.0, replicas=2)[0]
            except InputError:
                continue
        assert all(math.isfinite(x) for e in run.metrics.values() for x in (e.value, e.low, e.high))
    for value in (np.nextafter(known.low, -np.inf), np.nextafter(known.high, np.inf)):
        with pytest.raises(InputError, match=f"{name} must be from"):
            with_value(example_service(), name, float(value))


def test_a_metric_that_is_not_finite_is_refused() -> None:
    """Whatever made it so: named with the model and the setting. Shares above 1 become 1."""
    model = example_service()
    metrics = {"gc_cpu_fraction": np.array([[1.0, 1.5, 0.0]]), "gc_rate_hz": np.array([[1.0, 1.5, 0.0]])}
    checked = _checked(model, [SETTINGS], metrics)
    assert checked["gc_rate_hz"].tolist() == [[1.0, 1.5, 0.0]]
    assert checked["gc_cpu_fraction"].tolist() == [[1.0, 1.0, 0.0]]
    with pytest.raises(InputError, match="example: gc_rate_hz at GOGC=100"):
        _checked(model, [SETTINGS], metrics | {"gc_rate_hz": np.array([[1.0, np.nan, 1.0]])})


@pytest.mark.parametrize("numerator", [1.0, 0.0])
def test_arithmetic_without_a_result_is_refused(numerator: float) -> None:
    """A division by zero in an array is an InputError with the model's name, not a line on standard error."""
    with pytest.raises(InputError, match="svc: its numbers lead out of the range"), finite_arithmetic("svc"):
        np.array([numerator]) / np.array([0.0])


def test_a_run_of_too_many_cycles_is_refused_before_it_has_them() -> None:
    """After the first thousand cycles it is known how many there will be."""
    check_pace(1000, 100.0, 1000.0, most_cycles=20_000)
    check_pace(1001, 100.0, 1e9, most_cycles=20_000)
    with pytest.raises(InputError, match="at most 20,000 are simulated"):
        check_pace(1000, 100.0, 10_000.0, most_cycles=20_000)
    with pytest.raises(InputError, match="more than a Go program can have"):
        check_pace(1000, 0.01, 1.0, most_cycles=20_000)


def test_a_recording_ends_at_the_cycles_that_are_drawn() -> None:
    """However long the run: figures of a million hours take seconds."""
    assert (
        len(record_cycles(example_service(), SETTINGS, duration_seconds=3.6e9, seed=1, most_cycles=40)) == 40
    )
    with pytest.raises(InputError, match=f"at most {MAX_RECORDED_CYCLES:,}"):
        record_cycles(example_service(), SETTINGS, duration_seconds=3.6e9, seed=1)
    recorded = record_runs(example_service(), [SETTINGS], Plan(duration_seconds=3.6e9, replicas=1, seed=1))
    curves, pauses = recorded_curves(recorded)
    assert SHOWN_CYCLES < pauses[0].seconds.size < 4 * SHOWN_CYCLES
    assert curves[0].start_s.size < 100


def test_a_moving_service_that_collects_all_the_time_ends() -> None:
    """Its period of eleven days holds millions of cycles: most of them stand for several."""
    fast = with_value(with_value(example_service(), "mark_cpu_seconds", 1e-6), "live_bytes", 1e5)
    moving = Profile(seconds=np.array([0.0, 1e6]), live_factor=np.ones(2), alloc_factor=np.array([0.5, 1.5]))
    steady, moved = (
        simulate(one, [SETTINGS], duration_seconds=1e6, replicas=1)[0].metrics["gc_rate_hz"].value
        for one in (fast, replace(fast, profile=moving))
    )
    assert moved == pytest.approx(steady, rel=0.1)  # the mean pace is the same


@pytest.mark.parametrize(
    ("seconds", "alloc_factor", "sentence"),
    [
        ([0.0, math.nan, 2.0], [1.0, 1.0, 1.0], "rise"),
        ([0.0, 1.0, math.inf], [1.0, 1.0, 1.0], "end in the range"),
        ([0.0, 1e-300], [1.0, 1.0], "rise"),
        ([0.0, 1e-5], [1.0, 1.0], "end in the range"),
        ([0.0, 2.0, 1.0], [1.0, 1.0, 1.0], "rise"),
        ([0.0, 1.0], [0.0, 0.0], "on average"),
        ([0.0], [0.0], "on average"),
        ([0.0, 1.0], [1.0, math.nan], "factors"),
        ([0.0, 1.0], [1.0, 1e300], "factors"),
        ([0.0, 1.0], [1.0], "one length"),
    ],
)
def test_a_profile_that_no_service_has(
    seconds: list[float], alloc_factor: list[float], sentence: str
) -> None:
    """Times that do not rise by something, or go on for ever; no allocation at all."""
    with pytest.raises(InputError, match=sentence):
        Profile(
            seconds=np.array(seconds), live_factor=np.ones(len(seconds)), alloc_factor=np.array(alloc_factor)
        )


def test_a_large_profile_costs_little_more_than_a_small_one() -> None:
    """Its integral is not made anew in each step."""

    def seconds(knots: int) -> float:
        generator = np.random.default_rng(1)
        profile = Profile(
            seconds=np.linspace(0.0, 100.0, knots),
            live_factor=np.ones(knots),
            alloc_factor=generator.uniform(0.5, 1.5, knots),
        )
        model = replace(example_service(), profile=profile)
        started = time.process_time()
        simulate(model, [SETTINGS], duration_seconds=30.0, replicas=2)
        return time.process_time() - started

    seconds(10)
    assert seconds(100_000) < 10.0 * max(seconds(10), 0.02)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", 10**9), ("workers", 0), ("bytes_per_request", 1e-300), ("burst_size", math.inf),
        ("think_seconds", math.nan), ("stall_share", 1.0), ("service_sigma", -1.0),
    ],
)  # fmt: skip
def test_requests_out_of_range(name: str, value: float) -> None:
    """Named with their range."""
    with pytest.raises(InputError, match=f"requests: {name} must be from"):
        Requests(**({"bytes_per_request": 1e4, "workers": 4} | {name: value}))


def test_too_many_requests_a_second_are_refused() -> None:
    """A byte each: the event engine would not end."""
    model = replace(example_service(), requests=Requests(bytes_per_request=1.0, workers=4))
    with pytest.raises(InputError, match="requests a second"):
        simulate(model, [SETTINGS], duration_seconds=5.0, replicas=1, engine="des")


def gcsim(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*GCSIM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.usefixtures("only_large")
def test_a_timeline_of_too_many_steps_is_refused(tmp_path: Path) -> None:
    """Through the command line: a nanosecond for half a second of simulated time."""
    path, out = tmp_path / "model.toml", tmp_path / "timeline.json"
    example_service().save(path)
    options = ("--engine", "des", "--replicas", "1", "--duration", "500ms", "--timeline-out", out)
    done = gcsim("simulate", path, *options, "--timeline-step", "1ns")
    assert done.returncode == 2
    assert "--timeline-step" in done.stderr
    assert not out.exists()
    assert gcsim("simulate", path, *options, "--timeline-step", "10ms").returncode == 0
    assert json.loads(out.read_text())["traceEvents"]


def test_a_run_without_collections_has_nothing_to_record(tmp_path: Path) -> None:
    """With GOGC=off and no limit the event engine says so."""
    path, out = tmp_path / "model.toml", tmp_path / "trace.log"
    example_service().save(path)
    options = ("--engine", "des", "--replicas", "1", "--duration", "1s", "--gogc", "off", "--trace-out", out)
    done = gcsim("simulate", path, *options)
    assert done.returncode == 2
    assert "no run to record" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_plot_of_a_million_hours_ends(tmp_path: Path) -> None:
    """Through the command line; as many cycles are recorded as are drawn."""
    path = tmp_path / "model.toml"
    example_service().save(path)
    done = gcsim("plot", path, "--gogc", "100", "--duration", "1000000h", "-o", tmp_path / "figures")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figures" / "heap.png").exists()
