"""Wall time and CPU time of a job at other settings, in both engines."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.simulate import simulate
from gcsim.service.growth import LiveGrowth
from gcsim.service.model import Model

SECONDS = 10.0


def job(**measured: float) -> Model:
    """A job of ten seconds whose live heap rises."""
    course = LiveGrowth(
        form="job",
        clock="work",
        log_seconds=SECONDS,
        seconds=np.array([0.0, SECONDS]),
        levels=np.array([0.5, 1.5]),
        **measured,
    )
    return replace(example_service(), growth=course)


def costs(model: Model, gogc: int, engine: str = "lanes") -> tuple[float, float]:
    settings = replace(model.settings, gogc=gogc)
    (run,) = simulate(model, [settings], replicas=8, engine=engine)  # type: ignore[arg-type]
    return run.metrics["job_wall_seconds"].value, run.metrics["job_cpu_seconds"].value


def test_the_calibrated_setting_has_the_measured_times() -> None:
    """A capture's wall and CPU time come back; without one the length of the log does."""
    model = job(job_wall_seconds=12.0, job_cpu_seconds=20.0)
    assert costs(model, model.settings.gogc or 0) == pytest.approx((12.0, 20.0), rel=0.02)
    assert costs(job(), model.settings.gogc or 0)[0] == pytest.approx(SECONDS, rel=0.02)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_fewer_collections_cost_less(engine: str) -> None:
    """CPU time and wall time fall with GOGC, in both engines alike."""
    model = job(job_wall_seconds=12.0, job_cpu_seconds=20.0)
    low, high = costs(model, 50, engine), costs(model, 400, engine)
    assert low[0] > 12.0 > high[0]
    assert low[1] > 20.0 > high[1]
    assert low == pytest.approx(costs(model, 50), rel=0.15)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_job_runs_to_its_end(engine: str) -> None:
    """A duration below the length of the job does not cut it: its memory would be that of a part."""
    model = job(job_wall_seconds=12.0, job_cpu_seconds=20.0)
    settings = replace(model.settings, gogc=20)
    plan = {"replicas": 4, "engine": engine}
    (short,) = simulate(model, [settings], duration_seconds=2.0, **plan)  # type: ignore[arg-type]
    (whole,) = simulate(model, [settings], **plan)  # type: ignore[arg-type]
    assert short.metrics == whole.metrics


def test_a_service_has_no_such_times() -> None:
    """Only one whole run of a job has an end."""
    model = example_service()
    (run,) = simulate(model, [model.settings], replicas=2, duration_seconds=5.0)
    assert "job_wall_seconds" not in run.metrics


def test_model_files_keep_the_times() -> None:
    """And older files without them are read."""
    growth = job(job_wall_seconds=12.0, job_cpu_seconds=20.0).growth
    again = LiveGrowth.from_document(growth.to_document())
    assert (again.job_wall_seconds, again.job_cpu_seconds) == (12.0, 20.0)
    older = {name: value for name, value in growth.to_document().items() if not name.startswith("job_")}
    assert LiveGrowth.from_document(older).job_wall_seconds == 0.0
