"""A job from the start of its process: first cycles, the end of a recorded run, its course, rates over wall time."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.calibration.estimate.job_course import best_stride
from gcsim.cycles import CycleTable
from gcsim.engine.des.run.replicas import record_events
from gcsim.engine.plan import Engine, Plan
from gcsim.engine.simulate import record_cycles, simulate
from gcsim.service.growth import LiveGrowth
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.units import MIB


def job(**measured: float) -> Model:
    """A job of four seconds whose live heap rises from nothing, as the log of its calibrated run shows it."""
    course = LiveGrowth(
        form="job",
        clock="work",
        log_seconds=4.0,
        seconds=np.array([0.0, 4.0]),
        levels=np.array([0.0, 2.0]),
        **measured,
    )
    return replace(example_service(), growth=course)


def recorded(model: Model, settings: Settings, engine: Engine) -> CycleTable:
    plan = Plan(engine=engine, duration_seconds=60.0)
    if engine == "lanes":
        return record_cycles(model, settings, plan)
    return record_events(model, settings, plan).cycles


@pytest.mark.parametrize("engine", ["lanes", "des"])
@pytest.mark.parametrize("gogc", [50, 400])
def test_a_job_starts_with_an_empty_heap(engine: Engine, gogc: int) -> None:
    """Its first goal is Go's heap minimum at that GOGC; a warmed-up service starts at its live heap."""
    model = job()
    cycles = recorded(model, replace(model.settings, gogc=gogc), engine)
    minimum = 4 * MIB * gogc / 100
    assert float(cycles.heap_goal_bytes[0]) == pytest.approx(
        minimum, rel=0.05
    )  # or a little past the trigger
    assert 0.7 * minimum < float(cycles.heap_start_bytes[0]) < 1.1 * minimum + MIB
    assert float(cycles.heap_end_bytes[0]) < 0.1 * float(cycles.heap_end_bytes.max())


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_recorded_job_ends_with_its_work(engine: Engine) -> None:
    """A run as a log has no cycle after the job's end, and about all of its allocation."""
    model = job()
    cycles = recorded(model, model.settings, engine)
    sizes = (cycles.heap_end_bytes.astype(float), cycles.heap_marked_bytes.astype(float))
    allocated = float(sizes[0][0] + (sizes[0][1:] - sizes[1][:-1]).sum())
    whole = 4.0 * model.parameters.alloc_bytes_per_second.value
    assert 0.5 * whole < allocated < 1.1 * whole


def test_both_engines_run_a_job_from_its_start_alike() -> None:
    """Cycles and heap peaks of the two engines, with small and large first goals."""
    for gogc in (50, 200):
        settings = replace(job().settings, gogc=gogc)
        lanes, events = (
            simulate(job(), [settings], replicas=4, engine=engine)[0].metrics for engine in ("lanes", "des")
        )
        for name in ("gc_rate_hz", "heap_peak_mean_bytes"):
            assert events[name].value == pytest.approx(lanes[name].value, rel=0.15)


def test_rates_are_over_the_wall_time_of_the_captured_run() -> None:
    """A program that waits or allocates slowly in some phases takes longer; collections and their CPU stay."""
    short, long = (
        simulate(model, [model.settings], replicas=8)[0].metrics
        for model in (job(), job(job_wall_seconds=8.0, job_cpu_seconds=9.0))
    )
    assert long["job_wall_seconds"].value == pytest.approx(8.0, rel=1e-6)
    for name in ("gc_rate_hz", "gc_cpu_fraction"):
        assert long[name].value * 8.0 == pytest.approx(
            short[name].value * short["job_wall_seconds"].value, rel=1e-6
        )
    assert long["heap_peak_bytes"] == short["heap_peak_bytes"]


def test_a_live_heap_that_follows_the_work_keeps_each_cycle() -> None:
    """A rise and waves of many cycles are a course; differences from cycle to cycle are scatter."""
    clock, random = np.arange(200.0), np.random.default_rng(4)
    waves = 50.0 + 0.2 * clock + 30.0 * np.sin(clock / 3.0)
    assert best_stride(clock, waves) == 1
    noise = 50.0 + 5.0 * random.standard_normal(200)
    assert best_stride(clock, noise) > 8
    assert best_stride(clock[:9], np.geomspace(1.0, 300.0, 9)) == 1
    assert best_stride(clock, waves, least=2) == 2
